//! Connections on loopback, until the server stops.

use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::handle::Handler;

/// A connection in the middle of a request gets this long when the server stops.
const GRACE: Duration = Duration::from_secs(1);

/// Ends when the server is told to stop, or is gone.
pub(crate) async fn stopped(mut stop: watch::Receiver<bool>) {
    stop.wait_for(|stop| *stop).await.ok();
}

/// Accepts connections until `stop`; ends when all of them have ended.
pub(crate) async fn serve(listener: TcpListener, handler: Arc<Handler>, stop: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    let mut end = std::pin::pin!(stopped(stop.clone()));
    loop {
        tokio::select! {
            () = &mut end => break,
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection(stream, Arc::clone(&handler), stop.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(stream: TcpStream, handler: Arc<Handler>, stop: watch::Receiver<bool>) {
    let end = stop.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (handler, stop) = (Arc::clone(&handler), stop.clone());
        async move { handler.handle(request, stop).await }
    });
    let served = http1::Builder::new().title_case_headers(true).serve_connection(TokioIo::new(stream), service);
    let mut served = std::pin::pin!(served);
    tokio::select! {
        // How a connection ended is the client's to find out; a cut one ends with an error on purpose.
        _ = served.as_mut() => {}
        () = stopped(end) => {
            served.as_mut().graceful_shutdown();
            timeout(GRACE, served).await.ok();
        }
    }
}
