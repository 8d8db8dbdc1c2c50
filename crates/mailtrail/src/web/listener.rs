//! The page's own listener.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Extension;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use super::admit::Hosts;
use super::connection::{self, Timeouts};
use super::guard::Guard;
use super::page::App;
use super::password::HashError;
use super::readers::Readers;
use super::router::router;
use super::runs::Held;
use super::source::Source;
use super::visitor::Peer;
use crate::config::{BigQuery, Output, Token, Web};
use crate::protect::KeyRing;
use crate::receive::{Connections, HeadGuard, Place};
use crate::stop::Stop;
use crate::store::bigquery::{Asker, BigQueryError, BigQuerySends};
use crate::store::sends::Sends;
use crate::store::{Keeper, Paths};

const MOST_CONNECTIONS: usize = 256;
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebError {
    /// The address is taken, or not this machine's.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// No secret could be made.
    #[error(transparent)]
    Secret(#[from] HashError),
    /// BigQuery cannot be asked.
    #[error(transparent)]
    BigQuery(#[from] BigQueryError),
}

/// What the page asks.
pub enum Store<'s> {
    /// The trail on this machine, and what brings events to it.
    Trail(Keeper),
    /// A dataset; no question is asked of it without somebody's wish.
    BigQuery(&'s BigQuery),
}

/// The page, bound.
pub struct Page {
    tcp: TcpListener,
    app: Arc<App>,
    address: SocketAddr,
    timeouts: Timeouts,
}

/// Who may come in: makes links by which somebody on this machine logs in, and takes other tokens of programs.
#[derive(Clone)]
pub struct Invitations {
    app: Arc<App>,
    address: SocketAddr,
}

impl Invitations {
    /// From now on the API knows these tokens and no others.
    pub fn replace_tokens(&self, tokens: &[Token]) {
        self.app.guard.replace_tokens(tokens);
    }

    /// A URL that logs one person in, once; it ends the one before. `None` where the page is not on loopback alone, or
    /// asks nobody who they are.
    #[must_use]
    pub fn link(&self) -> Option<Zeroizing<String>> {
        let token = self.app.guard.invite()?;
        Some(Zeroizing::new(format!("http://{}/enter/{}", self.address, &*token)))
    }
}

impl Page {
    /// Binds the address of `[web] listen` (port 0: any free one).
    ///
    /// # Errors
    /// When the address cannot be bound, the system gives no randomness, or there are no credentials for the store.
    pub async fn bind(
        web: &Web,
        output: &Output,
        paths: &Paths,
        store: Store<'_>,
        keys: Arc<KeyRing>,
        timeouts: Timeouts,
    ) -> Result<Self, WebError> {
        let listen = |source| WebError::Listen { address: web.listen, source };
        let tcp = TcpListener::bind(web.listen).await.map_err(listen)?;
        let address = tcp.local_addr().map_err(listen)?;
        let readers = Readers::new(paths.clone());
        let (source, sends, keeper): (_, Arc<dyn Sends>, _) = match store {
            Store::Trail(keeper) => (Source::Trail(Arc::clone(&readers)), paths.share(), Some(keeper)),
            Store::BigQuery(config) => {
                (Source::bigquery(Asker::open(config)?), Arc::new(BigQuerySends::open(config)?), None)
            }
        };
        let app = Arc::new(App {
            guard: Guard::new(web.clone(), keys.device_key())?,
            readers,
            source,
            runs: Held::new(sends),
            hosts: Hosts::new(web, address),
            keys,
            output: output.clone(),
            keeper,
        });
        Ok(Self { tcp, app, address, timeouts })
    }

    /// The address it is bound to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What makes links to it.
    #[must_use]
    pub fn invitations(&self) -> Invitations {
        Invitations { app: Arc::clone(&self.app), address: self.address }
    }

    /// Serves until it is to stop, then lets open requests finish.
    pub async fn serve(self, mut stop: Stop) {
        let proxies = self.app.guard.proxies().clone();
        let router = router(self.app);
        let all = Connections::new(MOST_CONNECTIONS);
        let mut connections = JoinSet::new();
        loop {
            let room = tokio::select! {
                room = all.room() => match room { Some(room) => room, None => break },
                () = stop.requested() => break,
            };
            let (stream, peer) = tokio::select! {
                accepted = self.tcp.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(_) => { tokio::time::sleep(Duration::from_millis(50)).await; continue }
                },
                () = stop.requested() => break,
            };
            while connections.try_join_next().is_some() {}
            let router = router.clone().layer(Extension(Peer(peer.ip())));
            let place = Arc::new(room.taken_by(proxies.peer(peer.ip())));
            connections.spawn(connection(stream, router, place, self.timeouts, stop.clone()));
        }
        drop(self.tcp);
        let all_done = async { while connections.join_next().await.is_some() {} };
        // A download that takes longer is broken off, and looks it.
        let _late = tokio::time::timeout(STOP_WITHIN, all_done).await;
    }
}

async fn connection(stream: TcpStream, router: Router, place: Arc<Place>, timeouts: Timeouts, mut stop: Stop) {
    let _unimportant = stream.set_nodelay(true);
    let (stream, raw_head) = HeadGuard::new(stream, timeouts.head);
    let router = TowerToHyperService::new(router);
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let (router, raw_head, place) = (router.clone(), raw_head.clone(), Arc::clone(&place));
        async move {
            let answered = router.call(connection::request(request, &place, timeouts.body)).await;
            raw_head.expect_next();
            answered.map(|response| connection::response(response, &place))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // Between requests; the head itself is bounded by the guard.
        .header_read_timeout(timeouts.idle)
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // How a connection ends is the browser's matter.
        _ended = connection.as_mut() => return,
        () = place.must_close() => return,
        () = stop.requested() => connection.as_mut().graceful_shutdown(),
    }
    let _ended = connection.await;
}
