//! Appending by the Storage Write API: one connection a table to its default stream, several requests on the way at once.
//!
//! Answers come in the order of the requests. An answer without an error means that the rows are durable; where the connection
//! breaks, what had no answer may or may not be there, so whoever repeats it counts on `event_key`.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use googleapis_tonic_google_cloud_bigquery_storage_v1::google::cloud::bigquery::storage::v1::append_rows_request::{
    ProtoData, Rows,
};
use googleapis_tonic_google_cloud_bigquery_storage_v1::google::cloud::bigquery::storage::v1::append_rows_response::Response;
use googleapis_tonic_google_cloud_bigquery_storage_v1::google::cloud::bigquery::storage::v1::big_query_write_client::BigQueryWriteClient;
use googleapis_tonic_google_cloud_bigquery_storage_v1::google::cloud::bigquery::storage::v1::{
    AppendRowsRequest, AppendRowsResponse, ProtoRows, ProtoSchema,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, ClientTlsConfig};
use tonic::{Code, Extensions, Request, Status, Streaming};

use super::auth::Auth;
use super::error::{AppendError, BigQueryError, RowRefused, harmless};
use super::names::Names;
use super::query::escaped;
use super::row;
use super::schema::Table;
use crate::config::BigQuery;

/// Requests on the way at once, on one connection.
pub(crate) const IN_FLIGHT: usize = 8;
/// Bytes of rows in a request: BigQuery takes 10 MB with everything around them.
pub(crate) const MAX_BYTES: usize = 8 << 20;
/// What a row takes beside its own bytes, at most.
pub(crate) const ROW_OVERHEAD: usize = 8;

/// Rows go in, acknowledgements come out. Cheap to clone; the connection ends with the last clone.
#[derive(Clone)]
pub(crate) struct Appender {
    jobs: mpsc::Sender<Job>,
}

struct Job {
    rows: Vec<Bytes>,
    answer: oneshot::Sender<Result<(), AppendError>>,
}

impl Appender {
    /// Connects when first used. Needs a runtime.
    pub(crate) fn start(config: &BigQuery, auth: Auth, table: &'static Table) -> Result<Self, BigQueryError> {
        let (jobs, queue) = mpsc::channel(1);
        let line = Line {
            channel: channel(config)?,
            auth,
            stream: Names::of(config).stream(table),
            table,
            patience: config.append_timeout,
        };
        tokio::spawn(line.run(queue));
        Ok(Self { jobs })
    }

