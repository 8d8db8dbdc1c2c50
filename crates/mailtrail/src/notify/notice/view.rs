//! Where the page shows what a notice is about.

use reqwest::Url;

use crate::config::PublicUrl;
use crate::notify::Label;
use crate::run::path_segment;

/// A view of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum View {
    /// A run.
    Run(String),
    /// Events, by the fields of the Activity page's address.
    Activity(Vec<(&'static str, String)>),
}

impl View {
    /// Its address, with nothing in it that Slack takes for markup; `None` where it would tell what a notice must not: a name that somebody shaped like an address.
    #[must_use]
    pub fn url(&self, page: &PublicUrl) -> Option<String> {
        let may_be_told = |text: &str| Label::new(text).as_str() == text;
        let mut url = Url::parse(&page.to_string()).ok()?;
        match self {
            Self::Run(name) => {
                url.path_segments_mut().ok()?.extend(["runs", &*path_segment(name)]);
                may_be_told(name).then_some(())?;
            }
            Self::Activity(fields) => {
                url.set_path("activity");
                url.query_pairs_mut().extend_pairs(fields);
                fields.iter().all(|(_, value)| may_be_told(value)).then_some(())?;
            }
        }
        // The two that a path may hold as they are.
        Some(url.to_string().replace('|', "%7C").replace('@', "%40"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_and_addresses_stay_out() {
        let page = PublicUrl::parse("https://m.example").unwrap();
        let run = |name: &str| View::Run(name.to_owned()).url(&page);
        assert_eq!(run("2026/11 <b>").as_deref(), Some("https://m.example/runs/2026%2F11%20%3Cb%3E"));
        assert_eq!(run("..").as_deref(), Some("https://m.example/runs/~.."));
        assert_eq!(run("jane@example.com"), None);
        let events = |category: &str| {
            View::Activity(vec![("category", category.to_owned()), ("status", "bounce".to_owned())]).url(&page)
        };
        assert_eq!(
            events("a&b=c|d").as_deref(),
            Some("https://m.example/activity?category=a%26b%3Dc%7Cd&status=bounce")
        );
        assert_eq!(events("to jane@example.com"), None);
    }
}
