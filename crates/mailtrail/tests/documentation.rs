//! The pages for people say what the program does.

use std::fs;
use std::path::Path;

use mailtrail::config::DEFAULTS;

const PAGE: &str = "../../docs/configuration.md";
const BEGIN: &str = "<!-- config.default.toml, by `UPDATE_DOCS=1 cargo test -p mailtrail --test documentation` -->\n";

/// With `UPDATE_DOCS=1` the page is written anew.
#[test]
fn the_page_about_the_configuration_shows_the_file_of_defaults() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = fs::read_to_string(&path).unwrap();
    let (head, _) = page.split_once(BEGIN).expect("the marker stands before the block");
    let expected = format!("{head}{BEGIN}\n```toml\n{DEFAULTS}```\n");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, expected).unwrap();
    } else {
        assert_eq!(page, expected, "run UPDATE_DOCS=1 cargo test -p mailtrail --test documentation");
    }
}

/// With `UPDATE_DOCS=1` the copy for readers is written anew.
#[test]
fn the_document_of_the_api_is_the_one_that_is_served() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (served, copy) =
        (fs::read_to_string(folder.join("openapi.yaml")).unwrap(), folder.join("../../docs/openapi.yaml"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&copy, served).unwrap();
    } else {
        let copy = fs::read_to_string(copy).unwrap();
        assert_eq!(copy, served, "run UPDATE_DOCS=1 cargo test -p mailtrail --test documentation");
    }
}

/// The document's Python, run on the document's own vectors; the library holds the same ones.
#[test]
#[expect(clippy::print_stdout, reason = "says that it is skipped")]
fn the_published_hash_is_what_python_makes() {
    let document = include_str!("../../../docs/email-hash.md");
    let code: String = document.split("```python\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let vector = |mode: &str| {
        let line = document.lines().find(|line| line.contains(&format!("| {mode} |"))).expect("a vector");
        line.rsplit('`').nth(1).expect("a hash").to_owned()
    };
    let key = document.split("With `hash = \"").nth(1).and_then(|rest| rest.split('"').next()).expect("a key");
    let (hmac, plain) = (vector("hmac-sha256"), vector("sha256"));
    let carrier = |mode: &str| {
        let line = document.lines().rfind(|line| line.contains(&format!("| {mode} |"))).expect("a vector");
        line.rsplit('`').nth(1).expect("a hash").to_owned()
    };
    let (carrier_hmac, carrier_plain) = (carrier("hmac-sha256"), carrier("sha256"));
    let check = format!(
        "{code}\nfor address in ['Da..me@Docomo.ne.jp', ' \"da..me\"@docomo.ne.jp']:\n    \
         assert email_hash(address, '{key}') == '{carrier_hmac}'\n    \
         assert email_hash_sha256(address) == '{carrier_plain}'\n\
         assert normalised('\"jane\"@x.example') == '\"jane\"@x.example'\n\
         assert normalised('\".\"@x.example') == '.@x.example'\nassert email_hash(' Jane.Doe@Example.COM ', '{key}') == '{hmac}'\n\
         assert email_hash_sha256(' Jane.Doe@Example.COM ') == '{plain}'\n"
    );
    match std::process::Command::new("python3").args(["-c", &check]).output() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(_) => println!("skipped: no python3 here"),
    }
    let library = include_str!("../src/protect/protector/tests.rs");
    assert!(
        [&hmac, &plain, &carrier_hmac, &carrier_plain].iter().all(|hash| library.contains(*hash)),
        "the library's test holds the published vectors"
    );
}
