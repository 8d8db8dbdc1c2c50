//! One address in all its spellings: what is searched for in texts that speak of its owner.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use md5::{Digest, Md5};

use super::Kind;
use super::digits::has_hex;
use super::engine::{Layer, Place};
use super::find;
use crate::protect::address::{normalise, spellings};

/// Hex digits of the shortest digest.
const DIGEST_DIGITS: usize = 32;
/// Shorter words would be found by chance within encodings of anything.
const SHORTEST_HIDDEN_WORD: usize = 5;
/// Shorter texts without an `@`, too.
const SHORTEST_HIDDEN_TEXT: usize = 8;
/// What DNS allows for a whole name.
const LONGEST_DOMAIN: usize = 255;

/// The address of one event.
pub(super) struct Own<'e> {
    trimmed: &'e str,
    /// The local part, with and without a tag behind `+`, where it is telling; an address without `@` as a whole.
    words: [Option<&'e str>; 2],
    domain: Option<&'e str>,
    /// The fewest bytes of a spelling. Other letter cases and international domains may be a little shorter.
    pub(super) shortest: usize,
    needles: OnceCell<Needles>,
}

impl<'e> Own<'e> {
    /// `trimmed`: without blanks around it.
    pub(super) fn new(trimmed: &'e str) -> Self {
        let shortest = if trimmed.is_ascii() { trimmed.len() } else { 0 };
        let Some((local, domain)) = split(trimmed) else {
            return Self { trimmed, words: [Some(trimmed), None], domain: None, shortest, needles: OnceCell::new() };
        };
        let plain = unquoted(local).unwrap_or(local);
        let base = without_tag(plain);
        Self {
            trimmed,
            words: [Some(plain), base].map(|word| word.filter(|word| is_telling(word))),
            domain: Some(domain),
            shortest: shortest.saturating_sub(local.len() - base.unwrap_or(local).len()),
            needles: OnceCell::new(),
        }
    }

    fn needles(&self) -> &Needles {
        self.needles.get_or_init(|| Needles::of(self.trimmed))
    }

    /// Whether a text is this address, in any of its spellings.
    pub(super) fn is(&self, text: &str) -> bool {
        text.eq_ignore_ascii_case(self.trimmed)
            || (text.contains(['"', '@'])
                && self.needles().whole.iter().any(|whole| whole.eq_ignore_ascii_case(text.as_bytes())))
            || (!text.is_ascii() && text.to_lowercase() == self.trimmed.to_lowercase())
    }

    /// Whether a number is the local part; JSON's numbers have no leading zeros.
    pub(super) fn is_number(&self, token: &str) -> bool {
        let mut words = self.words.iter().flatten();
        words.any(|word| *word == token || (word.trim_start_matches('0') == token && is_digits(word)))
    }

    pub(super) fn find(&self, layer: &Layer<'_>, kind: Kind, note: &mut dyn FnMut(Range<usize>)) {
        if kind == Kind::Free {
            for word in self.words.iter().flatten() {
                if layer.place == Place::Written || word.len() >= SHORTEST_HIDDEN_WORD {
                    if word.is_ascii() {
                        find::word(layer.bytes, word.as_bytes(), note);
                    } else if layer.seen.non_ascii() {
                        cases(word).iter().for_each(|word| find::word(layer.bytes, word, note));
                    }
                }
            }
        }
        let needs_needles = match self.domain {
            Some(domain) => layer.seen.at() || (layer.seen.equals() && may_be_verp(layer.bytes, domain)),
            None => layer.place == Place::Hidden,
        };
        // Making them costs more than most texts.
        if needs_needles || has_hex(layer.bytes, DIGEST_DIGITS) {
            self.needles().find(layer, note);
        }
    }
}

/// What is searched for, in every spelling that ASCII case does not cover.
pub(super) struct Needles {
    has_sign: bool,
    whole: Vec<Vec<u8>>,
    /// `local=domain`, as in VERP return paths.
    verp: Vec<Vec<u8>>,
    spellings: Vec<String>,
    digests: OnceCell<Vec<String>>,
}

impl Needles {
    pub(super) fn of(address: &str) -> Self {
        let address = address.trim();
        let pairs = pairs(address);
        let spellings = if pairs.is_empty() {
            vec![address.to_owned()]
        } else {
            pairs.iter().map(|(local, domain)| format!("{local}@{domain}")).collect()
        };
        let verp = pairs.iter().map(|(local, domain)| format!("{local}={domain}"));
        Self {
            has_sign: !pairs.is_empty(),
            whole: unique(spellings.iter().flat_map(|spelling| cases(spelling))),
            verp: unique(verp.flat_map(|spelling| cases(&spelling))),
            spellings,
            digests: OnceCell::new(),
        }
    }

