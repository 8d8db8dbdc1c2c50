//! Why a row, or all of them, cannot be mailed; never with an address or a value.

use std::fmt;

use crate::run::NoRandomness;

/// A row that cannot be mailed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFault {
    /// Row of the list (its line in the file) or line of the messages.
    pub row: u64,
    /// What is wrong.
    pub fault: ComposeFault,
}

/// Why nothing can be sent: everything that is wrong with what all rows share; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedFaults(pub Vec<ComposeFault>);

impl SharedFaults {
    pub(super) fn none(faults: Vec<ComposeFault>) -> Result<(), Self> {
        if faults.is_empty() { Ok(()) } else { Err(Self(faults)) }
    }
}

impl fmt::Display for SharedFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("; ")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for SharedFaults {}

impl From<ComposeFault> for SharedFaults {
    fn from(fault: ComposeFault) -> Self {
        Self(vec![fault])
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ComposeFault {
    /// Nothing to say.
    #[error("there is nothing to send: give html, text or both, or the id of a template")]
    NoContent,
    /// Template and own content.
    #[error("a template brings its own content: give either the template or html and text")]
    TwoContents,
    /// A subject beside a dynamic template.
    #[error(
        "SendGrid takes the subject from a dynamic template: remove the subject, or make it a column that the template uses"
    )]
    SubjectOfTemplate,
    /// No subject.
    #[error("there is no subject")]
    NoSubject,
    /// An empty text.
    #[error("{0} is empty, which SendGrid refuses")]
    Empty(&'static str),
    /// `{{` that begins no variable.
    #[error("{field}, line {line}: {{{{ begins a variable, but no name and }}}} follow")]
    Braces {
        /// Which text.
        field: &'static str,
        /// Its line, from 1.
        line: usize,
    },
    /// A variable that nothing fills.
    #[error("there is no column {name} for the variable of that name{}", meant(.nearest.as_deref()))]
    UnknownVariable {
        /// The variable, as the content has it.
        name: String,
        /// The most similar column.
        nearest: Option<String>,
    },
    /// A list or an object where a text is needed.
    #[error("the data's {name} is neither text, number nor boolean")]
    Compound {
        /// The variable.
        name: String,
    },
    /// Line breaks in the subject.
    #[error("the subject has a line break or another control character")]
    SubjectBreaks,
    /// Too much to put in.
    #[error("variables come to {size} bytes, SendGrid's limit is 10,000 a recipient: use a dynamic template")]
    Substitutions {
        /// As SendGrid would count at most.
        size: usize,
    },
    /// Too many custom args.
    #[error("custom args come to {size} bytes with mailtrail's own, SendGrid's limit is 10,000")]
    CustomArgs {
        /// As SendGrid would count at most.
        size: usize,
    },
    /// A name of our own.
    #[error("the custom arg {0} is mailtrail's own: choose another name")]
    OwnCustomArg(&'static str),
    /// Too many categories.
    #[error("{0} categories, SendGrid's limit is 10")]
    Categories(usize),
    /// The same one twice.
    #[error("the same category twice, which SendGrid refuses")]
    RepeatedCategory,
    /// Not ASCII, empty or too long.
    #[error(
        "a category that SendGrid does not take: 1 to 255 characters of 7-bit ASCII, so no Japanese or accented letters"
    )]
    Category,
    /// Too far away, or over.
    #[error("send-at is not within the next 72 hours, which is SendGrid's limit")]
    SendAt,
    /// Too large.
    #[error("the request would have {size} bytes, SendGrid's limit is 30 MB")]
    Size {
        /// Of the request with this row alone.
        size: usize,
    },
    /// Cannot draw tags.
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map(|name| format!(": did you mean {name}?")).unwrap_or_default()
}
