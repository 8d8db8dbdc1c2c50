//! The table of public failure reports names existing tests.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const TABLE: &str = include_str!("cases.txt");

#[test]
fn each_case_of_the_table_names_an_existing_test() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is below crates/");
    let mut sources = BTreeMap::new();
    let mut cases = 0;
    for line in TABLE.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        let cells: Vec<&str> = line.split(" | ").map(str::trim).collect();
        let [topic, case, source, test] = cells[..] else { panic!("not four cells: {line}") };
        assert!(!topic.is_empty() && !case.is_empty() && !source.is_empty(), "an empty cell: {line}");
        let (file, function) = test.rsplit_once("::").unwrap_or_else(|| panic!("no file::function: {line}"));
        let text = sources
            .entry(file.to_owned())
            .or_insert_with(|| fs::read_to_string(crates.join(file)).unwrap_or_else(|error| panic!("{file}: {error}")));
        assert!(text.contains(&format!("fn {function}(")), "no test {function} in {file}");
        cases += 1;
    }
    assert!(cases > 0, "the table is empty");
}
