use super::*;

const COLUMNS: [&str; 6] = ["time", "event", "category", "reason", "count", "args"];

fn printed(format: Format, raw_csv: bool) -> String {
    let mut sheet = Sheet::begin(Vec::new(), OutputArgs { format, raw_csv, terminal: false }, &COLUMNS).unwrap();
    sheet
        .row(vec![
            Cell::Time(1_700_000_000_000_000),
            Cell::Text("bounce".to_owned()),
            Cell::List(vec!["news".to_owned(), "日本".to_owned()]),
            Cell::Text("=HYPERLINK(\"x\")\u{1b}[2J, \"quoted\"\r\nline".to_owned()),
            Cell::Integer(-3),
            Cell::Json("{\"a\":[1,2]}".to_owned()),
        ])
        .unwrap();
    sheet
        .row(vec![
            Cell::Time(1_700_000_000_500_000),
            Cell::Text("open".to_owned()),
            Cell::List(vec![]),
            Cell::Null,
            Cell::Integer(12),
            Cell::Null,
        ])
        .unwrap();
    String::from_utf8(sheet.end().unwrap()).unwrap()
}

#[test]
fn json_is_one_object_a_line_with_real_lists_and_nulls() {
    let text = printed(Format::Json, false);
    let rows: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["time"], "2023-11-14T22:13:20Z");
    assert_eq!(rows[0]["category"], serde_json::json!(["news", "日本"]));
    assert_eq!(rows[0]["args"], serde_json::json!({"a": [1, 2]}));
    assert_eq!(rows[0]["count"], -3);
    assert_eq!(rows[1]["time"], "2023-11-14T22:13:20.5Z");
    assert!(rows[1]["reason"].is_null());
}

#[test]
fn csv_neither_breaks_nor_calculates() {
    insta::assert_snapshot!(printed(Format::Csv, false).replace('\r', "␍").replace('\u{1b}', "␛"), @r#"
    time,event,category,reason,count,args
    2023-11-14T22:13:20Z,bounce,"[""news"",""日本""]","'=HYPERLINK(""x"")␛[2J, ""quoted""␍
    line",-3,"{""a"":[1,2]}"
    2023-11-14T22:13:20.5Z,open,[],,12,
    "#);
    assert!(printed(Format::Csv, true).contains("\"=HYPERLINK"));
}

#[test]
fn a_table_is_plain_and_sends_nothing_to_the_terminal() {
    insta::assert_snapshot!(printed(Format::Table, false), @r#"
    TIME                     EVENT    CATEGORY          REASON                                             COUNT   ARGS
    2023-11-14T22:13:20Z     bounce   ["news","日本"]   =HYPERLINK("x")\u{1b}[2J, "quoted"\r\nline            -3   {"a":[1,2]}
    2023-11-14T22:13:20.5Z   open     []                                                                      12
    "#);
}
