//! Characters that people do not see, or that look like ASCII: the usual faults of pasted addresses.

/// Zero-width characters, marks of direction, soft hyphens and byte order marks.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Full-width forms of ASCII, and the full stops of Japanese.
pub(super) fn is_full_width(c: char) -> bool {
    matches!(c, '\u{ff01}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}' | '\u{3002}' | '\u{ff61}')
}

/// Without blanks and invisible characters around it. Nobody means those at the ends of an address or a column's name.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c))
}
