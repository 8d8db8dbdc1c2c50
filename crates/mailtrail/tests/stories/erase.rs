//! `forget --at-sendgrid`: SendGrid, which the simulator plays, erases the same people; asked first, and never told of others.

use std::process::Output;

use sendgrid_simulator::mail_api::{MailApi, Options};
use tokio::runtime::Runtime;

use crate::support::{Site, batch, event, now};

const KEY: &str = "SG.full-access";
const JANE: &str = "jane.q.public@example.com";
const BOB: &str = "Bob@Example.com";

struct Stage {
    runtime: Runtime,
    api: MailApi,
    site: Site,
}

impl Stage {
    fn new(may_erase: bool) -> Self {
        let runtime = Runtime::new().unwrap();
        let options = Options { may_erase, ..Options::new(KEY, now()) };
        let api = runtime.block_on(MailApi::start(options)).unwrap();
        let mut site = Site::new();
        site.environment("MAILTRAIL_SENDGRID_HOST", &api.url());
        site.environment("MAILTRAIL_SENDGRID_API_KEY", KEY);
        site.environment("MAILTRAIL_LOG", "trace");
        let server = site.serve();
        let events = [JANE, BOB, "carol@example.com"]
            .map(|address| event(address.split('@').next().unwrap(), address, "delivered", 1_700_000_000));
        assert_eq!(server.post(&site, &batch(&events)).0, 200);
        server.wait_drained();
        server.stop();
        Self { runtime, api, site }
    }

    fn forget(&self, args: &[&str]) -> Output {
        self.site.command(&[&["forget"], args].concat()).output().unwrap()
    }

    fn events(&self) -> i64 {
        self.site.trail().query_row("SELECT count(*) FROM event", (), |row| row.get(0)).unwrap()
    }

    fn end(self) {
        self.runtime.block_on(self.api.stop());
    }
}

fn text(output: &Output) -> String {
    let text = String::from_utf8([&output.stdout[..], &output.stderr].concat()).unwrap();
    for address in ["jane.q", "bob@", "Bob@"] {
        assert!(!text.contains(address), "{text}");
    }
    text
}

#[test]
fn sendgrid_erases_who_is_forgotten_and_says_the_job() {
    let stage = Stage::new(true);
    let output = stage.forget(&[JANE, BOB, "--at-sendgrid", "--yes", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(stage.api.erased(), [vec![BOB, JANE]]);
    assert_eq!((&told["at_sendgrid"]["addresses"], &told["at_sendgrid"]["left"]), (&2.into(), &0.into()), "{told}");
    assert_eq!(told["at_sendgrid"]["jobs"][0].as_str().map(str::len), Some(36), "{told}");
    assert!(!told["out_of_reach"].to_string().contains("SendGrid"), "{told}");
    assert_eq!(stage.events(), 1);
    // For people, and again: it ends the same.
    let said = text(&stage.forget(&[JANE, "--at-sendgrid", "--yes"]));
    assert!(said.contains("SendGrid accepted: job "), "{said}");
    // Whoever does not ask for it is told that it is there.
    let said = text(&stage.forget(&[JANE]));
    assert!(said.contains("SendGrid's own records (--at-sendgrid has it erase them)"), "{said}");
    assert_eq!(stage.api.erased().len(), 2);
    stage.end();
}

#[test]
fn nothing_happens_where_it_cannot_be_done_or_nobody_agreed() {
    let stage = Stage::new(true);
    let hash = stage.site.ask(&["hash", BOB]);
    for (args, why) in [
        (&[JANE, "--at-sendgrid"][..], "say --yes"),
        (&[JANE, hash.trim(), "--at-sendgrid", "--yes"], "1 were given by hash"),
        (&[JANE, "--yes"], "--at-sendgrid"),
        (&["--test", "--at-sendgrid"], "cannot be used with"),
    ] {
        let output = stage.forget(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output).contains(why), "{args:?}: {}", text(&output));
    }
    let dry = stage.forget(&[JANE, "--at-sendgrid", "--dry-run"]);
    assert!(
        dry.status.success() && text(&dry).contains("SendGrid would be asked to erase 1 addresses in 1 requests"),
        "{}",
        text(&dry)
    );
    let without_key = stage
        .site
        .command(&["forget", JANE, "--at-sendgrid", "--yes"])
        .env_remove("MAILTRAIL_SENDGRID_API_KEY")
        .output()
        .unwrap();
    assert!(!without_key.status.success() && text(&without_key).contains("no API key"));
    assert!(stage.api.erased().is_empty() && stage.events() == 3);
    stage.end();
}

#[test]
fn a_key_that_may_not_is_told_what_it_lacks_and_what_was_done_here_is_done() {
    let stage = Stage::new(false);
    let output = stage.forget(&[JANE, "--at-sendgrid", "--yes"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("NOT YET DONE: SendGrid was not asked to erase 1 addresses: SendGrid refused (403)"),
        "{said}"
    );
    assert!(said.contains("the API key lacks the permission") && said.contains("SendGrid's own records"), "{said}");
    assert_eq!(stage.events(), 2);
    stage.end();
}

#[test]
fn a_long_list_is_several_requests_and_an_address_that_sendgrid_refuses_is_not_quoted() {
    let stage = Stage::new(true);
    let list: String = (0..5_100).map(|n| format!("person{n}@example.com\n")).collect();
    stage.site.write_secret("list.txt", &list);
    let output = stage.forget(&["--list", "list.txt", "--at-sendgrid", "--yes"]);
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(stage.api.erased().iter().map(Vec::len).collect::<Vec<_>>(), [5_000, 100]);
    let output = stage.forget(&[JANE, "bob@exam@ple.com", "--at-sendgrid", "--yes"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("SendGrid refused (400)") && said.contains("correct the list and repeat"), "{said}");
    assert!(!said.contains("exam@ple"), "{said}");
    assert_eq!((stage.api.erased().len(), stage.events()), (2, 2));
    stage.end();
}
