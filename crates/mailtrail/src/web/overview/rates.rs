//! How much of the mail arrived, by domain or category.

use std::collections::BTreeMap;

use super::range::{Range, between};
use crate::show::visible;
use crate::store::query::Group;
use crate::web::texts::{grouped, percent};

/// One domain or category.
pub(super) struct Rate {
    pub(super) name: String,
    pub(super) url: String,
    pub(super) delivered: String,
    pub(super) bounced: String,
    pub(super) dropped: String,
    pub(super) rate: String,
    /// Of 100, for a bar.
    pub(super) share: String,
    /// Whether the rate asks for a look.
    pub(super) tone: &'static str,
}

/// Groups of (name, event) → the names with most mail.
pub(super) fn of(groups: &[Group], parameter: &str, range: &Range, most: usize) -> Vec<Rate> {
    let mut counts: BTreeMap<&str, [u64; 3]> = BTreeMap::new();
    for group in groups {
        let (Some(Some(name)), Some(Some(event))) = (group.keys.first(), group.keys.get(1)) else { continue };
        let at = match event.as_str() {
            "delivered" => 0,
            "bounce" => 1,
            _ => 2,
        };
        if let Some(count) = counts.entry(name).or_default().get_mut(at) {
            *count += group.count;
        }
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(name, counts)| (std::cmp::Reverse(counts.iter().sum::<u64>()), *name));
    counts.truncate(most);
    counts
        .into_iter()
        .map(|(name, [delivered, bounced, dropped])| {
            let all = delivered + bounced + dropped;
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair(parameter, name);
            Rate {
                name: visible(name).into_owned(),
                url: format!("/activity?{}&{}", query.finish(), between(range.since, range.until)),
                delivered: grouped(delivered),
                bounced: grouped(bounced),
                dropped: grouped(dropped),
                rate: percent(delivered, all),
                share: format!("{:.1}", share(delivered, all)),
                tone: match share(delivered, all) {
                    95.0.. => "good",
                    85.0..95.0 => "warn",
                    _ => "bad",
                },
            }
        })
        .collect()
}

fn share(part: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { part as f64 * 100.0 / all as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_most_mail_come_first() {
        let group =
            |name: &str, event: &str, count| Group { keys: vec![Some(name.to_owned()), Some(event.to_owned())], count };
        let groups = [group("a", "delivered", 1), group("b&c", "delivered", 8), group("b&c", "bounce", 2)];
        let range = Range { since: 0, until: 3_600_000_000, preset: None };
        let rates = of(&groups, "category", &range, 10);
        let told: Vec<_> = rates.iter().map(|rate| (rate.name.as_str(), rate.rate.as_str(), rate.tone)).collect();
        assert_eq!(told, [("b&c", "80.0 %", "bad"), ("a", "100.0 %", "good")]);
        assert!(rates[0].url.starts_with("/activity?category=b%26c&since=1970-01-01T00%3A00%3A00Z&until="));
        assert_eq!(of(&groups, "category", &range, 1).len(), 1);
    }
}
