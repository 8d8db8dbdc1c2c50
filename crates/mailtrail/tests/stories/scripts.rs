//! Scripts install pinned tools, and a release is not made without a check of its dependencies.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn every_installed_tool_is_pinned_by_version() {
    let mut files: Vec<PathBuf> =
        fs::read_dir(repository().join("scripts")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.push(repository().join("fuzz/README.md"));
    let mut requirements = vec![
        repository().join("crates/mailtrail/tests/bigquery/requirements.txt"),
        repository().join("crates/mailtrail/tests/stories/api/requirements.txt"),
    ];
    let (lists, scripts): (Vec<PathBuf>, Vec<PathBuf>) =
        files.into_iter().partition(|file| file.extension().is_some_and(|extension| extension == "txt"));
    requirements.extend(lists);
    let mut installs = 0;
    for script in scripts {
        let text = fs::read_to_string(&script).unwrap();
        for line in text.lines().filter(|line| line.contains("cargo install ") && !line.starts_with('#')) {
            assert!(line.contains("--version"), "{}: {line}", script.display());
            installs += 1;
        }
    }
    assert!(installs > 0);
    for list in requirements {
        let text = fs::read_to_string(&list).unwrap();
        let packages = text.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_alphabetic()));
        let unpinned: Vec<&str> = packages.filter(|line| !line.contains("==")).collect();
        assert!(unpinned.is_empty(), "{}: {unpinned:?}", list.display());
    }
}

#[test]
fn the_image_has_no_base_image() {
    let dockerfile = fs::read_to_string(repository().join("Dockerfile")).unwrap();
    let bases: Vec<&str> = dockerfile.lines().filter(|line| line.starts_with("FROM ")).collect();
    assert_eq!(bases, ["FROM scratch"]);
}

/// Runs the package script in a folder of its own, where the check of advisories and cargo are stand-ins.
fn package(advisories: u8, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let scripts = folder.path().join("scripts");
    fs::create_dir(&scripts).unwrap();
    fs::copy(repository().join("scripts/package-deb"), scripts.join("package-deb")).unwrap();
    for (name, code) in [("advisories", advisories), ("cargo", 0)] {
        let path = scripts.join(name);
        fs::write(&path, format!("#!/bin/sh\nexit {code}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = std::env::join_paths(
        std::iter::once(scripts.clone()).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    )
    .unwrap();
    let script = scripts.join("package-deb");
    Command::new("sh").arg(script).args(arguments).env("PATH", path).env_remove("CARGO_TARGET_DIR").output().unwrap()
}

#[test]
fn a_package_needs_a_check_for_known_vulnerabilities() {
    let (found, unchecked) = (1, 3);
    for (advisories, arguments, passes) in [
        (0, &["--no-build"][..], true),
        (unchecked, &["--no-build"], false),
        (unchecked, &["--no-build", "--without-advisories"], true),
        (found, &["--no-build", "--without-advisories"], false),
    ] {
        let output = package(advisories, arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        // Behind the check the script misses the binary, which this folder does not have.
        assert_eq!(stderr.contains("is not built yet"), passes, "{advisories} {arguments:?}: {stderr}");
        assert_eq!(output.status.code(), Some(1), "{stderr}");
    }
    assert!(String::from_utf8_lossy(&package(unchecked, &["--no-build"]).stderr).contains("--without-advisories"));
}
