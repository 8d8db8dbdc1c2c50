//! The `mailtrail` binary: see [`mailtrail::cli`].

use std::process::ExitCode;

/// The road of a POST is many small allocations on several threads.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    mailtrail::cli::main()
}
