//! Why the signature of a captured POST fails. Known ways of spoiling one are undone, and a cause is named only where
//! the signature then holds; what cannot be confirmed that way is said only where nothing else explains the failure.

mod body;
mod headers;
mod key;

use std::borrow::Cow;
use std::fmt;

use super::{KeyId, PublicKey, Signature};
use crate::batch::{Batch, Item};

/// A POST as captured, and the keys it should hold under.
#[derive(Clone, Copy)]
pub struct Captured<'a> {
    /// The texts configured as public keys.
    pub keys: &'a [&'a str],
    /// The signature header, where there was one.
    pub signature: Option<&'a str>,
    /// The timestamp header, where there was one.
    pub timestamp: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// What [`explain`] found out. `Display` is the sentence for people: what is wrong and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// The signature holds as it stands, under this key.
    Holds(KeyId),
    /// Confirmed: with this mended, and whatever else is listed, the signature holds.
    Confirmed(Cause),
    /// Certain by its form, or the likeliest where nothing could be confirmed.
    Unconfirmed(Suspicion),
}

/// A cause that was undone, and then the signature held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// The two headers carry each other's value.
    #[error("the two headers are swapped: the signature is the base64 text, the timestamp the digits")]
    HeadersSwapped,
    /// White space in or around the timestamp.
    #[error("the timestamp has white space around it: pass the header's value alone")]
    TimestampSpaces,
    /// Milliseconds.
    #[error("the timestamp is in milliseconds: it was converted on the way; pass the header as received")]
    TimestampMilliseconds,
    /// Line breaks or blanks in the signature.
    #[error("the signature is wrapped or has blanks in it: pass it as one word, as received")]
    SignatureWrapped,
    /// The URL alphabet, or no padding.
    #[error(
        "the signature is base64url or without padding: SendGrid sends standard, padded base64; something re-encoded it"
    )]
    SignatureBase64Url,
    /// Hex digits.
    #[error("the signature is in hex: SendGrid sends base64; something re-encoded it")]
    SignatureHex,
    /// r ‖ s of 64 bytes.
    #[error("the signature is the raw pair r, s (as in a JWT): SendGrid sends ASN.1 DER; something converted it")]
    SignatureRaw,
    /// The URL alphabet, or no padding.
    #[error("the public key is base64url or without padding: configure the text exactly as SendGrid shows it")]
    KeyBase64Url,
    /// Hex digits.
    #[error("the public key is in hex: configure the text exactly as SendGrid shows it, starting MFkw")]
    KeyHex,
    /// The bare point on the curve.
    #[error(
        "the public key is the bare point on the curve: configure the text exactly as SendGrid shows it, starting MFkw"
    )]
    KeyPoint,
    /// `\n` as two characters.
    #[error(
        "the public key has \\\\n as two characters instead of line breaks: paste the text as SendGrid shows it, on one line"
    )]
    KeyEscapes,
    /// Quotes around it.
    #[error("the public key has quotes around it: configure the text alone")]
    KeyQuoted,
    /// A character that cannot be seen, at this position from 1.
    #[error("the public key has an invisible character at position {0}: copy it again, or type over that place")]
    KeyInvisible(usize),
    /// Line breaks at the end were lost.
    #[error("the body has lost the line break at its end: hand over the bytes as received, without trimming them")]
    EndLost,
    /// Line breaks at the end were added.
    #[error("the body has a line break at its end that was not sent: an editor or a logger added it")]
    EndAdded,
    /// CRLF became LF.
    #[error("the body's CRLF line breaks became LF: a text mode, git or an editor converted them; keep the raw bytes")]
    CrlfToLf,
    /// LF became CRLF.
    #[error("the body's LF line breaks became CRLF: a text mode, git or an editor converted them; keep the raw bytes")]
    LfToCrlf,
    /// White space between the elements was changed.
    #[error(
        "white space between the events was changed: the body was parsed or joined again before the check; keep the raw bytes"
    )]
    BetweenElements,
    /// A byte order mark was added.
    #[error("the body has a byte order mark that was not sent: an editor added it")]
    MarkAdded,
    /// A byte order mark was lost.
    #[error("the body has lost its byte order mark: something decoded it as text; keep the raw bytes")]
    MarkLost,
    /// The body is base64.
    #[error(
        "the body is base64, as API gateways hand over binary bodies (isBase64Encoded): decode it before the check"
    )]
    BodyBase64,
}

