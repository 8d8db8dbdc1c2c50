//! Lists as people and Excel save them, and what is told about broken ones.

use super::*;
use proptest::prelude::*;

fn read(bytes: impl AsRef<[u8]>) -> List {
    List::read(bytes.as_ref(), &ListOptions::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn error(bytes: impl AsRef<[u8]>, options: &ListOptions) -> String {
    List::read(bytes.as_ref(), options).err().expect("an error").to_string()
}

fn cells(list: &List) -> Vec<Vec<&str>> {
    list.rows().map(|row| row.cells().collect()).collect()
}

#[test]
fn comma_semicolon_and_tab_are_found_by_the_heading() {
    for delimiter in [",", ";", "\t"] {
        let text = ["name", "\"E-Mail\"", "note"].join(delimiter)
            + "\r\n"
            + ["Jane", " jane@example.com ", "\"a,b;c\td\""].join(delimiter).as_str();
        let list = read(&text);
        assert_eq!(cells(&list), [["Jane", "jane@example.com", "a,b;c\td"]], "{text:?}");
        assert_eq!((list.email_column(), list.column("note"), list.encoding()), (1, Some(2), Encoding::UTF_8));
    }
    assert_eq!(cells(&read("email\na@example.com\n")), [["a@example.com"]]);
}

#[test]
fn encodings_of_excel() {
    let text = "メールアドレス,氏名\r\na@example.jp,髙橋 ～①ソ\r\n";
    let (cp932, _, bad) = encoding_rs::SHIFT_JIS.encode(text);
    assert!(!bad);
    let utf_16: Vec<u8> = [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    for (bytes, encoding) in [
        (text.as_bytes().to_vec(), "UTF-8"),
        (format!("\u{feff}{text}").into_bytes(), "UTF-8"),
        (cp932.to_vec(), "cp932"),
        (utf_16, "UTF-16LE"),
    ] {
        let list = read(bytes);
        assert_eq!(list.encoding().to_string(), encoding);
        assert_eq!(list.columns(), ["メールアドレス", "氏名"]);
        assert_eq!(cells(&list), [["a@example.jp", "髙橋 ～①ソ"]]);
    }
}

#[test]
fn what_cannot_be_decoded_is_told_by_row_and_column() {
    let named = |label: &str| ListOptions { encoding: label.parse().unwrap(), ..ListOptions::default() };
    let broken = b"email,name\n\na@example.com,\x81\n";
    let told = error(broken, &named("cp932"));
    assert!(told.contains("row 3, column 2 of the list is not cp932"), "{told}");
    assert!(error(broken, &ListOptions::default()).contains("encoding is not certain"));
    // Mostly UTF-8: nobody wants this read as cp932.
    let told =
        error(b"email,name\na@example.com,\xe9\xab\x98\xe6\xa9\x8b\nb@example.com,\xe9\n", &ListOptions::default());
    assert!(told.contains("row 3, column 2 of the list is not UTF-8"), "{told}");
    assert!(error(b"email\n\x8d\x82@example.com", &named("utf-8")).contains("row 2, column 1"));
    assert!(error(b"\xff\xfee", &ListOptions::default()).contains("UTF-16"));
}

#[test]
fn the_column_of_addresses_is_found_or_asked_for() {
    let with = |name: &str| ListOptions { email_column: Some(name.to_owned()), ..ListOptions::default() };
    assert_eq!(
        List::read("EMAIL,Work\na@b.jp,c@d.jp".as_bytes(), &with("work")).map(|l| l.email_column()).ok(),
        Some(1)
    );
    assert!(error("adress,name\n", &with("address")).contains("did you mean adress?"));
    assert!(error("name\n", &ListOptions::default()).contains("has no column email"));
    assert!(error("email,mail\n", &ListOptions::default()).contains("columns 1 and 2"));
    assert!(error("email,name,name\n", &ListOptions::default()).contains("columns 2 and 3"));
    let told = error("jane@example.com,Jane\njoe@example.com,Joe\n", &ListOptions::default());
    assert!(told.contains("first line holds an address") && !told.contains("jane"), "{told}");
    assert!(error("\n\n", &ListOptions::default()).contains("is empty"));
}

#[test]
fn rows_that_cannot_be_mailed_are_told_without_their_address() {
    let list = read(
        "email,name\n\n,\nnobody@nowhere,A\njane@example.com\n,B\nJane@example.com,\"C\nD\"\njane@EXAMPLE.com,E\nz@z.jp,F",
    );
    let told: Vec<String> = list.problems().shown().iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "row 4, column email: what stands behind the @ is no domain",
            "row 5: 1 cells where the heading has 2",
            "row 6, column email: no address",
        ]
    );
    assert_eq!(list.duplicates(), [9]);
    assert_eq!(list.rows().map(Row::number).collect::<Vec<_>>(), [7, 10]);
    let many = read(format!("email,n\n{}", "bad,1\n".repeat(50)));
    assert_eq!((many.problems().shown().len(), many.problems().total()), (20, 50));
}

#[test]
fn addresses_alone_are_a_list_too() {
    let list = List::of_addresses(["a@example.com", "", "A@example.com", "nobody"], LocalParts::Ascii);
    assert_eq!((list.len(), list.duplicates(), list.problems().total()), (1, &[3_u64][..], 1));
    assert_eq!(list.row(0).map(|row| row.address().expose().to_owned()).as_deref(), Some("a@example.com"));
    assert!(list.row(1).is_none());
}

#[test]
fn hashes_join_under_every_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, KeyRing::generate().unwrap().to_text().as_bytes()).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let keys = KeyRing::from_file(crate::config::HashMode::HmacSha256, &path).unwrap();
    let list = List::of_addresses(["Jane@Example.com", "joe@example.com"], LocalParts::Ascii);
    let expected = [keys.lookup_hashes("jane@example.com"), keys.lookup_hashes("joe@example.com")];
    assert_eq!(list.hashes(&keys).collect::<Vec<_>>(), expected);
}

