//! Domains of recipients; of small ones, where the domain could tell the person, only how many.

use super::Counted;
use crate::notify::label::Label;

/// Domains with fewer recipients than that become "others".
pub const FEWEST: u64 = 5;
/// So many domains are named at most; the rest become "others", too.
const MOST: usize = 10;

/// Recipients by domain, none of which has fewer than [`FEWEST`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Domains {
    named: Vec<Counted>,
    others: u64,
}

impl Domains {
    /// Folds recipients by domain; each domain comes once, `None` is for recipients whose domain is not known.
    #[must_use]
    pub fn fold<'d>(counts: impl IntoIterator<Item = (Option<&'d str>, u64)>) -> Self {
        let mut domains = Self::default();
        for (domain, count) in counts {
            match domain {
                Some(domain) if count >= FEWEST => domains.named.push((Label::new(domain), count)),
                _ => domains.others = domains.others.saturating_add(count),
            }
        }
        domains.named.sort_by(|(one, a), (other, b)| b.cmp(a).then_with(|| one.cmp(other)));
        let small: u64 = domains.named.drain(MOST.min(domains.named.len())..).map(|(_, count)| count).sum();
        domains.others = domains.others.saturating_add(small);
        domains
    }

    /// The named ones, the largest first.
    #[must_use]
    pub fn named(&self) -> &[Counted] {
        &self.named
    }

    /// How many recipients are of other domains.
    #[must_use]
    pub fn others(&self) -> u64 {
        self.others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_domains_are_not_named() {
        let domains =
            Domains::fold([(Some("gmail.com"), 40), (Some("jane-doe.example"), 4), (None, 2), (Some("b.jp"), 5)]);
        assert_eq!(domains.named(), [(Label::new("gmail.com"), 40), (Label::new("b.jp"), 5)]);
        assert_eq!(domains.others(), 6);
        let names: Vec<String> = (0..30).map(|n| format!("d{n}.example")).collect();
        let many = Domains::fold(names.iter().map(|name| (Some(name.as_str()), 7)));
        assert_eq!((many.named().len(), many.others()), (MOST, 20 * 7));
    }
}
