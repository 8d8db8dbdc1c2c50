//! Lists as people save them, and what every command that reads one makes of them.

use super::*;

/// Runs a command with bytes on standard input.
fn with_input(site: &Site, args: &[&str], input: &[u8]) -> (Option<i32>, String, String) {
    use std::io::Write as _;
    let mut command = site.command(args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn write(site: &Site, name: &str, bytes: impl AsRef<[u8]>) {
    std::fs::write(site.path().join(name), bytes).unwrap();
}

/// gdal#11845, cockroach#39809: three of four recipients were inside another one's name, and the exit code was 0.
#[test]
fn a_list_whose_rows_have_no_certain_end_is_refused_before_anything_is_sent() {
    let post = Post::new(|_| Fault::None);
    let lists = [
        (
            "email,name\na@x.example,\"Anna\nb@x.example,Bob\nc@x.example,C\nd@x.example,\"Dora\"\n",
            "row 2, column name: text follows the quote in row 5",
        ),
        (
            "email,name\na@x.example,\"Anna\nb@x.example,Bob\n",
            "row 2, column name: the quote at the start of this cell is never closed",
        ),
        (
            "email,name\na@x.example,\"Anna\nb@x.example,Bob\"\nc@x.example,C\n",
            "its line in row 3 reads as a row with an address",
        ),
    ];
    for (list, expected) in lists {
        write(&post.site, "list.csv", list);
        for more in [&["--subject", "Hello"][..], &["--subject", "Hello", "--skip-invalid"]] {
            let args = ["send", "list.csv", "--run", "november", "--html", "plain.html"];
            write(&post.site, "plain.html", "<p>Hello</p>");
            let output = post.site.command(&[&args[..], more].concat()).output().unwrap();
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{said}");
            assert!(said.contains(expected) && !said.contains("@x.example"), "{said}");
        }
    }
    assert_eq!(post.api.requests().len(), 0, "SendGrid was not asked");

    let args = ["send", "list.csv", "--run", "november", "--subject", "S", "--html", "plain.html"];
    let accepted = post.site.command(&[&args[..], &["--allow-multiline-addresses"]].concat()).output().unwrap();
    assert_eq!(accepted.status.code(), Some(0), "{}", text(&accepted.stderr));
    assert_eq!(post.mails().len(), 2);
    // The cell is accepted, and the address in it is reported all the same where it is another recipient's.
    write(&post.site, "list.csv", "email,name\ne@x.example,ask f@x.example\nf@x.example,F\n");
    let output = post.site.command(&args).output().unwrap();
    let said = text(&output.stderr);
    assert!(
        said.contains("warning: 1 row of the list contain another recipient's address") && said.contains("(row 2)"),
        "{said}"
    );
    post.end();
}

/// Excel in Western Europe saves windows-1252; read as cp932 a mail began with `H駘鈩e`.
#[test]
fn a_list_of_excel_in_western_europe_is_mailed_as_it_was_written() {
    let post = Post::new(|_| Fault::None);
    write(
        &post.site,
        "list.csv",
        b"email,name\r\na@x.example,H\xe9l\xe8ne\r\nb@x.example,Fr\xe9d\xe9ric\r\nc@x.example,St\xe9phane\r\n",
    );
    write(&post.site, "mail.html", "\u{feff}<p>Hello {{name}}</p>");
    let output = post.send(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("read as windows-1252"), "{}", text(&output.stderr));
    assert_eq!(
        post.api.mails_to("a@x.example")[0].html.as_deref(),
        Some("<p>Hello Hélène</p>"),
        "without a byte order mark"
    );

    // One word is too little to tell two encodings apart.
    write(&post.site, "list.csv", b"email,name\r\nd@x.example,H\xe9l\xe8ne\r\n");
    let output = post.send(&[]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("“Hélène” as windows-1252") && said.contains("“Hélčne” as windows-1250"), "{said}");
    let output = post.send(&["--encoding", "latin1"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let output = post.send(&["--encoding", "latin-99"]);
    assert!(
        output.status.code() == Some(2) && text(&output.stderr).contains("label of the WHATWG"),
        "{}",
        text(&output.stderr)
    );
    post.end();
}

#[test]
fn every_command_reads_a_list_alike() {
    let site = Site::new();
    let hash = |address: &str| site.ask(&["hash", address]).trim().to_owned();
    let (anna, bob) = (hash("anna@example.jp"), hash("bob@example.jp"));
    let (japanese, _, _) =
        encoding_rs::SHIFT_JIS.encode("氏名;メールアドレス\r\n山田;anna@example.jp\r\n鈴木;BOB@example.jp\r\n");
    let lists: [(&str, &[u8], &[&str]); 4] = [
        ("cp932 and semicolons", &japanese, &[]),
        ("a separator line", b"sep=;\r\nemail;n\r\nanna@example.jp;1\r\nbob@example.jp;2\r\n", &[]),
        ("quoted, without a heading", b"\xef\xbb\xbf\"anna@example.jp\"\n\"bob@example.jp\"\n", &[]),
        ("another column", b"mail,work\nx@y.jp,anna@example.jp\nz@y.jp,bob@example.jp\n", &["--email-column", "WORK"]),
    ];
    for (what, bytes, more) in lists {
        write(&site, "list.csv", bytes);
        let output = site.command(&[&["hash", "--csv", "list.csv"], more].concat()).output().unwrap();
        let printed = text(&output.stdout);
        assert!(printed.contains(&anna) && printed.contains(&bob), "{what}: {printed}{}", text(&output.stderr));
    }
    let server = site.serve();
    let events =
        ["anna", "bob"].map(|name| crate::support::event(name, &format!("{name}@example.jp"), "delivered", now()));
    assert_eq!(server.post(&site, &crate::support::batch(&events)).0, 200);
    server.wait_drained();
    for (what, bytes, more) in lists {
        write(&site, "list.csv", bytes);
        let output = site
            .command(&[&["forget", "--dry-run", "--format", "json", "--list", "list.csv"], more].concat())
            .output()
            .unwrap();
        assert_eq!(report(&output)["events"], 2, "{what}");
        let sent = ["sent", "--category", "news", "--format", "json", "--list", "list.csv"];
        let output = site.command(&[&sent[..], more].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{what}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains("of 2 on the list"), "{what}: {}", text(&output.stderr));
    }
}

#[test]
fn what_is_no_address_is_an_error_with_its_row_everywhere() {
    let site = Site::new();
    drop(site.serve());
    let list = "email,name\njane@example.com,J\nJohn Smith <john@example.com>,S\nNULL,N\n,E\n";
    write(&site, "list.csv", list);
    let commands: [&[&str]; 6] = [
        &["hash", "--csv", "list.csv"],
        &["forget", "--list", "list.csv"],
        &["sent", "--category", "c", "--list", "list.csv"],
        &["unreached", "--category", "c", "--since", "1d", "--list", "list.csv"],
        &["wait", "--category", "c", "--since", "1d", "--list", "list.csv"],
        &["import", "--rehash", "list.csv", "-"],
    ];
    for args in commands {
        let output = site.command(args).stdin(Stdio::null()).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(2), ""), "{args:?}: {said}");
        assert!(said.contains("row 3, column email: a name stands beside the address"), "{args:?}: {said}");
        assert!(said.contains("row 4") && said.contains("row 5, column email: no address"), "{args:?}: {said}");
        assert!(!said.contains("john") && !said.contains("jane"), "{args:?}: {said}");
    }
    for args in [commands[0], commands[2], commands[3], commands[4]] {
        let skipping = [args, &["--skip-invalid"], if args[0] == "wait" { &["--timeout", "1s"] } else { &[] }].concat();
        let output = site.command(&skipping).output().unwrap();
        assert_ne!(output.status.code(), Some(2), "{skipping:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains("row 3, column email"), "{}", text(&output.stderr));
    }
    for given in ["John Smith <john@example.com>", "john＠example.com", "john@exam\u{200b}ple.com"] {
        for command in ["forget", "timeline"] {
            let (code, _, said) = with_input(&site, &[command, "-"], given.as_bytes());
            assert!(code == Some(2) && said.contains("that is not an address"), "{command}: {said}");
            assert!(!said.contains("john"), "{said}");
        }
    }
    for (args, input, expected) in [
        (&["hash", "John <john@example.com>"][..], "", "argument 1 is not an address"),
        (&["hash", ""], "", "argument 1 is not an address"),
        (&["hash", "-"], "jane@example.com\nNULL\n", "line 2 of standard input is not an address"),
    ] {
        let (code, _, said) = with_input(&site, args, input.as_bytes());
        assert!(code == Some(2) && said.contains(expected) && !said.contains("john"), "{args:?}: {said}");
    }
}

/// sendgrid-csharp#656
#[test]
fn letters_beyond_ascii_before_the_at_sign_are_sent_where_the_account_may() {
    let mut post = Post::new(|_| Fault::None);
    write(&post.site, "list.csv", "email,name\njané@x.example,J\n");
    let output = post.send(&[]);
    let said = text(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("[sendgrid] utf8_addresses = true"), "{said}");
    let message = r#"{"email":"jané@x.example","subject":"S","text":"T"}"#;
    let (_, out, _) = with_input(&post.site, &["send", "--run", "m", "--messages", "-"], message.as_bytes());
    assert!(out.contains("utf8_addresses"), "{out}");

    post.site.environment("MAILTRAIL_SENDGRID_UTF8_ADDRESSES", "true");
    let (code, out, said) = with_input(&post.site, &["send", "--run", "m", "--messages", "-"], message.as_bytes());
    let requests = post.api.requests().len();
    assert_eq!(requests, 1, "it is sent, whatever SendGrid answers: {code:?} {out} {said}");
    let output = post.send(&["--dry-run"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    post.end();
}

#[test]
fn a_byte_order_mark_is_stripped_wherever_text_enters() {
    let post = Post::new(|_| Fault::None);
    let site = &post.site;
    let hash = site.ask(&["hash", "jane@example.com"]);
    let marked = "\u{feff}jane@example.com\n";
    assert_eq!(with_input(site, &["hash", "-"], marked.as_bytes()).1, hash);
    write(site, "mail.html", "\u{feff}<p>H</p>");
    let (code, _, said) = with_input(
        site,
        &["send", "--run", "a", "--to", "-", "--subject", "S", "--html", "mail.html"],
        marked.as_bytes(),
    );
    assert_eq!(code, Some(0), "{said}");
    let message = "\u{feff}{\"email\":\"joe@example.com\",\"subject\":\"S\",\"text\":\"T\"}\n";
    let (code, _, said) = with_input(site, &["send", "--run", "b", "--messages", "-"], message.as_bytes());
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(post.api.mails_to("jane@example.com")[0].html.as_deref(), Some("<p>H</p>"));
    drop(site.serve());
    for args in [&["timeline", "-"][..], &["forget", "--dry-run", "-"], &["forget", "--dry-run", "--list", "-"]] {
        let (code, _, said) = with_input(site, args, marked.as_bytes());
        assert_eq!(code, Some(0), "{args:?}: {said}");
    }
    let (code, out, said) = with_input(site, &["sql", "-"], "\u{feff}SELECT 41 + 1".as_bytes());
    assert!(code == Some(0) && out.contains("42"), "{said}");
    // Configuration and key file, as Windows editors save them.
    for name in ["mailtrail.toml", "mailtrail.key"] {
        let path = site.path().join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("\u{feff}{text}")).unwrap();
    }
    assert_eq!(site.ask(&["hash", "jane@example.com"]), hash);
    post.end();
}

#[test]
fn foreign_dates_name_their_column() {
    let site = Site::new();
    drop(site.serve());
    write(
        &site,
        "events.csv",
        "sg_event_id,event,timestamp\na,open,24.11.2026 10:00\nb,open,11/24/2026\nc,open,2026-11-24T10:00:00Z\n",
    );
    let output = site.command(&["import", "events.csv"]).output().unwrap();
    let said = text(&output.stderr);
    assert!(said.contains("column timestamp could not be read in 2 rows") && said.contains("RFC 3339"), "{said}");
}

#[test]
fn an_export_for_excel_has_its_mark_and_names_cells_that_excel_cuts() {
    let site = Site::new();
    let server = site.serve();
    let long = crate::support::event("e", "jane@example.com", "bounce", now())
        .replace("\"category\"", &format!("\"note\":\"{}\",\"category\"", "x".repeat(40_000)));
    assert_eq!(server.post(&site, &crate::support::batch(&[long])).0, 200);
    server.wait_drained();
    let output = site.command(&["export", "--format", "csv", "--bom", "--out", "-"]).output().unwrap();
    assert!(output.stdout.starts_with("\u{feff}".as_bytes()), "{}", text(&output.stderr));
    assert!(
        text(&output.stderr).contains("1 cells are longer than the 32767 characters that Excel takes"),
        "{}",
        text(&output.stderr)
    );
}
