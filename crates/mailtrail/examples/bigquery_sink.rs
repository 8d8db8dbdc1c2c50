//! A BigQuery that takes every row and forgets it: what writing costs, without what a server does with it. Of the REST API it has as
//! much as `mailtrail bigquery init` and `serve` ask for; `GET /counts` says what came in.
//!
//!     cargo run --release --features bench --example bigquery_sink -- [--delay MS] [REST_PORT GRPC_PORT]
//!
//! Prints `ready REST_PORT GRPC_PORT`. `--delay`: so long each request waits for its acknowledgement, as BigQuery's own do.
#![expect(clippy::print_stdout, reason = "an example talks to a terminal")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use googleapis_tonic_google_cloud_bigquery_storage_v1::google::cloud::bigquery::storage::v1::append_rows_request::Rows;
use googleapis_tonic_google_cloud_bigquery_storage_v1::google::cloud::bigquery::storage::v1::append_rows_response::{
    AppendResult, Response as Answer,
};
use googleapis_tonic_google_cloud_bigquery_storage_v1::google::cloud::bigquery::storage::v1::{
    AppendRowsRequest, AppendRowsResponse,
};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Method, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::server::{Grpc, StreamingService};
use tonic::{Request, Status, Streaming};

/// Requests that are read and wait for their acknowledgement.
const WAITING: usize = 64;

#[derive(Default)]
struct State {
    requests: AtomicU64,
    rows: AtomicU64,
    bytes: AtomicU64,
    /// What was made, by path.
    made: Mutex<BTreeMap<String, Value>>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1).peekable();
    let mut delay = Duration::ZERO;
    if arguments.next_if(|argument| argument == "--delay").is_some() {
        delay = Duration::from_millis(arguments.next().context("--delay MS")?.parse()?);
    }
    let mut port = || arguments.next().map_or(Ok(0), |port| port.parse::<u16>());
    let rest = TcpListener::bind(("127.0.0.1", port()?)).await?;
    let grpc = TcpListener::bind(("127.0.0.1", port()?)).await?;
    println!("ready {} {}", rest.local_addr()?.port(), grpc.local_addr()?.port());
    let state = Arc::new(State::default());
    tokio::try_join!(serve_rest(rest, Arc::clone(&state)), serve_grpc(grpc, state, delay))?;
    Ok(())
}

async fn serve_rest(listener: TcpListener, state: Arc<State>) -> anyhow::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = service_fn(|request: http::Request<Incoming>| {
                let state = Arc::clone(&state);
                async move {
                    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
                    // A body that is cut is none.
                    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
                    let (status, answer) = answer(&state, &method, &path, &body);
                    let mut response = Response::new(Full::new(Bytes::from(answer.to_string())));
                    *response.status_mut() = status;
                    Ok::<_, Infallible>(response)
                }
            });
            // How a client leaves is its own matter.
            let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn answer(state: &State, method: &Method, path: &str, body: &[u8]) -> (StatusCode, Value) {
    if path == "/counts" {
        let number = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (requests, rows) = (number(&state.requests), number(&state.rows));
        return (StatusCode::OK, json!({ "requests": requests, "rows": rows, "bytes": number(&state.bytes) }));
    }
    if path.ends_with("/queries") {
        return (StatusCode::OK, json!({ "jobComplete": true, "rows": [], "numDmlAffectedRows": "1" }));
    }
    let mut made = state.made.lock().unwrap_or_else(PoisonError::into_inner);
    if method == Method::POST {
        let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let names = [body.pointer("/tableReference/tableId"), body.pointer("/datasetReference/datasetId")];
        let Some(name) = names.into_iter().flatten().find_map(Value::as_str) else {
            return (StatusCode::BAD_REQUEST, json!({}));
        };
        made.insert(format!("{path}/{name}"), body.clone());
        return (StatusCode::OK, body);
    }
    match made.get(path) {
        Some(there) => (StatusCode::OK, there.clone()),
        None => (StatusCode::NOT_FOUND, json!({ "error": { "message": format!("Not found: {path}") } })),
    }
}

async fn serve_grpc(listener: TcpListener, state: Arc<State>, delay: Duration) -> anyhow::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = service_fn(|request: http::Request<Incoming>| {
                let appends = Appends { state: Arc::clone(&state), delay };
                async move {
                    let codec = tonic_prost::ProstCodec::<AppendRowsResponse, AppendRowsRequest>::default();
                    let mut grpc = Grpc::new(codec).max_decoding_message_size(20 << 20);
                    Ok::<_, Infallible>(grpc.streaming(appends, request).await)
                }
            });
            let mut http = http2::Builder::new(TokioExecutor::new());
            http.initial_connection_window_size(16 << 20).initial_stream_window_size(16 << 20);
            // How a client leaves is its own matter.
            let _ended = http.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

struct Appends {
    state: Arc<State>,
    delay: Duration,
}

impl StreamingService<AppendRowsRequest> for Appends {
    type Response = AppendRowsResponse;
    type ResponseStream = ReceiverStream<Result<AppendRowsResponse, Status>>;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<Self::ResponseStream>, Status>> + Send>>;

    fn call(&mut self, request: Request<Streaming<AppendRowsRequest>>) -> Self::Future {
        let (state, delay) = (Arc::clone(&self.state), self.delay);
        Box::pin(async move {
            let (answers, stream) = mpsc::channel(WAITING);
            tokio::spawn(take_all(request.into_inner(), state, delay, answers));
            Ok(tonic::Response::new(ReceiverStream::new(stream)))
        })
    }
}

/// Requests are read while earlier ones wait, as BigQuery does.
async fn take_all(
    mut requests: Streaming<AppendRowsRequest>,
    state: Arc<State>,
    delay: Duration,
    answers: mpsc::Sender<Result<AppendRowsResponse, Status>>,
) {
    let (read, mut due) = mpsc::channel::<Instant>(WAITING);
    tokio::spawn(async move {
        while let Some(at) = due.recv().await {
            sleep_until(at).await;
            let taken = AppendRowsResponse {
                response: Some(Answer::AppendResult(AppendResult { offset: None })),
                ..AppendRowsResponse::default()
            };
            if answers.send(Ok(taken)).await.is_err() {
                return;
            }
        }
    });
    while let Some(Ok(request)) = requests.next().await {
        let rows = match &request.rows {
            Some(Rows::ProtoRows(data)) => data.rows.as_ref(),
            _ => None,
        };
        let rows = rows.map(|rows| rows.serialized_rows.as_slice()).unwrap_or_default();
        state.requests.fetch_add(1, Ordering::Relaxed);
        state.rows.fetch_add(rows.len() as u64, Ordering::Relaxed);
        state.bytes.fetch_add(rows.iter().map(|row| row.len() as u64).sum(), Ordering::Relaxed);
        if read.send(Instant::now() + delay).await.is_err() {
            return;
        }
    }
}
