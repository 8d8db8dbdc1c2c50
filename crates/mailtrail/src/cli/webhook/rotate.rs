//! `mailtrail webhook rotate`

use std::io::Write as _;
use std::time::Duration;

use super::{find, post_url};
use crate::cli::exit::Exit;
use crate::cli::{init, time};
use crate::clock::now_micros;
use crate::config::Config;
use crate::event_webhook::{Next, Receiver, Rotation, Settings, Step};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Of the webhook that posts there, where several are this receiver's
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// How long old and new are accepted side by side, twice: before the old webhook is deleted, and before what it sent is
    /// refused. SendGrid repeats a post for 24 hours; with less, what it still has to repeat may be lost
    #[arg(long, value_name = "TIME", default_value = "25h", value_parser = time::duration)]
    overlap: Duration,
    /// Wait until all is done, rather than say when to call again
    #[arg(long)]
    wait: bool,
}

pub(super) async fn run(config: &Config, settings: &Settings<'_>, args: &Args) -> anyhow::Result<Exit> {
    let receiver = Receiver::new(config)?;
    let mut rotation = match Rotation::under_way(&receiver)? {
        Some(rotation) => {
            writeln!(std::io::stdout(), "going on with the rotation that is under way")?;
            rotation
        }
        None => begin(config, settings, &receiver, args).await?,
    };
    loop {
        let before = rotation.step();
        match rotation.go_on(settings, &receiver, args.overlap, now_micros()).await? {
            Next::Now => tell(before, rotation.is_alone())?,
            Next::Done => {
                writeln!(std::io::stdout(), "done: the old credentials are accepted no more")?;
                return Ok(Exit::Done);
            }
            Next::At(at) if args.wait => {
                let left = u64::try_from(at.saturating_sub(now_micros())).unwrap_or_default();
                tokio::time::sleep(Duration::from_micros(left)).await;
            }
            Next::At(at) => {
                let at = time::rfc3339(at - at.rem_euclid(1_000_000));
                writeln!(
                    std::io::stdout(),
                    "old and new are accepted side by side; run mailtrail webhook rotate again after {at}"
                )?;
                return Ok(Exit::Done);
            }
        }
    }
}

async fn begin(config: &Config, settings: &Settings<'_>, receiver: &Receiver, args: &Args) -> anyhow::Result<Rotation> {
    let url = args.url.as_deref().map(post_url).transpose()?;
    let all = settings.all().await?;
    let alone = !all.has_room();
    let allowed = all.max_allowed;
    let old = find::one(&config.receive, all.webhooks, url.as_ref())?;
    if alone {
        writeln!(
            std::io::stdout(),
            "Your plan allows {allowed} webhook(s) and all are in use, so there is no second one to change over to: the \
             password is replaced with no gap, the signing key stays. SendGrid has one key a webhook; turning signing off and \
             on again in its console makes posts in between fail until SendGrid repeats them."
        )?;
    }
    Ok(Rotation::begin(receiver, &old, &init::credential()?, alone)?)
}

/// What the step that was just done came to.
fn tell(done: Step, alone: bool) -> std::io::Result<()> {
    let text = match (done, alone) {
        (Step::Begun, false) => "made a second webhook, signed, not posting yet",
        (Step::Begun, true) => "made a new password",
        (Step::Made, _) => "the receiver accepts old and new",
        (Step::Accepted, false) => "the second webhook posts beside the first; each event is stored once",
        (Step::Accepted, true) => "the webhook posts with the new password",
        (Step::Both { .. }, false) => "deleted the first webhook",
        _ => return Ok(()),
    };
    writeln!(std::io::stdout(), "{text}")
}
