//! The configuration: one struct a section, validated when loaded, so that the rooms get values they need not check.
//!
//! A value comes from a flag, else the environment, else the file, else its default; `layers` lays them over each other,
//! `reader` makes typed values of them and collects everything that is wrong, each section's `read` knows its rules.

pub mod alert;
pub mod bigquery;
mod door;
pub mod edit;
pub mod hook;
mod keys;
mod language;
mod layers;
pub mod log;
mod metrics;
pub mod network;
pub mod output;
pub mod privacy;
mod problem;
mod reader;
pub mod receive;
pub mod relay;
pub mod secret_file;
pub mod sendgrid;
pub mod slack;
pub mod store;
mod text;
mod units;
pub mod watch;
pub mod web;
pub mod webhook;

pub use alert::{Alert, Destination, Watched};
pub use bigquery::{BigQuery, Name as BigQueryName};
pub use hook::HookUrl;
pub(crate) use keys::nearest;
pub use language::Language;
pub use log::{Log, LogFormat, LogLevel};
pub use network::Network;
pub use output::Output;
pub use privacy::{HashMode, IpPolicy, Presence, Privacy, UrlPolicy};
pub use problem::ConfigError;
pub use receive::{BasicCredential, Receive, SignatureMode, TlsFiles};
pub use relay::Relay;
pub use sendgrid::{ApiKey, SendGrid, Sender};
pub use slack::Slack;
pub use store::{Store, StoreKind};
pub use text::without_bom;
pub use watch::Watch;
pub use web::{PublicUrl, Role, TOKEN_PREFIX, Token, User, Web};
pub use webhook::{Webhook, WebhookSecret};

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use layers::{Environment, Settings};
use reader::Reader;
use secret_file::Permissions;

/// Every key with its default and what it does, as a file.
pub const DEFAULTS: &str = include_str!("../config.default.toml");

/// The file that is read where none is named.
pub const FILE_NAME: &str = "mailtrail.toml";

/// The whole configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file that was read; `None` where there is none and the environment says everything.
    pub file: Option<PathBuf>,
    /// `[receive]`
    pub receive: Receive,
    /// `[privacy]`
    pub privacy: Privacy,
    /// `[store]`
    pub store: Store,
    /// `[bigquery]`; `None` where it names no project.
    pub bigquery: Option<BigQuery>,
    /// `[sendgrid]`
    pub sendgrid: SendGrid,
    /// `[slack]`
    pub slack: Slack,
    /// `[webhook]`; `None` where there is no `url`.
    pub webhook: Option<Webhook>,
    /// `[[alert]]`, each a rule.
    pub alerts: Vec<Alert>,
    /// `[[relay]]`, each a consumer.
    pub relays: Vec<Relay>,
    /// `[web]`; `None` where switched off.
    pub web: Option<Web>,
    /// `[metrics] listen`; `None` where switched off.
    pub metrics_listen: Option<SocketAddr>,
    /// `[watch]`
    pub watch: Watch,
    /// `[log]`
    pub log: Log,
    /// `[output]`
    pub output: Output,
    /// What is allowed but should be known; `serve` logs it and `doctor` shows it.
    pub warnings: Vec<String>,
}

