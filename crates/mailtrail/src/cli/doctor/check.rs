//! One finding.

use std::io::{self, Write};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    Warn,
    Fail,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
        }
    }
}

/// What was looked at, what was found, what to do.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) verdict: Verdict,
    pub(super) what: String,
    pub(super) todo: Option<String>,
}

impl Check {
    pub(super) fn pass(name: &'static str, what: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Pass, what: what.into(), todo: None }
    }

    pub(super) fn warn(name: &'static str, what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Warn, what: what.into(), todo: Some(todo.into()) }
    }

    pub(super) fn fail(name: &'static str, what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Fail, what: what.into(), todo: Some(todo.into()) }
    }

    pub(super) fn write_text(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{}  {:<14} {}", self.verdict.word(), self.name, self.what)?;
        match self.todo.as_deref() {
            Some(todo) if !todo.is_empty() => writeln!(out, "{:21}{todo}", ""),
            _ => Ok(()),
        }
    }

    pub(super) fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "check": self.name, "verdict": self.verdict.word(), "what": self.what, "todo": self.todo,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_text_and_an_object() {
        let check = Check::fail("disk", "no space", "free some");
        let mut text = Vec::new();
        check.write_text(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text, "fail  disk           no space\n                     free some\n");
        assert_eq!(check.to_json()["verdict"], "fail");
        assert_eq!(check.to_json()["todo"], "free some");
    }
}
