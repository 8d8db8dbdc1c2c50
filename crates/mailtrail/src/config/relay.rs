//! `[[relay]]`: who else gets SendGrid's POSTs, as they came.

use std::collections::BTreeSet;
use std::time::Duration;

use super::hook::HookUrl;
use super::reader::Reader;
use super::receive::BasicCredential;
use super::slack;
use super::store::StoreKind;

/// Characters in a consumer's name: it is a label of metrics.
const LONGEST_NAME: usize = 40;

/// A consumer.
#[derive(Debug, Clone)]
pub struct Relay {
    /// What metrics, `doctor` and the log call it; no two have the same.
    pub name: String,
    /// Where it takes POSTs.
    pub url: HookUrl,
    /// What it asks for.
    pub basic_auth: Option<BasicCredential>,
    /// How long one POST may take as a whole.
    pub timeout: Duration,
    /// How long a POST waits for it before it is given up.
    pub max_age: Duration,
    /// How often a POST is tried that it refuses (4xx but 408 and 429) before the next one has its turn.
    pub tries: usize,
}

pub(super) fn read(reader: &mut Reader<'_>, store: StoreKind) -> Vec<Relay> {
    let sections = reader.repeated("relay");
    if !sections.is_empty() && store == StoreKind::BigQuery {
        reader.problems.push(
            "[[relay]] needs a store on this machine, where POSTs wait for a consumer that is down: with [store] kind = \
             \"bigquery\" nothing is kept here. Set kind = \"sqlite\" (with [bigquery] forward for the events), or let \
             SendGrid post to the consumer by an Event Webhook of its own"
                .into(),
        );
    }
    let (mut relays, mut names): (Vec<Relay>, _) = (Vec::new(), BTreeSet::new());
    for (place, mut section) in sections {
        let before = section.problems.len();
        let relay = one(&mut section, place);
        if let Some(relay) = &relay
            && section.problems.len() == before
            && !names.insert(relay.name.clone())
        {
            section.problems.push(format!(
                "{place}: [[relay]] is called {:?}, as another one is: give each a name of its own",
                relay.name
            ));
        }
        reader.absorb(section);
        relays.extend(relay);
    }
    if !relays.is_empty() {
        let names: Vec<&str> = relays.iter().map(|relay| relay.name.as_str()).collect();
        reader.warnings.push(format!(
            "[[relay]] passes POSTs on with all they hold, plain addresses too, to {}; until delivered they wait in mailtrail.relay.db, sealed under the key file: whoever has both reads them",
            names.join(", ")
        ));
    }
    relays
}

fn one(reader: &mut Reader<'_>, place: &str) -> Option<Relay> {
    let name = match reader.text("relay.name") {
        Some(name) if is_plain(&name) => Some(name),
        Some(_) => {
            reader.problem("relay.name", "is not 1 to 40 of the characters a-z, 0-9, - and _, such as \"warehouse\"");
            None
        }
        None => {
            reader.problems.push(format!("{place}: [[relay]] has no name: give it one, such as \"warehouse\""));
            None
        }
    };
    if !reader.is_set("relay.url") && !reader.is_set("relay.url_file") {
        reader.problems.push(format!("{place}: [[relay]] has no url: say where the consumer takes POSTs"));
    }
    let url = slack::url(reader, "relay.url", "relay.url_file");
    let basic_auth = basic_auth(reader);
    Some(Relay {
        name: name?,
        url: url?,
        basic_auth,
        timeout: reader.duration("relay.timeout", Duration::from_secs(10), "10s"),
        max_age: reader.duration("relay.max_age", Duration::from_secs(3 * 86_400), "3d"),
        tries: reader.number("relay.tries", 5),
    })
}

fn is_plain(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(plain)
}

fn basic_auth(reader: &mut Reader<'_>) -> Option<BasicCredential> {
    if !reader.is_set("relay.basic_auth") && !reader.is_set("relay.basic_auth_file") {
        return None;
    }
    let (key, text) = reader.secret("relay.basic_auth", "relay.basic_auth_file")?;
    let credential = BasicCredential::parse(&text);
    if credential.is_none() {
        // Never the text itself: it may be the password.
        reader.problem(key, "is not user:password with both of them not empty");
    }
    credential
}
