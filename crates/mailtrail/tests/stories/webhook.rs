//! The Event Webhook set up and rotated by SendGrid's API, which the simulator plays.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sendgrid_simulator::mail_api::{MailApi, Options};
use sendgrid_simulator::plan::{Plan, Shape};
use sendgrid_simulator::{Delivery, EventKey, Message, Random, Report, Retry};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::support::{Client, Running, Site, basic, now};

const KEY: &str = "SG.full-access";
const FIRST: &str = "sendgrid:first-password";

struct Stage {
    runtime: Runtime,
    api: Arc<MailApi>,
    site: Site,
}

impl Stage {
    fn new(most_webhooks: usize) -> Self {
        let runtime = Runtime::new().unwrap();
        let options = Options { most_webhooks, ..Options::new(KEY, now()) };
        let api = Arc::new(runtime.block_on(MailApi::start(options)).unwrap());
        let mut site = Site::new();
        site.configure(&format!("# Who posts.\nbasic_auth = [\"{FIRST}\"] # the first"));
        site.environment("MAILTRAIL_SENDGRID_HOST", &api.url());
        site.environment("MAILTRAIL_SENDGRID_API_KEY", KEY);
        Self { runtime, api, site }
    }

    fn config(&self) -> String {
        std::fs::read_to_string(self.site.path().join("mailtrail.toml")).unwrap()
    }

    /// Runs `webhook …`; what it prints holds no password.
    fn webhook(&self, args: &[&str]) -> (bool, String) {
        let output = self.site.command(&[&["webhook"], args].concat()).output().unwrap();
        let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let secrets = self.api.webhooks().into_iter().filter_map(|hook| {
            let password = hook.target.expose().password().unwrap_or_default().to_owned();
            (!password.is_empty()).then_some(password)
        });
        for secret in secrets.chain(["first-password".to_owned(), KEY.to_owned()]) {
            assert!(!told.contains(&secret), "a secret was printed: {told}");
        }
        (output.status.success(), told)
    }

    fn create(&self, server: &Running) {
        let (done, told) = self.webhook(&["create", "--url", &format!("http://{}/event", server.address)]);
        assert!(done, "{told}");
    }
}

