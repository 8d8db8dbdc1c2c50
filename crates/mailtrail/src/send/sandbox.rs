//! A run in SendGrid's sandbox: every request is validated, nobody is mailed, nobody is claimed.

use std::collections::VecDeque;

use super::refusal::{Refused, RowRefusal, split};
use super::{SendError, Summary, Why};
use crate::compose::{Composer, Group, Mail};
use crate::run::{RecipientId, RequestId, RunName};
use crate::sendgrid::{Client, Outcome, Patience};
use crate::stop::Stop;

/// Has SendGrid validate the requests for the mails; the composer must ask for the sandbox. `accepted` of the summary
/// counts recipients whose mail SendGrid would take.
///
/// # Errors
/// When the system gives no random ids.
pub async fn validate(
    client: &Client,
    composer: &Composer,
    mails: Vec<Mail>,
    run: &RunName,
    mut stop: Stop,
) -> Result<Summary, SendError> {
    let patience = Patience::default();
    let mut summary = Summary { left: mails.len() as u64, ..Summary::default() };
    let mut queue: VecDeque<Group<Mail>> = composer.groups(mails).into();
    while let Some(group) = queue.pop_front() {
        let count = group.mails().len() as u64;
        let recipient = RecipientId::random()?;
        let mail = composer.request(&group, run, RequestId::random()?, std::iter::repeat(recipient))?;
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
            Outcome::Refused { status, errors } => match split(status, errors, group.into_mails()) {
                Refused::Whole { errors, .. } => {
                    (summary.refused, summary.left) = (summary.refused + count, summary.left - count);
                    Some(Why::Refused { status, errors })
                }
                Refused::Some { refused, others } => {
                    let count = refused.len() as u64;
                    (summary.refused, summary.left) = (summary.refused + count, summary.left - count);
                    let refusals = refused.into_iter().map(|(mail, errors)| RowRefusal { row: mail.row, errors });
                    summary.refusals.extend(refusals);
                    for group in composer.groups(others).into_iter().rev() {
                        queue.push_front(group);
                    }
                    continue;
                }
            },
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
    if summary.why.is_none() && !summary.refusals.is_empty() {
        summary.why = Some(Why::Recipients);
    }
    Ok(summary)
}