/// What may explain a failure that no repair mends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Suspicion {
    /// Neither header.
    #[error(
        "the POST is not signed: both headers are missing. Signing is off, or this is the test button pressed before Save, or a proxy dropped the headers"
    )]
    Unsigned,
    /// No signature header.
    #[error("the header X-Twilio-Email-Event-Webhook-Signature is missing: a proxy dropped it")]
    SignatureMissing,
    /// No timestamp header.
    #[error("the header X-Twilio-Email-Event-Webhook-Timestamp is missing: a proxy dropped it")]
    TimestampMissing,
    /// No signature of any known form.
    #[error("the signature header is not a signature in any known form: it is cut off or changed")]
    SignatureForm,
    /// No timestamp of any known form.
    #[error("the timestamp header is not Unix seconds (9 to 11 digits): pass it as received")]
    TimestampForm,
    /// No key was given.
    #[error("there is no public key to check with: copy it from SendGrid's settings of this webhook")]
    KeyMissing,
    /// A private key.
    #[error(
        "a key given is a private key: the public key of SendGrid's settings is needed (starting MFkw). Whoever saw the private key can sign: replace the pair"
    )]
    KeyPrivate,
    /// An API key.
    #[error(
        "a key given is a SendGrid API key (SG.…), which is a secret and verifies nothing: the public key of the webhook's settings is \
         needed (starting MFkw)"
    )]
    KeyIsApiKey,
    /// The beginning of a key.
    #[error("a key given is cut off: copy the whole text from SendGrid's settings (124 characters, starting MFkw)")]
    KeyCutOff,
    /// A key of another kind.
    #[error("a key given is for another algorithm or curve: SendGrid's are ECDSA on P-256 (starting MFkw)")]
    KeyOtherKind,
    /// No key at all.
    #[error(
        "a key given is no public key in any known form: copy the whole text from SendGrid's settings (starting MFkw)"
    )]
    KeyForm,
    /// Nothing in the body.
    #[error("the body is empty: something read it before the check, as body parsers of web frameworks do")]
    BodyEmpty,
    /// gzip.
    #[error("the body is compressed (gzip): the signature covers other bytes; check the body as received")]
    BodyCompressed,
    /// Not the JSON of a webhook.
    #[error("the body is not a whole JSON array or object: it is cut off, or is not what SendGrid sent")]
    BodyNotJson,
    /// Everything has its form and nothing fits.
    #[error(
        "the signature belongs to another key or to other bytes. Either the key is another webhook's or was replaced (turning signing off and on makes a new one), or the body was parsed and written again before the check, which cannot be undone: capture the raw bytes"
    )]
    OtherKeyOrBytes,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Holds(key) => write!(f, "the signature holds under key {key}"),
            Finding::Confirmed(cause) => cause.fmt(f),
            Finding::Unconfirmed(suspicion) => suspicion.fmt(f),
        }
    }
}

/// Shows sizes only: a body holds addresses.
impl fmt::Debug for Captured<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Captured({} keys, {} bytes)", self.keys.len(), self.body.len())
    }
}

/// One way to read a part of the capture, and what had to be undone for it.
struct Reading<T> {
    value: T,
    undone: Vec<Cause>,
}

impl<T> Reading<T> {
    fn new(value: T, undone: &[Cause]) -> Self {
        Self { value, undone: undone.to_vec() }
    }
}

