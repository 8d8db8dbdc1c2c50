//! What mail servers answer, in their own words. Many repeat the recipient's address in free text, some in parts or
//! encoded: a receiver that promises to keep no address must find it there.

use crate::random::Random;

/// A refusal or answer, ready to be put into an event.
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) status: &'static str,
    pub(crate) classification: &'static str,
}

type Template = (&'static str, &'static str, &'static str);

const DELIVERED: &[&str] = &[
    "250 2.0.0 OK  {n} 6a1803df08f44-6eb3f05d04csi50799666d6.500 - gsmtp",
    "250 2.0.0 Ok: queued as 4Xk{n}",
    "250 2.6.0 <{n}@mx.example.net> [InternalId={n}] Queued mail for delivery",
    "250 OK id=1t{n}-0003Qz-2x <{address}>",
];

const DEFERRED: &[Template] = &[
    (
        "450 4.2.0 <{address}>: Recipient address rejected: Greylisted, see http://postgrey.example.org/",
        "4.2.0",
        "Technical",
    ),
    (
        "421 4.7.0 [TSS04] Messages from 149.72.123.24 temporarily deferred due to unexpected volume or user complaints",
        "4.7.0",
        "Frequency/Volume",
    ),
    ("452 4.2.2 The email account that you tried to reach is over quota ({address})", "4.2.2", "Mailbox Unavailable"),
    (
        "451 4.3.0 <bounces+51335520-{n}-{local}={domain}@em1.example.org>: Temporary lookup failure\n",
        "4.3.0",
        "Technical",
    ),
];

const BOUNCE: &[Template] = &[
    (
        "550 5.1.1 <{address}>: Recipient address rejected: User unknown in virtual mailbox table",
        "5.1.1",
        "Invalid Address",
    ),
    (
        "550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking the recipient's email address for typos ({local}) - gsmtp",
        "5.1.1",
        "Invalid Address",
    ),
    (
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient {ADDRESS} not found by SMTP address lookup",
        "5.1.10",
        "Invalid Address",
    ),
    ("550 No such user here: mailto:{local}%40{domain}", "550", "Invalid Address"),
];

const BLOCKED: &[Template] = &[
    (
        "552 5.2.2 The email account that you tried to reach is over quota and inactive: {address}",
        "5.2.2",
        "Mailbox Unavailable",
    ),
    (
        "550 5.7.1 Service unavailable, message to <{address}> refused: client host [149.72.123.24] blocked using a blocklist",
        "5.7.1",
        "Reputation",
    ),
    ("554 5.7.1 The message from (<news@example.org>) was rejected as spam for {local}", "5.7.1", "Content"),
];

const DROPPED: &[Template] = &[
    ("Bounced Address", "5.0.0", "Invalid Address"),
    ("Unsubscribed Address", "5.0.0", "Unclassified"),
    ("Spam Reporting Address", "5.0.0", "Unclassified"),
];

const LATE: &[Template] = &[
    (
        "550 5.4.310 DNS domain {domain} does not exist [Message=InfoDomainNonexistent] for {address}",
        "5.4.310",
        "Technical",
    ),
    ("500 unknown; final recipient: rfc822;{address}", "5.0.0", "Unclassified"),
];

/// What a server says on accepting.
pub(crate) fn delivered(random: &mut Random, address: &str) -> String {
    let template = *random.pick(DELIVERED);
    fill(random, template, address)
}

pub(crate) fn deferred(random: &mut Random, address: &str) -> Answer {
    answer(random, DEFERRED, address)
}

pub(crate) fn bounce(random: &mut Random, address: &str) -> Answer {
    answer(random, BOUNCE, address)
}

pub(crate) fn blocked(random: &mut Random, address: &str) -> Answer {
    answer(random, BLOCKED, address)
}

pub(crate) fn dropped(random: &mut Random, address: &str) -> Answer {
    answer(random, DROPPED, address)
}

/// Of a bounce that comes after the mail was taken.
pub(crate) fn late_bounce(random: &mut Random, address: &str) -> Answer {
    answer(random, LATE, address)
}

fn answer(random: &mut Random, templates: &[Template], address: &str) -> Answer {
    let (template, status, classification) = *random.pick(templates);
    Answer { text: fill(random, template, address), status, classification }
}

fn fill(random: &mut Random, template: &str, address: &str) -> String {
    let (local, domain) = address.split_once('@').unwrap_or((address, ""));
    template
        .replace("{n}", &(1_000_000_000 + random.below(1_000_000_000)).to_string())
        .replace("{address}", address)
        .replace("{ADDRESS}", &address.to_uppercase())
        .replace("{local}", local)
        .replace("{domain}", domain)
}
