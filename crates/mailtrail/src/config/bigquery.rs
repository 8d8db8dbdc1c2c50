//! `[bigquery]`: where events go beyond this machine.

use std::time::Duration;

use super::reader::Reader;
use super::store::StoreKind;

const REST: &str = "https://bigquery.googleapis.com";
const GRPC: &str = "https://bigquerystorage.googleapis.com";

/// `[bigquery]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BigQuery {
    /// The project that holds the dataset.
    pub project: Name,
    /// The dataset.
    pub dataset: Name,
    /// The table of events.
    pub table: Name,
    /// Where the dataset lies, such as `EU` or `asia-northeast1`; `None`: where Google puts it.
    pub location: Option<Name>,
    /// The REST API.
    pub endpoint: Endpoint,
    /// The Storage Write API.
    pub grpc_endpoint: Endpoint,
    /// Whether `serve` copies the trail to BigQuery.
    pub forward: bool,
    /// The project that quota and cost are counted on; `None`: that of the credentials.
    pub quota_project: Option<Name>,
    /// What one question may cost at most, bytes billed.
    pub max_bytes_billed: u64,
    /// How long an append may take before it counts as failed.
    pub append_timeout: Duration,
}

impl BigQuery {
    /// Google's own, with defaults for everything else: for reading a table where nothing is configured.
    #[must_use]
    pub fn at_google(project: Name, dataset: Name, table: Name) -> Self {
        let google = |url: &str| Endpoint { url: url.to_owned(), loopback: false };
        Self {
            project,
            dataset,
            table,
            location: None,
            endpoint: google(REST),
            grpc_endpoint: google(GRPC),
            forward: false,
            quota_project: None,
            max_bytes_billed: 10 << 30,
            append_timeout: Duration::from_secs(8),
        }
    }

    /// Whether this is an emulator on this machine, which asks for no credentials.
    #[must_use]
    pub fn is_emulator(&self) -> bool {
        self.endpoint.is_loopback()
    }
}

/// A name of Google's (project, dataset, table, location): letters, digits and `-_.:`, so that it can stand between back
/// quotes in SQL and in the path of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Takes a name; `None` where it holds anything else or nothing.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        let sound = (1..=1024).contains(&text.len()) && text.bytes().all(known) && !text.contains("..");
        sound.then(|| Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The base of an API's addresses: scheme, host and port, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    url: String,
    loopback: bool,
}

impl Endpoint {
    /// Takes `https://host[:port]`, or `http://` on this machine; `None` for anything else.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let url = text.strip_suffix('/').unwrap_or(text);
        let (scheme, authority) = url.split_once("://")?;
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.parse::<u16>().is_ok() => host,
            Some((host, _)) if !host.is_empty() => return None,
            _ => authority,
        };
        let named = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b));
        let loopback = scheme == "http" && (host == "localhost" || host.starts_with("127.") || host == "[::1]");
        (loopback || (scheme == "https" && named)).then(|| Self { url: url.to_owned(), loopback })
    }

    /// As given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// Plain HTTP on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }
}

/// `None` where the section names no project; an error where events are to be kept there (`kind`).
pub(super) fn read(reader: &mut Reader<'_>, kind: StoreKind) -> Option<BigQuery> {
    let forward = reader.boolean("bigquery.forward", false);
    let project = name(reader, "bigquery.project");
    let dataset = name(reader, "bigquery.dataset");
    let table = name(reader, "bigquery.table").or_else(|| Name::new("sendgrid_event"));
    let location = name(reader, "bigquery.location");
    let endpoint = endpoint(reader, "bigquery.endpoint", REST);
    let grpc_endpoint = self::endpoint(reader, "bigquery.grpc_endpoint", GRPC);
    let quota_project = name(reader, "bigquery.quota_project");
    let max_bytes_billed = reader.size("bigquery.max_bytes_billed", 10 << 30, "10GiB");
    let append_timeout = reader.duration("bigquery.append_timeout", Duration::from_secs(8), "8s");
    let only_there = kind == StoreKind::BigQuery;
    if only_there && forward {
        reader.problem(
            "bigquery.forward",
            "copies a trail of kind \"sqlite\", and [store] kind is \"bigquery\": remove one",
        );
    }
    let wanted = only_there || forward || project.is_some() || dataset.is_some();
    for (key, missing) in [("bigquery.project", project.is_none()), ("bigquery.dataset", dataset.is_none())] {
        if wanted && missing && !reader.is_set(key) {
            reader.problem(key, "is missing: events need a project and a dataset to go to");
        }
    }
    let (endpoint, grpc_endpoint) = (endpoint?, grpc_endpoint?);
    if endpoint.is_loopback() != grpc_endpoint.is_loopback() {
        reader.problem(
            "bigquery.grpc_endpoint",
            "and [bigquery] endpoint must both be on this machine (an emulator) or both not: else one would be written, the other read",
        );
    }
    Some(BigQuery {
        project: project?,
        dataset: dataset?,
        table: table?,
        location,
        endpoint,
        grpc_endpoint,
        forward,
        quota_project,
        max_bytes_billed,
        append_timeout,
    })
}

fn name(reader: &mut Reader<'_>, key: &str) -> Option<Name> {
    let text = reader.text(key)?;
    let name = Name::new(&text);
    if name.is_none() {
        reader.problem(key, format!("{text:?} is no name of Google's: letters, digits, - and _"));
    }
    name
}

fn endpoint(reader: &mut Reader<'_>, key: &str, default: &str) -> Option<Endpoint> {
    let text = if reader.is_set(key) { reader.text(key)? } else { default.to_owned() };
    let endpoint = Endpoint::new(&text);
    if endpoint.is_none() {
        reader.problem(key, format!("{text:?} must be https://host[:port], or http://127.0.0.1:port for an emulator"));
    }
    endpoint
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        let cases = [
            ("https://bigquery.googleapis.com", Some(false)),
            ("https://10.0.0.1:443/", Some(false)),
            ("http://127.0.0.1:9050", Some(true)),
            ("http://localhost:9050/", Some(true)),
            ("http://[::1]:9050", Some(true)),
            ("http://bigquery.googleapis.com", None),
            ("http://127.0.0.1:x", None),
            ("https://", None),
            ("https://host/path", None),
            ("https://user@host", None),
            ("127.0.0.1:9050", None),
        ];
        for (text, expected) in cases {
            assert_eq!(Endpoint::new(text).map(|endpoint| endpoint.is_loopback()), expected, "{text}");
        }
    }

    #[test]
    fn names_hold_nothing_that_sql_or_a_path_would_take_for_something_else() {
        for sound in ["my-project", "example.com:project", "sendgrid_event", "EU"] {
            assert_eq!(Name::new(sound).map(|name| name.to_string()).as_deref(), Some(sound));
        }
        for wrong in ["", "a`b", "a/b", "..", "a b", "a;b", "名", "a\n"] {
            assert_eq!(Name::new(wrong), None, "{wrong:?}");
        }
    }
}
