//! A week of mail as a shop would send it, the same every time but for when it happened.

use serde_json::json;

const DOMAINS: [(&str, u64); 8] = [
    ("gmail.com", 30),
    ("yahoo.co.jp", 22),
    ("docomo.ne.jp", 14),
    ("icloud.com", 12),
    ("outlook.com", 9),
    ("ezweb.ne.jp", 7),
    ("example.co.jp", 4),
    ("school.example", 2),
];
const MAILINGS: [(&str, &str, &str); 4] = [
    ("newsletter", "2026-11-newsletter", "autumn"),
    ("receipts", "", ""),
    ("winter-sale", "winter-sale-1", "sale"),
    ("account", "", ""),
];
const BOUNCES: [(&str, &str, &str, &str); 5] = [
    ("bounce", "5.1.1", "Invalid Address", "550 5.1.1 The email account that you tried to reach does not exist."),
    ("bounce", "5.2.2", "Mailbox Unavailable", "552 5.2.2 The recipient's inbox is out of storage space."),
    (
        "blocked",
        "5.7.1",
        "Reputation",
        "550 5.7.1 Our system has detected that this message is likely unsolicited mail.",
    ),
    ("bounce", "5.4.4", "Technical Failure", "unable to get mx info: failed to get IPs from PTR record"),
    (
        "blocked",
        "4.7.0",
        "Frequency or Volume Too High",
        "421 4.7.0 Try again later, too many messages from this sender.",
    ),
];

/// Small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }

    fn domain(&mut self) -> &'static str {
        let mut at = self.below(100);
        for (name, weight) in DOMAINS {
            if at < weight {
                return name;
            }
            at -= weight;
        }
        DOMAINS[0].0
    }
}

/// Events of a week before `now` (Unix seconds), in the order they happened.
pub fn week(now: i64) -> Vec<String> {
    let mut dice = Dice(7);
    let mut events = Vec::new();
    for mail in 0..700_u64 {
        // More by day than by night, and campaigns in the morning.
        let day = i64::try_from(dice.below(7)).unwrap();
        let hour = [1, 2, 2, 3, 5, 6, 7, 8, 9, 10, 12, 20][usize::try_from(dice.below(12)).unwrap()];
        let ago = day * 86_400 + hour * 3_600 + i64::try_from(dice.below(3_600)).unwrap() + 2_400;
        let sent = now - ago;
        let (category, run, extra) = MAILINGS[usize::try_from(dice.below(4)).unwrap()];
        let domain = dice.domain();
        let message = format!("{:016x}{mail:04}", 0x9f31_77aa_0c21_u64.wrapping_mul(mail + 3));
        let mut at = sent;
        let mut add = |at: i64, name: &str, more: serde_json::Value| {
            if at > now {
                return;
            }
            let categories: Vec<&str> = [category, extra].into_iter().filter(|name| !name.is_empty()).collect();
            let mut event = json!({
                "email": format!("person{mail}@{domain}"),
                "event": name,
                "timestamp": at,
                "category": categories,
                "sg_event_id": format!("ev{mail}-{name}-{at}"),
                "sg_message_id": format!("{message}.recvd-6c8d4bd9c-x7mvl-1"),
                "smtp-id": format!("<{message}@geopod-ismtpd-3>"),
            });
            if !run.is_empty() {
                event["mailtrail_run"] = json!(run);
            }
            for (key, value) in more.as_object().unwrap() {
                event[key] = value.clone();
            }
            events.push((at, event.to_string()));
        };
        add(at, "processed", json!({}));
        let fate = dice.below(100);
        if fate < 5 || (domain == "school.example" && fate < 40) {
            let (kind, status, class, reason) = BOUNCES[usize::try_from(dice.below(5)).unwrap()];
            let more = json!({ "type": kind, "status": status, "bounce_classification": class, "reason": reason });
            add(at + 4, "bounce", more);
            continue;
        }
        if fate < 7 {
            add(at + 1, "dropped", json!({ "reason": "Bounced Address", "status": "5.0.0" }));
            continue;
        }
        if fate < 14 {
            at += 40;
            let response = "451 4.3.2 Please try again later";
            add(at, "deferred", json!({ "response": response, "status": "4.3.2", "attempt": "1" }));
            at += 310;
        }
        add(at + 3, "delivered", json!({ "response": "250 2.0.0 OK 1764000000 gsmtp" }));
        let reads = dice.below(100);
        if reads < 45 {
            let machine = domain == "icloud.com";
            add(at + 700, "open", json!({ "sg_machine_open": machine, "useragent": "Mozilla/5.0" }));
        }
        if reads < 12 {
            add(at + 760, "click", json!({ "url": "https://shop.example.com/autumn?utm_source=mail" }));
        }
        if reads == 50 {
            add(at + 900, "spamreport", json!({}));
        }
        if reads == 51 {
            add(at + 950, "unsubscribe", json!({}));
        }
    }
    events.sort();
    events.into_iter().map(|(_, event)| event).collect()
}

/// An event in which every text attacks a page.
pub fn hostile(now: i64) -> String {
    let script = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">";
    let bidi = "\u{202e}gpj.exe\u{200b}";
    json!({
        "email": "victim@hostile.example",
        "event": "bounce",
        "timestamp": now,
        "category": [script, bidi, "x".repeat(400)],
        "sg_event_id": "hostile",
        "sg_message_id": format!("{script}.0"),
        "reason": format!("550 {script} {bidi} {} {{{{7*7}}}}", "W".repeat(900)),
        "url": "javascript:document.title='owned'",
        "useragent": script,
        "mailtrail_run": "\"><svg onload=document.title='owned'>",
        "\"><b>": script,
    })
    .to_string()
}
