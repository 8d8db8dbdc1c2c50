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