/// Reads a text that somebody configured as a public key. What is certainly meant is accepted, with what is odd about it.
///
/// # Errors
/// What the text is instead.
pub fn read_public_key(text: &str) -> Result<(PublicKey, Vec<Cause>), Suspicion> {
    match key::readings(text) {
        Some(reading) => Ok((reading.value, reading.undone)),
        None if text.trim().is_empty() => Err(Suspicion::KeyMissing),
        None => Err(key::suspicion(text).unwrap_or(Suspicion::KeyForm)),
    }
}

/// Finds out why the signature of `captured` does not hold: never empty.
///
/// The fewest repairs win. At most a few hundred verifications a key; no I/O.
#[must_use]
pub fn explain(captured: &Captured<'_>) -> Vec<Finding> {
    let keys: Vec<Reading<PublicKey>> = captured.keys.iter().flat_map(|text| key::readings(text)).collect();
    let signatures = headers::readings(captured.signature.unwrap_or_default(), captured.timestamp.unwrap_or_default());
    let bodies = body::readings(captured.body);
    match fewest_repairs(&keys, &signatures, &bodies) {
        Some((key, undone)) if undone.is_empty() => vec![Finding::Holds(key)],
        Some((_, undone)) => undone.into_iter().map(Finding::Confirmed).collect(),
        None => {
            suspicions(captured, keys.is_empty(), signatures.is_empty()).into_iter().map(Finding::Unconfirmed).collect()
        }
    }
}

fn fewest_repairs(
    keys: &[Reading<PublicKey>],
    signatures: &[Reading<Signature>],
    bodies: &[Reading<Cow<'_, [u8]>>],
) -> Option<(KeyId, Vec<Cause>)> {
    let mut best: Option<(KeyId, Vec<Cause>)> = None;
    for signature in signatures {
        for body in bodies {
            for key in keys {
                let undone = [&key.undone[..], &signature.undone, &body.undone].concat();
                if best.as_ref().is_some_and(|(_, fewest)| fewest.len() <= undone.len()) {
                    continue;
                }
                if let Ok(id) = signature.value.verify(std::slice::from_ref(&key.value), &body.value) {
                    best = Some((id.clone(), undone));
                }
            }
        }
    }
    best
}

fn suspicions(captured: &Captured<'_>, no_key: bool, no_signature: bool) -> Vec<Suspicion> {
    let present = |header: Option<&str>| header.is_some_and(|text| !text.trim().is_empty());
    let mut found = match (present(captured.signature), present(captured.timestamp)) {
        (false, false) => vec![Suspicion::Unsigned],
        (false, true) => vec![Suspicion::SignatureMissing],
        (true, false) => vec![Suspicion::TimestampMissing],
        (true, true) if no_signature => headers::suspicion(captured.timestamp.unwrap_or_default()),
        (true, true) => Vec::new(),
    };
    if captured.keys.is_empty() {
        found.push(Suspicion::KeyMissing);
    }
    for suspicion in captured.keys.iter().filter_map(|text| key::suspicion(text)) {
        if !found.contains(&suspicion) {
            found.push(suspicion);
        }
    }
    if captured.body.is_empty() {
        found.push(Suspicion::BodyEmpty);
    } else if captured.body.starts_with(&[0x1f, 0x8b]) {
        found.push(Suspicion::BodyCompressed);
    } else if is_no_json(captured.body) {
        found.push(Suspicion::BodyNotJson);
    }
    if found.is_empty() || (!no_key && !no_signature && found.iter().all(|s| is_about_a_key(*s))) {
        found.push(Suspicion::OtherKeyOrBytes);
    }
    found
}

/// One of several keys may be unusable and still not be the reason.
fn is_about_a_key(suspicion: Suspicion) -> bool {
    matches!(suspicion, Suspicion::KeyPrivate | Suspicion::KeyOtherKind | Suspicion::KeyForm)
}

fn is_no_json(body: &[u8]) -> bool {
    let batch = Batch::parse(body);
    matches!(batch.items.as_slice(), [Item::Rejected(whole)] if whole.bytes.len() == body.len() && whole.why == crate::Reject::NotJson)
}

#[cfg(test)]
mod tests;
