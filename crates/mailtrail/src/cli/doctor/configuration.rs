//! The configuration and the key file.

use std::io;
use std::path::Path;

use super::check::Check;
use crate::config::secret_file::{self, Permissions};
use crate::config::{Config, ConfigError, Privacy, SignatureMode};
use crate::protect::KeyRing;

pub(super) fn checks(loaded: Result<&Config, &ConfigError>) -> Vec<Check> {
    let config = match loaded {
        Ok(config) => config,
        Err(error) => {
            let todo = "mend it; docs/configuration.md lists every key";
            return error.problems().iter().map(|problem| Check::fail("configuration", problem, todo)).collect();
        }
    };
    let from = match &config.file {
        Some(path) => format!("{} can be used", path.display()),
        None => "no file; environment and defaults can be used".to_owned(),
    };
    let mut checks = vec![Check::pass("configuration", from)];
    checks.extend(config.warnings.iter().map(|warning| Check::warn("configuration", warning, "")));
    let receive = &config.receive;
    checks.push(if receive.signature == SignatureMode::Enforce && receive.basic_auth.is_empty() {
        Check::warn(
            "signature",
            "enforced, but without a password, so that strangers can make mailtrail read whole bodies before it refuses them",
            "set [receive] basic_auth, too, and put user and password into SendGrid's Post URL",
        )
    } else if receive.signature == SignatureMode::Enforce {
        Check::pass(
            "signature",
            format!("enforced, {} keys", receive.public_keys.len() + receive.test_public_keys.len()),
        )
    } else {
        Check::warn(
            "signature",
            "posts are not proven by SendGrid's signature, only by the password",
            "turn on \"Signed Event Webhook\" in SendGrid and put its Verification Key into [receive] public_keys",
        )
    });
    checks
}

pub(super) fn key_file(privacy: &Privacy) -> Vec<Check> {
    let mut checks: Vec<Check> = std::iter::once(&privacy.key_file)
        .chain(&privacy.previous_key_files)
        .map(|path| permissions(path, secret_file::permissions(path)))
        .collect();
    if let Err(error) = KeyRing::load(privacy) {
        checks.push(Check::fail("key file", error.to_string(), "put the right file there, from its backup"));
    }
    checks
}

fn permissions(path: &Path, found: io::Result<Permissions>) -> Check {
    let shown = path.display();
    match found {
        Ok(Permissions::Narrow) => Check::pass("key file", format!("{shown} is for its owner alone")),
        Ok(Permissions::WideNotOurs(mode)) => Check::warn(
            "key file",
            format!("{shown} may be read by everybody (mode {mode:04o})"),
            "narrow it where it comes from, where others than mailtrail live on this machine",
        ),
        Ok(Permissions::Wide(mode)) => Check::fail(
            "key file",
            format!("{shown} may be read by everybody (mode {mode:04o})"),
            format!("run chmod 600 {shown}"),
        ),
        Err(error) => Check::fail(
            "key file",
            format!("{shown} cannot be read: {error}"),
            "run mailtrail init for a first one; if events are stored already, bring the old one back from its backup",
        ),
    }
}
