//! `mailtrail init`

mod password;
mod post_url;

use std::io::{IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use zeroize::Zeroizing;

use super::Global;
use super::exit::{Exit, UsageError};
use super::private_file;
use crate::config::{self, BasicCredential};
use crate::files;
use crate::protect::KeyRing;
use post_url::PublicUrl;

const TEMPLATE: &str = include_str!("init/mailtrail.toml");
const KEY_FILE: &str = "mailtrail.key";
const STORE: &str = "mailtrail.db";
const USER: &str = "sendgrid";

/// Write a first configuration with a new password and key, and say what to do next
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder for configuration, key and database
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// The database, such as /var/lib/mailtrail/mailtrail.db [default: mailtrail.db in that folder]
    #[arg(long, value_name = "FILE", default_value = STORE, hide_default_value = true)]
    store: PathBuf,
    /// Where SendGrid will reach this receiver, such as https://events.example.com
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Replace an existing mailtrail.toml; an existing key file is kept
    #[arg(long)]
    force: bool,
    /// Print the password also where the output is no terminal
    #[arg(long)]
    reveal: bool,
}

/// A new credential, as `init` makes them: nothing of it has to be escaped anywhere.
pub(super) fn credential() -> anyhow::Result<BasicCredential> {
    let text = Zeroizing::new(format!("{USER}:{}", *password::generate()?));
    BasicCredential::parse(&text).context("a password was made that is none")
}

#[expect(clippy::needless_pass_by_value, reason = "every command is called alike")]
pub(super) fn run(args: Args, _global: &Global) -> anyhow::Result<Exit> {
    let url = args.url.as_deref().unwrap_or("https://YOUR-HOST");
    let url = PublicUrl::parse(url).map_err(UsageError)?;
    let password = password::generate()?;
    let store = args.store.to_str().ok_or_else(|| UsageError("--store must be UTF-8".to_owned()))?;
    let written = write_files(&args.dir, store, args.force, &url, &password)?;
    let mut stdout = std::io::stdout().lock();
    let shown = if args.reveal || stdout.is_terminal() { password.as_str() } else { "********" };
    tell(&mut stdout, &written, &url, shown)?;
    Ok(Exit::Done)
}

struct Written {
    config: PathBuf,
    key: PathBuf,
    key_is_new: bool,
}

fn write_files(dir: &Path, store: &str, force: bool, url: &PublicUrl, password: &str) -> anyhow::Result<Written> {
    let config = dir.join(config::FILE_NAME);
    let key = dir.join(KEY_FILE);
    let key_is_new = !key.exists();
    if !force {
        for path in [&config, &key] {
            if path.exists() {
                let told = format!(
                    "{} is there already: choose another --dir, or --force to replace the configuration (a key is kept)",
                    path.display()
                );
                return Err(UsageError(told).into());
            }
        }
    }
    files::create_folder(dir).with_context(|| format!("creating {}", dir.display()))?;
    // The key first: a configuration without its key would be worse than a key nobody names.
    if key_is_new {
        let text = KeyRing::generate()?.to_text();
        private_file::write(&key, &text)?;
    }
    let credential = Zeroizing::new(format!("{USER}:{password}"));
    let store = toml::Value::String(store.to_owned()).to_string();
    let text = TEMPLATE.replace("@path@", &url.path).replace("@store@", &store);
    let text = Zeroizing::new(text.replace("@credential@", &credential));
    private_file::write(&config, &text)?;
    Ok(Written { config, key, key_is_new })
}

