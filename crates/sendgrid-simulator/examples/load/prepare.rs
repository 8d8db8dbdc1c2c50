//! The requests of a run, whole and signed before the first is sent.

use std::sync::Arc;
use std::thread;

use anyhow::Context;
use hyper::header::AUTHORIZATION;
use sendgrid_simulator::delivery::{self, SIGNATURE_HEADER, TIMESTAMP_HEADER};
use sendgrid_simulator::event::{self, Event};
use sendgrid_simulator::{Message, Random, Signer, Target, bulk};

use crate::line::Post;

pub(crate) struct Wanted {
    pub(crate) events_per_post: u32,
    pub(crate) posts: u64,
    pub(crate) bytes: u64,
    pub(crate) recipients: u64,
    pub(crate) repeats: f64,
    pub(crate) seed: u64,
    pub(crate) newest: i64,
    pub(crate) signed_at: i64,
}

pub(crate) struct Prepared {
    pub(crate) requests: Vec<Post>,
    pub(crate) events: u64,
    pub(crate) repeated: u64,
    pub(crate) bytes: u64,
}

/// A bulk send's mix: most mail is taken and delivered, some is read, little is refused.
const MIX: &[(&str, u32)] =
    &[("processed", 36), ("delivered", 36), ("open", 16), ("click", 5), ("deferred", 4), ("bounce", 2), ("dropped", 1)];

/// Messages of which more may be told: what happens later happens to one that was sent, about three events each.
#[derive(Default)]
struct UnderWay {
    sent: Vec<Message>,
    delivered: Vec<Message>,
}

impl UnderWay {
    /// So many of each; of more, one is not heard of again.
    const MOST: usize = 5_000;

    /// The message that an event of this name is about; `new` makes one where there is none that it could be about.
    fn message(&mut self, name: &str, random: &mut Random, new: impl FnOnce(&mut Random) -> Message) -> Message {
        let message = match name {
            // Each of these happens once, at most.
            "delivered" | "deferred" | "bounce" if !self.sent.is_empty() => {
                self.sent.swap_remove(random.below(self.sent.len() as u64) as usize)
            }
            "open" | "click" if !self.delivered.is_empty() => return random.pick(&self.delivered).clone(),
            _ => new(random),
        };
        match name {
            "processed" => Self::keep(&mut self.sent, &message, random),
            "delivered" => Self::keep(&mut self.delivered, &message, random),
            _ => {}
        }
        message
    }

    fn keep(messages: &mut Vec<Message>, message: &Message, random: &mut Random) {
        if messages.len() == Self::MOST {
            messages.swap_remove(random.below(Self::MOST as u64) as usize);
        }
        messages.push(message.clone());
    }
}

/// Makes and signs the requests, on all cores.
pub(crate) fn requests(wanted: &Wanted, target: &Target, signer: Option<Arc<Signer>>) -> anyhow::Result<Prepared> {
    let workers = thread::available_parallelism().map_or(1, usize::from) as u64;
    let template = template(target)?;
    let parts: Vec<anyhow::Result<Vec<Post>>> = thread::scope(|scope| {
        let parts: Vec<_> = (0..workers)
            .map(|worker| {
                let (signer, template) = (signer.clone(), &template);
                scope.spawn(move || part(wanted, worker, workers, template, signer.as_deref()))
            })
            .collect();
        parts.into_iter().map(|part| part.join().unwrap_or_else(|_| anyhow::bail!("preparing failed"))).collect()
    });
    let mut fresh = Vec::new();
    for part in parts {
        fresh.extend(part?);
    }
    let mut random = Random::new(wanted.seed);
    random.shuffle(&mut fresh);
    let mut repeated = 0;
    let mut requests: Vec<Post> = Vec::with_capacity(fresh.len());
    for post in fresh {
        requests.push(post);
        while random.chance(wanted.repeats) {
            // Not the one just sent alone: SendGrid repeats what it told seconds or hours ago.
            let earlier = random.below(requests.len() as u64) as usize;
            requests.push(requests[earlier].clone());
            repeated += u64::from(wanted.events_per_post);
        }
        if requests.len() as u64 >= wanted.posts {
            requests.truncate(wanted.posts as usize);
            break;
        }
    }
    let events = requests.len() as u64 * u64::from(wanted.events_per_post);
    let bytes = requests.iter().map(|post| post.body() as u64).sum();
    Ok(Prepared { requests, events, repeated, bytes })
}