#[test]
fn messages_are_read_line_by_line() {
    let input = concat!(
        "\u{feff}{\"email\":\"a@example.com\",\"subject\":\"S\",\"category\":\"c\",\"custom_args\":{\"n\":1,\"t\":\"x\"},\"data\":{\"a\":[1]}}\n",
        "\n",
        "{\"email\":\"b@example.com\",\"categories\":[]}\n",
        "{\"email\":\"secret@example\"}\n",
        "{\"email\":\"c@example.com\",\"secret\n",
        "[1]\n",
        "{\"email\":\"c@example.com\",\"text\":1}\n",
        "{\"email\":\"d@example.com\",\"category\":[\"x\",\"y\"]}",
    );
    let mut told = Vec::new();
    let mut read = Vec::new();
    for message in Messages::new(input.as_bytes()) {
        match message {
            Ok(message) => read.push(message),
            Err(error) => told.push(error.to_string()),
        }
    }
    assert_eq!(
        told,
        [
            "line 3 of the messages: has a key categories that messages do not have: did you mean category?",
            "line 4 of the messages: email: what stands behind the @ is no domain",
            "line 5 of the messages: is not JSON from column 32 on",
            "line 6 of the messages: is not a JSON object such as {\"email\": …, \"subject\": …, \"text\": …}",
            "line 7 of the messages: text is not a text",
        ]
    );
    let [first, last] = &read[..] else { panic!("two messages") };
    assert_eq!(
        (first.row, first.subject.as_deref(), first.category.as_deref()),
        (1, Some("S"), Some(&["c".to_owned()][..]))
    );
    assert_eq!(first.custom_args.get("n").map(String::as_str), Some("1"));
    assert_eq!((last.row, last.category.as_ref().map(Vec::len)), (8, Some(2)));
}

