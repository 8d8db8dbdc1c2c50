//! Who somebody is: passwords, sessions and log-in links, each kept as a digest alone, and how often may be tried.

mod attempts;
mod device;
mod quota;
mod sessions;

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, UNIX_EPOCH};

use aws_lc_rs::{constant_time, hmac};
use axum::http::HeaderMap;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::password::{self, HashError, digest_of};
use crate::clock;
use crate::config::{Role, Token, Web};
use crate::receive::peer::{Peer as Client, Proxies};
use attempts::Attempts;
use device::Device;
use quota::DailyUse;
pub(super) use quota::{QuotaExceeded, QuotaKind};
use sessions::Sessions;

/// How long somebody stays logged in.
pub(super) const SESSION: Duration = Duration::from_secs(12 * 3600);

/// Passwords checked at once: each takes 19 MiB and a processor for a moment.
const CHECKS: usize = 2;

/// Beside these, of known browsers: strangers that wait for a check never stand before them.
const CHECKS_OF_DEVICES: usize = 1;

/// Log-ins that may wait for a check, and how long.
const QUEUE: usize = 16;
const QUEUE_WITHIN: Duration = Duration::from_secs(5);

/// Name of who came by the link or by an open door.
const LOCAL: &str = "local";

/// Somebody who may look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) role: Role,
    /// What their forms carry, so that no other page can send one.
    pub(super) csrf: String,
    /// Whether there is a session that could be ended.
    pub(super) has_session: bool,
}

/// Why nobody is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    Wrong,
    TooOften,
    /// Too many passwords are being checked; nothing was tried.
    Busy,
}

/// Somebody who logged in: what their cookies hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LoggedIn {
    pub(super) session: Zeroizing<String>,
    /// `None` if the system gives no randomness.
    pub(super) device: Option<Zeroizing<String>>,
}

/// Where wrong attempts are counted.
#[derive(Clone, Copy)]
enum Counted {
    Client(Client),
    Device(Device),
}

/// Checks of passwords that may run at once, and those that may wait for one.
struct Checks {
    running: Semaphore,
    all: Semaphore,
}

impl Checks {
    fn new(running: usize) -> Self {
        Self { running: Semaphore::new(running), all: Semaphore::new(running + QUEUE) }
    }

    /// `None` if too many wait, or it took too long.
    async fn run(&self, password: Zeroizing<String>, hash: String) -> Option<bool> {
        let _place = self.all.try_acquire().ok()?;
        let _turn = tokio::time::timeout(QUEUE_WITHIN, self.running.acquire()).await.ok()?.ok()?;
        Some(tokio::task::spawn_blocking(move || password::verify(&password, &hash)).await.unwrap_or(false))
    }
}

/// The doorkeeper.
pub(super) struct Guard {
    web: Web,
    proxies: Proxies,
    /// Signs what forms carry; new with each process.
    key: hmac::Key,
    sessions: Mutex<Sessions>,
    link: Mutex<Option<[u8; 32]>>,
    /// Signs the cookies of known browsers; outlives the process.
    device_key: hmac::Key,
    attempts: Mutex<Attempts<Client>>,
    device_attempts: Mutex<Attempts<Device>>,
    tokens: RwLock<Vec<Token>>,
    daily_use: Mutex<DailyUse>,
    /// Of tokens, apart from those of passwords: a program gone wrong keeps nobody from logging in.
    failures: Mutex<Attempts<Client>>,
    checks: Checks,
    device_checks: Checks,
    /// The hash of a password that nobody has, so that an unknown name takes as long as a wrong password.
    nobody: String,
}