/// Values given as flags, which win over everything else.
#[derive(Default)]
pub struct Overrides(Vec<(&'static str, String, String)>);

impl Overrides {
    /// Adds a flag's value for `key`, written `section.key`, as the environment would give it.
    pub fn set(&mut self, key: &'static str, flag: &str, value: &str) {
        self.0.push((key, flag.to_owned(), value.to_owned()));
    }
}

/// Loads the configuration of a receiver from the file named, or `MAILTRAIL_CONFIG`, or `./mailtrail.toml`, and the
/// environment. Called again, it reads everything anew.
///
/// # Errors
/// When a file cannot be read or a value cannot be used, or nothing would prove who posts; says all of it at once.
pub fn load(explicit: Option<&Path>) -> Result<Config, ConfigError> {
    load_with(explicit, &Overrides::default())
}

/// [`load`] with flags.
///
/// # Errors
/// As [`load`].
pub fn load_with(explicit: Option<&Path>, overrides: &Overrides) -> Result<Config, ConfigError> {
    let loaded = Loaded::new(explicit, &Environment::of_process(), overrides);
    loaded.finish(Purpose::Receive)
}

/// Loads one file and nothing else: the environment has no say (the demo must not be led elsewhere by it).
///
/// # Errors
/// As [`load`].
pub fn load_file_alone(path: &Path) -> Result<Config, ConfigError> {
    Loaded::new(Some(path), &Environment::none(), &Overrides::default()).finish(Purpose::Receive)
}

/// Loads what questions need: as [`load`], but what is wrong with `[receive]` alone is no error, since nothing listens.
///
/// # Errors
/// As [`load`].
pub fn load_for_questions(explicit: Option<&Path>) -> Result<Config, ConfigError> {
    let loaded = Loaded::new(explicit, &Environment::of_process(), &Overrides::default());
    loaded.finish(Purpose::Questions)
}

/// Whether the user asked for output without colour; an empty `NO_COLOR` counts as not set (no-color.org).
#[must_use]
pub fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// The file that holds the token for another host's API, where the environment names it.
#[must_use]
pub fn token_file() -> Option<PathBuf> {
    std::env::var_os(layers::TOKEN_FILE_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Takes everything that this program reads from the environment away from a child that must not be led elsewhere by it.
pub fn forget_environment(child: &mut std::process::Command) {
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"MAILTRAIL_") {
            child.env_remove(name);
        }
    }
    child.env_remove("PORT");
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Receive,
    Questions,
}

/// Everything read, with what is wrong with the door apart from what is wrong elsewhere.
struct Loaded {
    config: Config,
    problems: Vec<String>,
    door_problems: Vec<String>,
}

impl Loaded {
    fn new(explicit: Option<&Path>, environment: &Environment, overrides: &Overrides) -> Self {
        let mut settings = Settings::default();
        for (key, flag, value) in &overrides.0 {
            settings.add_flag(key, flag, value);
        }
        let (mut problems, mut warnings) = settings.add_environment(environment);
        let file = find_file(explicit, environment);
        let mut unreadable = false;
        if let Some(path) = &file {
            let is_implicit = explicit.is_none() && environment.config_file().is_none();
            match std::fs::read_to_string(path) {
                // Anybody can put one into a folder such as /tmp, with a path to a key or an address of their own.
                Ok(_) if is_implicit && secret_file::is_of_another_user(path) => {
                    unreadable = true;
                    problems.push(format!(
                        "./{FILE_NAME} belongs to another user, so that it is not used by itself: name it by --config if it is meant"
                    ));
                }
                Ok(text) => problems.extend(settings.add_file(path, without_bom(&text))),
                Err(error) => {
                    // What follows from that is not worth saying.
                    unreadable = true;
                    let shown = path.display();
                    problems.push(format!("{shown} cannot be read: {error}; mailtrail init writes a first one"));
                }
            }
        }

        let mut door = Reader::new(&settings);
        let port = environment.get("PORT").and_then(|port| port.to_str());
        let receive = door::read(&mut door, port);
        if let Some(path) = &file {
            judge_permissions(&mut door, path, &settings, &["receive.basic_auth"]);
        }
        let mut rest = Reader::new(&settings);
        if let Some(path) = &file {
            judge_permissions(&mut rest, path, &settings, &SECRETS);
            for one in settings.repeated("relay") {
                judge_permissions(&mut rest, path, &one.settings, &["relay.url", "relay.basic_auth"]);
            }
        }
        let privacy = privacy::read(&mut rest);
        let store = store::read(&mut rest);
        let bigquery = bigquery::read(&mut rest, store.kind);
        let sendgrid = sendgrid::read(&mut rest);
        let output = output::read(&mut rest);
        let slack = slack::read(&mut rest, output.language);
        let webhook = webhook::read(&mut rest);
        let alerts = alert::read(&mut rest, slack.business.is_some() || webhook.is_some());
        let relays = relay::read(&mut rest, store.kind);
        let web = web::read(&mut rest);
        let metrics_listen = metrics::read(&mut rest);
        let watch = watch::read(&mut rest);
        let log = log::read(&mut rest);
        problems.append(&mut rest.problems);
        warnings.append(&mut door.warnings);
        warnings.append(&mut rest.warnings);
        let config = Config {
            file,
            receive,
            privacy,
            store,
            bigquery,
            sendgrid,
            slack,
            webhook,
            alerts,
            relays,
            web,
            metrics_listen,
            watch,
            log,
            output,
            warnings,
        };
        let door_problems = if unreadable { Vec::new() } else { door.problems };
        Self { config, problems, door_problems }
    }

    fn finish(mut self, purpose: Purpose) -> Result<Config, ConfigError> {
        if purpose == Purpose::Receive {
            self.problems.append(&mut self.door_problems);
        }
        if self.problems.is_empty() { Ok(self.config) } else { Err(ConfigError::new(self.problems)) }
    }
}

/// `--config`, else `MAILTRAIL_CONFIG`, else `./mailtrail.toml` where it exists.
fn find_file(explicit: Option<&Path>, environment: &Environment) -> Option<PathBuf> {
    explicit
        .map(Path::to_owned)
        .or_else(|| environment.config_file())
        .or_else(|| Some(PathBuf::from(FILE_NAME)).filter(|path| path.exists()))
}

/// Keys beside the door's whose values nobody else may read.
const SECRETS: [&str; 6] =
    ["sendgrid.api_key", "slack.webhook_url", "slack.ops_webhook_url", "webhook.url", "webhook.secret", "web.users"];

/// A configuration file that holds passwords is a secret itself.
fn judge_permissions(reader: &mut Reader<'_>, path: &Path, settings: &Settings, secrets: &[&'static str]) {
    let in_file =
        |key: &str| settings.get(key).is_some_and(|setting| matches!(setting.origin, layers::Origin::File { .. }));
    let Some(key) = secrets.iter().copied().find(|key| in_file(key)) else { return };
    let shown = path.display();
    match secret_file::permissions(path) {
        // That it cannot be read was said already.
        Ok(Permissions::Narrow) | Err(_) => {}
        Ok(Permissions::WideNotOurs(mode)) => {
            reader.warn(key, format!("stands in {shown}, which everybody may read (mode {mode:04o})"));
        }
        Ok(Permissions::Wide(mode)) => reader
            .problem(key, format!("stands in a file that everybody may read (mode {mode:04o}): run chmod 600 {shown}")),
    }
}

#[cfg(test)]
mod tests;