#[test]
fn quotes_and_line_breaks_that_leave_rows_open_are_refused() {
    // Files of gdal#11845 and cockroach#39809: a quote that nobody meant as one.
    let cases = [
        (
            "email,name\na@x.jp,\"Anna\nb@x.jp,Bob\nc@x.jp,Carl\n",
            "row 2, column name: the quote at the start of this cell is never closed",
        ),
        (
            "email,name\na@x.jp,\"Anna\nb@x.jp,Bob\nc@x.jp,Carl\nd@x.jp,\"Dora\"\n",
            "row 2, column name: text follows the quote in row 5 that closes this cell",
        ),
        ("email,name\n\na@x.jp,\"Anna\" Smith\n", "row 3, column name: text follows the quote in row 3"),
        (
            "email,name\na@x.jp,\"Anna\nb@x.jp,Bob\"\nc@x.jp,C\n",
            "row 2, column name: this cell has several lines, and its line in row 3",
        ),
        (
            "name,email\r\n\"Anna,a@x.jp\r\nBob,b@x.jp\"\r\nC,c@x.jp\r\n",
            "row 2, column name: this cell has several lines, and its line in row 3",
        ),
        ("email,name\n\"a@x.jp\nb@x.jp\",A\n", "row 2, column email: there is a line break in this cell"),
        ("email,\"name\na@x.jp,A\n", "row 1, column 2: the quote at the start of this cell is never closed"),
        ("a@x.jp\n\"b@x.jp\nc@x.jp\n", "row 2, column email: the quote at the start"),
    ];
    for (text, expected) in cases {
        let told = error(text, &ListOptions::default());
        assert!(told.contains(expected) && !told.contains("@x.jp"), "{text:?}: {told}");
    }
    let long = format!("email,name\na@x.jp,\"{}\n{}\"\n", "x".repeat(6_000), "y".repeat(6_000));
    assert!(error(&long, &ListOptions::default()).contains("more than the 10000 bytes"));
    // All of them are reported, not only the first.
    let told = error("email,name\na@x.jp,\"A\"a\nb@x.jp,\"B\"b\n", &ListOptions::default());
    assert!(told.contains("row 2") && told.contains("row 3"), "{told}");
}

#[test]
fn cells_of_several_lines_and_quotes_inside_cells_are_text() {
    let text = "email,name,note\na@x.jp,Ken \"K\" Sato,\"line 1\r\nline 2 \"\"quoted\"\"\"\nb@x.jp,\"B\" ,\"\"\n";
    let list = read(text);
    assert_eq!(cells(&list), [["a@x.jp", "Ken \"K\" Sato", "line 1\r\nline 2 \"quoted\""], ["b@x.jp", "B", ""],]);
    assert_eq!(list.rows().map(Row::number).collect::<Vec<_>>(), [2, 4]);
    // The quotes of a carrier address are its own.
    assert_eq!(read("email,name\n\"a..b\"@x.jp,A\n\"\"\"a..b\"\"@x.jp\",B\n").duplicates(), [3]);
    // A name of two lines before the address is no row, but a line that begins with an address is one.
    assert_eq!(read("name,email\n\"Anna\nSmith\",anna@x.jp\n").len(), 1);
    let accepted = ListOptions { allow_multiline_addresses: true, ..ListOptions::default() };
    let signature = "email,note\na@x.jp,\"Best\nme@x.jp, Anna\"\n";
    assert!(error(signature, &ListOptions::default()).contains("--allow-multiline-addresses"));
    assert_eq!(List::read(signature.as_bytes(), &accepted).unwrap().len(), 1);
}

#[test]
fn rows_are_counted_by_any_line_end() {
    for end in ["\r", "\n", "\r\n"] {
        let list = read(["email,name", "a@x.jp,A", "bad,B", "", "c@x.jp,\"C", "C\"", "bad,D", ""].join(end));
        let rows: Vec<u64> = list.problems().all().iter().map(|problem| problem.row).collect();
        assert_eq!((list.len(), rows), (2, vec![3, 7]), "{end:?}");
    }
}

#[test]
fn excels_separator_line_is_not_the_heading() {
    for text in [
        "sep=;\r\nemail;name\r\na@x.jp;A, B\r\nbad;C\r\n",
        "\u{feff}\"sep=;\"\nemail;name\na@x.jp;A, B\nbad;C\n",
        "sep=|\nemail|name\na@x.jp|A, B\nbad|C\n",
    ] {
        let list = read(text);
        assert_eq!(cells(&list), [["a@x.jp", "A, B"]], "{text:?}");
        assert_eq!(list.problems().all()[0].row, 4);
    }
}

