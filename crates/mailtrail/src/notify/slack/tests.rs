//! Whatever text comes in, a message stays within Slack's limits and calls nobody.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::config::{Language, PublicUrl};
use crate::notify::{AlertGroup, Counted, Counts, Destination, Domains, Label, Ops, Outstanding, RunSummary, View};
use crate::notify::{Concern, ConcernKind};
use crate::settle::Status;

/// What documentation says of each object, checked on a whole message; also that its keys are known ones.
fn check(message: &Value) {
    let keys: BTreeSet<&str> = message.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(keys, BTreeSet::from(["text", "blocks", "mrkdwn", "unfurl_links", "unfurl_media"]));
    assert_eq!((&message["unfurl_links"], &message["unfurl_media"]), (&Value::Bool(false), &Value::Bool(false)));
    text(&message["text"], FALLBACK);
    let blocks = message["blocks"].as_array().expect("blocks");
    assert!((1..=50).contains(&blocks.len()), "{} blocks", blocks.len());
    for block in blocks {
        match block["type"].as_str().expect("a type") {
            "header" => {
                assert_eq!(block["text"]["type"], "plain_text");
                text(&block["text"]["text"], 150);
            }
            "section" if block.get("fields").is_some() => {
                let fields = block["fields"].as_array().expect("fields");
                assert!((1..=10).contains(&fields.len()));
                fields.iter().for_each(|field| object(field, 2000));
            }
            "section" => object(&block["text"], 3000),
            "context" => {
                let elements = block["elements"].as_array().expect("elements");
                assert!((1..=10).contains(&elements.len()));
                elements.iter().for_each(|element| object(element, 3000));
            }
            other => panic!("a block of type {other}"),
        }
    }
}

fn object(object: &Value, limit: usize) {
    match object["type"].as_str().expect("a type") {
        "plain_text" => assert_eq!(object["emoji"], false),
        "mrkdwn" => {
            let markup = object["text"].as_str().expect("text");
            let bare = markup.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "");
            assert!(!bare.contains('&'), "{markup}");
        }
        other => panic!("a text of type {other}"),
    }
    text(&object["text"], limit);
}

fn text(value: &Value, limit: usize) {
    let text = value.as_str().expect("a text");
    assert!(!text.trim().is_empty(), "an empty text");
    assert!(text.encode_utf16().count() <= limit, "{} characters: {text}", text.chars().count());
    // A link to the page is all the markup there is, and nobody else's text can end it.
    let link = text.strip_prefix("<https://m.example/").and_then(|link| link.strip_suffix('>'));
    match link.and_then(|link| link.split_once('|')) {
        Some((url, name)) => {
            assert!(!url.contains(['<', '>', '@', '|', ' ']), "{text}");
            assert!(["Open in mailtrail", "mailtrailで見る"].contains(&name), "{text}");
        }
        None => assert!(!text.contains(['<', '>', '@']), "{text}"),
    }
}

fn quoting() -> Manner {
    Manner { reasons: true, ..Manner::default() }
}

fn speaking(language: Language) -> Manner {
    Manner { language, ..Manner::default() }
}

/// All that stands in plain text, where others' texts may be.
fn everything_else_is_ours(message: &Value, hostile: &str) {
    for block in message["blocks"].as_array().expect("blocks") {
        for field in block["fields"].as_array().into_iter().flatten() {
            assert!(!field["text"].as_str().expect("text").contains(hostile), "{field}");
        }
    }
}

fn counted(texts: &[String]) -> Vec<Counted> {
    (1..).zip(texts).map(|(count, text)| (Label::new(text), count)).collect()
}

fn summary(run: &str, texts: &[String]) -> RunSummary {
    RunSummary {
        run: Label::new(run),
        recipients: 1000,
        counts: Status::ALL.into_iter().zip([1, 2, 3, 977, 1, 4, 5, 7]).collect::<Counts>(),
        completeness: Some(0.999),
        elapsed: Duration::from_secs(754),
        top_reasons: counted(texts),
        raw_reasons: counted(texts),
        view: View::Run(run.to_owned()),
    }
}

