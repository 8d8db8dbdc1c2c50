//! What one connection of the page may cost: its head, body and idle time are bounded, and while it only waits, sends or does nothing
//! it is closed if its place is needed.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::{Body as _, Bytes, Frame, Incoming, SizeHint};
use tokio::time::Sleep;

use crate::receive::Place;

/// Time-outs, those of the public listener.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// From the start of a request's head to its end.
    pub head: Duration,
    /// From a request's head to the end of its body.
    pub body: Duration,
    /// Between requests.
    pub idle: Duration,
}

/// A request whose connection may be closed for others until its body has come.
pub(super) fn request(request: hyper::Request<Incoming>, place: &Arc<Place>, within: Duration) -> Request {
    if request.body().is_end_stream() {
        place.works();
    }
    let place = Arc::clone(place);
    request.map(|body| Body::new(RequestBody { body, place, deadline: Box::pin(tokio::time::sleep(within)) }))
}

/// A response whose connection may be closed for others from its end on.
pub(super) fn response(response: Response, place: &Arc<Place>) -> Response {
    let place = Arc::clone(place);
    response.map(|body| Body::new(ResponseBody { body, place }))
}

struct RequestBody {
    body: Incoming,
    place: Arc<Place>,
    deadline: Pin<Box<Sleep>>,
}

impl hyper::body::Body for RequestBody {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(frame) => {
                if frame.is_none() || this.body.is_end_stream() {
                    this.place.works();
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending if this.deadline.as_mut().poll(cx).is_ready() => {
                Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::TimedOut).into())))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

struct ResponseBody {
    body: Body,
    place: Arc<Place>,
}

impl hyper::body::Body for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        self.place.works();
        self.place.waits();
    }
}
