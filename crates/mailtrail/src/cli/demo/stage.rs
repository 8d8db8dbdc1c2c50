//! Sets the demo up in a folder of its own: configuration, key, list, a simulated SendGrid and a Slack.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use sendgrid_simulator::fate::{Fate, Mix};
use sendgrid_simulator::mail_api::{Events, MailApi, Options, Webhook};
use sendgrid_simulator::plan::Shape;
use sendgrid_simulator::{Delivery, Retry, Signer, Target, bulk};

use super::slack::Slack;
use crate::cli::private_file;
use crate::clock;
use crate::config::{self, Config};
use crate::protect::KeyRing;
use crate::serve::{self, Server};
use crate::store::sqlite::Reader;
use crate::store::{Keeper, Paths};

/// The name of the run, and the category of its mail.
pub(super) const RUN: &str = "spring-news";
/// The run that is under way while somebody looks on.
pub(super) const NEXT_RUN: &str = "summer-news";
/// The list, as the commands name it.
pub(super) const LIST: &str = "customers.csv";
const USER: &str = "sendgrid";
const PASSWORD: &str = "demo";
const API_KEY: &str = "SG.demo";
/// Fast enough to be over soon, slow enough that the outage falls into it.
const EVENTS_PER_SECOND: u32 = 1500;
const BATCH: usize = 30;
/// While somebody looks on: a POST now and then, and the run over in five minutes or so.
const SLOW_BATCH: usize = 5;
const RECIPIENTS_TO_LOOK_AT: u32 = 120;
/// How long the receiver is away.
const OUTAGE: Duration = Duration::from_millis(700);

const MAIL: &str =
    "<p>Dear {{name}},</p><p>spring is here. <a href=\"https://shop.example.com/spring\">Have a look.</a></p>";

/// Everything the demo needs.
pub(super) struct Stage {
    folder: Folder,
    config: Config,
    pub(super) keys: KeyRing,
    /// Address and what will become of the mail to it.
    pub(super) fates: BTreeMap<String, Fate>,
    pub(super) api: MailApi,
    pub(super) slack: Slack,
    signer: Arc<Signer>,
    seed: u64,
}

/// A folder of its own for the demo's files, removed with all that is in it unless it is to stay.
struct Folder {
    path: PathBuf,
    stays: bool,
}

impl Folder {
    fn make() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("mailtrail-demo-{}-{}", std::process::id(), clock::now_micros()));
        // For its owner alone; a folder that somebody else prepared there is an error.
        std::fs::DirBuilder::new().mode(0o700).create(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(Self { path, stays: false })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.stays {
            // Left behind in a folder of temporary files at worst.
            let _removed = std::fs::remove_dir_all(&self.path);
        }
    }
}

impl Stage {
    pub(super) async fn set(recipients: usize, seed: u64) -> anyhow::Result<Self> {
        let folder = Folder::make()?;
        let signer = Arc::new(Signer::generate()?);
        let options = Options { seed, ..Options::new(API_KEY, clock::now_micros() / 1_000_000) };
        let (api, slack) = (MailApi::start(options).await?, Slack::start().await?);
        private_file::write(&folder.path.join("mailtrail.key"), &KeyRing::generate()?.to_text())?;
        let text = format!(
            "[receive]\nlisten = \"127.0.0.1:0\"\nbasic_auth = [\"{USER}:{PASSWORD}\"]\npublic_keys = [\"{}\"]\n\
             [privacy]\nkey_file = \"mailtrail.key\"\n[store]\npath = \"mailtrail.db\"\n[metrics]\nlisten = \"off\"\n\
             [sendgrid]\napi_key = \"{API_KEY}\"\nhost = \"{}\"\nfrom = \"Spring Shop <news@shop.example.com>\"\n\
             [slack]\nwebhook_url = \"{}\"\n[web]\nlisten = \"127.0.0.1:0\"\n",
            signer.public_key(),
            api.url(),
            slack.url
        );
        let path = folder.path.join(config::FILE_NAME);
        private_file::write(&path, &text)?;
        let config = config::load_file_alone(&path)?;
        let keys = KeyRing::load(&config.privacy)?;
        let mut list = "email,name,order_id\n".to_owned();
        let mut fates = BTreeMap::new();
        for (index, fate) in Mix::default().deal_to(recipients, seed).into_iter().enumerate() {
            let address = bulk::address(index as u64, seed);
            let name = address.split('.').take(2).map(capitalised).collect::<Vec<_>>().join(" ");
            writeln!(list, "{address},{name},A-{}", 100_000 + index)?;
            fates.insert(address, fate);
        }
        private_file::write(&folder.path.join(LIST), &list)?;
        private_file::write(&folder.path.join("spring.html"), MAIL)?;
        Ok(Self { folder, config, keys, fates, api, slack, signer, seed })
    }

