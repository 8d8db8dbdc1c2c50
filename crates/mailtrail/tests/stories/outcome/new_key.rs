//! A new hash key while a run is not settled.

use mailtrail::protect::KeyRing;
use mailtrail::store::ledger::Ended;

use super::ledger::Sender;
use super::*;

#[test]
fn a_new_hash_key_is_refused_while_a_run_is_unsettled() {
    let site = Site::new();
    Sender::new(&site, "november").request(&["alice@example.com"], Ended::Accepted(Some("msg1")));
    let old = std::fs::read_to_string(site.path().join("mailtrail.key")).unwrap();
    site.write_secret("old.key", &old);
    let hash = |text: &str| text.lines().find(|line| line.starts_with("hash")).unwrap().to_owned();
    let other = KeyRing::generate().unwrap();
    site.write_secret("mailtrail.key", &old.replace(&hash(&old), &hash(&other.to_text())));
    let config = site.path().join("mailtrail.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace("[privacy]\n", "[privacy]\nprevious_key_files = [\"old.key\"]\n");
    assert!(text.contains("previous_key_files"), "{text}");
    site.write_secret("mailtrail.toml", &text);

    let refused = site.try_serve().err().expect("a run is not settled");
    assert!(refused.contains("the run \"november\" is not settled") && refused.contains("--force"), "{refused}");
    let (code, _, err) = run(&site, &["serve"]);
    assert_eq!(code, 2, "{err}");
    let (code, _, err) = run(&site, &["unreached", "november", "--include-pending", "--format", "json"]);
    assert_eq!(code, 0, "questions go on: {err}");
    site.try_serve_with(&["--force"]).expect("accepted").stop();
    site.serve().stop();
}
