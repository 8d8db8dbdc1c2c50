//! Sets the demo up in a folder of its own and plays it.

use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::private_file;
use crate::clock;
use crate::config::{self, Config};
use crate::protect::KeyRing;
use crate::serve::{self, Server};
use crate::store::Paths;
use crate::store::sqlite::Reader;
use anyhow::Context as _;
use sendgrid_simulator::plan::Shape;
use sendgrid_simulator::{BulkMail, Delivery, Plan, Report, Retry, Signer, Story, Target};

/// The name of the run, and the category of its mail.
pub(super) const RUN: &str = "spring-news";
const USER: &str = "sendgrid";
const PASSWORD: &str = "demo";
/// Fast enough to be over soon, slow enough that the outage falls into it.
const EVENTS_PER_SECOND: u32 = 1500;
const BATCH: usize = 30;
/// How long the receiver is away.
const OUTAGE: Duration = Duration::from_millis(700);

/// Everything the demo needs.
pub(super) struct Stage {
    folder: Folder,
    config: Config,
    signer: Arc<Signer>,
    pub(super) keys: KeyRing,
    pub(super) story: Story,
    pub(super) plan: Plan,
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

/// What came of the delivery.
pub(super) struct Delivered {
    pub(super) report: Report,
    pub(super) address: SocketAddr,
    pub(super) stopped_after: u64,
}

impl Stage {
    pub(super) fn set(recipients: usize, seed: u64) -> anyhow::Result<Self> {
        let folder = Folder::make()?;
        let signer = Arc::new(Signer::generate()?);
        private_file::write(&folder.path.join("mailtrail.key"), &KeyRing::generate()?.to_text())?;
        let text = format!(
            "[receive]\nlisten = \"127.0.0.1:0\"\nbasic_auth = [\"{USER}:{PASSWORD}\"]\npublic_keys = [\"{}\"]\n\
             [privacy]\nkey_file = \"mailtrail.key\"\n[store]\npath = \"mailtrail.db\"\n[metrics]\nlisten = \"off\"\n[web]\nlisten = \"off\"\n",
            signer.public_key()
        );
        let path = folder.path.join(config::FILE_NAME);
        private_file::write(&path, &text)?;
        let config = config::load_file_alone(&path)?;
        let keys = KeyRing::load(&config.privacy)?;
        // The story is told as of now: its last events lie in the past.
        let start = clock::now_micros() / 1_000_000 - sendgrid_simulator::bulk::SPAN_SECONDS;
        let story = BulkMail::new(RUN, recipients, start, seed).play();
        let plan = Plan::new(&story.events, &Shape::live(BATCH, seed));
        Ok(Self { folder, config, signer, keys, story, plan })
    }

    /// Delivers the events, with the receiver stopped and started again half way.
    pub(super) async fn play(&self) -> anyhow::Result<Delivered> {
        let server = serve::start(&self.config).await?;
        let address = server.address();
        let target = Target::parse(&format!("http://{address}{}", self.config.receive.path))?;
        let mut delivery = Delivery::new(target.with_credentials(USER, PASSWORD)?);
        delivery.signer = Some(Arc::clone(&self.signer));
        delivery.events_per_second = Some(EVENTS_PER_SECOND);
        delivery.retry = Some(Retry { base: Duration::from_millis(100), cap: Duration::from_secs(1) });
        delivery.total_time = Duration::from_secs(600);
        let now = clock::now_micros() / 1_000_000;
        let (report, second) = tokio::join!(delivery.post(&self.plan, now), self.outage(server));
        let (server, stopped_after) = second?;
        server.keeper().drained().await;
        server.stop().await;
        Ok(Delivered { report: report?, address, stopped_after })
    }

    /// Stops the receiver when half of the events are in, and starts it again on the same address.
    async fn outage(&self, server: Server) -> anyhow::Result<(Server, u64)> {
        let half = self.plan.events() as u64 / 2;
        let taken = loop {
            let state = server.keeper().state();
            let taken = state.stored + state.duplicate + state.backlog.items;
            if taken >= half {
                break taken;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let address = server.address();
        server.stop().await;
        tokio::time::sleep(OUTAGE).await;
        let mut config = self.config.clone();
        config.receive.listen = address;
        Ok((serve::start(&config).await?, taken))
    }

    /// The trail, to ask.
    pub(super) fn reader(&self) -> anyhow::Result<Reader> {
        Ok(Reader::open(&Paths::new(&self.config.store.path))?)
    }

    /// Every file that was written.
    pub(super) fn files(&self) -> anyhow::Result<Vec<PathBuf>> {
        let entries = std::fs::read_dir(&self.folder.path).context("looking at the demo's files")?;
        entries.map(|entry| Ok(entry?.path())).collect()
    }

    /// Removes the folder, or keeps it and says where it is.
    pub(super) fn leave(mut self, keep: bool) -> Option<PathBuf> {
        self.folder.stays = keep;
        keep.then(|| self.folder.path.clone())
    }
}
