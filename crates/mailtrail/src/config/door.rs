//! Reads `[receive]`, and decides who may post: what is configured must hold, and something must be.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use sendgrid_events::PublicKey;
use sendgrid_events::signature::explain::read_public_key;
use zeroize::Zeroizing;

use super::network;
use super::reader::{Reader, Secrecy};
use super::receive::{BasicCredential, Receive, SignatureMode, TlsFiles};

const HOUR: Duration = Duration::from_secs(3600);

/// Reads `[receive]`. `port` is the variable `PORT`, by which a platform behind a proxy says where to listen.
pub(super) fn read(reader: &mut Reader<'_>, port: Option<&str>) -> Receive {
    let behind_proxy = reader.boolean("receive.behind_proxy", false);
    let public_keys = public_keys(reader, "receive.public_keys", "receive.public_keys_file");
    let test_public_keys = public_keys_of_tests(reader, &public_keys);
    let receive = Receive {
        listen: listen(reader, behind_proxy, port),
        path: path(reader),
        basic_auth: basic_auth(reader),
        signature: signature(reader, &public_keys, &test_public_keys),
        public_keys,
        test_public_keys,
        max_age: reader.duration("receive.max_age", 25 * HOUR, "25h"),
        max_ahead: reader.duration("receive.max_ahead", Duration::from_secs(300), "5m"),
        max_body: bytes(reader, "receive.max_body", 8 << 20, "8MiB"),
        memory_budget: bytes(reader, "receive.memory_budget", 64 << 20, "64MiB"),
        max_connections: reader.number("receive.max_connections", 1024),
        header_timeout: reader.duration("receive.header_timeout", Duration::from_secs(10), "10s"),
        body_timeout: reader.duration("receive.body_timeout", Duration::from_secs(30), "30s"),
        idle_timeout: reader.duration("receive.idle_timeout", idle_timeout(behind_proxy), "75s"),
        answer_timeout: reader.duration("receive.answer_timeout", Duration::from_secs(8), "8s"),
        tls: tls(reader),
        behind_proxy,
        trusted_proxies: network::networks(reader, "receive.trusted_proxies"),
        insecure_no_auth: reader.boolean("receive.insecure_no_auth", false),
    };
    judge(reader, &receive);
    receive
}

/// Load balancers keep idle connections for up to 600 s (Google's), and send a request just when a shorter time-out ends one.
fn idle_timeout(behind_proxy: bool) -> Duration {
    Duration::from_secs(if behind_proxy { 620 } else { 75 })
}

/// What only holds or fails for the section as a whole.
fn judge(reader: &mut Reader<'_>, receive: &Receive) {
    let loopback = receive.listen.ip().is_loopback();
    let has_key = !receive.public_keys.is_empty() || !receive.test_public_keys.is_empty();
    let proven = !receive.basic_auth.is_empty() || (receive.signature == SignatureMode::Enforce && has_key);

    if receive.signature == SignatureMode::Enforce && !has_key {
        reader.problem(
            "receive.signature",
            "is \"enforce\", but there is no key to check with: put the webhook's public key into public_keys",
        );
    }
    if has_key && receive.signature != SignatureMode::Enforce && reader.is_set("receive.signature") {
        reader.warn("receive.signature", "does not refuse unsigned posts although keys are set: use \"enforce\"");
    }
    if receive.insecure_no_auth {
        if !loopback {
            reader.problem(
                "receive.insecure_no_auth",
                format!("works only on loopback, not on {}: anybody could post events", receive.listen),
            );
        } else if receive.behind_proxy {
            reader.problem("receive.insecure_no_auth", "cannot stand beside behind_proxy: anybody could post events");
        } else if proven {
            reader.warn("receive.insecure_no_auth", "has no effect: what else is configured must hold");
        } else {
            reader.warn("receive.insecure_no_auth", "is on: every program on this machine can post events");
        }
    } else if !proven {
        reader.problems.push(
            "[receive] nothing would prove that a post comes from SendGrid: set basic_auth or public_keys \
             (mailtrail init makes both ready), or try things on loopback with insecure_no_auth = true"
                .into(),
        );
    }
    if !loopback && receive.tls.is_none() && !receive.behind_proxy {
        reader.problem(
            "receive.listen",
            format!(
                "{} is beyond loopback without TLS, so that passwords would travel in the open: set tls_cert and \
                 tls_key, or behind_proxy = true where a proxy in front speaks TLS",
                receive.listen
            ),
        );
    }
    if receive.memory_budget < receive.max_body {
        reader.problem("receive.memory_budget", "is smaller than max_body, so that the largest body would never fit");
    }
}

