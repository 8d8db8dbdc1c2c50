//! The receiver with the spool left out: proves, decodes, protects, encodes, answers 200 and forgets. For measuring what
//! those steps alone allow (docs/benchmarks.md). It loses everything by design, so it is an example and no command.
//!
//!     cargo run --release --example receive_without_spool -- --config mailtrail.toml

#![allow(clippy::print_stderr, reason = "an example talks on stderr")]

use std::path::PathBuf;
use std::sync::Arc;

use mailtrail::config;
use mailtrail::decode::decode;
use mailtrail::protect::{KeyRing, Protector};
use mailtrail::receive::{self, Authentic, Keep, Kept, Listener, Refusal, Shared};
use mailtrail::spool::Record;
use mailtrail::stop;

struct Forget(Protector);

impl Keep for Forget {
    async fn keep(&self, body: Authentic) -> Result<Kept, Refusal> {
        let batch = self.0.protect(decode(&body), &body);
        let kept = Kept { accepted: batch.events(), quarantined: batch.sealed() };
        std::hint::black_box(Record::of(batch));
        Ok(kept)
    }

    fn ready(&self) -> bool {
        true
    }

    fn refused(&self, _refusal: Refusal, _proven: bool) {}
}

/// The binary's own, so that the store alone makes the difference.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // `--config FILE`, as `mailtrail serve` takes it.
    let path = std::env::args_os().nth(2).map(PathBuf::from);
    let config = config::load(path.as_deref())?;
    let keys = Arc::new(KeyRing::load(&config.privacy)?);
    let listener = Listener::bind(&config.receive, None).await?;
    eprintln!("receiving on http://{}{} and keeping nothing", listener.address()?, config.receive.path);
    let shared = Arc::new(Shared::new(&config.receive, Forget(Protector::new(keys, &config.privacy))));
    let (_never, stop) = stop::channel();
    receive::serve(listener, shared, stop).await;
    Ok(())
}
