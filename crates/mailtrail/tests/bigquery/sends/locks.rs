//! One sender a run, whatever becomes of senders.

use std::process::{Output, Stdio};
use std::time::Duration;

use sendgrid_simulator::mail_api::{self, Fault};
use serde_json::Value;

use super::post::{Post, report, send_args, text};
use crate::emulator::Emulator;

#[test]
fn two_senders_of_one_run_never_both_mail() {
    let Some(emulator) = Emulator::start() else { return };
    let post = Post::stateless(&emulator, |_| Fault::Slow(Duration::from_millis(300)));
    post.list(60, 20);
    let senders: Vec<_> = (0..3)
        .map(|_| {
            let mut sender = post.site.command(&send_args("november"));
            sender.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let outputs: Vec<Output> = senders.into_iter().map(|sender| sender.wait_with_output().unwrap()).collect();
    let said: Vec<String> = outputs.iter().map(|output| text(&output.stderr)).collect();
    let busy = said.iter().filter(|said| said.contains("is being sent by ") && said.contains("--take-over"));
    let (busy, sent) = (busy.count(), outputs.iter().filter(|output| output.status.success()).count());
    assert!(busy + sent == 3, "{said:?}");
    // Of three in one moment all may stand back.
    if sent == 0 {
        assert!(post.send("november", &[]).status.success());
    }
    post.assert_once("november");
    assert_eq!(post.counts("november").len(), 60);
    post.end();
}

#[test]
fn a_run_is_taken_over_and_who_lost_it_stops() {
    let Some(emulator) = Emulator::start() else { return };
    let post = Post::stateless(&emulator, |_| Fault::Slow(Duration::from_millis(1_500)));
    post.list(50, 5);
    let sender = post.site.command(&send_args("november"));
    let first = { sender }.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    post.runtime.block_on(post.api.wait_for_requests(1));
    let refused = post.send("november", &[]);
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!(", process {}, ", first.id())) && said.contains(" since 20"), "{said}");
    let waiting = post.site.command(&["wait", "november", "--timeout", "1s"]).output().unwrap();
    assert_eq!(waiting.status.code(), Some(4), "{}", text(&waiting.stderr));

    let second = post.send("november", &["--take-over"]);
    let lost = first.wait_with_output().unwrap();
    let said = text(&lost.stderr);
    assert!(lost.status.code() == Some(1) && said.contains("was taken over by "), "{said}");
    assert!(second.status.success(), "{}", text(&second.stderr));
    post.assert_once("november");
    // What the first one had under way was mailed, or it says for certain that it was not.
    let told = report(&post.send("november", &[]));
    let skipped = |why: &str| told["skipped"][why].as_u64().unwrap_or(0);
    assert_eq!(skipped("accepted") + skipped("uncertain") + told["accepted"].as_u64().unwrap(), 50, "{told}");
    post.assert_once("november");
    assert!(post.counts("november").len() as u64 >= 50 - skipped("uncertain"), "{told}");
    post.end();
}

/// A killed sender never lets go: its run is taken from it, and nobody is mailed twice.
#[test]
fn senders_that_are_killed_mail_nobody_twice() {
    const ROUNDS: u64 = 4;
    let Some(emulator) = Emulator::start() else { return };
    let faults = mail_api::random(
        7,
        &[
            (Fault::TimeOutAfterAccepting, 4),
            (Fault::CutAfterAccepting, 8),
            (Fault::CutBeforeAccepting, 8),
            (Fault::Status500 { accepted: true }, 5),
            (Fault::Status500 { accepted: false }, 5),
            (Fault::Slow(Duration::from_millis(50)), 20),
        ],
    );
    let post = Post::stateless(&emulator, faults);
    post.list(64, 4);
    let args = [&send_args("november")[..], &["--take-over"]].concat();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..ROUNDS {
        let mut sender = post.site.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Killed at some request, and some moment of it.
        let after = post.api.requests().len() + 1 + usize::try_from(random >> 62).unwrap();
        let heard = post.api.wait_for_requests(after);
        let _in_time = post.runtime.block_on(async { tokio::time::timeout(Duration::from_secs(8), heard).await });
        let moment = Duration::from_millis((random >> 32) % 200);
        post.runtime.block_on(async { tokio::time::sleep(moment).await });
        let _ended_itself = sender.kill();
        sender.wait().unwrap();
        post.assert_once("november");
    }
    let mut last = Value::Null;
    for _ in 0..20 {
        // The protocol server may be too slow for a step of the ledger: then nothing is sent, and the next try goes on.
        last = serde_json::from_slice(&post.send("november", &["--take-over"]).stdout).unwrap_or_default();
        if last["left"] == 0 {
            break;
        }
    }
    assert_eq!(last["left"], 0, "{last}");
    let last = report(&post.send("november", &[]));
    assert_eq!(last["requests"], 0, "{last}");
    let skipped = |why: &str| last["skipped"][why].as_u64().unwrap_or(0);
    let (certain, in_doubt) = (skipped("accepted"), skipped("uncertain"));
    assert_eq!(certain + in_doubt, 64, "{last}");
    post.assert_once("november");
    assert!(post.counts("november").len() as u64 >= certain && certain > 8 && in_doubt > 0, "{last}");
    post.end();
}

/// A sender with another key would not see whom it mailed before.
#[test]
fn another_key_is_no_way_to_mail_twice() {
    let Some(emulator) = Emulator::start() else { return };
    let post = Post::stateless(&emulator, |_| Fault::None);
    post.list(3, 3);
    assert!(post.send("november", &[]).status.success());
    let key = mailtrail::protect::KeyRing::generate().unwrap().to_text();
    post.site.write_secret("mailtrail.key", &key);
    let refused = post.send("november", &[]);
    let said = text(&refused.stderr);
    assert!(!refused.status.success() && said.contains("another key file"), "{said}");
    assert_eq!(post.counts("november").len(), 3);
    post.assert_once("november");
    post.end();
}

#[test]
fn who_is_asked_to_stop_lets_go_of_the_run() {
    let Some(emulator) = Emulator::start() else { return };
    let post = Post::stateless(&emulator, |_| Fault::Slow(Duration::from_millis(300)));
    post.list(40, 4);
    let mut sender = post.site.command(&send_args("november"));
    let sender = sender.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    post.runtime.block_on(post.api.wait_for_requests(1));
    let id = rustix::process::Pid::from_raw(i32::try_from(sender.id()).unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    let told = report(&sender.wait_with_output().unwrap());
    let accepted = told["accepted"].as_u64().unwrap();
    assert!((4..=8).contains(&accepted) && told["why"] == "stopped as asked", "{told}");
    let told = report(&post.send("november", &[]));
    assert_eq!((told["accepted"].as_u64(), &told["left"]), (Some(40 - accepted), &0.into()), "{told}");
    post.assert_once("november");
    post.end();
}
