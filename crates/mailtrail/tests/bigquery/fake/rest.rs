//! Datasets and tables that are what was posted; queries that have no rows.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::State;
use super::tls::greet;

pub(super) async fn serve(state: Arc<State>, tls: Option<TlsAcceptor>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (state, tls) = (Arc::clone(&state), tls.clone());
            tokio::spawn(async move {
                let Some(stream) = greet(stream, tls).await else { return };
                let service = service_fn(|request| answer(request, Arc::clone(&state)));
                // How a client leaves is its own matter.
                let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    address
}

async fn answer(request: Request<Incoming>, state: Arc<State>) -> Result<Response<Full<Bytes>>, Infallible> {
    let admitted = state.admits(request.headers().get(AUTHORIZATION));
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let (status, answer) = match path.as_str() {
        "/token" => {
            let number = state.token.fetch_add(1, Ordering::Relaxed) + 1;
            // Google's client asks for a new one ten seconds before that.
            let token = json!({ "access_token": format!("token-{number}"), "expires_in": 11, "token_type": "Bearer" });
            (200, token.to_string())
        }
        _ if admitted => decide(&state, &method, &path, &body),
        _ => (401, json!({ "error": { "message": "Request had invalid authentication credentials." } }).to_string()),
    };
    let mut response = Response::new(Full::new(Bytes::from(answer)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    Ok(response)
}

fn decide(state: &State, method: &Method, path: &str, body: &[u8]) -> (u16, String) {
    let refusals = state.refusals.lock().unwrap();
    if let Some((_, _, status, body)) =
        refusals.iter().find(|(part, of, ..)| path.contains(part) && method == of.as_str())
    {
        return (*status, body.clone());
    }
    let mut kept = state.kept.lock().unwrap();
    kept.wire.extend_from_slice(body);
    let json: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let missing = || (404, json!({ "error": { "message": format!("Not found: {path}") } }).to_string());
    if path.ends_with("/jobs") {
        let select = json["configuration"]["query"]["query"].as_str().is_some_and(|query| query.starts_with("SELECT"));
        let kind = if select { "SELECT" } else { "DELETE" };
        let query = json!({ "statementType": kind, "totalBytesProcessed": kept.query_bytes.to_string() });
        return (200, json!({ "statistics": { "query": query } }).to_string());
    }
    if path.ends_with("/queries") {
        let bytes = kept.query_bytes.to_string();
        if json["dryRun"] != true {
            let answered = (state.answerer.lock().unwrap())(&json);
            kept.queries.push(json);
            if let Some((status, answer)) = answered {
                return (status, answer.to_string());
            }
        }
        let answer =
            json!({ "jobComplete": true, "rows": [], "numDmlAffectedRows": "1", "totalBytesProcessed": bytes });
        return (200, answer.to_string());
    }
    if method == Method::POST {
        let name = match (&json["tableReference"]["tableId"], &json["datasetReference"]["datasetId"]) {
            (Value::String(table), _) => format!("{path}/{table}"),
            (_, Value::String(dataset)) => format!("{path}/{dataset}"),
            _ => return (400, "{}".to_owned()),
        };
        kept.tables.insert(name, json.clone());
        return (200, json.to_string());
    }
    kept.tables.get(path).map_or_else(missing, |table| (200, table.to_string()))
}
