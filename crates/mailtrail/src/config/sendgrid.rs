//! `[sendgrid]`: with which key, where and as whom SendGrid's API is used.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;
use zeroize::Zeroizing;

use super::reader::Reader;

const HOST: &str = "https://api.sendgrid.com";
/// SendGrid's own hosts: global, and of EU subusers.
const HOSTS: [&str; 2] = ["api.sendgrid.com", "api.eu.sendgrid.com"];

/// `[sendgrid]`
#[derive(Debug, Clone)]
pub struct SendGrid {
    /// The API key; `None` where nobody gave one.
    pub api_key: Option<ApiKey>,
    /// Scheme and host of the API; one that the key may go to.
    pub host: Url,
    /// Who mail is from, where a command does not say.
    pub from: Option<Sender>,
    /// The subuser to act for.
    pub on_behalf_of: Option<String>,
    /// How long a request may take as a whole.
    pub timeout: Duration,
    /// Whether addresses with letters beyond ASCII before the `@` are sent.
    pub utf8_addresses: bool,
}

/// An API key, for the header of a request alone.
#[derive(Clone)]
pub struct ApiKey(Zeroizing<String>);

impl ApiKey {
    /// Takes a key; `None` where it is empty or holds what no header can.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        plain.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The key.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(..)")
    }
}

/// Who mail is from, or answers go to.
#[derive(Clone, PartialEq, Eq)]
pub struct Sender {
    name: Option<String>,
    email: String,
}

/// Why a text names no sender. Says nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not of the form \"Name <news@example.com>\" or \"news@example.com\", the address in ASCII (SendGrid takes no other)"
)]
pub struct SenderError;

impl Sender {
    /// Reads `Name <address>` or an address alone; the name may be in quotes.
    ///
    /// # Errors
    /// When there is no address, or SendGrid would not take it as a sender's.
    pub fn parse(text: &str) -> Result<Self, SenderError> {
        let text = text.trim();
        let (name, email) = match text.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
            Some((name, email)) => (name.trim(), email.trim()),
            None => ("", text),
        };
        let name = name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(name);
        let (local, domain) = email.split_once('@').ok_or(SenderError)?;
        let plain = email.bytes().all(|b| b.is_ascii_graphic() && !b"<>,;:()[]\\\"".contains(&b));
        if local.is_empty()
            || !domain.contains('.')
            || domain.contains('@')
            || !plain
            || name.chars().any(char::is_control)
        {
            return Err(SenderError);
        }
        Ok(Self { name: (!name.is_empty()).then(|| name.to_owned()), email: email.to_owned() })
    }

    /// The name that readers see.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The address.
    #[must_use]
    pub fn email(&self) -> &str {
        &self.email
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender(..)")
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> SendGrid {
    let api_key = reader.secret("sendgrid.api_key", "sendgrid.api_key_file").and_then(|(place, text)| {
        let key = ApiKey::parse(&text);
        if key.is_none() {
            reader.problem(place, "is empty or has blanks in it: copy the key as SendGrid showed it");
        }
        key
    });
    let allow_host = reader.boolean("sendgrid.allow_host", false);
    let from = reader
        .text("sendgrid.from")
        .and_then(|text| Sender::parse(&text).map_err(|error| reader.problem("sendgrid.from", error.to_string())).ok());
    let on_behalf_of = reader.text("sendgrid.on_behalf_of").filter(|name| {
        let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic());
        if !plain {
            reader.problem(
                "sendgrid.on_behalf_of",
                "is no name of a subuser: letters, digits and punctuation without blanks",
            );
        }
        plain
    });
    SendGrid {
        api_key,
        host: host(reader, allow_host),
        from,
        on_behalf_of,
        timeout: reader.duration("sendgrid.timeout", Duration::from_secs(30), "30s"),
        utf8_addresses: reader.boolean("sendgrid.utf8_addresses", false),
    }
}

#[expect(clippy::expect_used, reason = "a constant")]
fn host(reader: &mut Reader<'_>, allow_host: bool) -> Url {
    let default = || Url::parse(HOST).expect("a URL");
    let Some(text) = reader.text("sendgrid.host") else { return default() };
    match judge(&text, allow_host) {
        Ok(url) => url,
        Err(why) => {
            reader.problem("sendgrid.host", why);
            default()
        }
    }
}

/// Where the key may go: SendGrid's hosts and loopback; elsewhere only when that was asked for. Never unencrypted but on
/// loopback.
fn judge(text: &str, allow_host: bool) -> Result<Url, &'static str> {
    let bare = |url: &Url| {
        url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    };
    let url = Url::parse(text)
        .ok()
        .filter(bare)
        .ok_or("is not a scheme and a host alone, such as \"https://api.eu.sendgrid.com\"")?;
    let loopback = is_loopback(&url);
    let host = url.host_str().unwrap_or_default();
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        _ => return Err("must begin with https://: the API key would travel in the clear"),
    }
    let theirs = HOSTS.contains(&host) && url.port().is_none();
    if theirs || loopback || allow_host {
        Ok(url)
    } else {
        Err("is not SendGrid's, and the API key would be sent there: use \"https://api.sendgrid.com\" or \
             \"https://api.eu.sendgrid.com\", or say allow_host = true")
    }
}

/// Whether a URL leads to this machine, by its address: a name could be led elsewhere.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_goes_nowhere_else() {
        let cases = [
            ("https://api.sendgrid.com", true, true),
            ("https://api.eu.sendgrid.com/", true, true),
            ("http://127.0.0.1:8080", true, true),
            ("http://[::1]:8080", true, true),
            ("http://api.sendgrid.com", false, false),
            ("https://api.sendgrid.com.example", false, true),
            ("https://api.sendgrid.com:8443", false, true),
            ("http://localhost.example", false, false),
            ("https://evil@api.sendgrid.com", false, false),
            ("https://api.sendgrid.com/v3", false, false),
            ("ftp://127.0.0.1", false, false),
            ("api.sendgrid.com", false, false),
        ];
        for (text, by_default, allowed) in cases {
            assert_eq!(judge(text, false).is_ok(), by_default, "{text}");
            assert_eq!(judge(text, true).is_ok(), allowed, "{text}");
        }
    }

    #[test]
    fn senders() {
        let parts = |text| Sender::parse(text).map(|s| (s.name().map(str::to_owned), s.email().to_owned()));
        assert_eq!(parts("a@example.com"), Ok((None, "a@example.com".to_owned())));
        assert_eq!(
            parts("\"お知らせ, Inc.\" <a@example.com>"),
            Ok((Some("お知らせ, Inc.".to_owned()), "a@example.com".to_owned()))
        );
        for wrong in [
            "",
            "Name",
            "Name <>",
            "é@example.com",
            "a@例え.jp",
            "a@b@example.com",
            "a\nb <a@example.com>",
            "x a@example.com",
        ] {
            assert_eq!(parts(wrong), Err(SenderError), "{wrong:?}");
        }
        assert!(!format!("{:?} {:?}", Sender::parse("a@example.com"), ApiKey::parse("SG.secret")).contains(['@', '!']));
        assert!(!format!("{:?}", ApiKey::parse("SG.secret")).contains("secret"));
    }
}
