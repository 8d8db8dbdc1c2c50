//! Recipients and requests that SendGrid's API refused (sendgrid-nodejs#974, sendgrid-nodejs#1032): unreached on every interface.

use mailtrail::store::ledger::Ended;

use super::ledger::Sender;
use super::*;
use crate::api::with_page;
use crate::support::{request, wait_for};

const FIVE: [&str; 5] =
    ["alice@example.com", "bob@example.org", "carol@example.net", "dave@example.com", "eve@example.com"];
const REASON: &str = "Does not contain a valid address.";

/// A site with a page and an API token, five people on a list, and Slack.
pub struct Stage {
    pub site: Site,
    slack: Slack,
    token: String,
}

impl Stage {
    pub fn new() -> Self {
        let slack = Slack::start();
        let site = Site::with(&format!("[slack]\nwebhook_url = \"{}\"", slack.url));
        let token = site.ask(&["web", "token", "ci", "--operator"]);
        let (token, entry) = token.trim_end().split_once('\n').unwrap();
        site.write_secret("tokens", entry);
        with_page(&site, "tokens_file = \"tokens\"\nopen_on_loopback = true");
        std::fs::write(site.path().join("list.csv"), format!("email,name\n{},x\n", FIVE.join(",x\n"))).unwrap();
        Self { token: token.to_owned(), site, slack }
    }

    pub fn api(&self, server: &Running, path: &str) -> Vec<Value> {
        let authorization = ("Authorization".to_owned(), format!("Bearer {}", self.token));
        let (status, answer) =
            request(server.page(), "GET", &format!("/api/v1/{path}"), &[authorization], b"").unwrap();
        assert_eq!(status, 200, "{path}: {answer}");
        answer.lines().map(object).collect()
    }

    pub fn page(&self, server: &Running, path: &str) -> String {
        let (status, answer) = request(server.page(), "GET", path, &[], b"").unwrap();
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }
}

fn delivered(server: &Running, site: &Site, people: &[&str]) {
    let events: Vec<String> =
        (0..).zip(people).map(|(n, who)| ledger::of_run(&format!("d{n}"), who, "delivered")).collect();
    post(server, site, &events);
    server.wait_drained();
}

/// Requested, and how many were reached, not reached and not settled.
fn sums(told: &Value, of: [&str; 4]) -> [u64; 4] {
    of.map(|key| told[key].as_u64().unwrap_or_else(|| panic!("{key}: {told}")))
}

#[test]
fn one_refused_recipient_is_unreached_on_every_interface() {
    let stage = Stage::new();
    let (site, slack) = (&stage.site, &stage.slack);
    let server = site.serve();
    let mut sender = Sender::new(site, "november");
    let eve = sender.hash("eve@example.com");
    sender.request(&FIVE, Ended::RefusedFor { status: 400, recipients: &[(eve, REASON.to_owned())] });
    sender.attempt = 2;
    sender.request(&FIVE[..4], Ended::Accepted(Some("msg1")));
    drop(sender);
    delivered(&server, site, &FIVE[..4]);

    let wait = ["wait", "november", "--exit-status", "--list", "list.csv", "--unreached-out", "out.csv"];
    let (code, out, err) = run(site, &[&wait[..], &["--format", "json"]].concat());
    assert_eq!(code, 3, "{out}{err}");
    let told = object(&out);
    assert_eq!(sums(&told, ["recipients", "delivered", "unreached", "unknown"]), [5, 4, 1, 0], "{told}");
    assert_eq!((&told["refused"], told["completeness"].as_f64()), (&1.into(), Some(0.8)), "{told}");
    let (code, out, _) = run(site, &[&wait[..], &["--no-notify"]].concat());
    assert!(code == 3 && out.contains("refused             1  20.0 %"), "{out}");
    let file = std::fs::read_to_string(site.path().join("out.csv")).unwrap();
    let why = "SendGrid takes the address for invalid: Does not contain a valid address.,HTTP 400,";
    assert!(file.contains("\neve@example.com,x,") && file.contains(&format!(",refused,{why}")), "{file}");
    assert_eq!(file.lines().count(), 2, "{file}");

    let posts = slack.posts(200);
    assert_eq!(posts.len(), 1);
    for words in ["1 not reached", "Refused by SendGrid's API*", "1 (20.0%)", REASON, "80.0%"] {
        assert!(json(&posts[0]).to_string().contains(words), "{words}: {}", posts[0]);
    }
    assert!(!posts[0].contains("eve"), "{}", posts[0]);

    let (_, out, _) = run(site, &["unreached", "november", "--list", "list.csv", "--format", "json"]);
    let row = object(&out);
    assert_eq!((&row["email"], &row["status"]), (&"eve@example.com".into(), &"refused".into()));
    assert_eq!((&row["classification"], row["first_seen"].is_null()), (&"HTTP 400".into(), true));
    let (_, out, err) = run(site, &["sent", "november", "--list", "list.csv", "--format", "json"]);
    assert_eq!(out.lines().count(), 4, "{out}");
    assert!(out.lines().all(|line| object(line)["status"] == "delivered"), "{out}");
    assert!(
        err.contains("4 of 5 on the list were mailed, or may have been: 4 delivered; events are in up to"),
        "{err}"
    );
    assert!(err.contains("1 were not mailed: 1 refused by SendGrid's API") && err.contains(REASON), "{err}");
    let (_, out, _) = run(site, &["sent", "november", "--list", "list.csv", "--not-sent"]);
    assert_eq!(out, "email,name\neve@example.com,x\n", "`send` may try again");

    for told in [
        object(&run(site, &["runs", "november", "--format", "json"]).1),
        stage.api(&server, "runs/november")[0].clone(),
    ] {
        assert_eq!(sums(&told, ["asked", "delivered", "unreached", "refused"]), [5, 4, 1, 1], "{told}");
        assert_eq!((&told["settled"], told["completeness"].as_f64()), (&5.into(), Some(0.8)), "{told}");
    }
    let of_api = stage.api(&server, "runs/november/unreached");
    assert!(of_api.len() == 1 && of_api[0]["status"] == "refused", "{of_api:?}");
    let figures = stage.page(&server, "/runs/november/figures");
    for words in ["5 of 5 settled", "Does not contain a valid address.", ">refused</span>", "80.0 %"] {
        assert!(figures.contains(words), "{words}: {figures}");
    }
    assert!(figures.contains("class=\"badge warn\">Settled<"), "{figures}");
    // The mail is of the category, too.
    let of_category = ["unreached", "--category", "news", "--since", "2h", "--list", "list.csv", "--format", "json"];
    let (_, out, err) = run(site, &of_category);
    assert_eq!((object(&out)["status"].clone(), err.contains("not settled")), ("refused".into(), false), "{out}{err}");
}

