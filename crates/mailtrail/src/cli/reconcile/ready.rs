//! Before the trail is held against anything: what was received must be in it.

use std::sync::Arc;
use std::time::Duration;

use crate::cli::question::Question;
use crate::clock::now_micros;
use crate::protect::KeyRing;
use crate::spool;
use crate::store::{Keeper, KeeperOptions, lock};

const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// With a `serve` running: waits until it has drained what it had when this began. Without one: drains it here.
pub(super) async fn drained(question: &Question, keys: &Arc<KeyRing>) -> anyhow::Result<()> {
    if lock::holder_of(&question.paths.lock()).is_none() {
        let options = KeeperOptions {
            max_backlog_bytes: question.config.store.max_backlog,
            has_public_key: !question.config.receive.public_keys.is_empty(),
            ..KeeperOptions::default()
        };
        let keeper = Keeper::start(&question.paths, options, Arc::clone(keys) as Arc<_>)?;
        let done = tokio::time::timeout(PATIENCE, keeper.drained()).await;
        let trouble = keeper.state().not_draining;
        keeper.stop();
        anyhow::ensure!(
            done.is_ok(),
            "what was received could not be brought into the trail{}",
            trouble.map(|why| format!(": {why}")).unwrap_or_default()
        );
        return Ok(());
    }
    let began = now_micros();
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let mut waiting = 0;
        for number in question.paths.spools()? {
            let pending = spool::look(&question.paths.spool(number))?;
            if pending.oldest_received_at.is_some_and(|oldest| oldest <= began) {
                waiting += pending.events;
            }
        }
        if waiting == 0 {
            return Ok(());
        }
        anyhow::ensure!(
            tokio::time::Instant::now() < until,
            "the trail is behind by {waiting} events that serve has received: try again when it has caught up"
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