    /// Appends rows made by `row::encode`, at most [`MAX_BYTES`] of them. When this returns `Ok` they are durable.
    pub(crate) async fn append(&self, rows: Vec<Bytes>) -> Result<(), AppendError> {
        let (answer, answered) = oneshot::channel();
        let gone = || AppendError::Passing("the connection was given up".to_owned());
        self.jobs.send(Job { rows, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

fn channel(config: &BigQuery) -> Result<Channel, BigQueryError> {
    let url = config.grpc_endpoint.as_str();
    let unreachable = |error: tonic::transport::Error| BigQueryError::Unreachable {
        endpoint: url.to_owned(),
        why: error.to_string(),
    };
    let mut endpoint = Channel::from_shared(url.to_owned())
        .map_err(|error| BigQueryError::Unreachable { endpoint: url.to_owned(), why: error.to_string() })?
        .connect_timeout(Duration::from_secs(10))
        .http2_keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10))
        .initial_connection_window_size(Some(4 << 20))
        .user_agent(concat!("mailtrail/", env!("CARGO_PKG_VERSION")))
        .map_err(unreachable)?;
    if !config.grpc_endpoint.is_loopback() {
        endpoint = endpoint.tls_config(ClientTlsConfig::new().with_native_roots()).map_err(unreachable)?;
    }
    Ok(endpoint.connect_lazy())
}

/// One table's connection, made anew when it broke and there is something to append.
struct Line {
    channel: Channel,
    auth: Auth,
    stream: String,
    table: &'static Table,
    patience: Duration,
}

/// A request without an answer.
struct Waiting {
    rows: usize,
    since: Instant,
    answer: oneshot::Sender<Result<(), AppendError>>,
}

struct Connection {
    requests: mpsc::Sender<AppendRowsRequest>,
    answers: Streaming<AppendRowsResponse>,
    waiting: VecDeque<Waiting>,
}

impl Line {
    async fn run(self, mut queue: mpsc::Receiver<Job>) {
        while let Some(job) = queue.recv().await {
            if let Some(mut connection) = self.connect(job).await {
                let status = self.serve(&mut connection, &mut queue).await;
                // What broke it is the oldest one's, whose turn it was; the others only went down with it.
                let mut error = AppendError::of(status.code(), status.message());
                for waiting in connection.waiting {
                    let _nobody_waits = waiting.answer.send(Err(error));
                    error = AppendError::Passing(status.message().to_owned());
                }
            }
        }
    }

    /// A connection begins with a request: BigQuery says nothing before.
    async fn connect(&self, job: Job) -> Option<Connection> {
        let since = Instant::now();
        let waiting = Waiting { rows: job.rows.len(), since, answer: job.answer };
        let (requests, outgoing) = mpsc::channel(IN_FLIGHT);
        let opened = async {
            let headers = self.auth.headers().await.map_err(|error| AppendError::Passing(error.to_string()))?;
            let mut first = self.request(job.rows);
            if let Some(Rows::ProtoRows(data)) = &mut first.rows {
                data.writer_schema = Some(ProtoSchema { proto_descriptor: Some(row::descriptor(self.table)) });
            }
            let _room = requests.send(first).await;
            let mut metadata = MetadataMap::from_headers(headers);
            if let Ok(route) = format!("write_stream={}", escaped(&self.stream)).parse() {
                metadata.insert("x-goog-request-params", route);
            }
            let request = Request::from_parts(metadata, Extensions::default(), ReceiverStream::new(outgoing));
            let mut client = BigQueryWriteClient::new(self.channel.clone());
            let answers = client.append_rows(request).await;
            answers.map(tonic::Response::into_inner).map_err(|status| AppendError::of(status.code(), &told(&status)))
        };
        let opened = match timeout(self.patience, opened).await {
            Ok(opened) => opened,
            Err(_) => Err(AppendError::Passing(format!("no answer within {:?}", self.patience))),
        };
        match opened {
            Ok(answers) => Some(Connection { requests, answers, waiting: VecDeque::from([waiting]) }),
            Err(error) => {
                let _nobody_waits = waiting.answer.send(Err(error));
                None
            }
        }
    }

    /// Works until the connection breaks or is no longer needed; says why it ended.
    async fn serve(&self, connection: &mut Connection, queue: &mut mpsc::Receiver<Job>) -> Status {
        loop {
            let deadline = connection.waiting.front().map(|oldest| oldest.since + self.patience);
            let late = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                answer = connection.answers.message() => match answer {
                    Ok(Some(answer)) => connection.answered(answer),
                    Ok(None) => return Status::unavailable("the connection was closed"),
                    Err(status) => return Status::new(status.code(), told(&status)),
                },
                job = queue.recv(), if connection.waiting.len() < IN_FLIGHT => match job {
                    Some(job) => {
                        let waiting = Waiting { rows: job.rows.len(), since: Instant::now(), answer: job.answer };
                        connection.waiting.push_back(waiting);
                        // As many places as requests may be on the way: this never waits.
                        if connection.requests.send(self.request(job.rows)).await.is_err() {
                            return Status::unavailable("the connection was closed");
                        }
                    }
                    None if connection.waiting.is_empty() => return Status::ok(""),
                    None => {
                        // Nobody hands in more; what is on the way is waited for.
                        queue.close();
                        return self.finish(connection).await;
                    }
                },
                () = late => return Status::deadline_exceeded(format!("no answer within {:?}", self.patience)),
            }
        }
    }

    async fn finish(&self, connection: &mut Connection) -> Status {
        while let Some(oldest) = connection.waiting.front() {
            match tokio::time::timeout_at(oldest.since + self.patience, connection.answers.message()).await {
                Ok(Ok(Some(answer))) => connection.answered(answer),
                _ => return Status::unavailable("the connection was closed"),
            }
        }
        Status::ok("")
    }

    fn request(&self, rows: Vec<Bytes>) -> AppendRowsRequest {
        AppendRowsRequest {
            write_stream: self.stream.clone(),
            trace_id: concat!("mailtrail:", env!("CARGO_PKG_VERSION")).to_owned(),
            rows: Some(Rows::ProtoRows(ProtoData {
                writer_schema: None,
                rows: Some(ProtoRows { serialized_rows: rows }),
            })),
            ..AppendRowsRequest::default()
        }
    }
}

impl Connection {
    fn answered(&mut self, answer: AppendRowsResponse) {
        let Some(waiting) = self.waiting.pop_front() else { return };
        metrics::histogram!("mailtrail_bigquery_append_seconds").record(waiting.since.elapsed().as_secs_f64());
        let _nobody_waits = waiting.answer.send(judge(answer, waiting.rows));
    }
}

/// What an answer says about a request of `rows` rows.
fn judge(answer: AppendRowsResponse, rows: usize) -> Result<(), AppendError> {
    // Refused rows outside of the request would be a misunderstanding: then the whole request counts as refused.
    let refused: Vec<RowRefused> = answer
        .row_errors
        .into_iter()
        .filter_map(|error| {
            Some(RowRefused { index: usize::try_from(error.index).ok()?, message: harmless(&error.message) })
        })
        .filter(|error| error.index < rows)
        .collect();
    match answer.response {
        _ if !refused.is_empty() => Err(AppendError::Rows(refused)),
        Some(Response::AppendResult(_)) => Ok(()),
        Some(Response::Error(status)) => Err(AppendError::of(Code::from_i32(status.code), &status.message)),
        None => Err(AppendError::Passing("an answer that says nothing".to_owned())),
    }
}

/// A status with its cause: "transport error" alone helps nobody.
fn told(status: &Status) -> String {
    let mut text = status.message().to_owned();
    let mut cause = std::error::Error::source(status);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
