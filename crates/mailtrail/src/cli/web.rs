//! `mailtrail web`

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use zeroize::Zeroizing;

use super::exit::{Exit, UsageError};
use super::output::note;
use super::private_file;
use crate::config::{Role, Token, User};
use crate::web::{hash_password, new_token};

/// Shortest password that is taken.
const SHORTEST: usize = 12;

/// Entries for [web] users and [web] tokens
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Read a password from standard input and print the entry for [web] users
    Password(Entry),
    /// Make a token for the API; print it once, and the entry for [web] tokens
    Token(TokenArgs),
}

#[derive(Debug, clap::Args)]
struct TokenArgs {
    #[command(flatten)]
    entry: Entry,
    /// Write the token into this file, for its owner alone, rather than printing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Entry {
    /// Whose it is
    #[arg(value_name = "NAME")]
    name: String,
    /// Also take lists away (export); without it: look and search
    #[arg(long)]
    operator: bool,
}

impl Entry {
    fn role(&self) -> Role {
        if self.operator { Role::Operator } else { Role::Viewer }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "every command is called alike")]
pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    match &args.what {
        What::Password(entry) => {
            let password = password()?;
            let text = format!("{}:{}:{}", entry.name, entry.role().as_str(), hash_password(&password)?);
            User::parse(&text).map_err(|why| UsageError(why.to_owned()))?;
            writeln!(io::stdout().lock(), "{text}")?;
        }
        What::Token(args) => token(args)?,
    }
    Ok(Exit::Done)
}

/// The token is kept nowhere: whoever loses it makes another one.
fn token(args: &TokenArgs) -> anyhow::Result<()> {
    let (text, entry) = new_token(&args.entry.name, args.entry.role())?;
    Token::parse(&entry).map_err(|why| UsageError(why.to_owned()))?;
    let mut out = io::stdout().lock();
    match &args.out {
        Some(path) if path.exists() => {
            return Err(UsageError(format!("{} is there already: name a new file", path.display())).into());
        }
        Some(path) => private_file::write(path, &format!("{}\n", &*text))?,
        None => {
            note(
                "the token, for the program that asks (MAILTRAIL_TOKEN_FILE names a file with it); it is not shown again:",
            );
            writeln!(out, "{}", &*text)?;
        }
    }
    note("the entry for [web] tokens, where the server runs; then `kill -HUP` its serve:");
    writeln!(out, "{entry}")?;
    Ok(())
}

fn password() -> anyhow::Result<Zeroizing<String>> {
    let stdin = io::stdin();
    let hidden = stdin.is_terminal().then(hide).flatten();
    if stdin.is_terminal() {
        note("password (not shown):");
    }
    let mut line = Zeroizing::new(String::new());
    let read = stdin.lock().read_line(&mut line);
    if let Some(before) = hidden {
        show(&before);
    }
    read.context("reading the password from standard input")?;
    let password = Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned());
    if password.chars().count() < SHORTEST {
        return Err(UsageError(format!("a password of at least {SHORTEST} characters, please")).into());
    }
    Ok(password)
}

/// Stops the terminal from showing what is typed; returns how it was.
fn hide() -> Option<rustix::termios::Termios> {
    let before = rustix::termios::tcgetattr(io::stdin()).ok()?;
    let mut hidden = before.clone();
    hidden.local_modes.remove(rustix::termios::LocalModes::ECHO);
    rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Now, &hidden).ok()?;
    Some(before)
}

fn show(before: &rustix::termios::Termios) {
    // Where that fails, the terminal is gone.
    let _restored = rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Now, before);
}
