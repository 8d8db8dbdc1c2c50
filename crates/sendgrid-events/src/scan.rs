//! Where a JSON string goes on being what it is: the next byte that is a quote, a backslash or a control character.

/// A byte in each of eight lanes.
const fn lanes(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// The place, at or behind `at`, of the first byte that ends a string, begins an escape, or may not stand in a string.
pub(crate) fn special(text: &[u8], mut at: usize) -> Option<usize> {
    while let Some(chunk) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let found = special_lanes(u64::from_le_bytes(*chunk));
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    let rest = text.get(at..)?;
    rest.iter().position(|byte| is_special(*byte)).map(|offset| at + offset)
}

fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// The high bit of each lane whose byte is special. A lane above the first that is may be set wrongly: a borrow of the
/// subtraction went through it.
fn special_lanes(chunk: u64) -> u64 {
    const ONES: u64 = lanes(1);
    const HIGH: u64 = lanes(0x80);
    let quotes = chunk ^ lanes(b'"');
    let backslashes = chunk ^ lanes(b'\\');
    let controls = chunk.wrapping_sub(lanes(0x20)) & !chunk;
    let equal = (quotes.wrapping_sub(ONES) & !quotes) | (backslashes.wrapping_sub(ONES) & !backslashes);
    (controls | equal) & HIGH
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_special_byte_is_found(text in prop::collection::vec(any::<u8>(), 0..40), at in 0_usize..45) {
            let expected = text.iter().enumerate().skip(at).find(|(_, byte)| is_special(**byte)).map(|(place, _)| place);
            prop_assert_eq!(special(&text, at), expected);
        }

        #[test]
        fn far_away_too(plain in "[ !#-Z\\[\\]^_`a-z\u{7f}é🙂]{0,60}", special_byte in prop_oneof![0_u8..0x20, Just(b'"'), Just(b'\\')]) {
            let mut text = plain.clone().into_bytes();
            text.push(special_byte);
            text.extend_from_slice(b"behind\"");
            prop_assert_eq!(special(&text, 0), Some(plain.len()));
        }
    }
}
