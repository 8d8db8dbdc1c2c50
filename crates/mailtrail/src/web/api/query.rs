//! Parameters of a URL: numbers and switches, never text about people.

use super::problem::Problem;

/// The parameters of one request; each may be taken once, and none may be left.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    fn take(&mut self, name: &'static str) -> Option<String> {
        let at = self.0.iter().position(|(given, _)| given == name)?;
        Some(self.0.remove(at).1)
    }

    /// A number within bounds.
    pub(super) fn number(&mut self, name: &'static str, least: i64, most: i64) -> Result<Option<i64>, Problem> {
        let Some(text) = self.take(name) else { return Ok(None) };
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|number| digits && (least..=most).contains(number));
        match number {
            Some(number) => Ok(Some(number)),
            None => Err(Problem::malformed(format!("the parameter {name} is no number from {least} to {most}"))),
        }
    }

    /// `true` or `false`.
    pub(super) fn switch(&mut self, name: &'static str) -> Result<bool, Problem> {
        match self.take(name).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Problem::malformed(format!("the parameter {name} is neither true nor false"))),
        }
    }

    /// Nothing else was given: a parameter that does nothing is a slip.
    pub(super) fn end(self) -> Result<(), Problem> {
        if self.0.is_empty() {
            return Ok(());
        }
        let detail =
            "the URL has a parameter that this path does not know, or one twice; addresses never stand in a URL";
        Err(Problem::malformed(detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_within_bounds_and_nothing_is_left() {
        let mut query = Query::parse(Some("limit=7&all=true"));
        assert_eq!(query.number("limit", 0, 10), Ok(Some(7)));
        assert_eq!((query.number("after", 0, 10), query.switch("all")), (Ok(None), Ok(true)));
        assert_eq!(query.end(), Ok(()));
        for wrong in ["limit=11", "limit=", "limit=+1", "limit=-1", "limit=x", "limit=99999999999999999999"] {
            assert!(Query::parse(Some(wrong)).number("limit", 0, 10).is_err(), "{wrong}");
        }
        let mut twice = Query::parse(Some("limit=1&limit=2"));
        assert_eq!(twice.number("limit", 0, 10), Ok(Some(1)));
        assert!(twice.end().is_err());
        assert!(Query::parse(Some("all=1")).switch("all").is_err());
    }
}