#[test]
fn a_refused_request_is_unreached_and_told_in_japanese() {
    let mut stage = Stage::new();
    stage.site.environment("MAILTRAIL_OUTPUT_LANGUAGE", "ja");
    let site = &stage.site;
    let server = site.serve();
    let mut sender = Sender::new(site, "november");
    sender.request(&FIVE[..2], Ended::Refused { status: 401, why: "Maximum credits exceeded" });
    sender.request(&FIVE[2..], Ended::Accepted(Some("msg1")));
    drop(sender);
    delivered(&server, site, &FIVE[2..]);
    let (code, out, err) = run(site, &["wait", "november", "--exit-status", "--format", "json"]);
    assert_eq!(code, 3, "{err}");
    assert_eq!(sums(&object(&out), ["recipients", "delivered", "refused", "unknown"]), [5, 3, 2, 0]);
    let told = json(&stage.slack.posts(200)[0]).to_string();
    for words in ["未達 2 件", "SendGrid の受付拒否", "Maximum credits exceeded"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let (_, out, _) = run(site, &["unreached", "november", "--format", "csv"]);
    let why = "SendGridアカウントのクレジットを使い切りました：Maximum credits exceeded,HTTP 401";
    assert_eq!(out.matches(why).count(), 2, "{out}");
}

#[test]
fn a_run_of_which_sendgrid_accepted_nothing_is_no_success() {
    let stage = Stage::new();
    let site = &stage.site;
    let server = site.serve();
    Sender::new(site, "november").request(&FIVE, Ended::Refused { status: 403, why: "access forbidden" });
    let (code, out, err) = run(site, &["wait", "november", "--exit-status", "--format", "json"]);
    assert_eq!(code, 3, "{out}{err}");
    let told = object(&out);
    assert_eq!(sums(&told, ["recipients", "refused", "unreached", "accepted"]), [5, 5, 5, 0], "{told}");
    assert_eq!(told["completeness"].as_f64(), Some(0.0));
    wait_for("the notice", || stage.slack.posts(200).len() == 1);
    assert!(json(&stage.slack.posts(200)[0]).to_string().contains("5 not reached"));
    let (_, out, _) = run(site, &["runs"]);
    assert!(out.contains(" 0.0 %") && !out.contains("100.0 %"), "{out}");
    assert!(stage.page(&server, "/runs/november/figures").contains("access forbidden"));

    // What was never asked for is neither: it is pending, and no verdict hides it.
    Sender::new(site, "halted").request(&FIVE[..2], Ended::Abandoned("429"));
    let (code, out, err) = run(site, &["wait", "halted", "--format", "json", "--list", "list.csv"]);
    assert_eq!((code, object(&out)["ended"].clone()), (4, "unsent".into()), "{err}");
    assert!(
        err.contains("2 recipients were not sent this mail")
            && err.contains("3 recipients of the list are not in this run"),
        "{err}"
    );
}
