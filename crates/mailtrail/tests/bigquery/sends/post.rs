//! SendGrid's mail API, and a site that sends by it.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::process::Output;
use std::sync::Arc;

use sendgrid_simulator::Target;
use sendgrid_simulator::fate::Fate;
use sendgrid_simulator::mail_api::{Events, Fault, Mail, MailApi, Options, Webhook};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::emulator::Emulator;
use crate::support::{CREDENTIALS, Running, Site, now};
use crate::{point, run};

const KEY: &str = "SG.simulated.key";

/// SendGrid, and a site that sends to it.
pub struct Post {
    pub runtime: Runtime,
    pub api: MailApi,
    pub site: Site,
}

impl Post {
    pub fn new(faults: impl Fn(usize) -> Fault + Send + Sync + 'static) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let options = Options::new(KEY, now()).with_faults(faults);
        let api = runtime.block_on(MailApi::start(options)).unwrap();
        let mut site = Site::new();
        site.environment("MAILTRAIL_SENDGRID_API_KEY", KEY);
        site.environment("MAILTRAIL_SENDGRID_HOST", &api.url());
        site.environment("MAILTRAIL_SENDGRID_FROM", "News <news@sender.example>");
        site.environment("MAILTRAIL_SENDGRID_TIMEOUT", "2s");
        std::fs::write(site.path().join("mail.txt"), "Hello {{name}}").unwrap();
        Self { runtime, api, site }
    }

    /// With nothing but BigQuery to keep anything.
    pub fn stateless(emulator: &Emulator, faults: impl Fn(usize) -> Fault + Send + Sync + 'static) -> Self {
        let mut post = Self::new(faults);
        point(&mut post.site, emulator.rest, emulator.grpc);
        let (done, _, told) = run(&post.site, &["bigquery", "init"]);
        assert!(done, "{told}");
        post.site.environment("MAILTRAIL_STORE_KIND", "bigquery");
        post
    }

    /// Rows of different categories share no request.
    pub fn list(&self, recipients: usize, a_request: usize) {
        let mut list = "email,name,category\n".to_owned();
        for n in 0..recipients {
            writeln!(list, "{},N{n},group-{}", address(n), n / a_request).unwrap();
        }
        std::fs::write(self.site.path().join("list.csv"), list).unwrap();
    }

    pub fn send(&self, run: &str, more: &[&str]) -> Output {
        self.site.command(&[&send_args(run)[..], more].concat()).output().unwrap()
    }

    /// SendGrid tells the receiver of its mail.
    pub fn events(&self, server: &Running, fates: impl Fn(&Mail) -> Fate + Send + 'static) -> Events {
        let target = Target::parse(&format!("http://{}/event", server.address)).unwrap();
        let (user, password) = CREDENTIALS.split_once(':').unwrap();
        let target = target.with_credentials(user, password).unwrap();
        let webhook = Webhook::new(target, Arc::clone(&self.site.signer));
        let _in_runtime = self.runtime.enter();
        self.api.deliver_events(webhook, fates)
    }

    /// How often each address was mailed in a run.
    pub fn counts(&self, run: &str) -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        for mail in self.api.mails().into_iter().filter(|mail| mail.custom_args["mailtrail_run"] == run) {
            *counts.entry(mail.address.clone()).or_insert(0) += 1;
        }
        counts
    }

    /// Nobody is mailed twice in a run.
    pub fn assert_once(&self, run: &str) {
        let twice = self.counts(run).into_values().filter(|count| *count > 1).count();
        assert_eq!(twice, 0, "somebody was mailed twice in {run}");
    }

    pub fn end(self) {
        self.runtime.block_on(self.api.stop());
    }
}

pub fn send_args(run: &str) -> [&str; 10] {
    ["send", "list.csv", "--run", run, "--subject", "For {{name}}", "--text", "mail.txt", "--format", "json"]
}

pub fn address(n: usize) -> String {
    format!("recipient-{n}@customer{}.example", n % 3)
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The one JSON object on standard output.
pub fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no report: {}", text(&output.stderr)))
}
