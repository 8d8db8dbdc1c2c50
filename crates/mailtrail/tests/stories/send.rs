//! `send` against SendGrid's mail API as the simulator plays it: each address at most once per run, whatever happens.

mod lists;
mod terminal;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use sendgrid_openapi_check::{Document, MAIL};
use sendgrid_simulator::Target;
use sendgrid_simulator::fate::Fate;
use sendgrid_simulator::mail_api::{self, Fault, Mail, MailApi, Options, Webhook};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::support::{CREDENTIALS, Site, now};

const KEY: &str = "SG.simulated.key";

/// SendGrid, and a site that sends to it.
struct Post {
    runtime: Runtime,
    api: MailApi,
    site: Site,
}

impl Post {
    fn new(faults: impl Fn(usize) -> Fault + Send + Sync + 'static) -> Self {
        let options = Options::new(KEY, now()).with_faults(faults);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let api = runtime.block_on(MailApi::start(options)).unwrap();
        let mut site = Site::new();
        site.environment("MAILTRAIL_SENDGRID_API_KEY", KEY);
        site.environment("MAILTRAIL_SENDGRID_HOST", &api.url());
        site.environment("MAILTRAIL_SENDGRID_FROM", "News <news@sender.example>");
        std::fs::write(site.path().join("mail.html"), "<p>Hello {{name}}, {{{name}}}</p>").unwrap();
        Self { runtime, api, site }
    }

    fn list(&self, recipients: usize) {
        let mut list = "email,name\n".to_owned();
        for n in 0..recipients {
            writeln!(list, "{},Name <{n}>", address(n)).unwrap();
        }
        std::fs::write(self.site.path().join("list.csv"), list).unwrap();
    }

    fn send(&self, more: &[&str]) -> Output {
        let args = ["send", "list.csv", "--run", "november", "--subject", "For {{name}}", "--html", "mail.html"];
        self.site.command(&[&args, more].concat()).output().unwrap()
    }

    fn mails(&self) -> Vec<Mail> {
        self.api.mails()
    }

    fn end(self) {
        self.runtime.block_on(self.api.stop());
    }
}

fn address(n: usize) -> String {
    format!("recipient-{n}@customer{}.example", n % 7)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The one JSON object on standard output.
fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no report: {}", text(&output.stderr)))
}

fn mails_by_address(mails: &[Mail]) -> HashMap<&str, usize> {
    let mut count = HashMap::new();
    for mail in mails {
        *count.entry(mail.address.as_str()).or_insert(0) += 1;
    }
    count
}

