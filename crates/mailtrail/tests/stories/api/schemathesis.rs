//! A public tool holds the running server against its document: <https://schemathesis.io>, as `scripts/schemathesis` installs it.

use std::path::Path;
use std::process::Command;

use super::Api;

/// Examples of the document, every bound of every schema, and a few requests drawn at random, always the same ones.
#[test]
fn the_running_server_is_what_its_document_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let installed = Command::new(folder.join("../../scripts/schemathesis")).output().unwrap();
    if !installed.status.success() {
        let why = String::from_utf8_lossy(&installed.stderr);
        eprintln!("SKIPPED: schemathesis cannot be installed here, so this was not tried:\n{why}");
        return;
    }
    let python = String::from_utf8(installed.stdout).unwrap();
    let api = Api::start();
    let here = folder.join("tests/stories/api");
    // It writes what it found beside itself.
    let scratch = tempfile::tempdir().unwrap();
    std::fs::copy(here.join("schemathesis.toml"), scratch.path().join("schemathesis.toml")).unwrap();
    let output = Command::new(python.trim())
        .args(["-m", "schemathesis.cli", "run", &format!("http://{}/api/v1/openapi.yaml", api.page)])
        .args(["-H", &format!("Authorization: Bearer {}", api.operator)])
        .args(["--max-examples", "5", "--generation-deterministic", "--phases", "examples,coverage,fuzzing"])
        .args(["--continue-on-failure", "--no-color", "--warnings", "off"])
        .env("PYTHONPATH", &here)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SCHEMATHESIS_HOOKS", "rows")
        .current_dir(scratch.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    // All but the document itself.
    let operations = super::document::operations() - 1;
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains(&format!("Tested: {operations}")), "not all {operations} were tried: {told}");
    let log = api.server.stop();
    assert!(!log.contains("ERROR") && !log.contains("panicked"), "{log}");
}
