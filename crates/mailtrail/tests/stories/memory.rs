//! What other users and other processes of this machine can do to a command.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use crate::support::{Site, wait_for};

/// Not root, and of nobody.
const SOME_USER: u32 = 54_321;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
#[cfg(target_os = "linux")]
fn no_other_process_reads_the_memory_of_a_command_with_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let (binary, token) = (folder.path().join("mailtrail"), folder.path().join("token"));
    std::fs::copy(env!("CARGO_BIN_EXE_mailtrail"), &binary).unwrap();
    std::fs::write(&token, "mailtrail_x").unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
    // Files of root's processes belong to root anyway, so that root starts the command as somebody else.
    let user = if is_root() { SOME_USER } else { rustix::process::geteuid().as_raw() };
    if is_root() {
        chown(&token, Some(user), Some(user)).unwrap();
    }
    let start = |command: &mut Command| {
        if is_root() {
            command.uid(user).gid(user);
        }
        command.current_dir(folder.path()).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    };
    let owner = |child: &Child| std::fs::metadata(format!("/proc/{}/mem", child.id())).unwrap().uid();
    // Both wait for a line. The kernel takes the memory of a process that is not dumpable away from its user.
    let mut ordinary = start(&mut Command::new("cat"));
    assert_eq!(owner(&ordinary), user);
    let mut child = start(
        Command::new(&binary).args(["timeline", "-", "--server", "http://127.0.0.1:9"]).args(["--token-file", "token"]),
    );
    wait_for("memory that its user may not read", || {
        assert!(child.try_wait().unwrap().is_none(), "the command ended by itself");
        owner(&child) != user
    });
    for child in [&mut ordinary, &mut child] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn a_configuration_that_another_user_left_in_the_folder_is_not_used() {
    let site = Site::new();
    let file = site.path().join("mailtrail.toml");
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mailtrail"));
        command.arg("stats").current_dir(site.path()).env_remove("MAILTRAIL_CONFIG").stdin(Stdio::null());
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert!(!run().1.contains("belongs to another user"));
    // Only root can give a file away.
    if is_root() {
        chown(&file, Some(SOME_USER), None).unwrap();
        let (code, said) = run();
        assert!(code == Some(2) && said.contains("belongs to another user") && said.contains("--config"), "{said}");
    }
}
