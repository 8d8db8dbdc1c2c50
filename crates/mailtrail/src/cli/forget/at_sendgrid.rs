//! `forget --at-sendgrid`: SendGrid's own records of the same people.

use std::io::{BufRead as _, IsTerminal as _};

use anyhow::Context as _;

use crate::cli::exit::UsageError;
use crate::cli::output::note;
use crate::config::SendGrid;
use crate::protect::Wanted;
use crate::sendgrid::{CallError, Client, Patience, erase_requests};

/// Everything that is needed to ask, seen to before anything is forgotten here.
pub(super) struct AtSendGrid {
    client: Client,
    patience: Patience,
}

/// What SendGrid was asked, and what it said. Holds no address.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Requests that it takes.
    pub(super) requests: usize,
    /// Addresses of accepted jobs.
    pub(super) addresses: usize,
    /// Ids of accepted jobs.
    pub(super) jobs: Vec<String>,
    /// Addresses that it was to be asked for and was not, or that it refused.
    pub(super) left: usize,
    /// Why.
    pub(super) error: Option<String>,
}

/// What it would be asked.
pub(super) fn preview(who: &Wanted) -> Asked {
    let requests = erase_requests(who.mailed_addresses());
    Asked { requests: requests.len(), left: requests.concat().len(), ..Asked::default() }
}

impl AtSendGrid {
    /// `yes`: whoever calls has agreed already. `by_hash`: people who were given by hash alone.
    pub(super) fn prepare(
        config: &SendGrid,
        who: &Wanted,
        by_hash: usize,
        input_is_taken: bool,
        yes: bool,
    ) -> anyhow::Result<Self> {
        if by_hash > 0 {
            let why = format!(
                "SendGrid knows people by address, and {by_hash} were given by hash: give their addresses, or leave --at-sendgrid \
                 away"
            );
            return Err(UsageError(why).into());
        }
        let client = Client::new(config)?;
        let people = erase_requests(who.mailed_addresses()).concat().len();
        if !yes && !agreed(people, input_is_taken)? {
            return Err(UsageError("nothing was forgotten, here or at SendGrid".to_owned()).into());
        }
        Ok(Self { client, patience: Patience::default() })
    }

    /// Asks SendGrid, request by request.
    pub(super) fn ask(&self, who: &Wanted) -> anyhow::Result<Asked> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
        let requests = erase_requests(who.mailed_addresses());
        let mut asked = Asked { requests: requests.len(), ..Asked::default() };
        for request in &requests {
            match runtime.block_on(self.client.erase(request, &self.patience)) {
                Ok(job) => {
                    asked.addresses += request.len();
                    asked.jobs.push(crate::show::visible(&job.id).into_owned());
                }
                Err(error) => {
                    asked.error = Some(format!("{error}{}", hint(&error)));
                    break;
                }
            }
        }
        asked.left = requests.concat().len() - asked.addresses;
        Ok(asked)
    }
}

fn hint(error: &CallError) -> &'static str {
    match error {
        CallError::Refused { status: 401, .. } => ": [sendgrid] api_key is not valid (any more)",
        CallError::Refused { status: 403, .. } => {
            ": the API key lacks the permission, or the plan has no erasure; make a key with Full Access in SendGrid, or ask its \
             support"
        }
        CallError::Refused { status: 404, .. } => ": this account has no erasure by API; ask SendGrid's support",
        CallError::Refused { status: 400, .. } => {
            ": none of this request's addresses was taken; correct the list and repeat"
        }
        _ => ": repeat the command, which changes nothing where it was done already",
    }
}

/// Asks on the terminal.
fn agreed(people: usize, input_is_taken: bool) -> anyhow::Result<bool> {
    let stdin = std::io::stdin();
    if input_is_taken || !stdin.is_terminal() {
        let why = "SendGrid erases for good, and there is nobody to ask whether it should: say --yes".to_owned();
        return Err(UsageError(why).into());
    }
    note(&format!("SendGrid erases all it holds of {people} addresses, for good. Type yes to go on:"));
    let mut line = String::new();
    stdin.lock().read_line(&mut line).context("reading the answer")?;
    Ok(line.trim() == "yes")
}
