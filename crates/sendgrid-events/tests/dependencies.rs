//! The crate does no I/O and waits for nothing, so it depends on nothing that does.

const ALLOWED: &[&str] = &["aws-lc-rs", "base64", "serde_json", "thiserror"];

#[test]
fn only_parsers_and_cryptography() {
    let manifest = include_str!("../Cargo.toml");
    let (_, section) = manifest.split_once("\n[dependencies]\n").expect("a section of dependencies");
    let section = section.split("\n[").next().unwrap_or_default();
    let names: Vec<&str> = section
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .filter_map(|line| line.split(['.', '=', ' ']).next())
        .collect();
    assert_eq!(names, ALLOWED, "a new dependency is decided here, and none may be async or do I/O");
}