fn tell(out: &mut impl Write, written: &Written, url: &PublicUrl, password: &str) -> std::io::Result<()> {
    let (config, key) = (written.config.display(), written.key.display());
    let kept = if written.key_is_new { "the key of all hashes" } else { "the key of all hashes, kept as it was" };
    let hidden = if password.starts_with('*') {
        format!("\n     (the password stands in {config}; --reveal prints it)")
    } else {
        String::new()
    };
    write!(
        out,
        "Wrote {config} (configuration and password) and {key} ({kept}).

1. Let HTTPS requests to {url} reach this machine: a proxy in front of 127.0.0.1:8080, or tls_cert and
   tls_key in {config}. Then start the receiver:

     mailtrail serve --config {config}

2. In SendGrid: Settings > Mail Settings > Event Webhooks > Create new webhook. Choose all events, and paste as Post URL:

     {post_url}{hidden}

   SendGrid's \"Test Your Integration\" does not carry the password: it is answered 401, and that is right.
   `mailtrail trigger` sends events with it.
3. Turn on \"Signed Event Webhook\" there, save, and copy the Verification Key into [receive] public_keys of {config}.
   Then let the receiver read it: kill -HUP, or start it again.
4. Look whether all is well:

     mailtrail doctor --config {config}

5. Back {key} up now, apart from the database; one key for each environment.
   Key lost: the history cannot be joined with your lists any more, and nobody can tell who was already mailed.
   Key and database in the same wrong hands: treat the hashes as addresses.
",
        post_url = url.with(USER, password),
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn url() -> PublicUrl {
        PublicUrl::parse("https://events.example.com").unwrap()
    }

    #[test]
    fn serve_takes_what_was_written_as_it_is() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("new/folder");
        let written = write_files(&dir, STORE, false, &url(), "Secret1").unwrap();
        for path in [&written.config, &written.key] {
            assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let config = config::load(Some(&written.config)).unwrap();
        assert_eq!(config.receive.basic_auth[0].expose(), "sendgrid:Secret1");
        assert_eq!(config.receive.path, "/event");
        assert_eq!(config.privacy.key_file, written.key);
        assert_eq!(config.store.path, dir.join("mailtrail.db"));
        assert_eq!(config.warnings, Vec::<String>::new());
        KeyRing::load(&config.privacy).unwrap();
    }

    #[test]
    fn the_database_may_lie_elsewhere_whatever_its_name() {
        let dir = tempfile::tempdir().unwrap();
        for store in ["/var/lib/mailtrail/mailtrail.db", "/a \"b\"/c\\d.db"] {
            let written = write_files(dir.path(), store, true, &url(), "Secret1").unwrap();
            assert_eq!(config::load(Some(&written.config)).unwrap().store.path, Path::new(store));
        }
    }

    #[test]
    fn nothing_is_overwritten_and_a_key_never() {
        let dir = tempfile::tempdir().unwrap();
        let first = write_files(dir.path(), STORE, false, &url(), "First1").unwrap();
        let key = std::fs::read_to_string(&first.key).unwrap();
        let refused = write_files(dir.path(), STORE, false, &url(), "Second2").err().unwrap();
        assert!(refused.is::<UsageError>() && refused.to_string().contains("--force"), "{refused}");
        assert!(std::fs::read_to_string(&first.config).unwrap().contains("First1"));
        let forced = write_files(dir.path(), STORE, true, &url(), "Third3").unwrap();
        assert!(std::fs::read_to_string(&forced.config).unwrap().contains("Third3"));
        assert_eq!(std::fs::read_to_string(&forced.key).unwrap(), key);
        assert!(!forced.key_is_new);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "nothing else is left behind");
    }

    #[test]
    fn what_to_do_next_is_said_in_order_and_the_password_only_where_it_may() {
        let dir = tempfile::tempdir().unwrap();
        let written = write_files(dir.path(), STORE, false, &url(), "Secret1").unwrap();
        let mut out = Vec::new();
        tell(&mut out, &written, &url(), "********").unwrap();
        let text = String::from_utf8(out).unwrap();
        let places: Vec<usize> = ["mailtrail serve", "********@events", "401", "public_keys", "doctor", "Back "]
            .iter()
            .map(|word| text.find(word).unwrap_or_else(|| panic!("{word} is missing")))
            .collect();
        assert!(places.is_sorted(), "{places:?}");
        assert!(!text.contains("Secret1"));
    }
}
