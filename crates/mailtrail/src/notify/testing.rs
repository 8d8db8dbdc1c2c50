//! Services on loopback that answer as Slack does on good days and bad ones.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::config::HookUrl;

/// What a service does with one request.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    Status(u16, &'static str, &'static str),
    /// Closes the connection without a word.
    Cut,
}

pub(crate) const OK: Answer = Answer::Status(200, "", "ok");

/// A service: gives its answers in order, the last one for ever, and remembers what was posted.
pub(crate) struct Service {
    address: SocketAddr,
    posts: Arc<Mutex<Vec<String>>>,
}

impl Service {
    pub(crate) async fn start(answers: &'static [Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let posts = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&posts);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read_request(&mut stream).await;
                let index = seen.lock().unwrap().len();
                seen.lock().unwrap().push(request);
                if let Answer::Status(status, header, body) = answers[index.min(answers.len() - 1)] {
                    let length = body.len();
                    let head =
                        format!("HTTP/1.1 {status} X\r\n{header}content-length: {length}\r\nconnection: close\r\n\r\n");
                    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
                }
            }
        });
        Self { address, posts }
    }

    pub(crate) fn url(&self) -> HookUrl {
        HookUrl::parse(&format!("http://{}/services/T0/B0/secretpath", self.address)).unwrap()
    }

    pub(crate) fn posts(&self) -> Vec<String> {
        self.posts.lock().unwrap().clone()
    }
}

pub(crate) async fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.unwrap();
        bytes.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_ascii_lowercase();
            let length = length.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        assert!(read > 0, "the request ended early");
    }
}
