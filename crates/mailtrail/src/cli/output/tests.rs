use super::*;

const COLUMNS: [&str; 6] = ["time", "event", "category", "reason", "count", "args"];

fn printed(format: Format, raw_csv: bool) -> String {
    let mut sheet =
        Sheet::begin(Vec::new(), OutputArgs { format, raw_csv, bom: false, terminal: false }, &COLUMNS).unwrap();
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
    TIME                    EVENT   CATEGORY         REASON                                      COUNT  ARGS
    2023-11-14T22:13:20Z    bounce  ["news","日本"]  =HYPERLINK("x")\u{1b}[2J, "quoted"\r\nline     -3  {"a":[1,2]}
    2023-11-14T22:13:20.5Z  open    []                                                              12
    "#);
}

fn one_cell(args: OutputArgs, text: &str) -> String {
    let mut sheet = Sheet::begin(Vec::new(), args, &["a"]).unwrap();
    sheet.row(vec![Cell::Text(text.to_owned())]).unwrap();
    String::from_utf8(sheet.end().unwrap()).unwrap()
}

#[test]
fn csv_is_data_in_a_file_and_harmless_on_a_terminal() {
    for (text, raw_csv, file, terminal) in [
        ("\u{1b}[2J", false, "a\n\u{1b}[2J\n", "a\n\\u{1b}[2J\n"),
        ("\t=1", false, "a\n'\t=1\n", "a\n'\\t=1\n"),
        ("\t=1", true, "a\n\t=1\n", "a\n\\t=1\n"),
        ("+81", false, "a\n'+81\n", "a\n'+81\n"),
        ("-", false, "a\n'-\n", "a\n'-\n"),
        ("@x", false, "a\n'@x\n", "a\n'@x\n"),
        ("", false, "a\n\"\"\n", "a\n\"\"\n"),
        ("a=b", false, "a\na=b\n", "a\na=b\n"),
    ] {
        assert_eq!(
            one_cell(OutputArgs { format: Format::Csv, raw_csv, bom: false, terminal: false }, text),
            file,
            "{text:?}"
        );
        assert_eq!(
            one_cell(OutputArgs { format: Format::Csv, raw_csv, bom: false, terminal: true }, text),
            terminal,
            "{text:?}"
        );
    }
}

#[test]
fn headings_are_no_more_trusted_than_cells() {
    let heading = |format| {
        let args = OutputArgs { format, raw_csv: false, bom: false, terminal: false };
        let mut sheet = Sheet::begin(Vec::new(), args, &["=1\u{9b}"]).unwrap();
        sheet.row(vec![Cell::Integer(1)]).unwrap();
        String::from_utf8(sheet.end().unwrap()).unwrap()
    };
    assert_eq!(heading(Format::Table), "=1\\u{9b}\n       1\n");
    assert_eq!(heading(Format::Json), "{\"=1\\u009b\":1}\n");
    assert!(heading(Format::Csv).starts_with("'=1"));
}

#[test]
fn a_long_table_is_printed_by_blocks_with_one_heading() {
    let mut sheet = Sheet::begin(Vec::new(), OutputArgs::default(), &["n"]).unwrap();
    for n in 0..12_000 {
        sheet.row(vec![Cell::Integer(n)]).unwrap();
        if n == 11_000 {
            // What came before is out of memory already.
            assert_eq!(sheet.out.iter().filter(|b| **b == b'\n').count(), 1 + 10_000);
        }
    }
    let text = String::from_utf8(sheet.end().unwrap()).unwrap();
    let numbers: Vec<i64> = text.lines().skip(1).map(|line| line.trim().parse().unwrap()).collect();
    assert_eq!(numbers, (0..12_000).collect::<Vec<_>>());
    assert!(text.starts_with('N') || text.trim_start().starts_with('N'));
}
