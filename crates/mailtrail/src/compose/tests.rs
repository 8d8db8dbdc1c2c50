//! Limits, and that SendGrid's plain replacement gives what was meant.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::list::{ListOptions, Messages};
use crate::run::{RecipientId, RequestId, RunName};
use crate::sendgrid::MailSend;

const NOW: i64 = 1_800_000_000_000_000;

fn list(rows: &[Vec<String>]) -> List {
    let mut writer = csv::Writer::from_writer(Vec::new());
    rows.iter().for_each(|row| writer.write_record(row).unwrap());
    List::read(writer.into_inner().unwrap().as_slice(), &ListOptions::default()).unwrap_or_else(|e| panic!("{e}"))
}

fn csv(text: &str) -> List {
    List::read(text.as_bytes(), &ListOptions::default()).unwrap_or_else(|e| panic!("{e}"))
}

fn common() -> Common {
    Common::from(Sender::parse("News <news@example.com>").unwrap())
}

fn own(subject: &str, html: &str, text: &str) -> Content {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Content { subject: some(subject), html: some(html), text: some(text), template_id: None }
}

fn template(id: &str) -> Content {
    Content { template_id: Some(id.to_owned()), ..Content::default() }
}

/// What cannot be mailed: all rows, or rows by their number.
fn told(content: &Content, common: Common, list: &List) -> String {
    match Composer::compose_list(content, common, list, NOW) {
        Ok(composed) => rows_told(&composed),
        Err(error) => error.to_string(),
    }
}

fn rows_told(composed: &Composition) -> String {
    composed.faults.iter().map(|fault| format!("row {}: {}; ", fault.row, fault.fault)).collect()
}

fn composed(content: &Content, common: Common, list: &List) -> Composition {
    let composed = Composer::compose_list(content, common, list, NOW).unwrap_or_else(|error| panic!("{error}"));
    assert!(composed.faults.is_empty(), "{}", rows_told(&composed));
    composed
}

/// The id of a row's recipient.
fn id(row: u64) -> RecipientId {
    RecipientId::from_bytes(u128::from(row).to_be_bytes())
}

fn requests(composed: Composition) -> Vec<MailSend> {
    let run = RunName::new("run").unwrap();
    let request = RequestId::from_bytes([7; 16]);
    let Composition { composer, mails, .. } = composed;
    let groups = composer.groups(mails);
    let ids = |group: &Group<Mail>| group.mails().iter().map(|mail| id(mail.row)).collect::<Vec<_>>();
    groups.iter().map(|group| composer.request(group, &run, request, ids(group)).unwrap()).collect()
}

/// A personalization as SendGrid reads it.
#[derive(Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Personalization {
    to: Vec<To>,
    subject: Option<String>,
    custom_args: BTreeMap<String, String>,
    substitutions: BTreeMap<String, String>,
    dynamic_template_data: serde_json::Map<String, serde_json::Value>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct To {
    email: String,
}

fn personalizations(mail: &MailSend) -> Vec<Personalization> {
    mail.personalizations.iter().map(|json| serde_json::from_str(json.get()).unwrap()).collect()
}

/// As SendGrid does: each tag by plain search, one after the other.
fn replaced(text: &str, personalization: &Personalization, backwards: bool) -> String {
    let mut pairs: Vec<_> = personalization.substitutions.iter().collect();
    if backwards {
        pairs.reverse();
    }
    pairs.iter().fold(text.to_owned(), |text, (tag, value)| text.replace(tag.as_str(), value))
}

/// What must hold for every request.
fn obeys(mail: &MailSend) {
    assert!((1..=1000).contains(&mail.personalizations.len()));
    assert!(serde_json::to_vec(mail).unwrap().len() < 30_000_000);
    assert!(mail.categories.len() <= 10);
    assert_eq!(mail.categories.iter().collect::<BTreeSet<_>>().len(), mail.categories.len());
    assert!(mail.categories.iter().all(|c| c.is_ascii() && (1..=255).contains(&c.len())));
    assert!(mail.from.email.is_ascii());
    for personalization in personalizations(mail) {
        assert_eq!(personalization.to.len(), 1);
        let mut args = mail.custom_args.clone();
        args.extend(personalization.custom_args.clone());
        assert!(serde_json::to_vec(&args).unwrap().len() < 10_000);
        let bytes: usize = personalization.substitutions.iter().map(|(tag, value)| tag.len() + value.len()).sum();
        assert!(bytes <= 10_000);
        if let Some(subject) = personalization.subject.as_ref().or(mail.subject.as_ref()) {
            assert!(!replaced(subject, &personalization, false).contains(['\r', '\n']));
        }
        for arg in ["mailtrail_run", "mailtrail_recipient", "mailtrail_request"] {
            assert!(personalization.custom_args.contains_key(arg));
        }
    }
}

