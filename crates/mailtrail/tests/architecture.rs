//! What ARCHITECTURE.md says about who may use whom and where things are done, held by reading the source.

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms that a room must not use although they stand above it in `lib.rs`, and why.
const NEVER: &[(&str, &[&str], &str)] = &[
    ("config", &["clock"], "the same files and environment give the same configuration"),
    ("protect", &["clock", "log"], "the same input gives the same row"),
    ("decode", &["clock", "log"], "the same input gives the same items"),
    (
        "settle",
        &["clock", "config", "log", "database", "receive", "decode", "spool", "store"],
        "rules are pure: events and times are handed in",
    ),
];

/// A habit: a text that may stand only in the files whose path below `src` starts with one of these.
struct Only {
    text: &'static str,
    places: &'static [&'static str],
    why: &'static str,
}

const ONLY: &[Only] = &[
    Only { text: "rusqlite", places: &["database", "spool", "store"], why: "SQL and its types stay in the stores" },
    Only { text: "env::var", places: &["config"], why: "the environment is read by config alone" },
    Only { text: "SystemTime::now", places: &["clock.rs"], why: "time enters through clock" },
    Only { text: "Timestamp::now", places: &["clock.rs"], why: "time enters through clock" },
    Only { text: "Zoned::now", places: &["clock.rs"], why: "time enters through clock" },
    Only { text: "println!(", places: &[], why: "print macros panic where the reader hung up: write to a handle" },
    Only { text: "io::stdout", places: &["cli"], why: "only commands print" },
    Only { text: "process::exit", places: &[], why: "main chooses the exit code; destructors must run" },
    Only { text: "Authentic::new(", places: &["receive"], why: "only receive says that a sender is proven" },
    Only {
        text: "Authentic::of_api(",
        places: &["reconcile"],
        why: "only what SendGrid's API said is vouched for by it",
    },
    Only { text: "Authentic::of_import(", places: &["import"], why: "what is imported is vouched for by nobody" },
    Only { text: "CommitReceipt(()", places: &["spool"], why: "only the spool says that a batch is durable" },
];

/// The crate without I/O.
const PURE: &[&str] =
    &["std::fs", "std::net", "std::env", "std::thread", "SystemTime", "Instant", "tokio", "tracing", "async "];

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files below a folder but those of tests alone.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test(&path) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn is_test(path: &Path) -> bool {
    path.iter().any(|part| part == "testing")
        || path.file_name().is_some_and(|name| name == "tests.rs" || name == "testing.rs")
}

/// Code lines with their numbers, without comments and without what stands behind the first `#[cfg(test)]` module.
fn code(text: &str) -> Vec<(usize, &str)> {
    let end = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
    (1..).zip(text[..end].lines()).filter(|(_, line)| !line.trim_start().starts_with("//")).collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("a source file")
}

/// Rooms in the order of `lib.rs`.
fn rooms() -> Vec<String> {
    let lib = read(&package().join("src/lib.rs"));
    let names = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    names.map(str::to_owned).collect()
}

/// The room a file belongs to: the first part of its path below `src`, without `.rs`.
fn room_of(below_src: &Path) -> Option<String> {
    let first = below_src.iter().next()?.to_str()?;
    let room = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(room, "lib" | "main")).then(|| room.to_owned())
}

/// Names behind `crate::`, also in `use crate::{a, b::c}`.
fn uses(line: &str) -> Vec<&str> {
    let word = |text: &'_ str| text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let mut found = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let rest = &line[at + "crate::".len()..];
        if line[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        match rest.strip_prefix('{') {
            None => found.push(&rest[..word(rest)]),
            Some(group) => {
                let mut depth = 0;
                let mut expect_name = true;
                for (index, character) in group.char_indices() {
                    match character {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        ',' if depth == 0 => expect_name = true,
                        c if depth == 0 && expect_name && (c.is_ascii_alphanumeric() || c == '_') => {
                            found.push(&group[index..index + word(&group[index..])]);
                            expect_name = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

#[test]
fn a_room_uses_only_rooms_above_it() {
    let rooms = rooms();
    assert!(rooms.iter().any(|room| room == "receive"), "lib.rs was not understood: {rooms:?}");
    let place = |room: &str| rooms.iter().position(|known| known == room);
    let src = package().join("src");
    let mut wrong = Vec::new();
    for path in sources(&src) {
        let below = path.strip_prefix(&src).expect("below src").to_owned();
        let Some(room) = room_of(&below) else { continue };
        let Some(own) = place(&room) else {
            wrong.push(format!("{} belongs to no room of lib.rs", below.display()));
            continue;
        };
        let text = read(&path);
        for (number, line) in code(&text) {
            for used in uses(line) {
                let Some(other) = place(used) else { continue };
                let at = format!("{}:{number}: {room} uses {used}", below.display());
                if other > own {
                    wrong.push(format!("{at}, which stands below it"));
                }
                if let Some((_, _, why)) = NEVER.iter().find(|(name, never, _)| *name == room && never.contains(&used))
                {
                    wrong.push(format!("{at}: {why}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_thing_is_done_in_one_place() {
    let src = package().join("src");
    let mut wrong = Vec::new();
    for path in sources(&src) {
        let below = path.strip_prefix(&src).expect("below src");
        let room = room_of(below).unwrap_or_default();
        let text = read(&path);
        for (number, line) in code(&text) {
            for only in ONLY.iter().filter(|only| line.contains(only.text)) {
                if !only.places.iter().any(|place| room == *place || below == Path::new(place)) {
                    wrong.push(format!("{}:{number}: {}: {}", below.display(), only.text, only.why));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_decoder_does_no_input_or_output() {
    let mut wrong = Vec::new();
    for path in sources(&package().join("../sendgrid-events/src")) {
        let text = read(&path);
        for (number, line) in code(&text) {
            for word in PURE.iter().filter(|word| line.contains(**word)) {
                wrong.push(format!("{}:{number}: {word}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    for crate_folder in ["../mailtrail/src", "../sendgrid-events/src", "../sendgrid-simulator/src"] {
        for path in sources(&package().join(crate_folder)) {
            let text = read(&path);
            // A crate whose README is its front page says it there.
            let says = text.starts_with("//!") || text.starts_with("#![doc = include_str!(");
            assert!(says, "{} does not start with //!", path.display());
            assert!(!path.ends_with("mod.rs"), "{}: foo.rs and foo/, never mod.rs", path.display());
        }
    }
}

#[test]
fn uses_are_found_in_every_form() {
    for (line, expected) in [
        ("use crate::store::Paths;", vec!["store"]),
        ("use crate::{clock, log::{a, b}, protect::Row};", vec!["clock", "log", "protect"]),
        ("let x = crate::clock::now_micros();", vec!["clock"]),
        ("pub(crate) fn x() {}", vec![]),
        ("pub(in crate::store) fn x() {}", vec!["store"]),
    ] {
        assert_eq!(uses(line), expected, "{line}");
    }
}
