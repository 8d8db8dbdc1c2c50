//! `mailtrail demo`: a shop mails its customers. SendGrid and Slack are simulated on loopback; everything else is the program
//! itself, command by command as a user would type them.

mod look;
mod proof;
mod slack;
mod stage;
mod tell;

use std::io::Write;

use anyhow::Context as _;

use super::Global;
use super::exit::Exit;
use crate::store::query::Scope;
use stage::{LIST, RUN, Stage};
use tell::{Show, Teller};

/// The whole story on this machine with a simulated SendGrid; nothing to configure
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How many customers are mailed
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    recipients: u32,
    /// The same seed tells the same story
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Go on with another run, and keep the page open to look at it until Ctrl-C; the folder with configuration, key, list and
    /// trail stays
    #[arg(long)]
    keep: bool,
}

const SEND: &[&str] =
    &["send", LIST, "--run", RUN, "--category", RUN, "--subject", "Spring, {{name}}!", "--html", "spring.html"];

#[expect(clippy::needless_pass_by_value, reason = "every command is called alike")]
pub(super) fn run(args: Args, _global: &Global) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    let mut out = std::io::stdout().lock();
    let mut tell = Teller::new(&mut out);
    let stage = runtime.block_on(Stage::set(args.recipients as usize, args.seed))?;
    tell.opening(&stage)?;
    let server = runtime.block_on(stage.serve())?;
    let events = runtime.block_on(async { stage.deliver_events(&server) })?;

    tell.heading("Send")?;
    tell.command(&stage, SEND, Show::All)?;

    tell.heading("Wait until SendGrid has told what became of everybody")?;
    tell.away()?;
    let outage = runtime.spawn(stage.outage(server));
    tell.command(&stage, &["wait", RUN, "--quiet", "2s", "--exit-status"], Show::All)?;
    let (server, stopped_after) = runtime.block_on(outage).context("the outage")??;
    let told = runtime.block_on(events.finish())?;
    runtime.block_on(stage::keeper(&server)?.drained());
    tell.delivery(&told.report, stopped_after)?;

    tell.heading("Slack got")?;
    tell.slack(&stage.slack)?;

    tell.heading("Who did not get it, and why? The addresses come from your list, the trail has none")?;
    tell.command(&stage, &["unreached", RUN, "--list", LIST], Show::First(9))?;

    if let Some(address) = tell::eventful(&told.story) {
        tell.heading("What happened to one of them?")?;
        tell.command(&stage, &["timeline", &address], Show::All)?;
    }

    tell.heading("Send it again by mistake")?;
    tell.command(&stage, SEND, Show::All)?;

    let reader = stage.reader()?;
    let statuses = reader.latest_status(&Scope::Run(RUN.to_owned()), None, None)?;
    let proof = proof::of(&stage, &reader, &statuses, &told)?;
    drop(reader);
    tell.proof(&proof)?;
    let held = proof.holds();
    let page = server.page_address();
    if args.keep {
        runtime.block_on(look::until_interrupted(&stage, &server, &mut tell))?;
    }
    runtime.block_on(server.stop());
    let kept = runtime.block_on(stage.leave(args.keep));
    tell.closing(page, kept.as_deref())?;
    out.flush()?;
    Ok(if held { Exit::Done } else { Exit::Failed })
}