#[test]
fn characters_that_people_do_not_see_are_trimmed_or_named() {
    let list = read(
        "email,name\na@x.jp,A\n\u{feff}b@x.jp,B\n\u{200b}c@x.jp,C\nd@x.jp\u{200b},D\ne@exam\u{200b}ple.jp,E\nf＠x.jp,F\n",
    );
    assert_eq!(
        list.rows().map(|row| row.email().to_owned()).collect::<Vec<_>>(),
        ["a@x.jp", "b@x.jp", "c@x.jp", "d@x.jp"]
    );
    let told: Vec<String> = list.problems().all().iter().map(ToString::to_string).collect();
    assert!(told[0].starts_with("row 6, column email: an invisible character in it (U+200B)"), "{told:?}");
    assert!(told[1].starts_with("row 7, column email: the full-width character ＠ in it"), "{told:?}");
}

#[test]
fn a_column_of_addresses_alone_needs_no_heading() {
    let list = read("\u{feff}\"a@x.jp\"\r\nb@x.jp\r\nnobody\r\n");
    assert_eq!((list.len(), list.columns(), list.problems().all()[0].row), (2, &["email".to_owned()][..], 3));
    let hash = "ab".repeat(32);
    for text in
        [format!("{hash}\na@x.jp\n"), format!("a@x.jp\n{hash}\n"), format!("name;email_hash\nA;{hash}\nB;a@x.jp\n")]
    {
        let (people, problems) = ListTable::read_people(text.as_bytes(), &ListOptions::default()).unwrap();
        let hashes = people.iter().filter(|person| matches!(person, Person::Hash(_))).count();
        assert_eq!((people.len(), hashes, problems.total()), (2, 1, 0), "{text:?}");
    }
    // Where hashes are not asked for, one is no address.
    assert_eq!(read(format!("email\n{hash}\n")).problems().total(), 1);
}

#[test]
fn another_recipients_address_in_a_row_is_found() {
    let list = read("email,name,note\na@x.jp,A,\nB@x.jp,B,ask a@X.jp.\nc@x.jp,C,c@x.jp and z@x.jp\nd@x.jp,<b@x.jp>,\n");
    assert_eq!(list.rows_with_others_addresses(), [3, 5]);
}

/// A cell of our own CSV is read as it was written, and a spreadsheet finds no formula at any place where it may begin a cell.
fn check_cell(cell: &str) -> Result<(), TestCaseError> {
    let written = guarded(cell);
    prop_assert_eq!(original(&written), cell);
    prop_assert!(!written.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r', '\n']));
    for part in written.split([';', '\r', '\n']).skip(1) {
        prop_assert!(
            !part.trim_start_matches(['"', ' ', '\t']).starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
        );
    }
    Ok(())
}

#[test]
fn formulas_are_escaped_for_every_locale_of_excel() {
    for (cell, written) in [
        ("=1", "'=1"),
        ("'=1", "''=1"),
        ("\n=1", "'\n'=1"),
        ("＝1", "'＝1"),
        ("a;=1", "a;'=1"),
        ("a; \"=1", "a;' \"=1"),
        ("a;'=1", "a;''=1"),
        ("a\r\nb", "a\r\nb"),
        ("it's", "it's"),
        ("'", "'"),
    ] {
        assert_eq!(guarded(cell), written);
        check_cell(cell).unwrap();
    }
}

proptest! {
    #[test]
    fn any_cell_is_read_as_it_was_written(cell in "[=+@＝＋－＠'\",;\t\r\n あa-]{0,8}") {
        check_cell(&cell)?;
    }

    #[test]
    fn no_bytes_make_it_panic_or_tell_an_address(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let file = [&b"email,a\nsecret-one,\n"[..], &bytes].concat();
        let told = match List::read(file.as_slice(), &ListOptions::default()) {
            Ok(list) => list.problems().shown().iter().map(ToString::to_string).collect(),
            Err(error) => error.to_string(),
        };
        prop_assert!(!told.contains("secret-one"));
        for message in Messages::new(bytes.as_slice()) {
            prop_assert!(message.is_err());
        }
    }
}