fn listen(reader: &mut Reader<'_>, behind_proxy: bool, port: Option<&str>) -> SocketAddr {
    let default = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
    match port.filter(|_| behind_proxy && !reader.is_set("receive.listen")) {
        None => reader.address("receive.listen").unwrap_or(default),
        Some(port) => match port.parse() {
            Ok(port) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
            Err(_) => {
                reader.problems.push(format!("PORT: {port:?} is not a port: unset it, or set [receive] listen"));
                default
            }
        },
    }
}

fn path(reader: &mut Reader<'_>) -> String {
    let default = "/event".to_owned();
    let Some(path) = reader.text("receive.path") else { return default };
    let plain = path.bytes().all(|b| b.is_ascii_graphic() && !b"?#\"%<>\\".contains(&b));
    if !path.starts_with('/') || !plain {
        reader.problem("receive.path", format!("{path:?} is not a plain path, such as \"/event\""));
    } else if path == "/healthz" || path == "/readyz" {
        reader.problem("receive.path", format!("{path:?} answers whether mailtrail is alive: choose another"));
    } else {
        return path;
    }
    default
}

fn basic_auth(reader: &mut Reader<'_>) -> Vec<BasicCredential> {
    let (key, texts) = reader.items("receive.basic_auth", "receive.basic_auth_file", Secrecy::Secret, lines);
    let mut credentials = Vec::new();
    for (number, text) in (1..).zip(&texts) {
        match BasicCredential::parse(text) {
            Some(credential) => credentials.push(credential),
            // Never the text itself: it may be the password.
            None => reader.problem(key, format!("number {number} is not user:password with both of them not empty")),
        }
    }
    credentials
}

fn public_keys(reader: &mut Reader<'_>, key: &'static str, file_key: &'static str) -> Vec<PublicKey> {
    let (key, texts) = reader.items(key, file_key, Secrecy::Public, keys);
    let mut parsed: Vec<PublicKey> = Vec::new();
    for (number, text) in (1..).zip(&texts) {
        match read_public_key(text) {
            Ok((public_key, odd)) => {
                odd.iter().for_each(|odd| reader.warn(key, format!("number {number} is used, but {odd}")));
                parsed.push(public_key);
            }
            Err(suspicion) => reader.problem(key, format!("number {number}: {suspicion}")),
        }
    }
    parsed
}

fn public_keys_of_tests(reader: &mut Reader<'_>, real: &[PublicKey]) -> Vec<PublicKey> {
    let tests = public_keys(reader, "receive.test_public_keys", "receive.test_public_keys_file");
    if tests.iter().any(|test| real.iter().any(|key| key.id() == test.id())) {
        reader.problem("receive.test_public_keys", "holds a key that is also in public_keys: a key is for one of them");
    }
    tests
}

/// Without a word about it: `enforce` where SendGrid's key is set; with test keys alone they are recognised, no more,
/// since SendGrid's own posts would be unsigned.
fn signature(reader: &mut Reader<'_>, public_keys: &[PublicKey], test_public_keys: &[PublicKey]) -> SignatureMode {
    let choices =
        [("enforce", SignatureMode::Enforce), ("observe", SignatureMode::Observe), ("off", SignatureMode::Off)];
    reader.choice("receive.signature", &choices).unwrap_or(match (public_keys, test_public_keys) {
        ([], []) => SignatureMode::Off,
        ([], _) => SignatureMode::Observe,
        _ => SignatureMode::Enforce,
    })
}

fn tls(reader: &mut Reader<'_>) -> Option<TlsFiles> {
    let cert: Option<PathBuf> = reader.path("receive.tls_cert");
    let key = reader.path("receive.tls_key");
    match (cert, key) {
        (Some(cert), Some(key)) => {
            reader.judge_secret_file("receive.tls_key", &key);
            Some(TlsFiles { cert, key })
        }
        (None, None) => None,
        (Some(_), None) => {
            reader.problem("receive.tls_cert", "is set without tls_key: set both or none");
            None
        }
        (None, Some(_)) => {
            reader.problem("receive.tls_key", "is set without tls_cert: set both or none");
            None
        }
    }
}

fn bytes(reader: &mut Reader<'_>, key: &str, default: usize, example: &str) -> usize {
    let size = reader.size(key, default as u64, example);
    usize::try_from(size).unwrap_or_else(|_| {
        reader.problem(key, "is more than this machine can address");
        default
    })
}

/// One item a line; empty lines and a line end of Windows are nothing.
fn lines(text: &str) -> Vec<Zeroizing<String>> {
    text.lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .map(|line| Zeroizing::new(line.to_owned()))
        .collect()
}

/// Public keys: one a line as SendGrid shows them, or PEM.
fn keys(text: &str) -> Vec<Zeroizing<String>> {
    const END: &str = "-----END PUBLIC KEY-----";
    if !text.contains(END) {
        return lines(text);
    }
    text.split_inclusive(END)
        .filter(|block| !block.trim().is_empty())
        .map(|block| Zeroizing::new(block.to_owned()))
        .collect()
}