impl Guard {
    pub(super) fn new(web: Web, device_key: hmac::Key) -> Result<Self, HashError> {
        let key = password::random_text()?;
        Ok(Self {
            tokens: RwLock::new(web.tokens.clone()),
            daily_use: Mutex::default(),
            failures: Mutex::default(),
            proxies: Proxies::new(&web.trusted_proxies, false),
            web,
            key: hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()),
            sessions: Mutex::default(),
            link: Mutex::default(),
            device_key,
            attempts: Mutex::default(),
            device_attempts: Mutex::default(),
            checks: Checks::new(CHECKS),
            device_checks: Checks::new(CHECKS_OF_DEVICES),
            nobody: password::hash_password(&password::random_text()?)?,
        })
    }

    pub(super) fn web(&self) -> &Web {
        &self.web
    }

    pub(super) fn proxies(&self) -> &Proxies {
        &self.proxies
    }

    /// The client of a request, for limits; who is connected, if no trusted proxy names it.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Client {
        self.proxies.client(peer, headers).unwrap_or_else(|| Client::of(peer))
    }

    /// Whether anybody could log in with a password.
    pub(super) fn has_passwords(&self) -> bool {
        self.web.users.iter().any(|user| user.password.is_some())
    }

    /// A token that opens a session once; it replaces an earlier one. `None` where the page is not on loopback alone.
    pub(super) fn invite(&self) -> Option<Zeroizing<String>> {
        if !self.web.listen.ip().is_loopback() || self.web.public_url.is_some() || self.web.open_on_loopback {
            return None;
        }
        let token = password::random_text().ok()?;
        *lock(&self.link) = Some(digest_of(&token));
        Some(token)
    }

    /// Opens a session for who has the link. Returns what the cookie holds.
    pub(super) fn accept(&self, token: &str) -> Option<Zeroizing<String>> {
        let mut link = lock(&self.link);
        let known = (*link)?;
        constant_time::verify_slices_are_equal(&known, &digest_of(token)).ok()?;
        *link = None;
        drop(link);
        self.open(LOCAL, Role::Operator)
    }

    /// Opens a session for who knows the password. Wrong attempts are limited by client address, or by browser where somebody logged
    /// in as this user before; `device`: the browser's cookie. User names have no limit, because anybody could use it up.
    pub(super) async fn log_in(
        &self,
        client: Client,
        device: Option<&str>,
        name: &str,
        password: Zeroizing<String>,
    ) -> Result<LoggedIn, Denied> {
        let device = device.and_then(|cookie| Device::of_cookie(cookie, &self.device_key, name));
        let (counted, checks) = match device {
            Some(device) if lock(&self.device_attempts).begin(device) => (Counted::Device(device), &self.device_checks),
            _ if lock(&self.attempts).begin(client) => (Counted::Client(client), &self.checks),
            _ => return Err(Denied::TooOften),
        };
        let user = self.web.users.iter().find(|user| user.name == name && user.password.is_some());
        let hash = user.and_then(|user| user.password.clone()).unwrap_or_else(|| self.nobody.clone());
        let Some(right) = checks.run(password, hash).await else {
            self.take_back(counted);
            return Err(Denied::Busy);
        };
        let opened = user.filter(|_| right).and_then(|user| self.open(&user.name, user.role));
        let session = opened.ok_or(Denied::Wrong)?;
        self.take_back(counted);
        let device = device.or_else(Device::new).map(|device| device.cookie(&self.device_key, name));
        Ok(LoggedIn { session, device })
    }

    fn take_back(&self, counted: Counted) {
        match counted {
            Counted::Client(client) => lock(&self.attempts).take_back(client),
            Counted::Device(device) => lock(&self.device_attempts).take_back(device),
        }
    }

    fn open(&self, name: &str, role: Role) -> Option<Zeroizing<String>> {
        let token = password::random_text().ok()?;
        lock(&self.sessions).open(digest_of(&token), name, role);
        Some(token)
    }

    /// Who has this cookie.
    pub(super) fn by_session(&self, token: &str) -> Option<Person> {
        let digest = digest_of(token);
        let (name, role) = lock(&self.sessions).find(&digest)?;
        Some(Person { name, role, csrf: self.sign(&digest), has_session: true })
    }

    pub(super) fn log_out(&self, token: &str) {
        lock(&self.sessions).close(&digest_of(token));
    }

    /// Who a proxy says it is. Somebody whom the configuration does not name may look, and no more.
    pub(super) fn by_proxy(&self, peer: IpAddr, name: &str) -> Option<Person> {
        let name = name.trim();
        if !self.proxies.trusts(peer) || name.is_empty() || name.len() > 200 {
            return None;
        }
        let user = self.web.users.iter().find(|user| user.name == name);
        let role = user.map_or(Role::Viewer, |user| user.role);
        Some(Person { name: name.to_owned(), role, csrf: self.sign(name.as_bytes()), has_session: false })
    }

    /// Whoever asks, where the configuration says so.
    pub(super) fn anybody(&self) -> Option<Person> {
        self.web.open_on_loopback.then(|| Person {
            name: LOCAL.to_owned(),
            role: Role::Operator,
            csrf: self.sign(LOCAL.as_bytes()),
            has_session: false,
        })
    }

    /// Whose token this is, and what it may do. A right one is let in however often wrong ones came from the same machine,
    /// which may be a proxy that many come through; 256 random bits are found by nobody.
    pub(super) fn by_token(&self, client: Client, text: &str) -> Result<(String, Role), Denied> {
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        match Token::find(text, &tokens) {
            Some(token) => Ok((token.name.clone(), token.role)),
            None if lock(&self.failures).begin(client) => Err(Denied::Wrong),
            None => Err(Denied::TooOften),
        }
    }

    /// From now on these tokens are known and no others.
    pub(super) fn replace_tokens(&self, tokens: &[Token]) {
        *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = tokens.to_vec();
        lock(&self.daily_use).retain(|name| tokens.iter().any(|token| token.name == name));
    }

    /// Counts what a token is about to take against its quota of the day. Operators have none.
    pub(super) fn charge(
        &self,
        (token, role): (&str, Role),
        counted: QuotaKind,
        count: usize,
    ) -> Result<(), QuotaExceeded> {
        let quota = (role < Role::Operator).then_some(match counted {
            QuotaKind::Rows => self.web.viewer_events_per_day,
            QuotaKind::Addresses => self.web.viewer_addresses_per_day,
        });
        let now = clock::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        lock(&self.daily_use).charge(token, counted, count, quota, now)
    }

    fn sign(&self, what: &[u8]) -> String {
        hmac::sign(&self.key, what).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Person {
    /// Whether a form is one that we gave this person.
    pub(super) fn sent(&self, csrf: &str) -> bool {
        constant_time::verify_slices_are_equal(self.csrf.as_bytes(), csrf.as_bytes()).is_ok()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing under these locks can panic half way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
