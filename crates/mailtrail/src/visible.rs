//! Event text is whatever a stranger's mail server wrote: what would steer a terminal is shown instead of sent.

use std::borrow::Cow;

/// The text with control characters, bidirectional overrides and invisible characters as escapes.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(steers) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if steers(c) => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// A text of JSON with the same characters as its escapes. Controls below space stand in no string of JSON anyway.
pub(crate) fn in_json(json: &str) -> Cow<'_, str> {
    let escaped = |c: char| c >= '\u{7f}' && steers(c);
    if json.is_ascii() && !json.contains('\u{7f}') || !json.chars().any(escaped) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 8);
    for c in json.chars() {
        if escaped(c) {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// The text as one word of a shell, for commands that are shown to be typed.
#[must_use]
pub fn shell_word(text: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | ':' | '+' | ',');
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("'{}'", text.replace('\'', "'\\''")))
}

/// C0 and C1 controls; bidirectional marks, embeddings, overrides and isolates; zero-width and other invisible characters.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(
            u32::from(c),
            0x00ad | 0x061c | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f | 0x2028..=0x202e
                | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff9..=0xfffb | 0xe0000..=0xe0fff
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn json_reads_back_as_it_was(text in "(\\PC|[\u{0}-\u{a0}]|[\u{200b}-\u{206f}]|[\u{e0000}-\u{e007f}]){0,20}") {
            let json = serde_json::to_string(&text).expect("a text");
            let escaped = in_json(&json);
            prop_assert!(!escaped.chars().any(steers), "{escaped:?}");
            prop_assert_eq!(serde_json::from_str::<String>(&escaped).expect("JSON"), text);
        }

        #[test]
        fn nothing_shown_steers(text in any::<String>()) {
            prop_assert!(!visible(&text).chars().any(steers));
        }
    }

    #[test]
    fn what_steers_a_terminal_is_shown() {
        assert_eq!(visible("550 plain, 日本語 é ✓"), "550 plain, 日本語 é ✓");
        assert_eq!(visible("a\u{1b}[31mred\u{7}"), "a\\u{1b}[31mred\\u{7}");
        assert_eq!(visible("a\r\nb\tc"), "a\\r\\nb\\tc");
        assert_eq!(visible("\u{202e}gpj.exe\u{200b}\u{9b}2J"), "\\u{202e}gpj.exe\\u{200b}\\u{9b}2J");
    }
}
