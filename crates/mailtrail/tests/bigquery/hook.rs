//! A Slack of the tests' own: answers every POST with the status asked for, and remembers the bodies.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

pub struct Hook {
    pub url: String,
    status: Arc<AtomicU16>,
    posts: Arc<Mutex<Vec<(u16, String)>>>,
}

impl Hook {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/services/T0/B0/secretpath", listener.local_addr().unwrap());
        let status = Arc::new(AtomicU16::new(200));
        let posts: Arc<Mutex<Vec<(u16, String)>>> = Arc::default();
        let (answer, seen) = (Arc::clone(&status), Arc::clone(&posts));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                // A process that is killed in the middle of it has not posted.
                let Some(body) = body(&mut BufReader::new(&stream)) else { continue };
                let status = answer.load(Ordering::SeqCst);
                seen.lock().unwrap().push((status, body));
                let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
                let _may_be_killed = stream.write_all(answer.as_bytes());
            }
        });
        Self { url, status, posts }
    }

    pub fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// The bodies that were answered so.
    pub fn posts(&self, status: u16) -> Vec<String> {
        let posts = self.posts.lock().unwrap();
        posts.iter().filter(|(answered, _)| *answered == status).map(|(_, post)| post.clone()).collect()
    }

    /// How many events each message that was taken speaks of.
    pub fn told(&self) -> Vec<u64> {
        self.posts(200).iter().map(|post| first_number(post)).collect()
    }
}

fn body(stream: &mut impl BufRead) -> Option<String> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(String::from_utf8(body).unwrap())
}

fn first_number(post: &str) -> u64 {
    let json: serde_json::Value = serde_json::from_str(post).unwrap();
    let text = json["text"].as_str().unwrap();
    text.split_whitespace().find_map(|word| word.replace(',', "").parse().ok()).unwrap_or(0)
}
