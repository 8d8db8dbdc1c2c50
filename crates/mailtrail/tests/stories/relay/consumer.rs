//! A consumer of POSTs over real HTTP, which remembers every byte and can be slow, choosy or gone.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use sendgrid_events::PublicKey;
use sendgrid_events::signature::{SIGNATURE_HEADER, Signature, TIMESTAMP_HEADER};

type Headers = Vec<(String, String)>;

/// A POST as it arrived.
#[derive(Debug, Clone)]
pub struct Post {
    pub headers: Headers,
    pub body: Vec<u8>,
    pub status: u16,
}

impl Post {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// As any consumer would check it, with SendGrid's public key and nothing of mailtrail.
    pub fn is_signed_by(&self, public_key: &str) -> bool {
        let key = PublicKey::parse(public_key).unwrap();
        let (Some(signature), Some(timestamp)) = (self.header(SIGNATURE_HEADER), self.header(TIMESTAMP_HEADER)) else {
            return false;
        };
        Signature::parse(signature, timestamp).unwrap().verify(&[key], &self.body).is_ok()
    }
}

type Judge = Box<dyn Fn(&[u8]) -> u16 + Send + Sync>;

struct Parts {
    posts: Mutex<Vec<Post>>,
    begun: AtomicUsize,
    held: Mutex<bool>,
    release: Condvar,
    judge: Judge,
    stopped: AtomicBool,
}

pub struct Consumer {
    pub address: SocketAddr,
    parts: Arc<Parts>,
}

impl Consumer {
    /// Takes everything.
    pub fn start() -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), false, |_| 200)
    }

    /// Begins to answer only when released.
    pub fn holding() -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), true, |_| 200)
    }

    /// Answers with the status that `judge` gives.
    pub fn judging(judge: impl Fn(&[u8]) -> u16 + Send + Sync + 'static) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), false, judge)
    }

    /// Takes everything at an address where nobody was before.
    pub fn start_at(address: SocketAddr) -> Self {
        Self::at(address, false, |_| 200)
    }

    fn at(address: SocketAddr, held: bool, judge: impl Fn(&[u8]) -> u16 + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let parts = Arc::new(Parts {
            posts: Mutex::default(),
            begun: AtomicUsize::new(0),
            held: Mutex::new(held),
            release: Condvar::new(),
            judge: Box::new(judge),
            stopped: AtomicBool::new(false),
        });
        let shared = Arc::clone(&parts);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (stream, parts) = (stream.unwrap(), Arc::clone(&shared));
                std::thread::spawn(move || serve(&stream, &parts));
            }
        });
        Self { address, parts }
    }

    pub fn url(&self) -> String {
        format!("http://{}/sendgrid?source=mailtrail", self.address)
    }

    /// POSTs whose bytes have all arrived, answered or not.
    pub fn begun(&self) -> usize {
        self.parts.begun.load(Ordering::SeqCst)
    }

    pub fn posts(&self) -> Vec<Post> {
        self.parts.posts.lock().unwrap().clone()
    }

    /// The bodies that it took, in the order in which it did.
    pub fn taken(&self) -> Vec<Vec<u8>> {
        self.posts().into_iter().filter(|post| post.status == 200).map(|post| post.body).collect()
    }

    pub fn release(&self) {
        *self.parts.held.lock().unwrap() = false;
        self.parts.release.notify_all();
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.parts.stopped.store(true, Ordering::SeqCst);
        self.release();
        // Its thread waits for one more connection.
        let _woken = TcpStream::connect(self.address);
    }
}

fn serve(stream: &TcpStream, parts: &Parts) {
    let mut reader = BufReader::new(stream);
    while let Some((headers, body)) = read(&mut reader) {
        if parts.stopped.load(Ordering::SeqCst) {
            return;
        }
        parts.begun.fetch_add(1, Ordering::SeqCst);
        let held = parts.held.lock().unwrap();
        drop(parts.release.wait_while(held, |held| *held).unwrap());
        let status = (parts.judge)(&body);
        // Remembered before the answer, as a real consumer has to.
        parts.posts.lock().unwrap().push(Post { headers, body, status });
        let location = if status == 302 { "Location: /elsewhere\r\n" } else { "" };
        let mut writer = stream;
        if writer.write_all(format!("HTTP/1.1 {status} X\r\n{location}Content-Length: 0\r\n\r\n").as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<(Headers, Vec<u8>)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    assert!(line.is_empty() || line.starts_with("POST /sendgrid?source=mailtrail "), "{line}");
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?.1.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((headers, body))
}