    pub(super) async fn serve(&self) -> anyhow::Result<Server> {
        serve::start(&self.config).await
    }

    /// From here on SendGrid tells the receiver what becomes of accepted mail: in batches, out of order, some twice.
    pub(super) fn deliver_events(&self, server: &Server) -> anyhow::Result<Events> {
        let shape = Shape::live(BATCH, self.seed);
        self.tell_events(server, EVENTS_PER_SECOND, shape, Duration::from_secs(600))
    }

    /// The same for who looks on: a run in some minutes, all kinds of events from the start.
    pub(super) fn deliver_events_slowly(&self, server: &Server) -> anyhow::Result<Events> {
        let recipients = u32::try_from(self.fates.len()).unwrap_or(u32::MAX);
        let shape = Shape { disorder: u64::from(recipients), ..Shape::live(SLOW_BATCH, self.seed) };
        self.tell_events(server, (recipients / RECIPIENTS_TO_LOOK_AT).max(3), shape, Duration::from_secs(86_400))
    }

    fn tell_events(
        &self,
        server: &Server,
        events_per_second: u32,
        shape: Shape,
        total_time: Duration,
    ) -> anyhow::Result<Events> {
        let target = Target::parse(&format!("http://{}{}", server.address(), self.config.receive.path))?;
        let target = target.with_credentials(USER, PASSWORD)?;
        let mut webhook = Webhook::new(target.clone(), Arc::clone(&self.signer));
        webhook.delivery = Delivery {
            events_per_second: Some(events_per_second),
            retry: Some(Retry { base: Duration::from_millis(100), cap: Duration::from_secs(1) }),
            total_time,
            ..webhook.delivery
        };
        webhook.shape = shape;
        let fates = self.fates.clone();
        Ok(self.api.deliver_events(webhook, move |mail| fates.get(&mail.address).copied().unwrap_or(Fate::Delivered)))
    }

    /// Stops the receiver when about half of the events are in, and starts it again on the same address; says after how many.
    pub(super) fn outage(&self, server: Server) -> impl Future<Output = anyhow::Result<(Server, u64)>> + use<> {
        // Everybody's mail has two events at least.
        let half = self.fates.len() as u64;
        let mut config = self.config.clone();
        async move {
            let taken = loop {
                let state = keeper(&server)?.state();
                let taken = state.stored + state.duplicate + state.backlog.items;
                if taken >= half {
                    break taken;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            };
            config.receive.listen = server.address();
            server.stop().await;
            tokio::time::sleep(OUTAGE).await;
            Ok((serve::start(&config).await?, taken))
        }
    }

    /// `mailtrail …` as a user of this folder would type it; the environment has no say.
    pub(super) fn command(&self, args: &[&str]) -> anyhow::Result<Command> {
        let mut command = Command::new(std::env::current_exe().context("finding this program")?);
        command.args(args).current_dir(&self.folder.path).stdin(Stdio::null()).env("NO_COLOR", "1");
        config::forget_environment(&mut command);
        Ok(command)
    }

    /// The trail, to ask.
    pub(super) fn reader(&self) -> anyhow::Result<Reader> {
        Ok(Reader::open(&Paths::new(&self.config.store.path))?)
    }

    /// Every file that mailtrail wrote.
    pub(super) fn files(&self) -> anyhow::Result<Vec<PathBuf>> {
        let entries = std::fs::read_dir(&self.folder.path).context("looking at the demo's files")?;
        let paths = entries.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(paths.into_iter().filter(|path| !path.ends_with(LIST)).collect())
    }

    /// Removes the folder, or keeps it and says where it is.
    pub(super) async fn leave(mut self, keep: bool) -> Option<PathBuf> {
        self.api.stop().await;
        self.folder.stays = keep;
        keep.then(|| self.folder.path.clone())
    }
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// The demo keeps its events on this machine.
pub(super) fn keeper(server: &Server) -> anyhow::Result<&Keeper> {
    server.keeper().context("the demo keeps its events on this machine")
}