#[test]
fn a_list_is_mailed_once_with_everything_that_belongs_to_each() {
    let post = Post::new(|_| Fault::None);
    post.list(2_300);
    let output = post.send(&["--category", "news", "--category", "november", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let told = report(&output);
    assert_eq!((told["accepted"].as_u64(), told["requests"].as_u64()), (Some(2_300), Some(3)), "{told}");

    let mails = post.mails();
    assert_eq!(mails.len(), 2_300);
    let counts = mails_by_address(&mails);
    assert!((0..2_300).all(|n| counts.get(address(n).as_str()) == Some(&1)), "each exactly once");
    let one = &post.api.mails_to(&address(17))[0];
    assert_eq!(one.subject.as_deref(), Some("For Name <17>"));
    assert_eq!(one.html.as_deref(), Some("<p>Hello Name &lt;17&gt;, Name <17></p>"));
    assert_eq!(one.categories, ["news", "november"]);
    assert_eq!(one.custom_args["mailtrail_run"], "november");
    assert_eq!(one.custom_args["mailtrail_recipient"].len(), 32);

    // Again: nobody. With one more in the list: only that one.
    let again = post.send(&["--format", "json"]);
    let told = report(&again);
    assert_eq!((told["accepted"].as_u64(), told["skipped"]["accepted"].as_u64()), (Some(0), Some(2_300)), "{told}");
    assert_eq!(again.status.code(), Some(0));
    post.list(2_301);
    assert_eq!(report(&post.send(&["--format", "json"]))["accepted"].as_u64(), Some(1));
    assert_eq!(post.mails().len(), 2_301);

    // Nothing that mailtrail wrote or said has an address in it.
    for file in std::fs::read_dir(post.site.path()).unwrap() {
        let path = file.unwrap().path();
        let bytes = if path.ends_with("list.csv") { Vec::new() } else { std::fs::read(&path).unwrap() };
        assert!(memchr::memmem::find(&bytes, b"customer").is_none(), "{} holds an address", path.display());
    }
    assert!(!text(&output.stderr).contains('@') && !text(&output.stdout).contains('@'));
    post.end();
}

#[test]
fn every_request_is_one_that_sendgrid_s_own_document_allows() {
    let Some(document) = Document::shared(MAIL) else { return };
    let post = Post::new(|_| Fault::None);
    post.list(30);
    let at = (now() + 3600).to_string();
    let time = jiff::Timestamp::from_second(at.parse().unwrap()).unwrap().to_string();
    let all: [&[&str]; 4] = [
        &["--category", "a", "--reply-to", "Desk <desk@sender.example>", "--asm-group", "7", "--custom-arg", "k=v"],
        &["--send-at", &time],
        &["--sandbox"],
        &["--limit", "3", "--rate", "1000"],
    ];
    for (n, more) in all.iter().enumerate() {
        let run = format!("run-{n}");
        let args = ["send", "list.csv", "--run", &run, "--subject", "S", "--html", "mail.html"];
        let output = post.site.command(&[&args[..], more].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{more:?}: {}", text(&output.stderr));
    }
    let template = ["send", "list.csv", "--run", "t", "--template", "d-0123456789abcdef0123456789abcdef"];
    let output = post.site.command(&template).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let requests = post.api.requests();
    assert_eq!(requests.len(), 5);
    for request in &requests {
        document.request("POST", "/v3/mail/send", &request.body).unwrap();
    }
    let scheduled = post.mails().iter().filter(|mail| mail.send_at == Some(at.parse().unwrap())).count();
    assert_eq!((post.mails().len(), scheduled), (30 + 30 + 3 + 30, 30), "the sandbox mailed nobody");
    let sandbox =
        post.site.command(&["send", "list.csv", "--run", "run-2", "--subject", "S", "--html", "mail.html"]).output();
    assert!(
        text(&sandbox.unwrap().stdout).contains("SendGrid has the mail for 30 recipients"),
        "the sandbox claims nobody"
    );
    post.end();
}

#[test]
fn what_is_wrong_is_said_before_anybody_is_mailed() {
    let post = Post::new(|_| Fault::None);
    let site = &post.site;
    let fails = |list: &str, more: &[&str], code: i32, word: &str| {
        std::fs::write(site.path().join("list.csv"), list).unwrap();
        let args = ["send", "list.csv", "--run", "november", "--subject", "S {{name}}", "--html", "mail.html"];
        let output = site.command(&[&args[..], more].concat()).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(word), "{word:?} is not in {said}");
        assert!(!said.contains("jane"), "no address is said: {said}");
    };
    fails("email,nmae\njane@example.com,Jane\n", &[], 2, "nmae");
    fails("email,name\njane@example.com,Jane\njane.example.com,x\n", &[], 2, "row 3");
    fails("name\nJane\n", &[], 2, "no column email");
    fails("email,name\njane@example.com,Jane\n", &["--category", "ニュース"], 2, "ASCII");
    fails("email,name\njane@example.com,\"a\nb\"\n", &[], 2, "row 2");
    fails("email,name\njane@example.com,Jane\n", &["--send-at", "80h"], 2, "72 hours");
    fails("email,name\njane@example.com,Jane\n", &["--run", "jane@x.example"], 2, "run");
    assert_eq!(post.api.requests().len(), 0, "SendGrid was not asked");
    std::fs::write(site.path().join("list.csv"), "email,name\njane@example.com,Jane\njane.example.com,x\n").unwrap();
    let output = post.send(&["--skip-invalid", "--dry-run"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("would mail 1 recipient in 1 request"), "{}", text(&output.stdout));
    assert_eq!(post.api.requests().len(), 0);
    assert_eq!(report(&post.send(&["--skip-invalid", "--format", "json"]))["accepted"].as_u64(), Some(1));
    post.end();
}

#[test]
fn two_senders_of_one_run_never_both_mail() {
    let post = Post::new(|_| Fault::Slow(Duration::from_millis(150)));
    post.list(1_500);
    let args = ["send", "list.csv", "--run", "november", "--subject", "S", "--html", "mail.html"];
    let senders: Vec<_> = (0..4)
        .map(|_| post.site.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
        .collect();
    let outputs: Vec<Output> = senders.into_iter().map(|sender| sender.wait_with_output().unwrap()).collect();
    // Where the holder of the run has not written its id yet, "another process".
    let busy = outputs.iter().filter(|output| text(&output.stderr).contains("is being sent by ")).count();
    let sent = outputs.iter().filter(|output| output.status.success()).count();
    assert!(sent >= 1 && busy + sent == 4, "{busy} were refused, {sent} sent");
    let mails = post.mails();
    assert_eq!((mails.len(), mails_by_address(&mails).len()), (1_500, 1_500));
    post.end();
}

#[test]
fn a_refused_recipient_costs_the_others_nothing() {
    let post = Post::new(|_| Fault::None);
    // The simulator refuses this domain by the address, as SendGrid does some addresses of a right form.
    let list = format!("email,name\n{},x\njane.roe@refused.invalid,x\n{},x\n", address(0), address(1));
    std::fs::write(post.site.path().join("list.csv"), list).unwrap();
    let output = post.send(&["--format", "json"]);
    let told = report(&output);
    assert_eq!((told["accepted"].as_u64(), told["refused"].as_u64()), (Some(2), Some(1)), "{told}");
    assert!(told["why"].as_str().unwrap().contains("valid address"), "{told}");
    assert_eq!(mails_by_address(&post.mails()), HashMap::from([(&*address(0), 1), (&*address(1), 1)]));
    assert_eq!(output.status.code(), Some(1));
    let unreached = || {
        let args = ["unreached", "november", "--list", "list.csv", "--include-pending", "--format", "json"];
        let output = post.site.command(&args).output().unwrap();
        let rows = text(&output.stdout);
        let rows: Vec<Value> = rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        rows.iter().map(|row| format!("{} {}", row["email"], row["status"]).replace('"', "")).collect::<Vec<_>>()
    };
    let expected = |rows: Vec<String>| {
        assert_eq!(rows.len(), 3, "{rows:?}");
        assert!(rows[..2].iter().all(|row| row.ends_with(" unknown")), "their events are still to come: {rows:?}");
        assert_eq!(rows[2], "jane.roe@refused.invalid refused");
    };
    expected(unreached());
    // The refused one may be tried again, the others are not.
    let told = report(&post.send(&["--format", "json"]));
    assert_eq!((told["refused"].as_u64(), told["skipped"]["accepted"].as_u64()), (Some(1), Some(2)), "{told}");
    expected(unreached());
    let mut ledger = std::fs::read(post.site.path().join("mailtrail.ledger.db")).unwrap();
    ledger.extend(std::fs::read(post.site.path().join("mailtrail.ledger.db-wal")).unwrap_or_default());
    assert!(memchr::memmem::find(&ledger, b"valid address").is_some(), "SendGrid's reason is kept");
    assert!(memchr::memmem::find(&ledger, b"jane").is_none(), "and no address");
    post.end();
}

/// SendGrid names recipients by their place in its request (sendgrid-nodejs#974); people look for rows of their file.
#[test]
fn a_refused_recipient_is_named_by_its_row_of_the_list() {
    let post = Post::new(|_| Fault::None);
    let mut list = "email,name\n".to_owned();
    for n in 0..1_600 {
        let refused = matches!(n, 3 | 1_517);
        let address = if refused { format!("someone-{n}@refused.invalid") } else { address(n) };
        writeln!(list, "{address},x").unwrap();
    }
    std::fs::write(post.site.path().join("list.csv"), list).unwrap();
    let output = post.send(&["--format", "json"]);
    let told = report(&output);
    assert_eq!((told["accepted"].as_u64(), told["refused"].as_u64()), (Some(1_598), Some(2)), "{told}");
    let rows: Vec<u64> =
        told["refusals"].as_array().unwrap().iter().map(|refusal| refusal["row"].as_u64().unwrap()).collect();
    assert_eq!(rows, [5, 1_519], "{told}");
    let why = told["why"].as_str().unwrap();
    assert!(why.contains("row 1519, to.0.email: Does not contain a valid address."), "{told}");
    let mails = post.mails();
    assert_eq!((mails.len(), mails_by_address(&mails).len()), (1_598, 1_598));
    assert_eq!(output.status.code(), Some(1));
    // The refused ones may be tried again, the others are not.
    let told = report(&post.send(&["--format", "json"]));
    assert_eq!((told["refused"].as_u64(), told["skipped"]["accepted"].as_u64()), (Some(2), Some(1_598)), "{told}");
    post.end();
}

/// Each row that cannot be mailed is skipped and reported, whatever is wrong with it; all others are mailed.
#[test]
fn every_row_that_cannot_be_mailed_is_skipped_and_reported() {
    let post = Post::new(|_| Fault::None);
    let mut list = "email,name\njane.example.com,A\n".to_owned();
    for n in 0..30 {
        writeln!(list, "{},\"{}\"", address(n), "x".repeat(10_000)).unwrap();
    }
    writeln!(list, "{},\"two\nlines\"\n{},Good\n{},Better,cell", address(30), address(31), address(32)).unwrap();
    std::fs::write(post.site.path().join("list.csv"), list).unwrap();
    let more = ["--problems-out", "problems.csv", "--format", "json"];
    let refused = post.send(&more);
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("cannot be mailed: row 2, column email: an address has exactly one @"), "{said}");
    assert!(
        said.contains("row 3: variables come to") && said.contains("and 13 more; all are in problems.csv"),
        "{said}"
    );
    assert!(said.contains("33 rows of the list cannot be mailed"), "{said}");
    assert_eq!(report(&refused)["problems"].as_array().map(Vec::len), Some(33));
    assert_eq!(post.api.requests().len(), 0);

    let output = post.send(&[&more[..], &["--skip-invalid"]].concat());
    let told = report(&output);
    assert_eq!((told["accepted"].as_u64(), told["invalid"].as_u64()), (Some(1), Some(33)), "{told}");
    assert_eq!(told["problems"].as_array().unwrap().last().unwrap()["reason"], "3 cells where the heading has 2");
    assert_eq!(post.mails().iter().map(|mail| mail.address.clone()).collect::<Vec<_>>(), [address(31)]);
    let file = std::fs::read_to_string(post.site.path().join("problems.csv")).unwrap();
    assert_eq!((file.lines().next(), file.lines().count()), (Some("row,column,reason"), 34), "{file}");
    assert!(file.contains("\n33,,the subject has a line break"), "{file}");
    for said in [file, text(&output.stderr), text(&output.stdout)] {
        assert!(!said.contains("customer") && !said.contains("jane"), "no address is said: {said}");
    }
    post.end();
}

#[test]
fn a_wrong_key_ends_the_send_with_what_to_do() {
    let mut post = Post::new(|_| Fault::None);
    post.site.environment("MAILTRAIL_SENDGRID_API_KEY", "SG.another.key");
    post.list(1_500);
    let output = post.send(&[]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("HTTP 401") && said.contains("[sendgrid] api_key"), "{said}");
    assert!(!said.contains("SG."), "{said}");
    assert!(text(&output.stdout).contains("500  not mailed yet"), "{}", text(&output.stdout));
    assert_eq!(post.api.requests().len(), 1, "the second request would fare no better");

    // All of the list are in the run: refused, or not sent.
    let output = post.site.command(&["wait", "november", "--format", "json", "--no-notify"]).output().unwrap();
    let told = report(&output);
    assert_eq!(output.status.code(), Some(4), "{told}");
    let counts = ["recipients", "refused", "unreached", "unknown", "unsent"].map(|key| told[key].as_u64().unwrap());
    assert_eq!(counts, [1_500, 1_000, 1_000, 500, 500], "{told}");
    assert_eq!((told["ended"].as_str(), told["completeness"].as_f64()), (Some("unsent"), Some(0.0)), "{told}");
    post.site.environment("MAILTRAIL_SENDGRID_API_KEY", KEY);
    let told = report(&post.send(&["--format", "json"]));
    assert_eq!(told["accepted"].as_u64(), Some(1_500), "{told}");
    post.end();
}

#[test]
fn ctrl_c_stops_between_requests_and_the_run_goes_on_later() {
    let post = Post::new(|_| Fault::Slow(Duration::from_millis(200)));
    post.list(3_000);
    let args = ["send", "list.csv", "--run", "november", "--subject", "S", "--html", "mail.html", "--format", "json"];
    let sender = post.site.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    post.runtime.block_on(post.api.wait_for_requests(1));
    let id = rustix::process::Pid::from_raw(i32::try_from(sender.id()).unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    let output = sender.wait_with_output().unwrap();
    let told = report(&output);
    assert_eq!((told["uncertain"].as_u64(), output.status.code()), (Some(0), Some(1)), "{told}");
    let accepted = told["accepted"].as_u64().unwrap();
    assert!(accepted >= 1_000 && accepted + told["left"].as_u64().unwrap() == 3_000, "{told}");
    let told = report(&post.site.command(&args).output().unwrap());
    assert_eq!(told["accepted"].as_u64().unwrap(), 3_000 - accepted, "{told}");
    let mails = post.mails();
    assert_eq!((mails.len(), mails_by_address(&mails).len()), (3_000, 3_000));
    post.end();
}

/// SendGrid's answers get lost, it fails, it asks for patience, connections are cut; the sender is killed at any moment and
/// started again. Nobody ever gets two mails; in the end everybody has one who is not in doubt.
#[test]
fn nobody_is_mailed_twice_whatever_happens() {
    const ROUNDS: u64 = 50;
    let faults = mail_api::random(
        11,
        &[
            (Fault::TimeOutAfterAccepting, 8),
            (Fault::CutAfterAccepting, 8),
            (Fault::CutBeforeAccepting, 8),
            (Fault::Status500 { accepted: true }, 5),
            (Fault::Status500 { accepted: false }, 5),
            (Fault::TooMany { reset_after: Duration::from_secs(0) }, 10),
            (Fault::Slow(Duration::from_millis(20)), 20),
        ],
    );
    let mut post = Post::new(faults);
    post.site.environment("MAILTRAIL_SENDGRID_TIMEOUT", "400ms");
    // Many requests of a few: rows of different categories share none.
    let mut list = "email,name,category\n".to_owned();
    for n in 0..600 {
        writeln!(list, "{},x,group-{}", address(n), n / 5).unwrap();
    }
    std::fs::write(post.site.path().join("list.csv"), list).unwrap();
    let args = ["send", "list.csv", "--run", "november", "--subject", "S", "--html", "mail.html", "--format", "json"];
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..ROUNDS {
        let mut sender = post.site.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Killed at some request, which is what its progress is counted by.
        let after = post.api.requests().len() + usize::try_from(random >> 61).unwrap();
        let heard = post.api.wait_for_requests(after);
        let _in_time = post.runtime.block_on(async { tokio::time::timeout(Duration::from_millis(900), heard).await });
        let _ended_itself = sender.kill();
        sender.wait().unwrap();
        let mails = post.mails();
        let twice = mails_by_address(&mails).into_values().filter(|count| *count > 1).count();
        assert_eq!(twice, 0, "somebody got two mails");
    }
    // Left alone until it has nobody left; a few uncertain ones in a row end a send, so it may take several.
    let mut last = Value::Null;
    for _ in 0..60 {
        last = report(&post.site.command(&args).output().unwrap());
        if last["left"] == 0 && last["refused"] == 0 {
            break;
        }
    }
    assert_eq!(last["left"], 0, "{last}");
    let last = report(&post.site.command(&args).output().unwrap());
    assert_eq!((last["accepted"].as_u64(), last["requests"].as_u64()), (Some(0), Some(0)), "{last}");
    let in_doubt = last["skipped"]["uncertain"].as_u64().unwrap_or(0);
    let (mails, certain) = (post.mails(), last["skipped"]["accepted"].as_u64().unwrap());
    let counts = mails_by_address(&mails);
    assert!(counts.values().all(|count| *count == 1), "somebody got two mails");
    assert_eq!(certain + in_doubt, 600);
    assert!(counts.len() as u64 >= certain, "everybody who is not in doubt got one");
    assert!(certain > 100 && in_doubt > 10, "the faults did happen: {certain} certain, {in_doubt} in doubt");
    post.end();
}

#[test]
fn messages_bring_their_own_content_and_are_answered_line_by_line() {
    let post = Post::new(|_| Fault::None);
    let mut lines = String::new();
    for n in 0..40 {
        writeln!(
            lines,
            r#"{{"email":"{}","subject":"Invoice {n}","text":"Dear {{{{who}}}}","data":{{"who":"N{n}"}},"category":"invoice","custom_args":{{"invoice":"{n}"}}}}"#,
            address(n)
        )
        .unwrap();
    }
    lines.push_str("{\"email\":\"nobody\"}\n");
    writeln!(lines, r#"{{"email":"{}","subject":"Again","text":"x"}}"#, address(3)).unwrap();
    std::fs::write(post.site.path().join("messages.ndjson"), lines).unwrap();
    let args = ["send", "--messages", "messages.ndjson", "--run", "invoices"];
    let output = post.site.command(&args).output().unwrap();
    let answers: Vec<Value> = text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let outcomes = |name: &str| answers.iter().filter(|answer| answer["outcome"] == name).count();
    assert_eq!(
        (outcomes("accepted"), outcomes("invalid"), outcomes("skipped")),
        (40, 1, 1),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(1), "one line was no message");
    let one = &post.api.mails_to(&address(7))[0];
    assert_eq!((one.subject.as_deref(), one.text.as_deref()), (Some("Invoice 7"), Some("Dear N7")));
    assert_eq!((one.categories.as_slice(), one.custom_args["invoice"].as_str()), (&["invoice".to_owned()][..], "7"));
    assert_eq!(post.mails().len(), 40);
    post.end();
}

/// Whatever is wrong with a line, and wherever the send ends: each line gets one answer, in the order of the input.
#[test]
fn every_line_of_messages_is_answered() {
    let mut post = Post::new(|_| Fault::None);
    let mut lines = String::new();
    let wrong = [
        r#""subject":"S","text":"{{x}}","data":{"x":[]}}"#.to_owned(),
        r#""subject":"S","text":"{{x"}"#.to_owned(),
        r#""subject":"S"}"#.to_owned(),
        r#""subject":"a\nb","text":"T"}"#.to_owned(),
        format!(r#""subject":"S","text":"{{{{x}}}}","data":{{"x":"{}"}}}}"#, "x".repeat(10_000)),
    ];
    for n in 0..2_200 {
        let rest = if n < wrong.len() { wrong[n].as_str() } else { r#""subject":"S","text":"T"}"# };
        writeln!(lines, "{{\"email\":\"{}\",{rest}", address(n)).unwrap();
    }
    lines.push_str("no JSON\n");
    std::fs::write(post.site.path().join("messages.ndjson"), &lines).unwrap();
    let send = |post: &Post| {
        let args = ["send", "--messages", "messages.ndjson", "--run", "invoices"];
        let output = post.site.command(&args).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        let answers: Vec<Value> =
            text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let rows: Vec<u64> = answers.iter().map(|answer| answer["row"].as_u64().unwrap()).collect();
        assert_eq!(rows, (1..=2_201).collect::<Vec<u64>>());
        answers
    };
    let of = |answers: &[Value], outcome: &str| answers.iter().filter(|answer| answer["outcome"] == outcome).count();
    // A refused key ends the send with the first request.
    post.site.environment("MAILTRAIL_SENDGRID_API_KEY", "SG.another.key");
    let answers = send(&post);
    assert_eq!((of(&answers, "refused"), of(&answers, "invalid"), of(&answers, "not_sent")), (995, 6, 1_200));
    assert!(answers[2_000]["why"].as_str().unwrap().contains("HTTP 401"), "{}", answers[2_000]);
    post.site.environment("MAILTRAIL_SENDGRID_API_KEY", KEY);
    let answers = send(&post);
    assert_eq!((of(&answers, "accepted"), of(&answers, "invalid")), (2_195, 6));
    assert_eq!(post.mails().len(), 2_195);
    post.end();
}

/// `send --messages m | head -1`: the send goes on, and its exit code tells what became of it.
#[test]
fn a_send_goes_on_where_nobody_reads_its_answers() {
    use std::io::{BufRead as _, BufReader};
    let post = Post::new(|_| Fault::None);
    let lines: String =
        (0..2_500).map(|n| format!("{{\"email\":\"{}\",\"subject\":\"S\",\"text\":\"x\"}}\n", address(n))).collect();
    std::fs::write(post.site.path().join("messages.ndjson"), lines).unwrap();
    let args = ["send", "--messages", "messages.ndjson", "--run", "invoices"];
    let mut sender = post.site.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(sender.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.contains("accepted"), "{first}");
    let output = sender.wait_with_output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("nobody reads the answers any more; the send goes on"), "{said}");
    assert_eq!(post.mails().len(), 2_500);
    let told = post.site.ask(&["runs", "invoices", "--format", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&told).unwrap()["asked"], 2_500, "{told}");
    post.end();
}

/// Messages are read and sent by the thousand; `--limit` is for all of them together.
#[test]
fn a_limit_on_messages_is_for_all_of_them() {
    let post = Post::new(|_| Fault::None);
    let lines: String =
        (0..2_100).map(|n| format!("{{\"email\":\"{}\",\"subject\":\"S\",\"text\":\"x\"}}\n", address(n))).collect();
    std::fs::write(post.site.path().join("messages.ndjson"), lines).unwrap();
    let limited = |limit: &str| {
        let args = ["send", "--messages", "messages.ndjson", "--run", "invoices", "--limit", limit];
        let output = post.site.command(&args).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout).lines().filter(|line| line.contains("\"outcome\":\"accepted\"")).count()
    };
    assert_eq!(limited("2"), 2);
    assert_eq!(post.mails().len(), 2);
    assert_eq!(limited("1500"), 1_500, "a limit that ends in the second thousand");
    assert_eq!(post.mails().len(), 1_502);
    post.end();
}

/// Events of the mail, told by SendGrid to a running receiver, decide who is in doubt, who is left out and who gets a second try.
#[test]
fn events_decide_who_is_mailed_again() {
    // The second request is accepted, but mailtrail never hears of it.
    let post = Post::new(|request| if request == 1 { Fault::CutAfterAccepting } else { Fault::None });
    let server = post.site.serve();
    let target = Target::parse(&format!("http://{}/event", server.address)).unwrap();
    let (user, password) = CREDENTIALS.split_once(':').unwrap();
    let target = target.with_credentials(user, password).unwrap();
    let webhook = Webhook::new(target, Arc::clone(&post.site.signer));
    let fates = |mail: &Mail| match mail.address.as_bytes()[10] {
        b'1' => Fate::Blocked,
        b'2' => Fate::Bounce,
        _ => Fate::Delivered,
    };
    let _in_runtime = post.runtime.enter();
    let events = post.api.deliver_events(webhook, fates);
    // The first thousand are accepted; of the other five hundred SendGrid's answer is lost.
    post.list(1_500);
    let told = report(&post.send(&["--category", "news", "--format", "json"]));
    assert_eq!((told["accepted"].as_u64(), told["uncertain"].as_u64()), (Some(1_000), Some(500)), "{told}");
    post.runtime.block_on(events.finish()).unwrap();
    server.wait_drained();

    // Their events say that they have it, so even who wants to mail the uncertain ones again mails nobody.
    let told = report(&post.send(&["--resend-uncertain", "--format", "json"]));
    assert_eq!((told["accepted"].as_u64(), told["skipped"]["accepted"].as_u64()), (Some(0), Some(1_500)), "{told}");

    // Another run with the same category leaves all of them out but one who is new.
    post.list(1_501);
    let args = |run: &'static str| {
        ["send", "list.csv", "--run", run, "--subject", "S", "--html", "mail.html", "--format", "json"]
    };
    let with = |run, more: &[&str]| post.site.command(&[&args(run)[..], more].concat()).output().unwrap();
    let told = report(&with("december", &["--category", "news", "--not-sent-since", "1d", "--dry-run"]));
    let (chosen, left_out) = (told["chosen"].as_u64().unwrap(), told["skipped"]["recently"].as_u64().unwrap());
    assert_eq!(chosen + left_out, 1_501, "{told}");
    assert_eq!(chosen, 1, "{told}");

    // A second try is for those who were refused for now, not for those who were refused for good.
    let blocked = (0..1_500).filter(|n| n.to_string().starts_with('1')).count() as u64;
    let told = report(&with("again", &["--only-unreached", "november"]));
    assert_eq!(told["accepted"].as_u64(), Some(blocked), "{told}");
    let wrong = with("november", &["--only-unreached", "november"]);
    assert_eq!(wrong.status.code(), Some(2));
    server.stop();
    post.end();
}

/// The article 360000019762 of SendGrid's Japanese support; exment#800.
#[test]
fn both_spellings_of_a_carrier_address_are_one_person_everywhere() {
    let post = Post::new(|_| Fault::None);
    let server = post.site.serve();
    let forms = ["aaa..bbbb@docomo.example.jp", ".ccc@au.example.jp", "ddd.@au.example.jp"];
    let quoted = |address: &str| {
        let (local, domain) = address.split_once('@').unwrap();
        format!("\"{local}\"@{domain}")
    };
    let mut list = "email,name\n".to_owned();
    for address in forms {
        writeln!(list, "{address},A\n\"{}\",A2", quoted(address).replace('"', "\"\"")).unwrap();
    }
    std::fs::write(post.site.path().join("list.csv"), list).unwrap();
    let output = post.send(&["--format", "json"]);
    assert_eq!(report(&output)["accepted"].as_u64(), Some(3), "{}", text(&output.stderr));
    let mailed: Vec<String> = post.mails().into_iter().map(|mail| mail.address).collect();
    assert_eq!(mailed, forms.map(quoted));
    assert_eq!(report(&post.send(&["--format", "json"]))["accepted"].as_u64(), Some(0), "nobody twice");

    // Events in either spelling settle the recipient.
    for (n, mail) in post.mails().iter().enumerate() {
        let address = if n == 1 { mail.address.clone() } else { mail.address.replace('"', "") };
        let body = serde_json::json!([{
            "email": address, "event": "delivered", "timestamp": now(), "sg_event_id": format!("e{n}"),
            "sg_message_id": format!("{}.x", mail.message_id), "mailtrail_run": "november",
            "mailtrail_recipient": mail.custom_args["mailtrail_recipient"],
            "mailtrail_request": mail.custom_args["mailtrail_request"],
        }]);
        assert_eq!(server.post(&post.site, body.to_string().as_bytes()).0, 200);
    }
    server.wait_drained();
    let waited = post.site.command(&["wait", "november", "--exit-status", "--format", "json"]).output().unwrap();
    assert_eq!(waited.status.code(), Some(0), "{}", text(&waited.stderr));
    assert_eq!(report(&waited)["delivered"].as_u64(), Some(3));
    for (n, address) in forms.iter().enumerate() {
        let hash = post.site.ask(&["hash", address]);
        for spelling in [(*address).to_owned(), quoted(address)] {
            assert_eq!(post.site.ask(&["hash", &spelling]), hash);
            let found = post.site.ask(&["timeline", &spelling, "--format", "json"]);
            assert!(found.lines().count() == 1 && found.contains(&format!("\"e{n}\"")), "{spelling}: {found}");
        }
        let spelling = if n == 0 { quoted(address) } else { (*address).to_owned() };
        let forgotten = post.site.ask(&["forget", &spelling, "--format", "json"]);
        let forgotten: Value = serde_json::from_str(&forgotten).unwrap();
        assert_eq!(forgotten["events"].as_u64(), Some(1), "{spelling}: {forgotten}");
    }
    server.stop();
    post.end();
}

#[test]
fn sending_and_waiting_in_one_command() {
    let post = Post::new(|_| Fault::None);
    let server = post.site.serve();
    let target = Target::parse(&format!("http://{}/event", server.address)).unwrap();
    let (user, password) = CREDENTIALS.split_once(':').unwrap();
    let webhook = Webhook::new(target.with_credentials(user, password).unwrap(), Arc::clone(&post.site.signer));
    let _in_runtime = post.runtime.enter();
    let fates = |mail: &Mail| if mail.address.starts_with("recipient-7@") { Fate::Bounce } else { Fate::Delivered };
    let events = post.api.deliver_events(webhook, fates);
    post.list(40);
    let output = post.send(&["--wait", "--exit-status", "--unreached-out", "unreached.csv"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{said}{}", text(&output.stderr));
    assert!(said.contains("SendGrid has the mail for 40 recipients"), "{said}");
    assert!(said.contains("bounce") && said.contains("delivered"), "{said}");
    let unreached = std::fs::read_to_string(post.site.path().join("unreached.csv")).unwrap();
    let lines: Vec<&str> = unreached.lines().collect();
    assert!(lines.len() == 2 && lines[1].starts_with(&format!("{},Name <7>,", address(7))), "{unreached}");
    post.runtime.block_on(events.finish()).unwrap();
    let wrong = post
        .site
        .command(&[
            "send",
            "--to",
            &address(0),
            "--run",
            "r",
            "--subject",
            "S",
            "--html",
            "mail.html",
            "--wait",
            "--unreached-out",
            "x",
        ])
        .output()
        .unwrap();
    assert_eq!((wrong.status.code(), post.api.requests().len()), (Some(2), 1), "said before anybody is mailed");
    server.stop();
    post.end();
}
