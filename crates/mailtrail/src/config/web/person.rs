//! Who may look, and how far: users with passwords.

use std::fmt;

use argon2::password_hash::phc::PasswordHash;

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Look and search; take no lists away.
    Viewer,
    /// Everything the page has.
    Operator,
}

impl Role {
    /// As in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Viewer, Self::Operator].into_iter().find(|role| role.as_str() == text)
    }
}

/// `name:role:hash`, or `name:role` for who comes in through a proxy alone.
#[derive(Clone)]
pub struct User {
    /// As typed at the log-in, or named by a proxy.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The password's argon2 hash, as a PHC string.
    pub password: Option<String>,
}

impl User {
    /// Reads an entry.
    ///
    /// # Errors
    /// Says what is wrong, quoting nothing.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (name, role, rest) = entry(text)?;
        let password = rest.map(str::to_owned);
        if let Some(hash) = &password {
            let usable = PasswordHash::new(hash).is_ok_and(|hash| hash.algorithm.as_str() == "argon2id");
            if !usable {
                return Err("its third part is no argon2id hash: `mailtrail web password` makes one");
            }
        }
        Ok(Self { name, role, password })
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
}

/// `name:role`, and what stands behind a second colon.
pub(super) fn entry(text: &str) -> Result<(String, Role, Option<&str>), &'static str> {
    let mut parts = text.trim().splitn(3, ':');
    let name = parts.next().unwrap_or_default().trim();
    if name.is_empty() || name.len() > 100 || name.chars().any(char::is_control) {
        return Err("write name:role:hash, with a name of at most 100 characters");
    }
    let role = parts.next().map(str::trim).and_then(Role::parse);
    let role = role.ok_or("the role behind the name is neither viewer nor operator")?;
    Ok((name.to_owned(), role, parts.next().map(str::trim)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str =
        "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$0Cq5YYqWTfg5RjA3TkWVxgtpXLQmUX9VGYMxqRqvwRU";

    #[test]
    fn entries_are_read_or_told_apart_without_a_quote() {
        let user = User::parse(&format!("mia:operator:{HASH}")).expect("a user");
        assert_eq!((user.name.as_str(), user.role, user.password.as_deref()), ("mia", Role::Operator, Some(HASH)));
        assert!(!format!("{user:?}").contains("argon2"));
        let proxied = User::parse("ken:viewer").expect("a user");
        assert_eq!((proxied.role, proxied.password), (Role::Viewer, None));
        for wrong in ["", "mia", "mia:admin", ":viewer", "mia:viewer:secret", "mia:viewer:$2b$12$abc"] {
            let why = User::parse(wrong).expect_err(wrong);
            assert!(!why.contains("secret"), "{why}");
        }
    }
}
