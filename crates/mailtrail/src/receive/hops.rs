//! The header by which relayed POSTs are recognised when they come back: each mailtrail that relays one adds an id of its own.

use std::fmt::Write as _;
use std::sync::OnceLock;

use aws_lc_rs::rand;
use http::HeaderValue;
use hyper::header::HeaderMap;

/// A list of ids, in the order of relaying.
pub const HOP_HEADER: &str = "mailtrail-relay";

/// Relayed so often, a POST goes in circles, whoever the relays are.
const MOST_HOPS: usize = 8;
/// More is none of ours.
const LONGEST: usize = 512;

/// The id of this process. A loop is far quicker than a restart.
fn own_id() -> &'static str {
    static ID: OnceLock<String> = OnceLock::new();
    ID.get_or_init(|| {
        let mut random = [0; 8];
        // Without randomness nothing can be sealed, so that nothing is relayed either.
        let _filled = rand::fill(&mut random);
        random.iter().fold(String::new(), |mut id, byte| {
            let _infallible = write!(id, "{byte:02x}");
            id
        })
    })
}

/// Whether this mailtrail relayed the POST before, or too many others did.
pub(super) fn is_loop(headers: &HeaderMap) -> bool {
    let values = headers.get_all(HOP_HEADER);
    let mut hops = values.iter().flat_map(|value| value.as_bytes().split(|b| *b == b',')).map(<[u8]>::trim_ascii);
    let mut seen = 0;
    hops.any(|hop| {
        seen += 1;
        seen > MOST_HOPS || hop == own_id().as_bytes()
    })
}

/// What a POST brought along, bounded.
pub(super) fn of(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(HOP_HEADER).filter(|value| value.len() <= LONGEST).cloned()
}

/// The header of a POST that is relayed from here.
#[must_use]
pub fn with_own(before: Option<&[u8]>) -> Option<HeaderValue> {
    let mut value = before.map_or_else(Vec::new, |before| [before, b", "].concat());
    value.extend_from_slice(own_id().as_bytes());
    HeaderValue::from_bytes(&value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_post_that_was_relayed_from_here_is_recognised_behind_any_other_hop() {
        let headers = |values: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(HOP_HEADER, HeaderValue::from_bytes(value).unwrap());
            }
            headers
        };
        let first = with_own(None).unwrap();
        assert!(is_loop(&headers(&[first.as_bytes()])));
        let later = [first.as_bytes(), b", 0123456789abcdef"].concat();
        assert!(is_loop(&headers(&[&later])) && is_loop(&headers(&[b"x", &later])));
        assert!(is_loop(&headers(&[with_own(Some(b"0123456789abcdef")).unwrap().as_bytes()])));
        assert!(!is_loop(&headers(&[])) && !is_loop(&headers(&[b"0123456789abcdef"])) && !is_loop(&headers(&[b""])));
        assert!(is_loop(&headers(&[b"1,2,3,4,5,6,7,8,9"])), "relayed in circles by others");
        assert!(of(&headers(&[&[b'a'; 600]])).is_none());
    }
}
