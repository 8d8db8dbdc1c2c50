//! `[web]`: the page for people, and who may look.

mod person;
mod public_url;
mod token;

pub use person::{Role, User};
pub use public_url::PublicUrl;
pub use token::{PREFIX as TOKEN_PREFIX, Token};

use std::net::{Ipv4Addr, SocketAddr};

use zeroize::Zeroizing;

use super::network::{self, Network};
use super::reader::{Reader, Secrecy};

/// `[web]`
#[derive(Debug, Clone)]
pub struct Web {
    /// Where the page is served.
    pub listen: SocketAddr,
    /// Where people find it; without one they are at `listen` itself.
    pub public_url: Option<PublicUrl>,
    /// Who may log in.
    pub users: Vec<User>,
    /// Programs that may ask the API.
    pub tokens: Vec<Token>,
    /// Proxies that say who asks.
    pub trusted_proxies: Vec<Network>,
    /// The header in which they do, lower case; empty: they say only which client a request is from.
    pub proxy_header: String,
    /// On loopback, whoever asks may look.
    pub open_on_loopback: bool,
    /// Events that a viewer's token may take from the API in a day.
    pub viewer_events_per_day: usize,
    /// Addresses that a viewer's token may ask the API about in a day.
    pub viewer_addresses_per_day: usize,
}

const PROXY_HEADER: &str = "x-forwarded-user";

/// Where the page is and who may look; `None` where switched off or unusable.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Web> {
    if reader.is_set("web.listen") && reader.text("web.listen").as_deref() == Some("off") {
        return None;
    }
    let listen = if reader.is_set("web.listen") {
        reader.address("web.listen")?
    } else {
        SocketAddr::from((Ipv4Addr::LOCALHOST, 8081))
    };
    let web = Web {
        listen,
        public_url: public_url(reader),
        users: users(reader),
        tokens: tokens(reader),
        trusted_proxies: network::networks(reader, "web.trusted_proxies"),
        proxy_header: proxy_header(reader),
        open_on_loopback: reader.boolean("web.open_on_loopback", false),
        viewer_events_per_day: reader.number("web.viewer_events_per_day", 20_000),
        viewer_addresses_per_day: reader.number("web.viewer_addresses_per_day", 500),
    };
    judge(reader, &web);
    Some(web)
}

/// What only holds or fails for the section as a whole.
fn judge(reader: &mut Reader<'_>, web: &Web) {
    let loopback = web.listen.ip().is_loopback();
    let has_password = web.users.iter().any(|user| user.password.is_some());
    let is_told_who = !web.trusted_proxies.is_empty() && !web.proxy_header.is_empty();
    if !loopback && !has_password && !is_told_who && web.tokens.is_empty() {
        reader.problem(
            "web.listen",
            format!(
                "{} can be reached from other machines, and nobody could be told from anybody: set users \
                 (`mailtrail web password` makes an entry), trusted_proxies or tokens",
                web.listen
            ),
        );
    }
    if !loopback && !web.public_url.as_ref().is_some_and(PublicUrl::is_https) {
        reader.problem(
            "web.listen",
            format!(
                "{} is beyond loopback, so that passwords and tokens would travel in the open: let a proxy speak TLS and set \
                 public_url to its https:// address",
                web.listen
            ),
        );
    }
    if web.open_on_loopback {
        if !loopback || web.public_url.is_some() {
            reader.problem("web.open_on_loopback", "works only on loopback and without public_url: anybody could look");
        } else {
            reader.warn("web.open_on_loopback", "is on: every program on this machine can read the trail");
        }
    }
    if !is_told_who && web.users.iter().any(|user| user.password.is_none()) {
        reader.warn("web.users", "has users without a password, who come in through trusted_proxies alone");
    }
}

fn public_url(reader: &mut Reader<'_>) -> Option<PublicUrl> {
    if !reader.is_set("web.public_url") {
        return None;
    }
    let text = reader.text("web.public_url")?;
    let url = PublicUrl::parse(&text);
    if url.is_none() {
        reader.problem(
            "web.public_url",
            "is no address of a page: write it as \"https://mailtrail.example.com\", without a path",
        );
    }
    url
}

/// Entries, one a line in a file; what is wrong is told by its place, never quoted.
fn users(reader: &mut Reader<'_>) -> Vec<User> {
    entries(reader, ["web.users", "web.users_file"], Secrecy::Secret, User::parse, |user| &user.name)
}

fn tokens(reader: &mut Reader<'_>) -> Vec<Token> {
    // Who reads a hash of 256 random bits has nothing.
    entries(reader, ["web.tokens", "web.tokens_file"], Secrecy::Public, Token::parse, |token| &token.name)
}

fn entries<T>(
    reader: &mut Reader<'_>,
    [key, file_key]: [&'static str; 2],
    secrecy: Secrecy,
    parse: fn(&str) -> Result<T, &'static str>,
    name: fn(&T) -> &String,
) -> Vec<T> {
    if !reader.is_set(key) && !reader.is_set(file_key) {
        return Vec::new();
    }
    let (key, entries) = reader.items(key, file_key, secrecy, lines);
    let mut all: Vec<T> = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        match parse(entry) {
            Ok(one) if all.iter().any(|other| name(other) == name(&one)) => {
                reader.problem(key, format!("has two entries named {:?}", name(&one)));
            }
            Ok(one) => all.push(one),
            Err(why) => reader.problem(key, format!("entry {}: {why}", at + 1)),
        }
    }
    all
}

fn lines(text: &str) -> Vec<Zeroizing<String>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| Zeroizing::new(line.to_owned())).collect()
}

fn proxy_header(reader: &mut Reader<'_>) -> String {
    if !reader.is_set("web.proxy_header") {
        return PROXY_HEADER.to_owned();
    }
    let text = reader.text("web.proxy_header").unwrap_or_default().to_ascii_lowercase();
    if text == "off" {
        return String::new();
    }
    let is_name = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !is_name || matches!(text.as_str(), "host" | "cookie" | "authorization" | "origin") {
        reader.problem("web.proxy_header", "is no header that could name a user, such as \"X-Forwarded-User\"");
    }
    text
}