    /// Notes every spelling and every digest of the address.
    pub(super) fn find(&self, layer: &Layer<'_>, note: &mut dyn FnMut(Range<usize>)) {
        let Layer { bytes, seen, place } = layer;
        if self.has_sign && seen.at() {
            self.whole.iter().for_each(|needle| find::literal(bytes, needle, note));
        }
        if seen.equals() {
            self.verp.iter().for_each(|needle| find::literal(bytes, needle, note));
        }
        if !self.has_sign && *place == Place::Hidden {
            let long = self.whole.iter().filter(|needle| needle.len() >= SHORTEST_HIDDEN_TEXT);
            long.for_each(|needle| find::literal(bytes, needle, note));
        }
        if has_hex(bytes, DIGEST_DIGITS) {
            self.digests().iter().for_each(|digest| find::literal(bytes, digest.as_bytes(), note));
        }
    }

    /// MD5, SHA-1 and SHA-256 as hex, of each spelling normalised and as it is: what trackers and avatar services use.
    pub(super) fn digests(&self) -> &[String] {
        self.digests.get_or_init(|| {
            let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
            let spellings = self.spellings.iter().flat_map(|address| [normalise(address), address.clone()]);
            unique(spellings.map(String::into_bytes))
                .iter()
                .flat_map(|bytes| {
                    [
                        hex(&Md5::digest(bytes)),
                        hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref()),
                        hex(digest(&SHA256, bytes).as_ref()),
                    ]
                })
                .collect()
        })
    }
}

/// Local part and domain of an address, in all combinations of their spellings; none without both.
fn pairs(address: &str) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
    let Some((_, domain)) = split(address) else { return Vec::new() };
    let mut locals: Vec<Cow<'_, str>> = Vec::new();
    for spelling in spellings(address) {
        let local = spelling.rsplit_once('@').map(|(local, _)| local.to_owned()).unwrap_or_default();
        // Without quotes where they were needed.
        let plain = unquoted(&local).map(|inner| inner.replace('\\', ""));
        let tagged = plain.as_deref().unwrap_or(&local);
        // The tag that a mail server removes, and a plus that was read as a blank.
        let others = without_tag(tagged).map(|base| [base.to_owned(), tagged.replace('+', " ")]);
        let of_this = others.into_iter().flatten().chain(plain.clone());
        locals.extend(of_this.map(Cow::Owned));
        locals.push(Cow::Owned(local));
    }
    locals.retain(|local| !local.is_empty());
    locals.sort();
    locals.dedup();
    let mut domains = vec![Cow::Borrowed(domain)];
    if domain.len() <= LONGEST_DOMAIN && (!domain.is_ascii() || has_punycode(domain)) {
        domains.extend(idna::domain_to_ascii(domain).ok().map(Cow::Owned));
        domains.push(Cow::Owned(idna::domain_to_unicode(domain).0));
        domains.sort();
        domains.dedup();
    }
    locals.iter().flat_map(|local| domains.iter().map(|domain| (local.clone(), domain.clone()))).collect()
}

/// Whether the domain, or another spelling of it, may stand behind a `=`.
fn may_be_verp(bytes: &[u8], domain: &str) -> bool {
    let begin = &domain.as_bytes()[..domain.len().min(3)];
    let is_begin =
        |at: usize| bytes.get(at + 1..at + 1 + begin.len()).is_some_and(|there| there.eq_ignore_ascii_case(begin));
    !domain.is_ascii() || has_punycode(domain) || memchr::memchr_iter(b'=', bytes).any(is_begin)
}

fn has_punycode(domain: &str) -> bool {
    domain.as_bytes().windows(4).any(|label| label.eq_ignore_ascii_case(b"xn--"))
}

fn split(address: &str) -> Option<(&str, &str)> {
    address.rsplit_once('@').filter(|(local, domain)| !local.is_empty() && !domain.is_empty())
}

fn unquoted(local: &str) -> Option<&str> {
    local.strip_prefix('"')?.strip_suffix('"').filter(|inner| !inner.is_empty())
}

/// The local part that the mail server of `jane+news@` may write.
fn without_tag(local: &str) -> Option<&str> {
    local.split_once('+').map(|(base, _)| base).filter(|base| !base.is_empty())
}

/// Short common words would redact half of every text.
fn is_telling(word: &str) -> bool {
    word.chars().count() >= 5 || word.contains(|c: char| c.is_ascii_digit() || c == '.')
}

fn is_digits(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_digit())
}

/// A text as it is, and in lower and upper case where it is not ASCII.
fn cases(text: &str) -> Vec<Vec<u8>> {
    let mut cases = vec![text.as_bytes().to_vec()];
    if !text.is_ascii() {
        cases.extend([text.to_lowercase().into_bytes(), text.to_uppercase().into_bytes()]);
    }
    cases
}

fn unique(needles: impl Iterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let mut unique: Vec<Vec<u8>> = Vec::new();
    for needle in needles {
        if !unique.contains(&needle) {
            unique.push(needle);
        }
    }
    unique
}
