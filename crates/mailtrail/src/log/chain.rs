//! An error with its causes, as one line.

use std::error::Error;

/// An HTTP client's error with its causes, without the URL, which may be a secret itself.
pub(crate) fn chain(error: reqwest::Error) -> String {
    with_causes(&error.without_url())
}

/// The text of an error and of its causes. A cause that the text before it quotes is left out.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot listen on 127.0.0.1:80: {source}")]
    struct Quoting {
        source: io::Error,
    }

    #[derive(Debug, thiserror::Error)]
    #[error("the page cannot start")]
    struct Short {
        source: Quoting,
    }

    #[test]
    fn each_cause_is_given_once() {
        let taken = || Quoting { source: io::Error::other("address in use") };
        assert_eq!(with_causes(&taken()), "cannot listen on 127.0.0.1:80: address in use");
        let outer = with_causes(&Short { source: taken() });
        assert_eq!(outer, "the page cannot start: cannot listen on 127.0.0.1:80: address in use");
    }
}
