//! Reads a database's files as bytes, to prove that somebody is gone from them.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::ForgetError;
use crate::protect::{EmailHash, Wanted};

const CHUNK: usize = 1 << 20;
/// Digits of a hash.
const DIGITS: usize = 64;
/// Longer than any address (RFC 5321: 254).
const LONGEST: usize = 512;

/// How often the database and its log hold a hash of theirs, or, with `addresses`, an address that was given as such.
pub(super) fn count(database: &Path, who: &Wanted, addresses: bool) -> Result<u64, ForgetError> {
    let mut wal = database.as_os_str().to_owned();
    wal.push("-wal");
    let mut total = 0;
    for path in [database.to_owned(), PathBuf::from(wal)] {
        let counted = match File::open(&path) {
            Ok(file) => count_in(file, who, addresses),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        };
        total += counted.map_err(|source| ForgetError::Read { path, source })?;
    }
    Ok(total)
}

fn count_in(mut file: impl Read, who: &Wanted, addresses: bool) -> io::Result<u64> {
    let needles: Vec<String> = if addresses { who.addresses().map(str::to_lowercase).collect() } else { Vec::new() };
    let (mut buffer, mut total) = (Vec::new(), 0);
    loop {
        // What begins before `new` was counted already, unless it ends behind it.
        let new = buffer.len();
        let read = file.by_ref().take(CHUNK as u64).read_to_end(&mut buffer)?;
        if read == 0 {
            return Ok(total);
        }
        total += hashes(&buffer, new, who);
        for needle in &needles {
            total += count_text(&buffer, new, needle.as_bytes());
        }
        let keep = buffer.len().saturating_sub(LONGEST);
        buffer.drain(..keep);
    }
}

/// Every 64 hex digits in a row, whatever stands beside them.
fn hashes(bytes: &[u8], new: usize, who: &Wanted) -> u64 {
    let (mut run, mut found) = (0, 0);
    for (at, byte) in bytes.iter().enumerate() {
        run = if byte.is_ascii_hexdigit() { run + 1 } else { 0 };
        if run >= DIGITS && at >= new {
            let digits = std::str::from_utf8(&bytes[at + 1 - DIGITS..=at]).unwrap_or_default();
            found += u64::from(EmailHash::parse(digits).is_some_and(|hash| who.has(&hash)));
        }
    }
    found
}

fn count_text(bytes: &[u8], new: usize, needle: &[u8]) -> u64 {
    let Some(first) = needle.first() else { return 0 };
    let starts = memchr::memchr2_iter(*first, first.to_ascii_uppercase(), bytes);
    let matches = starts.filter(|at| {
        let there = bytes.get(*at..at + needle.len());
        at + needle.len() > new && there.is_some_and(|there| there.eq_ignore_ascii_case(needle))
    });
    matches.count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::HashMode;
    use crate::protect::{KeyFile, KeyRing};

    #[test]
    fn hashes_and_addresses_are_counted_once_wherever_they_lie() {
        let keys = KeyRing::new(HashMode::HmacSha256, &KeyFile::generate().unwrap());
        let mut who = Wanted::default();
        who.add_address("Jane@example.com", &keys);
        let hash = keys.email_hash("jane@example.com").to_string();
        let other = keys.email_hash("bob@example.com").to_string();
        for before in [0, 10, CHUNK - 70, CHUNK - 64, CHUNK - 10, CHUNK, 2 * CHUNK - 1] {
            let filled = "z".repeat(before);
            let text = format!("{filled}{hash}example.com {other} abc{hash}abc jane@EXAMPLE.com bob@example.com");
            assert_eq!(count_in(text.as_bytes(), &who, false).unwrap(), 2, "{before}");
            assert_eq!(count_in(text.as_bytes(), &who, true).unwrap(), 3, "{before}");
        }
        assert_eq!(count_in(other.as_bytes(), &who, true).unwrap(), 0);
    }
}
