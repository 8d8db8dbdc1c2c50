//! Writes signed requests to files instead of sending them: for `mailtrail verify`, and for curl.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use sendgrid_simulator::delivery::{JSON_UTF_8, SIGNATURE_HEADER, TIMESTAMP_HEADER, USER_AGENT};
use sendgrid_simulator::plan::Plan;
use sendgrid_simulator::{Signer, Target};

use crate::cli::exit::Exit;

/// Writes `PREFIX.headers` and `PREFIX.body`, of further POSTs `PREFIX-2.headers` and so on, and tells the curl command
/// for each on stdout. Credentials are left out of the files: curl is told to ask for them.
pub(super) fn requests(
    plan: &Plan,
    signer: Option<&Signer>,
    target: Option<&Target>,
    now: i64,
    prefix: &Path,
) -> anyhow::Result<Exit> {
    let mut stdout = std::io::stdout().lock();
    let url = target.map_or("URL".to_owned(), Target::to_string);
    let user = if target.is_some_and(Target::has_credentials) { " --user USER" } else { "" };
    for (index, post) in plan.posts.iter().enumerate() {
        let number = if index == 0 { String::new() } else { format!("-{}", index + 1) };
        let headers_file = named(prefix, &format!("{number}.headers"));
        let body_file = named(prefix, &format!("{number}.body"));
        let mut headers = format!("User-Agent: {USER_AGENT}\nContent-Type: {JSON_UTF_8}\n");
        if let Some(signer) = signer {
            let signed = signer.sign(now, &post.body)?;
            headers += &format!("{SIGNATURE_HEADER}: {}\n{TIMESTAMP_HEADER}: {}\n", signed.signature, signed.timestamp);
        }
        write(&headers_file, headers.as_bytes())?;
        write(&body_file, &post.body)?;
        writeln!(
            stdout,
            "curl{user} --header @{} --data-binary @{} {url}",
            headers_file.display(),
            body_file.display()
        )?;
    }
    Ok(Exit::Done)
}

fn named(prefix: &Path, end: &str) -> PathBuf {
    let mut name = prefix.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// For the owner alone: a body may hold a real address given with `--email`.
fn write(file: &Path, content: &[u8]) -> anyhow::Result<()> {
    let open = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file);
    let mut out = open.with_context(|| format!("creating {}", file.display()))?;
    out.write_all(content).with_context(|| format!("writing {}", file.display()))
}

#[cfg(test)]
mod tests {
    use sendgrid_events::PublicKey;
    use sendgrid_events::signature::Signature;
    use sendgrid_simulator::plan::Shape;
    use sendgrid_simulator::{Message, Random};

    use super::*;

    #[test]
    fn the_files_verify_and_hold_no_credentials() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut random = Random::new(1);
        let message = Message::new(&mut random, "jane.doe@example.com", 1_700_000_000);
        let events: Vec<_> = (0..3).map(|n| message.event("open", 1_700_000_000 + n, &mut random)).collect();
        let plan = Plan::new(&events, &Shape { batch_events: 2, ..Shape::default() });
        let signer = Signer::generate().expect("randomness");
        let target = Target::parse("https://sendgrid:s3cret@hooks.example.org/event").expect("a URL");
        let prefix = folder.path().join("sample");
        requests(&plan, Some(&signer), Some(&target), 1_700_000_100, &prefix).expect("written");

        let keys = [PublicKey::parse(signer.public_key()).expect("SendGrid's form")];
        for name in ["sample", "sample-2"] {
            let headers = std::fs::read_to_string(folder.path().join(format!("{name}.headers"))).expect("there");
            let body = std::fs::read(folder.path().join(format!("{name}.body"))).expect("there");
            assert!(!headers.contains("s3cret") && !headers.contains("Authorization"), "{headers}");
            let value = |header: &str| {
                let line = headers.lines().find_map(|line| line.strip_prefix(header)?.strip_prefix(": "));
                line.expect(header).to_owned()
            };
            let signature = Signature::parse(&value(SIGNATURE_HEADER), &value(TIMESTAMP_HEADER)).expect("well formed");
            assert_eq!(signature.verify(&keys, &body), Ok(keys[0].id()));
        }
    }
}
