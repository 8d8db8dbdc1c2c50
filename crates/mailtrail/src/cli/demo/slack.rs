//! A Slack of the demo's own: takes what an incoming webhook would take, to be shown.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

/// Longest message taken; Slack's own limits are far below.
const LONGEST: usize = 1 << 20;

/// A Slack on loopback. It ends with the runtime.
pub(super) struct Slack {
    pub(super) url: String,
    messages: Arc<Mutex<Vec<Value>>>,
}

impl Slack {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}/services/demo", listener.local_addr()?);
        let messages = Arc::new(Mutex::new(Vec::new()));
        let taken = Arc::clone(&messages);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let taken = Arc::clone(&taken);
                tokio::spawn(async move {
                    let service = service_fn(move |request| take(request, Arc::clone(&taken)));
                    let connection =
                        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    // A client that hangs up has been answered, or tries again.
                    let _ended = connection.await;
                });
            }
        });
        Ok(Self { url, messages })
    }

    /// The lines that people would read in the messages that came.
    pub(super) fn lines(&self) -> Vec<String> {
        let messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = Vec::new();
        for message in messages.iter() {
            for block in message["blocks"].as_array().into_iter().flatten() {
                texts(block, &mut lines);
            }
        }
        lines
    }

    /// Everything that came, as it came.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        messages.iter().flat_map(|message| message.to_string().into_bytes()).collect()
    }
}

async fn take(
    request: Request<hyper::body::Incoming>,
    taken: Arc<Mutex<Vec<Value>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = Limited::new(request.into_body(), LONGEST).collect().await;
    let message = body.ok().and_then(|body| serde_json::from_slice(&body.to_bytes()).ok());
    let (status, text) = if message.is_some() { (200, "ok") } else { (400, "invalid_payload") };
    taken.lock().unwrap_or_else(PoisonError::into_inner).extend(message);
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    Ok(response)
}

/// The texts of a block, a line each; a field is its heading and what stands below it.
fn texts(block: &Value, lines: &mut Vec<String>) {
    let text = block["text"].as_str().or_else(|| block["text"]["text"].as_str());
    lines.extend(text.into_iter().flat_map(str::lines).map(str::to_owned));
    for field in block["fields"].as_array().into_iter().flatten() {
        lines.extend(field["text"].as_str().map(|text| text.replace('*', "").replacen('\n', ": ", 1)));
    }
    for element in block["elements"].as_array().into_iter().flatten() {
        texts(element, lines);
    }
}