#[test]
fn a_request_in_full() {
    let list = csv("email,name,subject,category\njane@example.com,<J>,,\njoe@example.com,Joe,Hello {{name}},vip\n");
    let mut common = common();
    common.categories = vec!["news".to_owned()];
    common.custom_args.insert("shop".to_owned(), "1".to_owned());
    common.asm_group = Some(7);
    common.send_at = Some(NOW / 1_000_000 + 3600);
    common.sandbox = true;
    common.reply_to = Some(Sender::parse("help@example.com").unwrap());
    let content = own("For {{name}}", "<p>{{ name }} {{{name}}}</p>", "{{name}}!");
    let mails = requests(composed(&content, common, &list));
    let [first, second] = &mails[..] else { panic!("one request a category") };
    let personalization = personalizations(first).remove(0);
    let read = |text: &str| replaced(text, &personalization, false);
    assert_eq!(read(first.subject.as_deref().unwrap()), "For <J>");
    assert_eq!(first.content[0].r#type, "text/plain");
    assert_eq!(read(&first.content[0].value), "<J>!");
    assert_eq!(read(&first.content[1].value), "<p>&lt;J&gt; <J></p>");
    assert_eq!((&first.categories[..], &second.categories[..]), (&["news".to_owned()][..], &["vip".to_owned()][..]));
    // A cell is no content: what looks like a variable in it is text.
    assert_eq!(personalizations(second)[0].subject.as_deref(), Some("Hello {{name}}"));
    let json = serde_json::to_value(first).unwrap();
    assert_eq!(json["mail_settings"]["sandbox_mode"]["enable"], true);
    assert_eq!(json["asm"]["group_id"], 7);
    assert_eq!(json["reply_to"]["email"], "help@example.com");
    assert_eq!(json["send_at"], NOW / 1_000_000 + 3600);
    assert_eq!(json["custom_args"]["shop"], "1");
    assert_eq!(json["personalizations"][0]["custom_args"]["mailtrail_run"], "run");
    assert_eq!(json["personalizations"][0]["custom_args"]["mailtrail_recipient"], id(2).to_string());
    assert_eq!(json["personalizations"][0]["custom_args"]["mailtrail_request"], "07".repeat(16));
}

/// SendGrid takes a carrier address in quotes alone, and no other one in quotes (its Japanese support, article 360000019762).
#[test]
fn only_carrier_addresses_are_quoted_in_a_request() {
    let list = csv(
        "email\na..b@docomo.example.jp\n\"\"\".a\"\"@au.example.jp\"\na.@au.example.jp\n\"\"\"jane\"\"@x.example\"\no'hara+x@x.example\n",
    );
    let mails = requests(composed(&own("S", "", "t"), common(), &list));
    let personalizations = personalizations(&mails[0]);
    let to: Vec<&str> = personalizations.iter().map(|mail| mail.to[0].email.as_str()).collect();
    let quoted = [r#""a..b"@docomo.example.jp"#, r#"".a"@au.example.jp"#, r#""a."@au.example.jp"#];
    assert_eq!(to, [&quoted[..], &["jane@x.example", "o'hara+x@x.example"]].concat());
}

#[test]
fn templates_get_all_columns() {
    let list = csv("email,name,%code%,\njane@example.com,Jane,7,x\n");
    let dynamic = requests(composed(&template("d-1"), common(), &list));
    let data = serde_json::Value::Object(personalizations(&dynamic[0]).remove(0).dynamic_template_data);
    assert_eq!(data, serde_json::json!({"email": "jane@example.com", "name": "Jane", "%code%": "7"}));
    assert!(dynamic[0].content.is_empty() && personalizations(&dynamic[0])[0].substitutions.is_empty());
    let legacy = requests(composed(&template("13b8f94f"), common(), &list));
    let tags: Vec<String> = personalizations(&legacy[0]).remove(0).substitutions.into_keys().collect();
    assert_eq!(tags, ["%code%", "-email-", "-name-"]);
}

#[test]
fn what_does_not_fit_together_is_told() {
    let list = csv("email,first_name\na@example.com,A\n");
    let with = |change: fn(&mut Common)| {
        let mut common = common();
        change(&mut common);
        told(&own("S", "", "T"), common, &list)
    };
    let cases = [
        (
            told(&own("S", "{{firstname}}", ""), common(), &list),
            "no column firstname for the variable of that name: did you mean first_name?",
        ),
        (told(&own("S", "", "a\nb {{x\ny}}"), common(), &list), "text, line 2: {{ begins a variable"),
        (told(&own("S", "", "{{x"), common(), &list), "text, line 1"),
        (told(&own("S", "", ""), common(), &list), "nothing to send"),
        (told(&own("", "", "T"), common(), &list), "there is no subject"),
        (told(&Content { html: Some("x".to_owned()), ..template("d-1") }, common(), &list), "either the template"),
        (
            told(&Content { subject: Some("x".to_owned()), ..template("d-1") }, common(), &list),
            "from a dynamic template",
        ),
        (told(&own("a\nb", "", "T"), common(), &list), "line break"),
        (with(|common| common.categories = vec!["お知らせ".to_owned()]), "7-bit ASCII"),
        (with(|common| common.categories = vec!["x".repeat(256)]), "1 to 255"),
        (with(|common| common.categories = vec!["x".to_owned(); 2]), "twice"),
        (with(|common| common.categories = (0..11).map(|n| n.to_string()).collect()), "limit is 10"),
        (with(|common| common.send_at = Some(NOW / 1_000_000)), "72 hours"),
        (with(|common| common.send_at = Some(NOW / 1_000_000 + 72 * 3600 + 1)), "72 hours"),
        (with(|common| drop(common.custom_args.insert("mailtrail_run".to_owned(), String::new()))), "mailtrail's own"),
        (with(|common| drop(common.custom_args.insert("x".to_owned(), "y".repeat(9_800)))), "custom args come to"),
    ];
    for (told, expected) in cases {
        assert!(told.contains(expected), "{told:?} does not say {expected:?}");
        assert!(!told.contains("a@example.com"), "{told}");
    }
}

#[test]
fn the_row_that_breaks_a_limit_is_named() {
    let header = ["email", "x", "category"].map(str::to_owned).to_vec();
    let row = |n: usize, x: &str, category: &str| vec![format!("a{n}@example.com"), x.to_owned(), category.to_owned()];
    let content = own("S {{x}}", "", "{{x}}");
    let cases = [
        (row(2, "a\u{2028}b", ""), "row 3: the subject has a line break"),
        (row(2, &"x".repeat(10_000), ""), "row 3: variables come to"),
        (row(2, "x", "日本"), "row 3: a category"),
    ];
    for (bad, expected) in cases {
        let list = list(&[header.clone(), row(1, "ok", ""), bad]);
        let told = told(&content, common(), &list);
        assert!(told.starts_with(expected), "{told}");
    }
    let list = list(&[header, row(1, "ok", "")]);
    assert!(told(&own("S", "", &"x".repeat(30_000_000)), common(), &list).contains("SendGrid's limit is 30 MB"));
}

/// Every row that cannot be mailed is reported, and the others can be.
#[test]
fn all_rows_that_cannot_be_mailed_are_reported_and_the_others_are_composed() {
    let header = ["email", "x", "category"].map(str::to_owned).to_vec();
    let row = |n: usize, x: &str, category: &str| vec![format!("a{n}@example.com"), x.to_owned(), category.to_owned()];
    let long = "x".repeat(10_000);
    let list = list(&[
        header,
        row(2, "a\u{2028}b", ""),
        row(3, "ok", ""),
        row(4, &long, ""),
        row(5, "ok", "日本"),
        row(6, "", ""),
    ]);
    let Composition { composer, mails, faults } =
        Composer::compose_list(&own("{{x}}", "", "{{x}}"), common(), &list, NOW).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(mails.iter().map(|mail| mail.row).collect::<Vec<_>>(), [3]);
    assert_eq!(faults.iter().map(|fault| fault.row).collect::<Vec<_>>(), [2, 4, 5, 6]);
    assert_eq!(composer.groups(mails).len(), 1);
    // What all rows share is reported once, and all of it.
    let told = told(&own("{{a}} {{b}}", "", "T"), Common { categories: vec!["é".to_owned()], ..common() }, &list);
    assert!(told.contains("column a") && told.contains("column b") && told.contains("7-bit"), "{told}");
}

#[test]
fn a_thousand_a_request_and_thirty_megabytes() {
    let rows = (0..2_500).map(|n| format!("a{n}@example.com\n")).collect::<String>();
    let list = csv(&format!("email\n{rows}"));
    let Composition { composer, mails, .. } = composed(&own("S", "", "T"), common(), &list);
    let wanted = mails.into_iter().filter(|mail| mail.row != 5);
    let sizes: Vec<usize> = composer.groups(wanted).iter().map(|group| group.mails().len()).collect();
    assert_eq!(sizes, [1000, 1000, 499]);

    // Dynamic data is bounded by the request alone.
    let big = "\"".repeat(450_000);
    let rows = std::iter::once(vec!["email".to_owned(), "x".to_owned()])
        .chain((0..40).map(|n| vec![format!("a{n}@example.com"), big.clone()]));
    let list = self::list(&rows.collect::<Vec<_>>());
    let mails = requests(composed(&template("d-1"), common(), &list));
    assert!(mails.len() > 1);
    mails.iter().for_each(obeys);
    assert_eq!(mails.iter().map(|mail| mail.personalizations.len()).sum::<usize>(), 40);
}

fn messages(lines: &str) -> Vec<Message> {
    Messages::new(lines.as_bytes()).map(|message| message.unwrap_or_else(|e| panic!("{e}"))).collect()
}

#[test]
fn messages_of_equal_content_and_category_share_a_request() {
    let messages = messages(concat!(
        r#"{"email":"a@example.com","subject":"S","text":"{{n}}","data":{"n":1},"custom_args":{"k":"v"}}"#,
        "\n",
        r#"{"email":"b@example.com","subject":"S","text":"{{n}}","data":{"n":"two"}}"#,
        "\n",
        r#"{"email":"c@example.com","subject":"S","text":"{{n}}","data":{"n":null},"category":["x","y"]}"#,
        "\n",
        r#"{"email":"d@example.com","template_id":"d-1","data":{"deep":[1]}}"#,
        "\n",
        r#"{"email":"a@example.com","subject":"S","text":"{{n}}","data":{"n":true}}"#,
    ));
    let compose = || Composer::compose_messages(common(), &messages, NOW).unwrap_or_else(|error| panic!("{error}"));
    let Composition { composer, mails, .. } = compose();
    let rows = |group: &Group<Mail>| group.mails().iter().map(|mail| mail.row).collect::<Vec<_>>();
    assert_eq!(composer.groups(mails).iter().map(rows).collect::<Vec<_>>(), [&[1, 2][..], &[3], &[4], &[5]]);
    let mails = requests(compose());
    mails.iter().for_each(obeys);
    let text =
        |mail: usize, at: usize| replaced(&mails[mail].content[0].value, &personalizations(&mails[mail])[at], false);
    assert_eq!([text(0, 0), text(0, 1), text(1, 0), text(3, 0)], ["1", "two", "", "true"]);
    assert_eq!(personalizations(&mails[0])[0].custom_args.get("k").map(String::as_str), Some("v"));
    assert_eq!(mails[1].categories, ["x", "y"]);
    assert_eq!(personalizations(&mails[2])[0].dynamic_template_data["deep"][0], 1);
}

#[test]
fn a_message_that_breaks_a_limit_is_named_by_its_line() {
    for (line, expected) in [
        (
            r#"{"email":"a@example.com","subject":"S","text":"{{name}}","data":{"nam":1}}"#,
            "row 2: there is no column name",
        ),
        (r#"{"email":"a@example.com","subject":"S","text":"{{n}}","data":{"n":[]}}"#, "row 2: the data's n is neither"),
        (r#"{"email":"a@example.com","subject":"S"}"#, "row 2: there is nothing to send"),
        (r#"{"email":"a@example.com","subject":"S","text":"T","category":"é"}"#, "row 2: a category"),
        (
            r#"{"email":"a@example.com","subject":"S","text":"T","custom_args":{"mailtrail_run":1}}"#,
            "row 2: the custom arg",
        ),
    ] {
        let messages = messages(&format!("\n{line}"));
        let told = rows_told(&Composer::compose_messages(common(), &messages, NOW).unwrap_or_else(|e| panic!("{e}")));
        assert!(told.starts_with(expected), "{told}");
    }
}

/// Content as its parts, so that the reference below needs no parser.
#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    Variable { column: usize, raw: bool },
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let text = "[a-z<>&'\" }\u{3042}-]{1,8}".prop_map(Piece::Text);
    let variable = (0..3_usize, any::<bool>()).prop_map(|(column, raw)| Piece::Variable { column, raw });
    // Text between variables, and at the end: `}` behind a variable would be read as part of it.
    prop::collection::vec(prop_oneof![text, variable], 1..8)
}

fn written(pieces: &[Piece]) -> String {
    let mut out = String::from("x");
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Variable { column, raw: false } => out.push_str(&format!("{{{{c{column}}}}}.")),
            Piece::Variable { column, raw: true } => out.push_str(&format!("{{{{{{c{column}}}}}}}.")),
        }
    }
    out
}

fn reference(pieces: &[Piece], values: &[String], html: bool) -> String {
    let mut out = String::from("x");
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Variable { column, raw } => {
                let value = &values[*column];
                if html && !raw {
                    let entities = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                    out.push_str(&entities.replace('"', "&quot;").replace('\'', "&#39;"));
                } else {
                    out.push_str(value);
                }
                out.push('.');
            }
        }
    }
    out
}