/// The lines that all requests have in common: the client of the library turns the URL's credentials into a header.
fn template(target: &Target) -> anyhow::Result<String> {
    let url = target.expose();
    let client = reqwest::Client::builder().tls_certs_only([]).build().context("setting up a client")?;
    let sample = client.post(url.clone()).build().context("the Post URL makes no request")?;
    let host = sample.url().host_str().unwrap_or_default();
    let port = sample.url().port_or_known_default().unwrap_or(80);
    let mut lines = format!(
        "POST {} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: {}\r\nContent-Type: {}\r\n",
        sample.url().path(),
        delivery::USER_AGENT,
        delivery::JSON_UTF_8
    );
    if let Some(authorization) = sample.headers().get(AUTHORIZATION) {
        lines += &format!("Authorization: {}\r\n", authorization.to_str().context("the credentials are no text")?);
    }
    Ok(lines)
}

fn part(
    wanted: &Wanted,
    worker: u64,
    workers: u64,
    template: &str,
    signer: Option<&Signer>,
) -> anyhow::Result<Vec<Post>> {
    let mut random = Random::new(wanted.seed.wrapping_mul(1_000_003).wrapping_add(worker));
    let total: u64 = MIX.iter().map(|(_, share)| u64::from(*share)).sum();
    let (posts, mut room) = (wanted.posts.div_ceil(workers), (wanted.bytes / workers) as i64);
    let mut requests = Vec::new();
    let mut events: Vec<Event> = Vec::with_capacity(wanted.events_per_post as usize);
    let mut under_way = UnderWay::default();
    for _ in 0..posts {
        if room <= 0 {
            break;
        }
        events.clear();
        // A POST tells what happened within half a minute, somewhere in the day before.
        let at = wanted.newest - random.seconds(30, 86_400);
        for _ in 0..wanted.events_per_post {
            let mut lot = random.below(total);
            let drawn = MIX.iter().find(|(_, share)| {
                let hit = lot < u64::from(*share);
                lot = lot.saturating_sub(u64::from(*share));
                hit
            });
            let name = drawn.map_or("delivered", |(name, _)| *name);
            let at = at + random.seconds(0, 29);
            let message = under_way.message(name, &mut random, |random| {
                // Whatever the seed, the same people: several runs then fill a trail as several campaigns do.
                let address = bulk::address(random.below(wanted.recipients), 1);
                let mut message = Message::new(random, &address, at);
                let campaign = random.below(20);
                message.categories.push(format!("campaign-{campaign}"));
                message.custom_args.push(("mailtrail_run".to_owned(), format!("campaign-{campaign}-{}", at / 86_400)));
                message.custom_args.push(("order_id".to_owned(), random.below(1_000_000_000).to_string()));
                message
            });
            events.push(message.event(name, at, &mut random));
        }
        let body = event::body(&events);
        room -= body.len() as i64;
        let mut head = format!("{template}Content-Length: {}\r\n", body.len());
        if let Some(signer) = signer {
            let signed = signer.sign(wanted.signed_at, &body)?;
            for (name, value) in [(SIGNATURE_HEADER, signed.signature), (TIMESTAMP_HEADER, signed.timestamp)] {
                head += &format!("{name}: {value}\r\n");
            }
        }
        head += "\r\n";
        requests.push(Post::new(head, &body));
    }
    Ok(requests)
}
