//! What `/readyz` on the listener of the metrics says: whether posts are taken, and how far behind everything is. The public listener
//! says the first of these alone.

use serde_json::{Value, json};

use super::reload;
use super::sink::Sink;
use crate::clock;
use crate::follow::forward::{Forwarding, Standing};
use crate::receive::{Tls, TlsStanding, wrong_path};
use crate::store::KeeperState;

/// Whether posts are taken, and the detail.
pub(super) fn look(sink: &Sink, forwarding: Option<&Forwarding>, tls: Option<&Tls>) -> (bool, Value) {
    let now = clock::now_micros();
    let ready = sink.is_ready();
    let mut detail = match sink {
        Sink::Spool(keeper) => json!({ "ready": ready, "store": "sqlite", "backlog": backlog(&keeper.state(), now) }),
        Sink::BigQuery(_) => json!({ "ready": ready, "store": "bigquery" }),
    };
    if let Some(detail) = detail.as_object_mut() {
        if let Some(forwarding) = forwarding {
            detail.insert("forward".to_owned(), forward(&forwarding.standing(), now));
        }
        let certificate = tls.map(|tls| certificate(&tls.standing()));
        let happened = [
            ("reload", reload::last()),
            ("wrong_path", json!(wrong_path::last())),
            ("certificate", json!(certificate)),
        ];
        detail.extend(
            happened.into_iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key.to_owned(), value)),
        );
    }
    (ready, detail)
}

/// The certificate in use, and why the files are not.
fn certificate(standing: &TlsStanding) -> Value {
    json!({ "chain_sha256": standing.chain_sha256, "refused": standing.refused })
}

/// What is acknowledged and not in the trail yet.
fn backlog(state: &KeeperState, now: i64) -> Value {
    json!({
        "items": state.backlog.items,
        "bytes": state.backlog.bytes,
        "max_bytes": state.max_backlog_bytes,
        "age_seconds": seconds_since(state.oldest_received_at, now),
        "not_writable": state.not_writable.as_deref(),
        "not_draining": state.not_draining.as_deref(),
    })
}

/// What is in the trail and not in BigQuery yet.
fn forward(standing: &Standing, now: i64) -> Value {
    json!({
        "up": standing.up,
        "lag_seconds": seconds_since(standing.oldest_received_at, now),
        "waiting_events": standing.waiting,
        "failures": standing.failures,
        "refused_rows": standing.refused,
        "last_failure": standing.last_failure,
    })
}

fn seconds_since(at: Option<i64>, now: i64) -> f64 {
    at.map_or(0, |at| now.saturating_sub(at).max(0)) as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_counted_up_to_the_look_and_why_it_stands_is_said() {
        let standing = Standing {
            up: Some(false),
            oldest_received_at: Some(1_000_000),
            waiting: 7,
            failures: 3,
            refused: 1,
            last_failure: Some("no permission".to_owned()),
        };
        let detail = forward(&standing, 61_000_000);
        assert_eq!(detail["lag_seconds"], 60.0);
        assert_eq!((&detail["up"], &detail["last_failure"]), (&json!(false), &json!("no permission")));
        assert_eq!(forward(&Standing { oldest_received_at: None, ..standing }, 61_000_000)["lag_seconds"], 0.0);
    }
}
