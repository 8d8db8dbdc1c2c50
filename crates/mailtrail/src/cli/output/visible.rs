//! Event text is whatever a stranger's mail server wrote: what would steer a terminal is shown instead of sent.

use std::borrow::Cow;

/// The text with control characters, bidirectional overrides and invisible characters as escapes.
pub(in crate::cli) fn visible(text: &str) -> Cow<'_, str> {
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
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_shown() {
        assert_eq!(visible("550 plain, 日本語 é ✓"), "550 plain, 日本語 é ✓");
        assert_eq!(visible("a\u{1b}[31mred\u{7}"), "a\\u{1b}[31mred\\u{7}");
        assert_eq!(visible("a\r\nb\tc"), "a\\r\\nb\\tc");
        assert_eq!(visible("\u{202e}gpj.exe\u{200b}\u{9b}2J"), "\\u{202e}gpj.exe\\u{200b}\\u{9b}2J");
    }
}
