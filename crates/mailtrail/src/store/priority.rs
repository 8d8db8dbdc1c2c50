//! Threads that give way to those that answer.

/// Answering comes first: with all processors busy such a thread gets a tenth of one, and catches up afterwards.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Lowers the priority of the calling thread, for good. `who` is for the log.
pub fn give_way(who: &'static str) {
    // On Linux priorities are a thread's own; elsewhere this would slow the whole process down.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!("{who} keeps its priority: {error}");
    }
    #[cfg(not(target_os = "linux"))]
    let _unused = who;
}
