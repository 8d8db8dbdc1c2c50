//! Watches a connection's bytes while a request's head arrives: bounds its time, and keeps a copy of the raw head.
//!
//! Why a copy: the HTTP library drops what it has resolved itself (a Content-Length behind a Transfer-Encoding, a second
//! equal Content-Length), so only the raw head shows that a request was ambiguous, as request smuggling needs it to be.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// More than any head of SendGrid's; the HTTP library refuses longer ones with 431.
pub(super) const MAX_HEAD: usize = 16 * 1024;

/// The raw head of the request that is being read or served.
#[derive(Debug, Default)]
struct Head {
    bytes: Vec<u8>,
    complete: bool,
}

/// The service's side: takes each request's raw head, and says when the next one may begin.
#[derive(Clone)]
pub(crate) struct RawHead(Arc<Mutex<Head>>);

impl RawHead {
    /// The head of the request now being served; `None` where its bytes came before it was its turn.
    pub(super) fn take(&self) -> Option<Vec<u8>> {
        let mut head = lock(&self.0);
        head.complete.then(|| std::mem::take(&mut head.bytes))
    }

    /// The first bytes of the head that is arriving, as far as they have come.
    pub(super) fn first_bytes(&self) -> Vec<u8> {
        let head = lock(&self.0);
        head.bytes[..head.bytes.len().min(32)].to_vec()
    }

    /// The request is answered: what comes next is another head.
    pub(crate) fn expect_next(&self) {
        *lock(&self.0) = Head::default();
    }
}

fn lock(head: &Mutex<Head>) -> MutexGuard<'_, Head> {
    // Nothing under the lock can panic half way; a poisoned head is as good as any.
    head.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A stream whose heads are watched.
pub(crate) struct HeadGuard<S> {
    stream: S,
    head: Arc<Mutex<Head>>,
    /// From the first byte of a head (of the first one: from the connection's start) to its end.
    head_timeout: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<S> HeadGuard<S> {
    pub(crate) fn new(stream: S, head_timeout: Duration) -> (Self, RawHead) {
        let head = Arc::new(Mutex::new(Head::default()));
        let deadline = Some(Box::pin(tokio::time::sleep(head_timeout)));
        (Self { stream, head: Arc::clone(&head), head_timeout, deadline }, RawHead(head))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for HeadGuard<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let guard = self.get_mut();
        let in_head = !lock(&guard.head).complete;
        if in_head
            && let Some(deadline) = &mut guard.deadline
            && deadline.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "request head too slow")));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut guard.stream).poll_read(cx, buf))?;
        let new = &buf.filled()[before..];
        if in_head && !new.is_empty() {
            let mut head = lock(&guard.head);
            append_head(&mut head, new);
            if head.complete {
                guard.deadline = None;
            } else if guard.deadline.is_none() {
                // Armed at the first byte, so that waiting between two requests is not counted.
                let mut deadline = Box::pin(tokio::time::sleep_until(Instant::now() + guard.head_timeout));
                let _armed = deadline.as_mut().poll(cx);
                guard.deadline = Some(deadline);
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Adds bytes up to the blank line that ends the head. Line breaks before it are no part of it, as the HTTP library takes them.
fn append_head(head: &mut Head, new: &[u8]) {
    let seen = head.bytes.len();
    let new = match seen {
        0 => &new[new.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count()..],
        _ => new,
    };
    let room = (MAX_HEAD + 4).saturating_sub(seen);
    head.bytes.extend_from_slice(&new[..new.len().min(room)]);
    // The blank line may straddle two reads.
    let from = seen.saturating_sub(3);
    if let Some(end) = head_end(&head.bytes[from..]) {
        head.bytes.truncate(from + end);
        head.complete = true;
    } else if head.bytes.len() > MAX_HEAD {
        head.complete = true;
    }
}

/// Where the text behind a blank line starts; lines end in LF or CRLF, as the HTTP library takes them.
fn head_end(bytes: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'\n', bytes).find_map(|lf| match bytes.get(lf + 1..) {
        Some([b'\n', ..]) => Some(lf + 2),
        Some([b'\r', b'\n', ..]) => Some(lf + 3),
        _ => None,
    })
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HeadGuard<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[test]
    fn a_head_ends_at_its_blank_line_however_it_is_cut() {
        let request = b"POST / HTTP/1.1\r\nHost: a\r\n\r\n[body\n\n";
        for cut in 1..request.len() {
            let mut head = Head::default();
            for part in [&request[..cut], &request[cut..]] {
                if !head.complete {
                    append_head(&mut head, part);
                }
            }
            assert!(head.complete, "cut at {cut}");
            assert_eq!(head.bytes, b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", "cut at {cut}");
        }
    }

    #[test]
    fn line_breaks_before_a_head_do_not_hide_it() {
        for before in ["\r\n", "\n", "\r\n\r\n", "\n\n\r\n"] {
            let request = format!("{before}POST / HTTP/1.1\r\nHost: a\r\n\r\n");
            for cut in 0..request.len() {
                let mut head = Head::default();
                append_head(&mut head, &request.as_bytes()[..cut]);
                append_head(&mut head, &request.as_bytes()[cut..]);
                assert!(head.complete, "{before:?} cut at {cut}");
                assert_eq!(head.bytes, b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", "{before:?} cut at {cut}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_head_ends_the_connection_and_a_slow_next_request_does_not() {
        let (mut client, server) = duplex(1024);
        let (mut guard, raw) = HeadGuard::new(server, Duration::from_secs(10));
        client.write_all(b"POST / HTTP/1.1\r\n\r\n").await.expect("in memory");
        let mut buffer = [0; 64];
        let read = guard.read(&mut buffer).await.expect("a whole head");
        assert_eq!(read, b"POST / HTTP/1.1\r\n\r\n".len());
        assert_eq!(raw.take().as_deref(), Some(&b"POST / HTTP/1.1\r\n\r\n"[..]));
        raw.expect_next();

        // Idle for longer than a head may take, then the first bytes of the next head, then nothing more.
        let quiet = tokio::time::timeout(Duration::from_secs(60), guard.read(&mut buffer)).await;
        assert!(quiet.is_err(), "waiting for a head is not counted");
        client.write_all(b"POST").await.expect("in memory");
        assert_eq!(guard.read(&mut buffer).await.expect("the first bytes"), 4);
        assert!(raw.take().is_none());
        let slow = guard.read(&mut buffer).await.expect_err("cut off");
        assert_eq!(slow.kind(), io::ErrorKind::TimedOut);
    }
}
