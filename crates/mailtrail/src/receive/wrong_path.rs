//! The path of the last POST that had valid credentials but came to another path than the webhook's.

use std::sync::{Mutex, PoisonError};

const LONGEST: usize = 100;

/// One a process, as the metrics are.
static LAST: Mutex<Option<String>> = Mutex::new(None);

/// As it is shown: short, printable, and without an address.
pub(super) fn note(path: &str) -> String {
    let shown = shown(path);
    *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown.clone());
    shown
}

/// The last one since the start.
#[must_use]
pub fn last() -> Option<String> {
    LAST.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn shown(path: &str) -> String {
    if path.contains('@') || path.to_ascii_lowercase().contains("%40") {
        return "(a path with an address in it)".to_owned();
    }
    let mut shown: String = path.chars().take(LONGEST).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect();
    if path.chars().count() > LONGEST {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_short_printable_and_without_an_address() {
        assert_eq!(shown("//event/"), "//event/");
        assert_eq!(shown("/\u{1b}[31mé"), "/?[31m?");
        assert!(!shown("/u/jane%40example.com").contains("jane") && !shown("/jane@example.com").contains("jane"));
        assert_eq!(shown(&"/".repeat(200)).chars().count(), LONGEST + 1);
    }
}
