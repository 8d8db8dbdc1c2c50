//! The `mailtrail` binary: see [`mailtrail::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    mailtrail::cli::main()
}
