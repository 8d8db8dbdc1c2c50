//! After the story: the page stays open, and another run is under way to look at.

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use super::stage::{LIST, NEXT_RUN, Stage};
use super::tell::{Show, Teller};
use crate::serve::Server;

const SEND: &[&str] = &[
    "send",
    LIST,
    "--run",
    NEXT_RUN,
    "--category",
    NEXT_RUN,
    "--subject",
    "Summer, {{name}}!",
    "--html",
    "spring.html",
];

/// Sends once more, says where to look, and waits.
pub(super) async fn until_interrupted(stage: &Stage, server: &Server, tell: &mut Teller<'_>) -> anyhow::Result<()> {
    // Before anything is said: whoever reads the link may interrupt at once.
    let mut interrupt = signal(SignalKind::interrupt()).context("watching SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("watching SIGTERM")?;
    let _events = stage.deliver_events_slowly(server)?;
    tell.heading("Look at the page while the next mail goes out")?;
    tokio::task::block_in_place(|| tell.command(stage, SEND, Show::All))?;
    let link = server.page_link().context("the page of the demo did not start")?;
    tell.page(&link)?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
