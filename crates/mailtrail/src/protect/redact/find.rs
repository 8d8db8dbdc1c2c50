//! The finders: each looks for one form in one text and notes where it stands. Each is linear in the text.

use std::ops::Range;

use memchr::memmem;

/// Bytes compared for each byte of a text before a search takes over whose cost does not depend on the text.
const COMPARED: usize = 8;

/// `needle`, in any ASCII case.
pub(super) fn literal(bytes: &[u8], needle: &[u8], note: &mut dyn FnMut(Range<usize>)) {
    let Some(first) = needle.first() else { return };
    let (lower, upper) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
    // Comparing at each candidate is fastest in texts, and quadratic where texts repeat the beginning of the needle.
    let mut compared = 0;
    for at in memchr::memchr2_iter(lower, upper, bytes) {
        let Some(there) = bytes.get(at..at + needle.len()) else { return };
        let same = there.iter().zip(needle).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
        if same == needle.len() {
            note(at..at + same);
        }
        compared += same;
        if compared > COMPARED * bytes.len() {
            let (rest, needle) = (bytes[at + 1..].to_ascii_lowercase(), needle.to_ascii_lowercase());
            memmem::find_iter(&rest, &needle).map(|found| at + 1 + found).for_each(|at| note(at..at + needle.len()));
            return;
        }
    }
}

/// `needle` as a whole word, in any ASCII case.
///
/// Japanese and Chinese have no spaces between words, so their characters end one as punctuation does.
pub(super) fn word(bytes: &[u8], needle: &[u8], note: &mut dyn FnMut(Range<usize>)) {
    literal(bytes, needle, &mut |range| {
        let before =
            bytes[range.start.saturating_sub(4)..range.start].utf8_chunks().last().and_then(|chunk| {
                match chunk.invalid() {
                    [] => chunk.valid().chars().next_back(),
                    _ => None,
                }
            });
        let after = bytes[range.end..bytes.len().min(range.end + 4)]
            .utf8_chunks()
            .next()
            .and_then(|chunk| chunk.valid().chars().next());
        if !before.is_some_and(continues_word) && !after.is_some_and(continues_word) {
            note(range);
        }
    });
}

fn continues_word(c: char) -> bool {
    let without_spaces = matches!(u32::from(c), 0x3000..=0x30ff | 0x31f0..=0x31ff | 0x3400..=0x9fff | 0xf900..=0xfaff | 0xff65..=0xff9f | 0x20000..=0x3ffff);
    c.is_alphanumeric() && !without_spaces
}

/// Anything shaped like an address around an `@` or one of its wide forms. `strict`: only with a domain of at least two
/// labels, the last but letters, because bytes that encode no text have an `@` by chance.
pub(super) fn shaped(bytes: &[u8], strict: bool, note: &mut dyn FnMut(Range<usize>)) {
    let mut signs = signs(bytes).peekable();
    // No part of an address is looked for beyond its neighbours, so that nothing is read often.
    let mut floor = 0;
    while let Some(sign) = signs.next() {
        let limit = signs.peek().map_or(bytes.len(), |next| next.start);
        let start = local_start(bytes, floor, sign.start);
        let end = domain_end(&bytes[..limit], sign.end);
        if start < sign.start
            && end > sign.end
            && (!strict || is_likely(&bytes[start..sign.start], &bytes[sign.end..end]))
        {
            note(start..end);
        }
        floor = sign.end;
    }
}

fn signs(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    const WIDE: [&[u8]; 2] = ["＠".as_bytes(), "﹫".as_bytes()];
    memchr::memchr2_iter(b'@', WIDE[0][0], bytes).filter_map(|at| match bytes[at] {
        b'@' => Some(at..at + 1),
        _ => WIDE.iter().any(|wide| bytes[at..].starts_with(wide)).then(|| at..at + WIDE[0].len()),
    })
}

fn local_start(bytes: &[u8], floor: usize, at: usize) -> usize {
    if at > 0
        && bytes[at - 1] == b'"'
        && let Some(open) = opening_quote(&bytes[..at - 1])
    {
        return open;
    }
    let start = floor + bytes[floor..at].iter().rposition(|&b| !is_local(b)).map_or(0, |outside| outside + 1);
    if start > floor && start < at && is_divider(bytes[start - 1]) {
        divided_start(bytes, floor, start, at)
    } else {
        start
    }
}

