//! What SendGrid posts where an integration is tested: the sample batch, once.

use std::sync::Arc;

use crate::delivery::Delivery;
use crate::event::Event;
use crate::message::Message;
use crate::plan::{Plan, Shape};
use crate::random::Random;
use crate::sign::Signer;
use crate::target::Target;

/// The message id of every sample.
const MESSAGE: &str = "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0";
/// All but account_status_change.
const NAMES: [&str; 11] = [
    "processed",
    "deferred",
    "delivered",
    "open",
    "click",
    "bounce",
    "dropped",
    "spamreport",
    "unsubscribe",
    "group_unsubscribe",
    "group_resubscribe",
];

/// Posts it in a task of its own.
pub(crate) fn post(target: Target, signer: Option<Arc<Signer>>, now: i64) {
    let mut random = Random::new(now.unsigned_abs());
    let mut message = Message::new(&mut random, "example@test.com", now);
    message.categories = vec!["cat facts".to_owned()];
    let events: Vec<Event> =
        NAMES.into_iter().map(|name| message.event(name, now, &mut random).with("sg_message_id", MESSAGE)).collect();
    let plan = Plan::new(&events, &Shape::default());
    let delivery = Delivery { signer, retry: None, ..Delivery::new(target) };
    tokio::spawn(async move {
        // SendGrid does not say either whether it arrived.
        delivery.post(&plan, now).await.ok();
    });
}
