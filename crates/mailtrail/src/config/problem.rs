//! What is wrong with a configuration, all of it at once, in words that say what to do.

use std::fmt;

/// The configuration cannot be used; says every reason. Never holds a secret's value.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<String>,
}

impl ConfigError {
    /// `problems` must not be empty.
    pub(super) fn new(problems: Vec<String>) -> Self {
        debug_assert!(!problems.is_empty(), "an error needs a reason");
        Self { problems }
    }

    /// One sentence for each thing that is wrong: where, what, why, what to do.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [problem] = self.problems.as_slice() {
            return write!(f, "configuration: {problem}");
        }
        write!(f, "configuration: {} problems", self.problems.len())?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
    }
}
