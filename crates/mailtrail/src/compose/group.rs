//! Which mails share a request: equal content and categories, within the limits.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Composer, Mail, limits};

/// The mails of one request, 1 to 1,000, in the order of the input. `M` is a [`Mail`] or has one.
pub struct Group<M> {
    mails: Vec<M>,
    pub(super) categories: Arc<[String]>,
    pub(super) content: usize,
}

impl<M> Group<M> {
    /// The mails.
    #[must_use]
    pub fn mails(&self) -> &[M] {
        &self.mails
    }

    /// The mails, for another request.
    #[must_use]
    pub fn into_mails(self) -> Vec<M> {
        self.mails
    }

    /// The categories of all of them.
    #[must_use]
    pub fn categories(&self) -> &[String] {
        &self.categories
    }
}

impl Composer {
    /// The requests that send these mails. A list's mails of one category come together; messages keep their order.
    pub fn groups<M: AsRef<Mail>>(&self, mails: impl IntoIterator<Item = M>) -> Vec<Group<M>> {
        let mut groups: Vec<Group<M>> = Vec::new();
        /// Content and categories.
        type Shared = (usize, Arc<[String]>);
        // The group still open for each, with its size.
        let mut open: HashMap<Shared, (usize, usize)> = HashMap::new();
        for mail in mails {
            let of = mail.as_ref();
            let (content, size) = (of.content, of.most_size());
            let key = (content, Arc::clone(&of.categories));
            if let Some((at, total)) = open.get_mut(&key)
                && let Some(group) = groups.get_mut(*at)
                && group.mails.len() < limits::PERSONALIZATIONS
                && *total + size < limits::REQUEST
            {
                group.mails.push(mail);
                *total += size;
                continue;
            }
            if self.keeps_order {
                open.clear();
            }
            let total = self.base_size(content, &key.1) + size;
            groups.push(Group { mails: vec![mail], categories: Arc::clone(&key.1), content });
            open.insert(key, (groups.len() - 1, total));
        }
        groups
    }
}
