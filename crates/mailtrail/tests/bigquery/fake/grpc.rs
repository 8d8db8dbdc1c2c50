//! AppendRows, by hand on hyper: connections can be cut at any point, and every byte that comes in is kept.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use googleapis_tonic_google_cloud_bigquery_storage_v1::google::cloud::bigquery::storage::v1::append_rows_request::Rows;
use googleapis_tonic_google_cloud_bigquery_storage_v1::google::cloud::bigquery::storage::v1::append_rows_response::{
    AppendResult, Response as Answer,
};
use googleapis_tonic_google_cloud_bigquery_storage_v1::google::cloud::bigquery::storage::v1::{
    AppendRowsRequest, AppendRowsResponse, RowError,
};
use googleapis_tonic_google_cloud_bigquery_storage_v1::google::rpc;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost_types::DescriptorProto;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::server::{Grpc, StreamingService};
use tonic::{Request, Response, Status, Streaming};

use super::tls::{Stream, greet};
use super::{Reply, Row, State};
use crate::decode::decode;

pub(super) async fn serve(state: Arc<State>, tls: Option<TlsAcceptor>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (state, tls) = (Arc::clone(&state), tls.clone());
            state.kept.lock().unwrap().connections += 1;
            tokio::spawn(async move {
                let Some(stream) = greet(stream, tls).await else { return };
                let cut = Arc::new(Notify::new());
                let tapped = TokioIo::new(Tap { stream, state: Arc::clone(&state) });
                let service = service_fn(|request: http::Request<hyper::body::Incoming>| {
                    let appends = Appends { state: Arc::clone(&state), cut: Arc::clone(&cut) };
                    async move {
                        let mut grpc =
                            Grpc::new(tonic_prost::ProstCodec::<AppendRowsResponse, AppendRowsRequest>::default());
                        Ok::<_, Infallible>(grpc.streaming(appends, request).await)
                    }
                });
                let connection = http2::Builder::new(TokioExecutor::new()).serve_connection(tapped, service);
                tokio::select! {
                    _ = connection => {}
                    () = cut.notified() => {}
                    () = state.cut.notified() => {}
                }
            });
        }
    });
    address
}

struct Appends {
    state: Arc<State>,
    cut: Arc<Notify>,
}

impl StreamingService<AppendRowsRequest> for Appends {
    type Response = AppendRowsResponse;
    type ResponseStream = ReceiverStream<Result<AppendRowsResponse, Status>>;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Self::ResponseStream>, Status>> + Send>>;

    fn call(&mut self, request: Request<Streaming<AppendRowsRequest>>) -> Self::Future {
        let (state, cut) = (Arc::clone(&self.state), Arc::clone(&self.cut));
        Box::pin(async move {
            let (answers, stream) = mpsc::channel(16);
            let shown = request.metadata().clone().into_headers().remove(http::header::AUTHORIZATION);
            tokio::spawn(take_all(request.into_inner(), state, cut, answers, shown));
            Ok(Response::new(ReceiverStream::new(stream)))
        })
    }
}

async fn take_all(
    mut requests: Streaming<AppendRowsRequest>,
    state: Arc<State>,
    cut: Arc<Notify>,
    answers: mpsc::Sender<Result<AppendRowsResponse, Status>>,
    shown: Option<http::HeaderValue>,
) {
    let mut descriptor = None;
    // Requests are read while earlier ones are being worked on, as BigQuery does.
    let (read, mut queue) = mpsc::channel(64);
    tokio::spawn(async move {
        while let Some(Ok(request)) = requests.next().await {
            if read.send(request).await.is_err() {
                return;
            }
        }
    });
    while let Some(request) = queue.recv().await {
        if !state.admits(shown.as_ref()) {
            let expired = Status::unauthenticated("Request had invalid authentication credentials.");
            let _client_is_gone = answers.send(Err(expired)).await;
            return;
        }
        let waiting = queue.len() + 1;
        let rows = rows_of(&request, &mut descriptor);
        if request.write_stream.contains("/sendgrid_quarantine/") {
            state.kept.lock().unwrap().aside.extend(rows);
            if answers.send(Ok(taken())).await.is_err() {
                return;
            }
            continue;
        }
        let (number, judge) = {
            let mut kept = state.kept.lock().unwrap();
            kept.appends += 1;
            kept.most_in_flight = kept.most_in_flight.max(waiting);
            (kept.appends - 1, Arc::clone(&state.judge.lock().unwrap()))
        };
        let keep = || state.kept.lock().unwrap().rows.extend(rows.iter().cloned());
        let answer = match judge(number, &rows) {
            Reply::Take => {
                keep();
                Ok(taken())
            }
            Reply::TakeAfter(time) => {
                tokio::time::sleep(time).await;
                keep();
                Ok(taken())
            }
            Reply::TakeAndCut => {
                keep();
                cut.notify_one();
                return;
            }
            Reply::Cut => {
                cut.notify_one();
                return;
            }
            Reply::Rows(indexes) => {
                let error = |index| RowError { index, code: 1, message: format!("row {index} does not fit") };
                let row_errors = indexes.into_iter().map(error).collect();
                Ok(AppendRowsResponse { row_errors, ..error_answer(tonic::Code::InvalidArgument) })
            }
            Reply::Error(code) => Ok(error_answer(code)),
            Reply::Status(code) => Err(Status::new(code, "as the test wants it")),
            Reply::Silence => std::future::pending().await,
        };
        let ends = answer.is_err();
        if answers.send(answer).await.is_err() || ends {
            return;
        }
    }
}

fn taken() -> AppendRowsResponse {
    AppendRowsResponse {
        response: Some(Answer::AppendResult(AppendResult { offset: None })),
        ..AppendRowsResponse::default()
    }
}

fn error_answer(code: tonic::Code) -> AppendRowsResponse {
    let status = rpc::Status { code: code as i32, message: "as the test wants it".to_owned(), details: Vec::new() };
    AppendRowsResponse { response: Some(Answer::Error(status)), ..AppendRowsResponse::default() }
}

fn rows_of(request: &AppendRowsRequest, descriptor: &mut Option<DescriptorProto>) -> Vec<Row> {
    let table = request.write_stream.strip_prefix("projects/demo/datasets/mail/tables/");
    let table = table.and_then(|table| table.strip_suffix("/streams/_default")).expect("a default stream");
    assert!(["sendgrid_event", "sendgrid_quarantine"].contains(&table), "{table}");
    let Some(Rows::ProtoRows(data)) = &request.rows else { panic!("rows come as protobuf") };
    if let Some(schema) = &data.writer_schema {
        descriptor.clone_from(&schema.proto_descriptor);
    }
    let descriptor = descriptor.as_ref().expect("a connection begins with the rows' schema");
    data.rows.iter().flat_map(|rows| &rows.serialized_rows).map(|row| decode(descriptor, row)).collect()
}

/// Keeps a copy of what is read.
struct Tap {
    stream: Box<dyn Stream>,
    state: Arc<State>,
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.state.kept.lock().unwrap().wire.extend_from_slice(&buffer.filled()[before..]);
        read
    }
}

impl AsyncWrite for Tap {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
