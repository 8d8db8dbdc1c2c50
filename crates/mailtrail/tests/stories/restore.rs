//! The restore drill: a backup under load, the disk lost, the backup put back, SendGrid's repeats.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use sendgrid_simulator::plan::Shape;
use sendgrid_simulator::{BulkMail, Plan, Signer};

use crate::support::{Client, Site, batch, event, now, signed_headers, wait_for};

/// A POST of the simulator's: its body, and the ids of its events.
struct Post {
    body: Vec<u8>,
    ids: BTreeSet<String>,
}

fn posts() -> Vec<Post> {
    let story = BulkMail::new("drill", 4_000, now() - 600, 7).play();
    let plan = Plan::new(&story.events, &Shape::live(10, 7));
    let read = |body: &[u8]| -> BTreeSet<String> {
        let events: Vec<serde_json::Value> = serde_json::from_slice(body).unwrap();
        events.iter().map(|event| event["sg_event_id"].as_str().unwrap().to_owned()).collect()
    };
    plan.posts.iter().map(|post| Post { ids: read(&post.body), body: post.body.to_vec() }).collect()
}

fn stored(site: &Site) -> BTreeSet<String> {
    let trail = site.trail();
    let mut ids = trail.prepare("SELECT sg_event_id FROM event").unwrap();
    ids.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn post(client: &mut Client, signer: &Signer, post: &Post) -> bool {
    let headers = signed_headers(signer, now(), &post.body);
    matches!(client.request("POST", "/event", &headers, &post.body), Some((200, _)))
}

/// The disk is gone: everything of the store, the configuration and the key apart.
fn lose_disk(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().contains(".db") {
            std::fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn nothing_acknowledged_before_a_backup_is_missing_after_the_disk_was_lost() {
    let site = Site::new();
    let all = Arc::new(posts());
    let server = site.serve();
    let (next, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
    let senders: Vec<_> = (0..2)
        .map(|_| {
            let (all, next, stop) = (Arc::clone(&all), Arc::clone(&next), Arc::clone(&stop));
            let (acknowledged, signer, address) = (Arc::clone(&acknowledged), Arc::clone(&site.signer), server.address);
            std::thread::spawn(move || {
                let mut client = Client::connect(address);
                while !stop.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(this) = all.get(number) else { break };
                    if !post(&mut client, &signer, this) {
                        break;
                    }
                    acknowledged.lock().unwrap().insert(number);
                }
            })
        })
        .collect();
    let count = || acknowledged.lock().unwrap().len();
    wait_for("the load to begin", || count() > 50);
    let before: BTreeSet<usize> = acknowledged.lock().unwrap().clone();
    let folder = site.path().join("backup");
    let said = site.ask(&["backup", folder.to_str().unwrap()]);
    assert!(said.contains("the key file") && said.contains("is not in it"), "{said}");
    assert!(!folder.join("mailtrail.key").exists());
    let after_backup = count();
    assert!(after_backup > before.len(), "it was made under load");
    wait_for("some more", || count() > after_backup + 20 || count() >= all.len());
    server.kill();
    stop.store(true, Ordering::Relaxed);
    for sender in senders {
        sender.join().unwrap();
    }
    let until_lost: BTreeSet<usize> = acknowledged.lock().unwrap().clone();
    assert!(until_lost.len() < all.len(), "the load was cut off in the middle");

    lose_disk(site.path());
    let said = site.ask(&["restore", folder.to_str().unwrap()]);
    assert!(said.contains("reconcile"), "{said}");
    let server = site.serve();
    // What was never acknowledged comes again.
    let mut client = Client::connect(server.address);
    for (number, this) in all.iter().enumerate() {
        if !until_lost.contains(&number) {
            assert!(post(&mut client, &site.signer, this));
        }
    }
    server.wait_drained();
    let stored = stored(&site);
    for (number, this) in all.iter().enumerate() {
        let lost_with_the_disk = until_lost.contains(&number) && !before.contains(&number);
        assert!(lost_with_the_disk || this.ids.is_subset(&stored), "post {number} is missing");
    }
    let paths = mailtrail::store::Paths::new(site.path().join("mailtrail.db"));
    assert!(mailtrail::store::restored::look(&paths).unwrap().is_some(), "send must refuse");
    assert!(site.ask(&["restore", "--ledger-is-whole"]).starts_with("noted"));
    assert!(mailtrail::store::restored::look(&paths).unwrap().is_none());
    server.stop();
}

#[test]
fn a_restore_overwrites_nothing_and_wants_the_keys() {
    let site = Site::new();
    let server = site.serve();
    let mine = event("mine", "jane@example.com", "open", 1_700_000_000);
    assert_eq!(server.post(&site, &batch(&[mine])).0, 200);
    server.wait_drained();
    site.ask(&["backup", "one", "--with-key"]);
    server.stop();
    let refused = |args: &[&str], why: &str| {
        let output = site.command(args).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && said.contains(why), "{said}");
    };
    refused(&["backup", "one"], "is there already");
    refused(&["restore", "one"], "overwrites nothing");
    refused(&["restore", "one", "--with-key"], "overwrites nothing");
    lose_disk(site.path());
    let key = std::fs::read_to_string(site.path().join("mailtrail.key")).unwrap();
    site.write_secret("mailtrail.key", &mailtrail::protect::KeyRing::generate().unwrap().to_text());
    refused(&["restore", "one"], "other keys");
    assert!(!site.path().join("mailtrail.db").exists());
    std::fs::remove_file(site.path().join("mailtrail.key")).unwrap();
    site.ask(&["restore", "one", "--with-key"]);
    assert_eq!(std::fs::read_to_string(site.path().join("mailtrail.key")).unwrap(), key);
    assert_eq!(stored(&site), BTreeSet::from(["mine".to_owned()]));
}
