//! Which rows share a request: equal content and categories, within the limits.

use std::collections::HashMap;

use super::{Composer, Rows, limits};

/// Rows of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    rows: Vec<usize>,
    pub(super) categories: Vec<String>,
    pub(super) content: usize,
}

impl Group {
    /// The rows' indices, ascending; 1 to 1,000.
    #[must_use]
    pub fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// The categories of all of them.
    #[must_use]
    pub fn categories(&self) -> &[String] {
        &self.categories
    }
}

impl Composer<'_> {
    /// The requests that mail all rows for which `wanted` is true, each once. A list's rows of one category come together;
    /// messages keep their order.
    pub fn groups(&self, wanted: impl Fn(usize) -> bool) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        // The group still open for each content and categories, with its size.
        let mut open: HashMap<(usize, Vec<String>), (usize, usize)> = HashMap::new();
        for row in (0..self.len()).filter(|row| wanted(*row)) {
            let content = self.content_index(row);
            let categories = self.categories(row);
            let key = (content, categories);
            let size = self.sizes.get(row).copied().unwrap_or_default();
            if let Some((at, total)) = open.get_mut(&key)
                && let Some(group) = groups.get_mut(*at)
                && group.rows.len() < limits::PERSONALIZATIONS
                && *total + size < limits::REQUEST
            {
                group.rows.push(row);
                *total += size;
                continue;
            }
            if matches!(self.rows, Rows::Messages(_)) {
                open.clear();
            }
            let total = self.base_size(content, &key.1) + size;
            groups.push(Group { rows: vec![row], categories: key.1.clone(), content });
            open.insert(key, (groups.len() - 1, total));
        }
        groups
    }

    pub(super) fn categories(&self, row: usize) -> Vec<String> {
        match self.rows.categories(row) {
            Some(own) => own.into_iter().map(str::to_owned).collect(),
            None => self.common.categories.clone(),
        }
    }
}
