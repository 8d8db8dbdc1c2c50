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
        assert_eq!((list.email_column(), list.column("note"), list.encoding()), (1, Some(2), Encoding::Utf8));
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
        (text.as_bytes().to_vec(), Encoding::Utf8),
        (format!("\u{feff}{text}").into_bytes(), Encoding::Utf8),
        (cp932.to_vec(), Encoding::Cp932),
        (utf_16, Encoding::Utf16),
    ] {
        let list = read(bytes);
        assert_eq!(list.encoding(), encoding);
        assert_eq!(list.columns(), ["メールアドレス", "氏名"]);
        assert_eq!(cells(&list), [["a@example.jp", "髙橋 ～①ソ"]]);
    }
}

#[test]
fn what_cannot_be_decoded_is_told_by_row_and_column() {
    let broken = b"email,name\n\na@example.com,\x81\n";
    let told = error(broken, &ListOptions::default());
    assert!(told.contains("row 3, column 2 of the list is not cp932"), "{told}");
    // Mostly UTF-8: nobody wants this read as cp932.
    let told =
        error(b"email,name\na@example.com,\xe9\xab\x98\xe6\xa9\x8b\nb@example.com,\xe9\n", &ListOptions::default());
    assert!(told.contains("row 3, column 2 of the list is not UTF-8"), "{told}");
    let utf_8 = ListOptions { encoding: EncodingChoice::Utf8, ..ListOptions::default() };
    assert!(error(b"email\n\x8d\x82@example.com", &utf_8).contains("row 2, column 1"));
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
    let told = error("jane@example.com\njoe@example.com\n", &ListOptions::default());
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
    let list = List::of_addresses(["a@example.com", "", "A@example.com", "nobody"]);
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
    let list = List::of_addresses(["Jane@Example.com", "joe@example.com"]);
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

/// As our own CSV marks a cell.
fn marked(cell: &str) -> String {
    if cell.starts_with(FORMULA) { format!("'{cell}") } else { cell.to_owned() }
}

proptest! {
    #[test]
    fn cells_come_back_as_they_were_written(rows in prop::collection::vec(["[=+@'\",;\t\r\n あa-]{0,6}", "\\PC{0,5}"], 1..8)) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["email", "x", "y"]).unwrap();
        for (n, [x, y]) in rows.iter().enumerate() {
            writer.write_record([format!("a{n}@example.com"), marked(x), marked(y)]).unwrap();
        }
        let list = read(writer.into_inner().unwrap());
        prop_assert_eq!(list.len(), rows.len());
        for (row, [x, y]) in list.rows().zip(&rows) {
            // A cell that began with the mark itself loses nothing but before a formula.
            let (x, y) = (marked(x), marked(y));
            prop_assert_eq!(row.cell(1), original(&x));
            prop_assert_eq!(row.cell(2), original(&y));
        }
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
