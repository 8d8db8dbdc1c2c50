//! Accepts connections, with or without TLS, and serves HTTP/1.1 on each until it is done, idle, too slow, has to give
//! way, or the process stops.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::server::TlsStream;

use super::connections::Place;
use super::fault::ConnectionFault;
use super::head_guard::{HeadGuard, MAX_HEAD};
use super::post::{Keep, Shared};
use super::threads::Threads;
use super::tls::Tls;
use crate::config::Receive;
use crate::stop::Stop;

/// How long open requests may take to finish when the process stops.
const STOP_WITHIN: Duration = Duration::from_secs(15);

/// Why the listener cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct ListenerError {
    address: SocketAddr,
    source: std::io::Error,
}

/// The public listener, bound.
pub struct Listener {
    tcp: TcpListener,
    tls: Option<Arc<Tls>>,
    limits: Limits,
    threads: Threads,
}

#[derive(Debug, Clone, Copy)]
struct Limits {
    header_timeout: Duration,
    idle_timeout: Duration,
}

impl Listener {
    /// Binds the address of `[receive] listen` (port 0: any free one), and starts the threads that will answer there.
    ///
    /// # Errors
    /// When the address cannot be bound, or the system gives no thread.
    pub async fn bind(config: &Receive, tls: Option<Arc<Tls>>) -> Result<Self, ListenerError> {
        let address = config.listen;
        let failed = |source| ListenerError { address, source };
        let tcp = TcpListener::bind(address).await.map_err(failed)?;
        let limits = Limits { header_timeout: config.header_timeout, idle_timeout: config.idle_timeout };
        Ok(Self { tcp, tls, limits, threads: Threads::start().map_err(failed)? })
    }

    /// The address it is bound to.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// Serves until it is to stop, then lets open requests finish.
pub async fn serve<K: Keep>(listener: Listener, shared: Arc<Shared<K>>, mut stop: Stop) {
    let Listener { tcp, tls, limits, mut threads } = listener;
    let connections = shared.connections().clone();
    let mut tasks = JoinSet::new();
    loop {
        let room = tokio::select! {
            room = connections.room() => match room { Some(room) => room, None => break },
            () = stop.requested() => break,
        };
        let (stream, remote) = tokio::select! {
            // Its thread will look after it, not this one.
            accepted = tcp.accept() => match accepted.and_then(|(stream, remote)| Ok((stream.into_std()?, remote.ip()))) {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, most likely: another connection must close first.
                    crate::log::limited("accept", || tracing::error!(%error, "cannot accept a connection"));
                    connections.evict_longest();
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = stop.requested() => break,
        };
        let place = room.taken_by(shared.proxies().peer(remote));
        while tasks.try_join_next().is_some() {}
        let connection = connection(stream, remote, tls.clone(), Arc::clone(&shared), place, limits, stop.clone());
        tasks.spawn_on(connection, threads.next());
    }
    drop(tcp);
    let all_done = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_WITHIN, all_done).await.is_err() {
        tracing::warn!("some requests did not finish in time; SendGrid will repeat them");
    }
    threads.end().await;
}

async fn connection<K: Keep>(
    stream: std::net::TcpStream,
    remote: IpAddr,
    tls: Option<Arc<Tls>>,
    shared: Arc<Shared<K>>,
    place: Place,
    limits: Limits,
    stop: Stop,
) {
    // It fails where the system takes no more to wait for.
    let Ok(stream) = TcpStream::from_std(stream) else { return };
    // Answers are small and complete; waiting to fill a packet would only delay them.
    let _unimportant = stream.set_nodelay(true);
    let place = Arc::new(place);
    match tls {
        None => http(stream, remote, shared, &place, limits, stop).await,
        Some(tls) => {
            let handshake = tokio::select! {
                handshake = tokio::time::timeout(limits.header_timeout, handshake(stream, &tls)) => handshake,
                () = place.must_close() => return,
            };
            match handshake {
                Ok(Ok(stream)) => http(stream, remote, shared, &place, limits, stop).await,
                Ok(Err(fault)) => {
                    metrics::counter!("mailtrail_tls_handshakes_failed_total").increment(1);
                    if let Some((fault, detail)) = fault {
                        fault.report(detail.as_ref());
                    }
                }
                Err(_) => metrics::counter!("mailtrail_tls_handshakes_failed_total").increment(1),
            }
        }
    }
}

/// An error is `None` if the client went away without a word, as health checks of load balancers do.
async fn handshake(
    stream: TcpStream,
    tls: &Tls,
) -> Result<TlsStream<TcpStream>, Option<(ConnectionFault, Option<std::io::Error>)>> {
    let mut first = [0; 32];
    let came = stream.peek(&mut first).await.unwrap_or(0);
    if came == 0 {
        return Err(None);
    }
    if let Some(fault) = ConnectionFault::before_tls(&first[..came]) {
        return Err(Some((fault, None)));
    }
    tls.acceptor().accept(stream).await.map_err(|error| Some((ConnectionFault::TlsHandshake, Some(error))))
}

async fn http<S, K>(
    stream: S,
    remote: IpAddr,
    shared: Arc<Shared<K>>,
    place: &Arc<Place>,
    limits: Limits,
    mut stop: Stop,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    K: Keep,
{
    let (stream, raw_head) = HeadGuard::new(stream, limits.header_timeout);
    let heads = raw_head.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (shared, raw_head, place) = (Arc::clone(&shared), heads.clone(), Arc::clone(place));
        async move {
            let response = shared.answer(raw_head.take(), request, &place, remote).await;
            raw_head.expect_next();
            place.waits();
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // Between requests; the head itself is bounded by the guard.
        .header_read_timeout(limits.idle_timeout)
        .max_header_size(MAX_HEAD)
        .max_buf_size(MAX_HEAD)
        .half_close(false)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => {
            // Requests are counted and logged where they are answered; this is about what never became one.
            let fault = ended.err().and_then(|error| ConnectionFault::of_http(&error, &raw_head.first_bytes()));
            if let Some(fault) = fault {
                fault.report(None);
            }
            return;
        }
        () = place.must_close() => return,
        () = stop.requested() => connection.as_mut().graceful_shutdown(),
    }
    let _ended = connection.await;
}
