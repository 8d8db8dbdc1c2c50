//! One list of questions about the same events, which every store answers alike: the trail, BigQuery, another host.

use crate::support::now;

/// Everything that is not about time or cost; every store is asked each.
pub const QUESTIONS: &[&str] = &[
    "activity --limit 500",
    "activity --limit 7",
    "activity --event delivered --event open",
    "activity --status blocked --status dropped",
    "activity --category news",
    "activity --category news --category other --event bounce",
    "activity --run spring",
    "activity --email user3@example.com",
    "activity --email nobody@example.com",
    "activity --message msg4.recvd",
    "activity --domain example.com --reason FULL",
    "activity --any --run spring --event bounce",
    "activity --since 2h --until 30m",
    "timeline user3@example.com",
    "timeline msg4",
    "timeline user3@example.com --limit 2",
    "stats",
    "stats --by status,category",
    "stats --by category",
    "stats --by domain,day",
    "stats --by hour",
    "stats --by classification,reason",
    "stats --by run,verified_by --include-tests",
    "stats --by message --run spring",
    "stats --by event --distinct recipients",
    "stats --by category --distinct recipients --event delivered",
    "tail -n 1000",
    "export --out -",
    "export --out - --event bounce --category news",
    "export --out - --since 2h",
];

/// Events of every kind.
pub fn events() -> Vec<String> {
    let mut events = Vec::new();
    for n in 0..60_i64 {
        let (name, extra) = match n % 12 {
            0 => ("processed", r#","future":{"n":1}"#),
            1 | 2 | 9 => ("delivered", r#","response":"250 OK","tls":1"#),
            3 => ("deferred", r#","response":"450 mailbox full","attempt":"3""#),
            4 => {
                ("bounce", r#","type":"blocked","reason":"550 blocked by policy","bounce_classification":"Reputation""#)
            }
            5 => ("bounce", r#","type":"bounce","reason":"550 no such user","status":"5.1.1""#),
            6 => ("dropped", r#","reason":"Bounced Address""#),
            7 => ("open", r#","sg_machine_open":true,"useragent":"Mozilla","ip":"203.0.113.7""#),
            8 => ("click", r#","url":"https://example.org/a?b=c""#),
            10 => ("group_unsubscribe", r#","asm_group_id":7"#),
            _ => ("spamreport", r#","customer":"4711 \"quoted\" 日本""#),
        };
        let category = match n % 5 {
            0 => r#","category":["news","other","news"]"#,
            1 | 2 => r#","category":"news""#,
            3 => r#","category":["日本"]"#,
            _ => "",
        };
        let run = if n % 4 == 0 { r#","mailtrail_run":"spring""# } else { "" };
        // Each at a moment of its own, so that their order is the same everywhere; and none that comes to be older than a question's
        // 2h or 30m within the next 149 seconds, while the same is asked elsewhere.
        let at = now() - 10_051 + n * 150;
        events.push(format!(
            r#"{{"email":"user{}@example.{}","event":"{name}","sg_event_id":"id{n:03}","sg_message_id":"msg{}.recvd-1","timestamp":{at}{category}{run}{extra}}}"#,
            n % 9,
            if n % 2 == 0 { "com" } else { "org" },
            n % 7,
        ));
    }
    let at = now() - 600;
    // A repetition under a new id, an asynchronous bounce that names nothing, one about nobody.
    events.push(format!(
        r#"{{"email":"user1@example.org","event":"open","sg_event_id":"r1","timestamp":{at},"category":"news"}}"#
    ));
    events.push(format!(
        r#"{{"email":"user1@example.org","event":"open","sg_event_id":"r2","timestamp":{at},"category":"news"}}"#
    ));
    events.push(format!(
        r#"{{"email":"user8@example.com","event":"bounce","sg_event_id":"astray","timestamp":{},"reason":"550 gone"}}"#,
        at + 1
    ));
    events.push(format!(
        r#"{{"event":"account_status_change","sg_event_id":"acc","timestamp":{},"type":"suspend"}}"#,
        at + 2
    ));
    events
}
