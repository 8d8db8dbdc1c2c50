//! Every key there is, and which one somebody meant who wrote another.

/// All keys as `section.key`. `config.default.toml` says what each does; a test holds the two together.
pub(super) const KEYS: &[&str] = &[
    "receive.listen",
    "receive.path",
    "receive.basic_auth",
    "receive.basic_auth_file",
    "receive.public_keys",
    "receive.public_keys_file",
    "receive.test_public_keys",
    "receive.test_public_keys_file",
    "receive.signature",
    "receive.max_age",
    "receive.max_ahead",
    "receive.max_body",
    "receive.memory_budget",
    "receive.max_connections",
    "receive.header_timeout",
    "receive.body_timeout",
    "receive.idle_timeout",
    "receive.answer_timeout",
    "receive.tls_cert",
    "receive.tls_key",
    "receive.behind_proxy",
    "receive.trusted_proxies",
    "receive.insecure_no_auth",
    "privacy.hash",
    "privacy.key_file",
    "privacy.previous_key_files",
    "privacy.keep_address",
    "privacy.email_domain",
    "privacy.ip",
    "privacy.url",
    "privacy.useragent",
    "privacy.drop_custom_args",
    "store.kind",
    "store.path",
    "store.max_backlog",
    "store.max_relay",
    "bigquery.project",
    "bigquery.dataset",
    "bigquery.table",
    "bigquery.location",
    "bigquery.endpoint",
    "bigquery.grpc_endpoint",
    "bigquery.forward",
    "bigquery.quota_project",
    "bigquery.max_bytes_billed",
    "bigquery.append_timeout",
    "sendgrid.api_key",
    "sendgrid.api_key_file",
    "sendgrid.host",
    "sendgrid.allow_host",
    "sendgrid.from",
    "sendgrid.on_behalf_of",
    "sendgrid.timeout",
    "sendgrid.utf8_addresses",
    "slack.webhook_url",
    "slack.webhook_url_file",
    "slack.ops_webhook_url",
    "slack.ops_webhook_url_file",
    "slack.language",
    "slack.reasons",
    "webhook.url",
    "webhook.url_file",
    "webhook.secret",
    "webhook.secret_file",
    "web.listen",
    "web.public_url",
    "web.users",
    "web.users_file",
    "web.tokens",
    "web.tokens_file",
    "web.trusted_proxies",
    "web.proxy_header",
    "web.open_on_loopback",
    "web.viewer_events_per_day",
    "web.viewer_addresses_per_day",
    "metrics.listen",
    "watch.every",
    "watch.refusals",
    "watch.clock",
    "watch.certificate",
    "watch.backlog",
    "watch.relay",
    "watch.disk",
    "watch.disk_free",
    "log.level",
    "log.format",
    "output.language",
    "output.time_zone",
    "output.csv_bom",
];

/// Keys of sections that may stand several times, `[[section]]` each; the environment cannot give them.
pub(super) const REPEATED: &[&str] = &[
    "alert.name",
    "alert.events",
    "alert.status",
    "alert.category",
    "alert.run",
    "alert.silence",
    "alert.to",
    "alert.group",
    "alert.every",
    "relay.name",
    "relay.url",
    "relay.url_file",
    "relay.basic_auth",
    "relay.basic_auth_file",
    "relay.timeout",
    "relay.max_age",
    "relay.tries",
];

/// The key itself, as this program spells it.
pub(super) fn find(section: &str, key: &str) -> Option<&'static str> {
    all().find(|known| known.split_once('.') == Some((section, key)))
}

/// Keys of all sections.
pub(super) fn all() -> impl Iterator<Item = &'static str> + Clone {
    KEYS.iter().chain(REPEATED).copied()
}

/// What a section is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    /// `[name]`, once.
    Single,
    /// `[[name]]`, as often as wanted.
    Repeated(&'static str),
    Unknown,
}

/// What the section of this name is.
pub(super) fn section(name: &str) -> Section {
    let home = |keys: &[&'static str]| {
        keys.iter().filter_map(|key| key.split_once('.')).map(|(section, _)| section).find(|section| *section == name)
    };
    match (home(KEYS), home(REPEATED)) {
        (Some(_), _) => Section::Single,
        (None, Some(name)) => Section::Repeated(name),
        (None, None) => Section::Unknown,
    }
}

/// How the beginning of a section is written.
fn bracketed(section: &str) -> String {
    match self::section(section) {
        Section::Repeated(_) => format!("[[{section}]]"),
        Section::Single | Section::Unknown => format!("[{section}]"),
    }
}

