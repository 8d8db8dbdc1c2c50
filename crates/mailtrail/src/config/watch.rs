//! `[watch]`: from when on what may stop the receiving is told.

use std::time::Duration;

use super::reader::Reader;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// `[watch]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    /// How often it is looked.
    pub every: Duration,
    /// Several POSTs refused and none accepted for so long.
    pub refusals: Duration,
    /// All signatures too old for so long.
    pub clock: Duration,
    /// So long before the certificate's end.
    pub certificate: Duration,
    /// An event waits to be stored for so long.
    pub backlog: Duration,
    /// A POST waits for a consumer of `[[relay]]` for so long.
    pub relay: Duration,
    /// The disk is full within so long at the present growth.
    pub disk: Duration,
    /// Less than so many bytes are free.
    pub disk_free: u64,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            every: MINUTE,
            refusals: MINUTE * 10,
            clock: MINUTE * 10,
            certificate: DAY * 14,
            backlog: MINUTE * 10,
            relay: MINUTE * 10,
            disk: DAY * 14,
            disk_free: 1 << 30,
        }
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> Watch {
    let usual = Watch::default();
    Watch {
        every: reader.duration("watch.every", usual.every, "1m"),
        refusals: reader.duration("watch.refusals", usual.refusals, "10m"),
        clock: reader.duration("watch.clock", usual.clock, "10m"),
        certificate: reader.duration("watch.certificate", usual.certificate, "14d"),
        backlog: reader.duration("watch.backlog", usual.backlog, "10m"),
        relay: reader.duration("watch.relay", usual.relay, "10m"),
        disk: reader.duration("watch.disk", usual.disk, "14d"),
        disk_free: reader.size("watch.disk_free", usual.disk_free, "1GiB"),
    }
}