/// A quoted local part may hold anything but a line end; it ends at its own opening quote. `before`: what stands before the closing one.
fn opening_quote(before: &[u8]) -> Option<usize> {
    let is_escaped = |quote: usize| quote > 0 && before[quote - 1] == b'\\';
    // Both quotes are escaped, or only those inside are. Every search ends at the closing quote of an address before.
    let both = before.last() == Some(&b'\\');
    for at in (0..before.len()).rev() {
        match before[at] {
            b'"' if both && is_escaped(at) => return Some(at - 1),
            b'"' if both || !is_escaped(at) => return Some(at),
            b'\n' | b'\r' => return None,
            _ => {}
        }
    }
    None
}

fn is_local(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b >= 0x80 || b"!#$%'*+-.=^_`{|}~".contains(&b)
}

/// Characters of a local part that are common between other things.
fn is_divider(b: u8) -> bool {
    matches!(b, b'/' | b'?' | b'&')
}

/// Where a local part with `/`, `?` or `&` starts: `ken/taro@`. In paths and queries these divide.
fn divided_start(bytes: &[u8], floor: usize, start: usize, at: usize) -> usize {
    const LONGEST: usize = 64;
    let from = floor.max(at.saturating_sub(LONGEST));
    let outside = bytes[from..start].iter().rposition(|&b| !is_local(b) && !is_divider(b));
    let Some(begin) = outside.map(|outside| from + outside + 1).or((from == floor).then_some(from)) else {
        return start;
    };
    let whole = &bytes[begin..at];
    let first = whole.split(|b| is_divider(*b)).next().unwrap_or_default();
    let is_path =
        first.is_empty() || first.contains(&b'.') || whole.contains(&b'=') || whole.windows(2).any(|w| w == b"//");
    // Behind a sign stands a domain.
    if is_path || (begin == floor && floor > 0) { start } else { begin }
}

fn domain_end(bytes: &[u8], from: usize) -> usize {
    if bytes.get(from) == Some(&b'[') {
        let literal = bytes[from..].iter().take(48).position(|&b| b == b']');
        return literal.map_or(from, |close| from + close + 1);
    }
    let end = bytes[from..].iter().position(|&b| !is_domain(b)).map_or(bytes.len(), |outside| from + outside);
    let trailing = bytes[from..end].iter().rev().take_while(|b| matches!(b, b'.' | b'-')).count();
    end - trailing
}

fn is_domain(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b >= 0x80 || matches!(b, b'-' | b'.' | b'_')
}

/// Whether letters or digits stand before, and behind a label, a dot and two letters.
fn is_likely(local: &[u8], domain: &[u8]) -> bool {
    let is_letter = |b: &u8| b.is_ascii_alphabetic() || *b >= 0x80;
    let ends_in_letters = |domain: &[u8]| {
        domain.windows(4).any(|part| {
            part[0].is_ascii_alphanumeric() | (part[0] >= 0x80) && part[1] == b'.' && part[2..].iter().all(is_letter)
        })
    };
    local.iter().any(|b| b.is_ascii_alphanumeric() || *b >= 0x80)
        && (domain.first() == Some(&b'[') || (domain.first() != Some(&b'.') && ends_in_letters(domain)))
}

/// Whether neither local part nor domain goes on beyond the range.
pub(super) fn stands_alone(bytes: &[u8], range: &Range<usize>) -> bool {
    let word = |b: &u8| b.is_ascii_alphanumeric() || *b >= 0x80 || matches!(b, b'-' | b'_');
    let before = range.start.checked_sub(1).and_then(|at| bytes.get(at));
    let (after, then) = (bytes.get(range.end), bytes.get(range.end + 1));
    let begins_before = before.is_some_and(|b| word(b) || matches!(b, b'.' | b'+'));
    let goes_on = after.is_some_and(word) || (after == Some(&b'.') && then.is_some_and(word));
    !begins_before && !goes_on
}