/// Every kind of notice, with these texts wherever a text can be.
fn every(run: &str, texts: &[String]) -> Vec<Notice> {
    let domains = || Domains::fold(texts.iter().map(|text| (Some(text.as_str()), 9)));
    let outstanding =
        || Outstanding { unknown: 1, processed: 2, deferred: u64::MAX / 4, unsent: 0, domains: domains() };
    let (rule, hour) = (Label::new(run), Duration::from_secs(3600));
    vec![
        Notice::RunSettled(summary(run, texts)),
        Notice::RunTimedOut { summary: summary(run, texts), outstanding: outstanding() },
        Notice::RunInterim { summary: summary(run, texts), outstanding: outstanding() },
        Notice::RunQuiet { summary: summary(run, texts), outstanding: outstanding() },
        Notice::Alert(AlertGroup {
            rule: rule.clone(),
            to: Destination::Business,
            counts: counted(texts),
            top_reasons: counted(texts),
            raw_reasons: counted(texts),
            runs: counted(texts),
            categories: counted(texts),
            domains: domains(),
            first: i64::MIN,
            last: i64::MAX,
            view: View::Activity(vec![("category", run.to_owned())]),
        }),
        Notice::Ops(Ops::Silence { rule: rule.clone(), lasting: hour, last: Some(0) }),
        Notice::Ops(Ops::Silence { rule: rule.clone(), lasting: Duration::MAX, last: None }),
        Notice::Ops(Ops::SilenceOver { rule: rule.clone(), lasted: hour }),
        Notice::Ops(Ops::Refusals { refused: 3, lasting: hour, reason: "basic_wrong", proven: false }),
        Notice::Ops(Ops::RefusalsOver),
        Notice::Ops(Ops::NoticesRefused { channel: "slack", why: rule.clone() }),
        Notice::Ops(Ops::Concern(Concern::Clock { behind: true, by: hour })),
        Notice::Ops(Ops::Concern(Concern::Certificate { left: Duration::ZERO, refused: true })),
        Notice::Ops(Ops::Concern(Concern::Backlog { percent: 100, oldest: Duration::MAX })),
        Notice::Ops(Ops::Concern(Concern::Disk { free: u64::MAX, left: Some(Duration::MAX) })),
        Notice::Ops(Ops::Concern(Concern::Files)),
        Notice::Ops(Ops::ConcernOver(ConcernKind::Disk)),
        Notice::Ops(Ops::NoEvents { run: rule, accepted: 10, since: hour }),
        Notice::Test,
    ]
}

fn check_all(run: &str, texts: &[String]) {
    for notice in every(run, texts) {
        for language in Language::ALL {
            for reasons in [false, true] {
                let page = reasons.then(|| PublicUrl::parse("https://m.example").unwrap());
                check(&message(&notice, &Manner { language, reasons, page, ..Manner::default() }));
            }
        }
    }
}

#[test]
fn markup_mentions_and_length_stay_without_effect() {
    let hostile = [
        "<!here> <!channel> <!everyone>",
        "<@U012AB3CD> @channel @here",
        "<https://evil.example|click> & &lt;!here&gt;",
        "*bold* _it_ ~x~ `code` ```block``` > quote\n\n\n",
        "\u{202E}gnp.exe \u{200B}\u{0} \u{1b}[31m",
        "😀",
    ];
    for text in hostile {
        let texts: Vec<String> = (0..20).map(|n| format!("{text}{n}{}", text.repeat(100))).collect();
        check_all(&text.repeat(100), &texts);
        let message = message(&Notice::RunSettled(summary(&format!("{text}mark"), &texts)), &quoting());
        everything_else_is_ours(&message, "mark");
    }
    check_all("", &[]);
}

