//! A run in SendGrid's sandbox: every request is validated, nobody is mailed, nobody is claimed.

use super::{SendError, Summary, Why};
use crate::compose::Composer;
use crate::run::{RecipientId, RequestId, RunName};
use crate::sendgrid::{Client, Outcome, Patience};
use crate::stop::Stop;

/// Has SendGrid validate the requests for the rows wanted; the composer must ask for the sandbox. `accepted` of the summary
/// counts recipients whose mail SendGrid would take.
///
/// # Errors
/// When the system gives no random ids.
pub async fn validate(
    client: &Client,
    composer: &Composer<'_>,
    run: &RunName,
    wanted: impl Fn(usize) -> bool,
    mut stop: Stop,
) -> Result<Summary, SendError> {
    let patience = Patience::default();
    let groups = composer.groups(wanted);
    let mut summary =
        Summary { left: groups.iter().map(|group| group.rows().len() as u64).sum(), ..Summary::default() };
    for group in groups {
        let count = group.rows().len() as u64;
        let recipient = RecipientId::random()?;
        let mail = composer.request(&group, Some(run), RequestId::random()?, |_| recipient);
        let outcome = tokio::select! {
            biased;
            () = stop.requested() => {
                summary.why = Some(Why::Stopped);
                break;
            }
            outcome = client.send_with_patience(&mail, &patience) => outcome,
        };
        summary.requests += 1;
        summary.why = match outcome {
            Outcome::Validated => {
                (summary.accepted, summary.left) = (summary.accepted + count, summary.left - count);
                continue;
            }
            Outcome::Refused { status, errors } => {
                (summary.refused, summary.left) = (summary.refused + count, summary.left - count);
                Some(Why::Refused { status, errors })
            }
            // The sandbox was asked for; whoever answers otherwise did not hear that.
            Outcome::Accepted { .. } => {
                Some(Why::Uncertain("SendGrid did not take it for a sandbox request".to_owned()))
            }
            Outcome::TooMany { .. } => Some(Why::TooMany),
            Outcome::NotSent { why } => Some(Why::NotSent(why)),
            Outcome::Uncertain { why } => Some(Why::Uncertain(why)),
        };
        break;
    }
    Ok(summary)
}
