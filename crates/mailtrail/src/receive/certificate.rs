//! Until when a certificate holds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The end of the first certificate of a PEM text, µs since the epoch; `None` where there is none.
#[must_use]
pub fn certificate_end(pem: &str) -> Option<i64> {
    not_after(&first_pem(pem)?)
}

/// The first certificate of a PEM file, DER.
fn first_pem(text: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(body).ok()
}

/// The end of a certificate's validity, µs since the epoch. Walks RFC 5280's `TBSCertificate` just as far as that.
fn not_after(der: &[u8]) -> Option<i64> {
    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xa0;
    let (_, certificate, _) = element(der)?;
    let (_, mut rest, _) = element(certificate)?;
    if let (VERSION, _, after) = element(rest)? {
        rest = after;
    }
    // serialNumber, signature, issuer
    for _ in 0..3 {
        rest = element(rest)?.2;
    }
    let (SEQUENCE, validity, _) = element(rest)? else { return None };
    let (_, _, after_not_before) = element(validity)?;
    let (tag, time, _) = element(after_not_before)?;
    moment(tag, std::str::from_utf8(time).ok()?)
}

/// Tag, content and what follows of a DER element.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        let length =
            (bytes.len() <= 4).then(|| bytes.iter().fold(0usize, |all, byte| all << 8 | usize::from(*byte)))?;
        (length, rest)
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((tag, content, after))
}

/// `UTCTime` (years 1950 to 2049 by two digits) or `GeneralizedTime`.
fn moment(tag: u8, text: &str) -> Option<i64> {
    const UTC_TIME: u8 = 0x17;
    let text = text.strip_suffix('Z')?;
    let full = match tag {
        UTC_TIME if text.get(..2)?.parse::<u8>().ok()? >= 50 => format!("19{text}"),
        UTC_TIME => format!("20{text}"),
        _ => text.to_owned(),
    };
    let civil = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", full).ok()?;
    jiff::tz::Offset::UTC.to_timestamp(civil).ok().map(jiff::Timestamp::as_microsecond)
}

/// Certificates for tests.
#[cfg(test)]
pub(crate) mod testing {
    /// A certificate, PEM, that runs out at the start of a year.
    pub(crate) fn pem(year: i32) -> String {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        params.self_signed(&key).unwrap().pem()
    }

    /// A time, µs since the epoch.
    pub(crate) fn at(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_microsecond()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{at, pem};
    use super::*;

    #[test]
    fn the_end_is_read_in_both_forms_of_time() {
        for year in [2040, 2060] {
            let end = not_after(&first_pem(&pem(year)).unwrap());
            assert_eq!(end, Some(at(&format!("{year}-01-01T00:00:00Z"))));
        }
    }

    #[test]
    fn damage_is_no_panic() {
        let der = first_pem(&pem(2040)).unwrap();
        for length in 0..der.len().min(200) {
            assert_eq!(not_after(&der[..length]), None);
        }
        for at in 0..der.len().min(200) {
            let mut damaged = der.clone();
            damaged[at] ^= 0xff;
            let _whatever = not_after(&damaged);
        }
    }
}