#[test]
fn what_mail_servers_wrote_is_quoted_only_when_asked_for() {
    let quote = vec!["550 quoted text".to_owned()];
    let notice = Notice::RunSettled(RunSummary { top_reasons: vec![], ..summary("spring", &quote) });
    assert!(!message(&notice, &Manner::default()).to_string().contains("quoted text"));
    assert!(message(&notice, &quoting()).to_string().contains("quoted text"));
    assert!(!notice.to_text(&speaking(Language::Japanese)).join("\n").contains("quoted text"));
}

#[test]
fn a_result_links_to_its_page_where_there_is_one() {
    let manner = Manner { page: PublicUrl::parse("https://m.example"), ..Manner::default() };
    let linked = |run: &str| {
        let message = message(&Notice::RunSettled(summary(run, &[])), &manner);
        message["blocks"].as_array().unwrap().last().unwrap()["elements"][0]["text"].as_str().map(str::to_owned)
    };
    assert_eq!(linked("a|b c").as_deref(), Some("<https://m.example/runs/a%7Cb%20c|Open in mailtrail>"));
    let told = Notice::RunSettled(summary("november", &[])).to_text(&manner);
    assert_eq!(told.last().map(String::as_str), Some("  Open in mailtrail: https://m.example/runs/november"));
    let without = linked("jane@example.com").unwrap_or_default();
    assert!(!without.contains("m.example"), "an address in a name is in no link: {without}");
}

#[test]
fn a_result_reads_well_in_both_languages() {
    let notice = Notice::RunSettled(summary("11月のお知らせ", &["Invalid Address".to_owned()]));
    let english = [
        "⚠️ Send finished, 17 not reached: 11月のお知らせ",
        "  Recipients: 1,000",
        "  Delivered: 977 (97.7%)",
        "  Bounced: 7 (0.7%)",
        "  Blocked: 5 (0.5%)",
        "  Dropped: 4 (0.4%)",
        "  Refused by SendGrid's API: 1 (0.1%)",
        "  Deferred: 3 (0.3%)",
        "  Processed: 2 (0.2%)",
        "  Unknown (no event): 1 (0.1%)",
        "  Unreached: 17",
        "  Heard of: 99.9%",
        "  Time taken: 12 min 34 s",
        "  Most frequent reasons",
        "    1 × Invalid Address",
        "  Who was not reached, and why: mailtrail unreached with this run and your list.",
    ];
    assert_eq!(notice.to_text(&Manner::default()), english);
    let japanese = [
        "⚠️ 配信が完了しました（未達 17 件）: 11月のお知らせ",
        "  宛先数: 1,000",
        "  配信完了: 977 (97.7%)",
        "  バウンス: 7 (0.7%)",
        "  一時的な受信拒否（ブロック）: 5 (0.5%)",
        "  送信見送り（ドロップ）: 4 (0.4%)",
        "  SendGrid の受付拒否: 1 (0.1%)",
        "  配信遅延（再送待ち）: 3 (0.3%)",
        "  SendGrid 受付済み: 2 (0.2%)",
        "  不明（イベント未着）: 1 (0.1%)",
        "  未達: 17",
        "  イベント受信率: 99.9%",
        "  所要時間: 12分34秒",
        "  主な理由",
        "    1 × Invalid Address (宛先不明)",
        "  未達の宛先と理由は、mailtrail unreached にこの run と宛先リストを指定して確認できます。",
    ];
    assert_eq!(notice.to_text(&speaking(Language::Japanese)), japanese);
}

#[test]
fn a_text_is_cut_between_characters() {
    assert_eq!(cut("abcde", 5), "abcde");
    assert_eq!(cut("abcdef", 5), "abcd…");
    // An emoji has two UTF-16 units.
    assert_eq!(cut("ab😀😀", 5), "ab😀…");
    assert_eq!(cut("あいうえおか", 5), "あいうえ…");
    assert_eq!(escaped("a&b&c", 10), "a&amp;b…");
    assert_eq!(escaped("a&b", 7), "a&amp;b");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_text_fits(run in any::<String>(), texts in prop::collection::vec("(\\PC|[<>&@!\n\u{0}-\u{1f}]){0,300}", 0..30)) {
        check_all(&run, &texts);
    }
}