/// The name of the environment variable of a key: `MAILTRAIL_RECEIVE_LISTEN`.
pub(super) fn variable(key: &str) -> String {
    format!("MAILTRAIL_{}", key.replace('.', "_").to_ascii_uppercase())
}

/// How people read a key: `[receive] listen`.
pub(super) fn shown(key: &str) -> String {
    match key.split_once('.') {
        Some((section, name)) => format!("{} {name}", bracketed(section)),
        None => key.to_owned(),
    }
}

/// What to tell about a section that this version does not know.
pub(super) fn unknown_section(section: &str) -> String {
    let sections = all().filter_map(|key| key.split_once('.')).map(|(section, _)| section);
    match nearest(section, sections) {
        Some(known) => format!("[{section}] is no section: did you mean {}?", bracketed(known)),
        None => format!("[{section}] is no section: remove it"),
    }
}

/// What to tell about a key that its section does not have.
pub(super) fn unknown_key(section: &str, key: &str) -> String {
    let shown = bracketed(section);
    let split = || all().filter_map(|known| known.split_once('.'));
    let siblings = split().filter(|(home, _)| *home == section).map(|(_, name)| name);
    if let Some(known) = nearest(key, siblings) {
        return format!("{shown} {key} is no key: did you mean {known}?");
    }
    match split().find(|(_, name)| *name == key) {
        Some((home, _)) => format!("{shown} {key} is no key: did you mean {key} in {}?", bracketed(home)),
        None => format!("{shown} {key} is no key: remove it (docs/configuration.md lists them all)"),
    }
}

/// What to tell about a key outside every section.
pub(super) fn outside_sections(key: &str) -> String {
    let names = KEYS.iter().filter_map(|known| known.split_once('.'));
    let exact = names.clone().find(|(_, name)| *name == key);
    let near = || {
        let name = nearest(key, names.clone().map(|(_, name)| name))?;
        names.clone().find(|(_, known)| *known == name)
    };
    match exact.or_else(near) {
        Some((section, name)) => format!("{key} stands outside a section: did you mean {name} in [{section}]?"),
        None => format!("{key} stands outside a section, where nothing is known: remove it"),
    }
}

/// The variable that somebody may have meant with one that is unknown, where it is near enough to be a slip.
pub(super) fn nearest_variable(name: &str) -> Option<String> {
    // Without the prefix that all share, which would make everything similar.
    let meant = name.strip_prefix("MAILTRAIL_")?.to_ascii_lowercase();
    let names: Vec<String> = KEYS.iter().map(|key| key.replace('.', "_")).collect();
    let near = nearest(&meant, names.iter().map(String::as_str))?;
    // Kubernetes sets MAILTRAIL_SERVICE_HOST and others for a service of our name: only a slip of the pen counts.
    if strsim::damerau_levenshtein(&meant, near) > 3 {
        return None;
    }
    Some(format!("MAILTRAIL_{}", near.to_ascii_uppercase()))
}

/// The most similar candidate, where it is similar at all.
pub(crate) fn nearest<'c>(word: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    candidates
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(similarity, _)| *similarity > 0.84)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_answered_with_the_key_that_was_meant() {
        let cases = [
            (unknown_key("receive", "lisen"), "did you mean listen?"),
            (unknown_key("receive", "max-age"), "did you mean max_age?"),
            (unknown_key("receive", "basic_auths"), "did you mean basic_auth?"),
            (unknown_key("receive", "keep_address"), "did you mean keep_address in [privacy]?"),
            (unknown_key("store", "zzz"), "remove it"),
            (unknown_section("recieve"), "did you mean [receive]?"),
            (unknown_section("alerts"), "did you mean [[alert]]?"),
            (unknown_key("alert", "event"), "[[alert]] event is no key: did you mean events?"),
            (unknown_key("alert", "language"), "did you mean language in [slack]?"),
            (unknown_section("zzz"), "remove it"),
            (outside_sections("listen"), "did you mean listen in [receive]?"),
            (outside_sections("keyfile"), "did you mean key_file in [privacy]?"),
        ];
        for (told, expected) in cases {
            assert!(told.contains(expected), "{told:?} does not say {expected:?}");
        }
        assert_eq!(nearest_variable("MAILTRAIL_RECEIVE_LISTN").as_deref(), Some("MAILTRAIL_RECEIVE_LISTEN"));
        assert_eq!(nearest_variable("MAILTRAIL_SERVICE_HOST"), None);
    }
}
