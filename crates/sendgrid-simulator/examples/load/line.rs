//! One connection to the receiver that stays open: a request goes out in one write, its answer's status comes back. An HTTP
//! client's own work would be taken from the receiver's processors, and count against it.

use std::io::{Error, ErrorKind};

use bytes::{Buf, Bytes, BytesMut};
use hyper::StatusCode;
use hyper::header::{CONNECTION, CONTENT_LENGTH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A request as it goes over the wire. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Post {
    bytes: Bytes,
    /// Length of the body.
    body: usize,
}

impl Post {
    /// `head`: with the blank line.
    pub(crate) fn new(head: String, body: &[u8]) -> Self {
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        Self { bytes: bytes.into(), body: body.len() }
    }

    /// Bytes of its body.
    pub(crate) fn body(&self) -> usize {
        self.body
    }
}

pub(crate) struct Line {
    stream: TcpStream,
    received: BytesMut,
    /// The receiver closes it after the last answer.
    over: bool,
}

impl Line {
    pub(crate) async fn open(address: &(String, u16)) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: BytesMut::with_capacity(4096), over: false })
    }

    /// Whether another request may be sent.
    pub(crate) fn is_open(&self) -> bool {
        !self.over
    }

    /// Sends the request and reads its whole answer.
    pub(crate) async fn post(&mut self, post: &Post) -> std::io::Result<StatusCode> {
        // Left so where this ends early.
        self.over = true;
        self.stream.write_all(&post.bytes).await?;
        let answer = loop {
            if let Some(answer) = Answer::parse(&self.received)? {
                break answer;
            }
            self.more().await?;
        };
        self.received.advance(answer.head);
        while self.received.len() < answer.body {
            self.more().await?;
        }
        self.received.advance(answer.body);
        self.over = answer.last;
        Ok(answer.status)
    }

    async fn more(&mut self) -> std::io::Result<()> {
        match self.stream.read_buf(&mut self.received).await? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// What an answer's head says.
struct Answer {
    status: StatusCode,
    /// Bytes of the head.
    head: usize,
    /// Bytes of the body.
    body: usize,
    /// The connection ends with it.
    last: bool,
}

impl Answer {
    /// `None`: more of the head is to come.
    fn parse(received: &[u8]) -> std::io::Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response.parse(received).map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
        let httparse::Status::Complete(head) = parsed else { return Ok(None) };
        let header = |name: hyper::header::HeaderName| {
            response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name.as_str())).map(|h| h.value)
        };
        let body = header(CONTENT_LENGTH)
            .and_then(|value| std::str::from_utf8(value).ok()?.trim().parse().ok())
            .ok_or_else(|| Error::new(ErrorKind::InvalidData, "an answer without Content-Length"))?;
        let status = response.code.and_then(|code| StatusCode::from_u16(code).ok());
        let status = status.ok_or_else(|| Error::new(ErrorKind::InvalidData, "an answer without a status"))?;
        let last = header(CONNECTION).is_some_and(|value| value.eq_ignore_ascii_case(b"close"));
        Ok(Some(Self { status, head, body, last }))
    }
}