/// Posts new events to every webhook that is enabled, all the time, as SendGrid would.
async fn load(api: Arc<MailApi>, stop: Arc<AtomicBool>) -> (BTreeSet<EventKey>, Report) {
    let mut random = Random::new(7);
    let mut sent = BTreeSet::new();
    let mut posts = JoinSet::new();
    while !stop.load(Ordering::SeqCst) {
        let at = now();
        let message = Message::new(&mut random, "jane.doe@example.com", at);
        let events: Vec<_> =
            ["processed", "delivered", "open"].iter().map(|name| message.event(name, at, &mut random)).collect();
        let plan = Arc::new(Plan::new(&events, &Shape::default()));
        for hook in api.webhooks().into_iter().filter(|hook| hook.enabled) {
            sent.extend(plan.keys());
            let retry = Some(Retry { base: Duration::from_millis(50), cap: Duration::from_millis(200) });
            let total_time = Duration::from_secs(20);
            let delivery = Delivery { signer: hook.signer, retry, total_time, ..Delivery::new(hook.target) };
            let plan = Arc::clone(&plan);
            posts.spawn(async move { delivery.post(&plan, at).await.unwrap() });
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut report = Report::default();
    while let Some(done) = posts.join_next().await {
        report.merge(done.unwrap());
    }
    (sent, report)
}

fn asks_for_credentials(server: &Running, credentials: &str) -> bool {
    let mut client = Client::connect(server.address);
    let (name, value) = basic(credentials);
    let head = format!("POST /event HTTP/1.1\r\nHost: x\r\n{name}: {value}\r\nContent-Length: 2\r\n\r\n[]");
    client.send(head.as_bytes());
    let (status, headers, _) = client.answer().unwrap();
    assert_eq!(status, 401, "unsigned");
    headers.contains_key("www-authenticate")
}

#[test]
fn key_and_credentials_are_rotated_under_load_with_nothing_refused_for_good_and_nothing_lost() {
    let stage = Stage::new(5);
    let server = stage.site.serve();
    stage.create(&server);
    let created = stage.api.webhooks();
    assert_eq!((created.len(), created[0].events.len(), created[0].enabled), (1, 11, true));
    let first_key = created[0].signer.as_ref().unwrap().public_key().to_owned();
    assert!(stage.config().contains(&first_key) && stage.config().contains("# the first"), "{}", stage.config());
    let (fits, told) = stage.webhook(&["show"]);
    assert!(fits && told.contains("fits: enabled"), "{told}");

    let stop = Arc::new(AtomicBool::new(false));
    let load = stage.runtime.spawn(load(Arc::clone(&stage.api), Arc::clone(&stop)));
    let (done, told) = stage.webhook(&["rotate"]);
    assert!(done && told.contains("run mailtrail webhook rotate again after"), "{told}");
    assert_eq!(stage.api.webhooks().len(), 2);
    // An interruption right after something was done, but before that was written down: it is not done twice.
    let state = stage.site.path().join("mailtrail.toml.rotation");
    let mut saved: serde_json::Value = serde_json::from_slice(&std::fs::read(&state).unwrap()).unwrap();
    for step in ["Begun", "Made", "Accepted"] {
        saved["step"] = serde_json::json!(step);
        std::fs::write(&state, saved.to_string()).unwrap();
        let (done, told) = stage.webhook(&["rotate"]);
        assert!(done, "{step}: {told}");
        assert_eq!(stage.api.webhooks().len(), 2, "{step}");
    }
    let (done, told) = stage.webhook(&["rotate", "--overlap", "1s", "--wait"]);
    assert!(done && told.contains("done: the old credentials"), "{told}");
    stop.store(true, Ordering::SeqCst);
    let (sent, report) = stage.runtime.block_on(load).unwrap();

    assert!(report.complete(), "refused for good: {:?}", report.first_refusal);
    assert_eq!(report.acknowledged, sent);
    server.wait_drained();
    let stored: i64 =
        stage.site.trail().query_row("SELECT count(DISTINCT sg_event_id) FROM event", (), |row| row.get(0)).unwrap();
    assert!(sent.len() > 100, "hardly a load: {}", sent.len());
    assert_eq!(stored, i64::try_from(sent.len()).unwrap());
    let left = stage.api.webhooks();
    assert_eq!(left.len(), 1);
    assert_ne!(left[0].id, created[0].id);
    let config = stage.config();
    assert!(!config.contains(&first_key) && !config.contains(FIRST), "{config}");
    assert!(config.contains("# Who posts.") && config.contains(left[0].signer.as_ref().unwrap().public_key()));
    assert!(!state.exists());
    // Both kinds of refusal are a 401; only that of a wrong password asks for another.
    crate::support::wait_for("the old password to be refused", || asks_for_credentials(&server, FIRST));
    let (_, credential) = left[0].target.expose().as_str().split_once("//").unwrap();
    assert!(!asks_for_credentials(&server, credential.split_once('@').unwrap().0));
    assert!(stage.webhook(&["show"]).0);
}

#[test]
fn a_plan_with_one_webhook_gets_a_new_password_and_is_told_the_rest() {
    let stage = Stage::new(1);
    let server = stage.site.serve();
    stage.create(&server);
    let before = stage.api.webhooks().remove(0);
    let (done, told) = stage.webhook(&["rotate", "--overlap", "1s", "--wait"]);
    assert!(done && told.contains("Your plan allows 1 webhook") && told.contains("done"), "{told}");
    let after = stage.api.webhooks().remove(0);
    assert_eq!(before.id, after.id);
    assert_ne!(before.target.expose().password(), after.target.expose().password());
    assert!(stage.config().contains(after.target.expose().password().unwrap()) && !stage.config().contains(FIRST));
    assert!(stage.webhook(&["show"]).0);

    let (done, told) = stage.webhook(&["create", "--url", "http://127.0.0.1:9/other"]);
    assert!(!done && told.contains("change the URL of one of them"), "{told}");
    let (done, told) = stage.webhook(&["test"]);
    assert!(done, "{told}");
    let samples = "SELECT count(*) FROM sendgrid_event WHERE verified_by = 'test'";
    crate::support::wait_for("the samples", || {
        stage.site.trail().query_row(samples, (), |row| row.get::<_, i64>(0)).unwrap() == 11
    });
}
