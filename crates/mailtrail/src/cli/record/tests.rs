//! What an event looks like in every form.

use super::super::output::{OutputArgs, Sheet};
use super::*;

fn hostile() -> EventRecord {
    EventRecord {
        id: 7,
        sg_event_id: Some("e7".to_owned()),
        event: "bounce".to_owned(),
        timestamp: 1_795_514_400_000_000,
        email_hash: Some("0123456789abcdef".repeat(4)),
        email_domain: Some("example.com".to_owned()),
        email: None,
        sg_message_id: Some("m7.recvd-1".to_owned()),
        message_id: Some("m7".to_owned()),
        smtp_id: None,
        category: vec!["news".to_owned(), "=1+1".to_owned()],
        reason: Some("=1+1\u{1b}]0;x\u{7}\u{202e} \"no\",\nuser".to_owned()),
        response: None,
        status: Some("5.1.1".to_owned()),
        r#type: Some("blocked".to_owned()),
        bounce_classification: Some("Invalid Address".to_owned()),
        attempt: Some(2),
        asm_group_id: None,
        url: None,
        useragent: None,
        ip: None,
        sg_machine_open: None,
        tls: Some(true),
        run: Some("spring".to_owned()),
        recipient: None,
        request: None,
        custom_args: Some(r#"{"order":"12","nested":{"a":[null]}}"#.to_owned()),
        extra: None,
        received_at: 1_795_514_400_250_000,
        verified_by: Some("k1".to_owned()),
        key_id: Some("h1".to_owned()),
        event_key: "0f".repeat(16),
        fingerprint: "f0".repeat(16),
    }
}

/// Next to nothing is known of this one.
fn bare() -> EventRecord {
    let text = || None::<String>;
    EventRecord {
        id: 8,
        sg_event_id: text(),
        event: "something_new".to_owned(),
        email_hash: text(),
        email_domain: text(),
        sg_message_id: text(),
        message_id: text(),
        category: vec![],
        reason: text(),
        status: text(),
        r#type: text(),
        bounce_classification: text(),
        attempt: None,
        tls: None,
        run: text(),
        custom_args: text(),
        verified_by: text(),
        key_id: text(),
        ..hostile()
    }
}

fn printed(format: Format) -> String {
    let args = OutputArgs { format, ..OutputArgs::default() };
    let mut sheet = Sheet::begin(Vec::new(), args, columns(format)).unwrap();
    for event in [hostile(), bare()] {
        sheet.row(cells(event, format)).unwrap();
    }
    String::from_utf8(sheet.end().unwrap()).unwrap()
}

#[test]
fn in_a_table() {
    insta::assert_snapshot!(printed(Format::Table), @r##"
    TIME                  EVENT             RECIPIENT                  CATEGORY    RUN     DETAIL
    2026-11-24T10:00:00Z  bounce (blocked)  0123456789ab…@example.com  news, =1+1  spring  [Invalid Address] =1+1\u{1b}]0;x\u{7}\u{202e} "no",\nuser
    2026-11-24T10:00:00Z  something_new
    "##);
}

#[test]
fn as_json() {
    insta::assert_snapshot!(printed(Format::Json), @r##"
    {"sg_event_id":"e7","event":"bounce","timestamp":"2026-11-24T10:00:00Z","email_hash":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","email_domain":"example.com","email":null,"sg_message_id":"m7.recvd-1","message_id":"m7","smtp_id":null,"category":["news","=1+1"],"reason":"=1+1\u001b]0;x\u0007\u202e \"no\",\nuser","response":null,"status":"5.1.1","type":"blocked","bounce_classification":"Invalid Address","attempt":2,"asm_group_id":null,"url":null,"useragent":null,"ip":null,"sg_machine_open":null,"tls":true,"run":"spring","recipient":null,"request":null,"custom_args":{"order":"12","nested":{"a":[null]}},"extra":null,"received_at":"2026-11-24T10:00:00.25Z","verified_by":"k1","key_id":"h1","event_key":"0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f","fingerprint":"f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0","id":7,"mail_status":"blocked"}
    {"sg_event_id":null,"event":"something_new","timestamp":"2026-11-24T10:00:00Z","email_hash":null,"email_domain":null,"email":null,"sg_message_id":null,"message_id":null,"smtp_id":null,"category":[],"reason":null,"response":null,"status":null,"type":null,"bounce_classification":null,"attempt":null,"asm_group_id":null,"url":null,"useragent":null,"ip":null,"sg_machine_open":null,"tls":null,"run":null,"recipient":null,"request":null,"custom_args":null,"extra":null,"received_at":"2026-11-24T10:00:00.25Z","verified_by":null,"key_id":null,"event_key":"0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f","fingerprint":"f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0","id":8,"mail_status":null}
    "##);
}

#[test]
fn as_csv() {
    insta::assert_snapshot!(printed(Format::Csv).replace('\u{1b}', "␛").replace('\u{7}', "␇").replace('\u{202e}', "⟪202e⟫"), @r##"
    sg_event_id,event,timestamp,email_hash,email_domain,email,sg_message_id,message_id,smtp_id,category,reason,response,status,type,bounce_classification,attempt,asm_group_id,url,useragent,ip,sg_machine_open,tls,run,recipient,request,custom_args,extra,received_at,verified_by,key_id,event_key,fingerprint,id,mail_status
    e7,bounce,2026-11-24T10:00:00Z,0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef,example.com,,m7.recvd-1,m7,,"[""news"",""=1+1""]","'=1+1␛]0;x␇⟪202e⟫ ""no"",
    user",,5.1.1,blocked,Invalid Address,2,,,,,,true,spring,,,"{""order"":""12"",""nested"":{""a"":[null]}}",,2026-11-24T10:00:00.25Z,k1,h1,0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f,f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0,7,blocked
    ,something_new,2026-11-24T10:00:00Z,,,,,,,[],,,,,,,,,,,,,,,,,,2026-11-24T10:00:00.25Z,,,0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f,f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0,8,
    "##);
}

#[test]
fn every_column_has_a_value() {
    for format in [Format::Table, Format::Json, Format::Csv] {
        assert_eq!(cells(hostile(), format).len(), columns(format).len());
    }
}

#[test]
fn a_short_or_strange_hash_breaks_nothing() {
    for hash in ["", "abc", "é日本日本日本"] {
        let event = EventRecord { email_hash: Some(hash.to_owned()), ..hostile() };
        assert_eq!(cells(event, Format::Table)[2], Cell::Text(format!("{hash}…@example.com")));
    }
}
