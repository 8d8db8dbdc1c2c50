//! URLs are credentials: reset links, unsubscribe tokens. What stays is scheme, host, path and the names in the query.

use super::redact::{Kind, Redactor};
use crate::config::UrlPolicy;

/// What stands for a value of a query.
const HIDDEN: &str = "…";

/// The URL as the policy lets it stay; `None`: not at all.
pub(super) fn protect(url: &str, policy: UrlPolicy, redactor: &Redactor) -> Option<String> {
    match policy {
        UrlPolicy::Drop => None,
        UrlPolicy::Keep => Some(redactor.text(url, Kind::Free).into_owned()),
        UrlPolicy::NoQuery => Some(without_query(url, redactor)),
    }
}

fn without_query(url: &str, redactor: &Redactor) -> String {
    let url = url.split_once('#').map_or(url, |(before, _)| before);
    let (address, query) = url.split_once('?').map_or((url, None), |(address, query)| (address, Some(query)));
    let address = match address.split_once("://") {
        Some((scheme, rest)) => {
            let authority_end = rest.find(['/', '\\']).unwrap_or(rest.len());
            let (authority, path) = rest.split_at(authority_end);
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            format!("{scheme}://{host}{path}")
        }
        None => address.to_owned(),
    };
    let mut kept = redactor.text(&address, Kind::Free).into_owned();
    if let Some(query) = query {
        let names = query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, _)) => format!("{}={HIDDEN}", redactor.text(name, Kind::Fixed)),
            // A query without names is one value.
            None if pair.is_empty() => String::new(),
            None => HIDDEN.to_owned(),
        });
        kept.push('?');
        kept.push_str(&names.collect::<Vec<_>>().join("&"));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_of_a_url() {
        let redactor = Redactor::new(Some("jane.doe@example.com"));
        for (url, expected) in [
            ("https://shop.example/reset/?token=s3cret&lang=ja#top", "https://shop.example/reset/?token=…&lang=…"),
            ("https://user:secret@shop.example/a", "https://shop.example/a"),
            ("https://shop.example", "https://shop.example"),
            ("https://shop.example?opaque-token", "https://shop.example?…"),
            ("https://shop.example/u/jane.doe@example.com/x", "https://shop.example/u/[address]/x"),
            ("https://shop.example/u/jane.doe/x", "https://shop.example/u/[address]/x"),
            (
                "https://shop.example/u/jane.doe%40example.com?jane.doe%40example.com=1",
                "https://shop.example/u/[address]?[address]=…",
            ),
            ("mailto:jane.doe@example.com?subject=x", "mailto:[address]?subject=…"),
            ("", ""),
            ("?", "?"),
        ] {
            assert_eq!(protect(url, UrlPolicy::NoQuery, &redactor).as_deref(), Some(expected), "{url}");
        }
        assert_eq!(protect("https://x.example", UrlPolicy::Drop, &redactor), None);
        let kept = protect("https://x.example/?t=1&to=jane.doe@example.com", UrlPolicy::Keep, &redactor);
        assert_eq!(kept.as_deref(), Some("https://x.example/?t=1&[address]"));
    }
}
