//! A BigQuery of the tests' own: as much of both APIs as mailtrail uses, and every way of failing that the emulator lacks.

mod grpc;
mod rest;
mod tls;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;
use tonic::Code;

use crate::support::Site;

/// What becomes of one append.
#[derive(Debug, Clone)]
pub enum Reply {
    /// The rows are kept and acknowledged.
    Take,
    /// The same, after a while.
    TakeAfter(Duration),
    /// Kept, and the connection is cut before the acknowledgement.
    TakeAndCut,
    /// Not kept, and the connection is cut.
    Cut,
    /// Nothing is kept: these rows are at fault.
    Rows(Vec<i64>),
    /// Nothing is kept; the answer holds an error, the stream goes on.
    Error(Code),
    /// Nothing is kept; the stream ends with a status.
    Status(Code),
    /// Nothing is ever answered.
    Silence,
}

/// A row as it arrived, by column.
pub type Row = BTreeMap<String, Vec<String>>;

/// Decides about an append: its number from 0, its rows.
type Judge = dyn Fn(usize, &[Row]) -> Reply + Send + Sync;

/// Answers a statement with a status and a body; `None`: as always, with no rows.
type Answerer = dyn Fn(&Value) -> Option<(u16, Value)> + Send + Sync;

pub struct Fake {
    _runtime: tokio::runtime::Runtime,
    pub rest: SocketAddr,
    pub grpc: SocketAddr,
    /// Gives out tokens, and stays plain.
    pub tokens: SocketAddr,
    /// PEM, where it speaks TLS.
    pub certificate: Option<String>,
    state: Arc<State>,
}

struct State {
    kept: Mutex<Kept>,
    judge: Mutex<Arc<Judge>>,
    answerer: Mutex<Arc<Answerer>>,
    /// Cuts every connection of gRPC.
    cut: Notify,
    /// How many tokens were given out; the last one alone is good, where tokens are asked for.
    token: AtomicUsize,
    needs_token: AtomicBool,
    /// REST calls that are refused: (part of the path, method), with status and body.
    refusals: Mutex<Vec<(String, String, u16, String)>>,
}

impl State {
    /// Whether somebody who shows this may come in.
    fn admits(&self, authorization: Option<&http::HeaderValue>) -> bool {
        let good = format!("Bearer token-{}", self.token.load(Ordering::Relaxed));
        !self.needs_token.load(Ordering::Relaxed)
            || authorization.is_some_and(|shown| shown.as_bytes() == good.as_bytes())
    }
}

#[derive(Default)]
struct Kept {
    rows: Vec<Row>,
    /// Of the quarantine.
    aside: Vec<Row>,
    appends: usize,
    connections: usize,
    most_in_flight: usize,
    /// What queries would read, and how many were asked in earnest.
    query_bytes: u64,
    queries: Vec<Value>,
    /// All bytes that came in over gRPC, and all bodies of REST calls.
    wire: Vec<u8>,
    tables: BTreeMap<String, Value>,
}

impl Fake {
    pub fn start() -> Self {
        Self::start_as(false)
    }

    /// With TLS, and for those alone who have a token.
    pub fn start_guarded() -> Self {
        Self::start_as(true)
    }

    fn start_as(guarded: bool) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let state = Arc::new(State {
            kept: Mutex::default(),
            judge: Mutex::new(Arc::new(|_, _| Reply::Take)),
            answerer: Mutex::new(Arc::new(|_| None)),
            cut: Notify::new(),
            refusals: Mutex::default(),
            token: AtomicUsize::new(0),
            needs_token: AtomicBool::new(guarded),
        });
        let tls = guarded.then(tls::acceptors);
        let (certificate, for_rest, for_grpc) = match tls {
            Some((certificate, rest, grpc)) => (Some(certificate), Some(rest), Some(grpc)),
            None => (None, None, None),
        };
        let rest = runtime.block_on(rest::serve(Arc::clone(&state), for_rest));
        let grpc = runtime.block_on(grpc::serve(Arc::clone(&state), for_grpc));
        let tokens = runtime.block_on(rest::serve(Arc::clone(&state), None));
        Self { _runtime: runtime, rest, grpc, tokens, certificate, state }
    }

    /// The tokens given out so far are good no more.
    pub fn expire_tokens(&self) {
        self.state.token.fetch_add(1, Ordering::Relaxed);
    }

    /// A site whose tables are made here.
    pub fn site(&self) -> Site {
        let mut site = Site::new();
        crate::point(&mut site, self.rest, self.grpc);
        let (done, _, told) = crate::run(&site, &["bigquery", "init"]);
        assert!(done, "{told}");
        site.environment("MAILTRAIL_BIGQUERY_FORWARD", "true");
        site
    }

    /// A site that keeps nothing itself.
    pub fn stateless_site(&self) -> Site {
        let mut site = self.site();
        site.environment("MAILTRAIL_BIGQUERY_FORWARD", "false");
        site.environment("MAILTRAIL_STORE_KIND", "bigquery");
        site
    }

    /// From here on appends are judged so.
    pub fn judge(&self, judge: impl Fn(usize, &[Row]) -> Reply + Send + Sync + 'static) {
        *self.state.judge.lock().unwrap() = Arc::new(judge);
    }

    /// From here on statements that are asked in earnest are answered so.
    pub fn answer(&self, answerer: impl Fn(&Value) -> Option<(u16, Value)> + Send + Sync + 'static) {
        *self.state.answerer.lock().unwrap() = Arc::new(answerer);
    }

    pub fn cut_all(&self) {
        self.state.cut.notify_waiters();
    }

    /// From here on such REST calls are refused.
    pub fn refuse(&self, method: &str, path: &str, status: u16, body: &str) {
        let refusal = (path.to_owned(), method.to_owned(), status, body.to_owned());
        self.state.refusals.lock().unwrap().push(refusal);
    }

    pub fn allow_all(&self) {
        self.state.refusals.lock().unwrap().clear();
    }

    /// Values of a column over all kept rows, in the order they were kept.
    pub fn column(&self, name: &str) -> Vec<String> {
        self.kept().rows.iter().flat_map(|row| row.get(name).cloned().unwrap_or_default()).collect()
    }

    /// How many rows were kept, repetitions included.
    pub fn rows(&self) -> usize {
        self.kept().rows.len()
    }

    /// Values of a column, each once.
    pub fn unique(&self, name: &str) -> Vec<String> {
        let mut values = self.column(name);
        values.sort();
        values.dedup();
        values
    }

    /// From here on queries would read so much.
    pub fn price(&self, bytes: u64) {
        self.kept().query_bytes = bytes;
    }

    /// Queries that were asked in earnest, not only looked at.
    pub fn queries(&self) -> Vec<Value> {
        self.kept().queries.clone()
    }

    /// Rows of the quarantine.
    pub fn aside(&self) -> Vec<Row> {
        self.kept().aside.clone()
    }

    pub fn appends(&self) -> usize {
        self.kept().appends
    }

    pub fn connections(&self) -> usize {
        self.kept().connections
    }

    pub fn most_in_flight(&self) -> usize {
        self.kept().most_in_flight
    }

    pub fn wire(&self) -> Vec<u8> {
        self.kept().wire.clone()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.state.kept.lock().unwrap()
    }
}