fn values() -> impl Strategy<Value = Vec<String>> {
    let hostile = prop_oneof![
        "\\PC{0,12}",
        "[{}c012<>&'\"-]{0,12}",
        Just("{{c0}}".to_owned()),
        Just("-mt0123456789abcdefx0-".to_owned()),
        Just("-mt".to_owned()),
        Just("x0-".to_owned()),
        Just("<script>&amp;'\"".to_owned()),
    ];
    // Our own CSV mark is the list's business.
    prop::collection::vec(
        hostile.prop_filter("marked", |value| !value.starts_with('\'') && !value.contains(['\u{2028}', '\u{2029}'])),
        3,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn sendgrid_s_replacement_gives_what_was_meant(
        subject in pieces(), html in pieces(), text in pieces(),
        rows in prop::collection::vec((values(), prop::sample::select(vec!["", "a", "b"]), any::<bool>()), 1..12),
    ) {
        let header = ["email", "c0", "c1", "c2", "category"].map(str::to_owned).to_vec();
        let cells = rows.iter().enumerate().map(|(n, (values, category, _))| {
            let mut row = vec![format!("a{n}@example.com")];
            row.extend(values.clone());
            row.push((*category).to_owned());
            row
        });
        let list = list(&std::iter::once(header).chain(cells).collect::<Vec<_>>());
        let content = own(&written(&subject), &written(&html), &written(&text));
        let Composition { composer, mails, .. } = composed(&content, common(), &list);
        let wanted: Vec<Mail> = mails.into_iter().zip(&rows).filter(|(_, row)| row.2).map(|(mail, _)| mail).collect();
        let wanted_rows: Vec<u64> = wanted.iter().map(|mail| mail.row).collect();
        let groups = composer.groups(wanted);

        let mut mailed: Vec<u64> = groups.iter().flat_map(|group| group.mails()).map(|mail| mail.row).collect();
        mailed.sort_unstable();
        prop_assert_eq!(mailed, wanted_rows);

        let run = RunName::new("r").unwrap();
        for group in &groups {
            let ids = group.mails().iter().map(|mail| id(mail.row));
            let mail = composer.request(group, &run, RequestId::from_bytes([0; 16]), ids).unwrap();
            obeys(&mail);
            prop_assert_eq!(mail.personalizations.len(), group.mails().len());
            for (personalization, of) in personalizations(&mail).iter().zip(group.mails()) {
                let email = of.address.expose();
                let row: usize = email[1..email.len() - "@example.com".len()].parse().unwrap();
                let (values, category, _) = &rows[row];
                prop_assert_eq!(&personalization.to[0].email, email);
                prop_assert_eq!(mail.categories.first().map_or("", String::as_str), *category);
                prop_assert_eq!(&personalization.custom_args["mailtrail_recipient"], &id(of.row).to_string());
                for backwards in [false, true] {
                    let read = |text: &str| replaced(text, personalization, backwards);
                    prop_assert_eq!(read(mail.subject.as_deref().unwrap()), reference(&subject, values, false));
                    prop_assert_eq!(read(&mail.content[0].value), reference(&text, values, false));
                    prop_assert_eq!(read(&mail.content[1].value), reference(&html, values, true));
                }
            }
        }
    }
}
