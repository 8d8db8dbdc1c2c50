use std::path::Path;
use std::sync::mpsc;

use rusqlite::ffi;

use super::backlog::Reservation;
use super::*;
use crate::database;
use crate::store::testing::record;

fn files(folder: &Path) -> SpoolFiles {
    let folder = folder.to_owned();
    let existing = (1..10).filter(|n| folder.join(format!("{n}.db")).exists()).collect();
    SpoolFiles { name: Arc::new(move |n| folder.join(format!("{n}.db"))), existing }
}

/// A writer to be driven by hand, and its outlet.
struct Bench {
    writer: Writer,
    outlet: Outlet,
    shared: Arc<Shared>,
    messages: mpsc::Receiver<Message>,
}

fn bench(folder: &Path) -> Bench {
    bench_at(folder, 1)
}

fn bench_at(folder: &Path, generation: u32) -> Bench {
    let files = files(folder);
    let file = SpoolFile::open(&(files.name)(generation)).expect("opened");
    let shared = Arc::new(Shared::new(1 << 20));
    shared.begin(Position { generation, id: file.last_id() });
    let (sender, messages) = channel();
    let outlet = Outlet::new(Arc::clone(&shared), sender, Arc::clone(&files.name), vec![], generation);
    Bench { writer: Writer::new(file, generation, files.name, Arc::clone(&shared)), outlet, shared, messages }
}

type Answer = oneshot::Receiver<Result<CommitReceipt, CommitError>>;

impl Bench {
    fn waiting(&self, first: u64) -> (Waiting, Answer) {
        let record = record(first..first + 2);
        let reserved: Reservation = Shared::reserve(&self.shared, record.bytes().len() as u64).expect("room");
        let (reply, answer) = oneshot::channel();
        (Waiting { record, post: None, received_at: 7, reserved, reply }, answer)
    }

    fn commit(&mut self, first: u64) -> Result<(), CommitError> {
        self.commit_with(first, None)
    }

    fn commit_with(&mut self, first: u64, post: Option<SealedPost>) -> Result<(), CommitError> {
        let (waiting, mut answer) = self.waiting(first);
        self.writer.commit(&mut vec![Waiting { post, ..waiting }]);
        answer.try_recv().expect("answered").map(drop)
    }

    /// What the outlet reads until there is nothing more, deleted as it goes.
    fn drain(&mut self) -> Vec<Record> {
        let mut found = vec![];
        while let Some(piece) = self.outlet.next(3).expect("readable") {
            self.outlet.drained();
            found.extend(piece.records);
            self.pass_messages();
        }
        self.pass_messages();
        found
    }

    fn pass_messages(&mut self) {
        while let Ok(message) = self.messages.try_recv() {
            match message {
                Message::Drained(drained) => self.writer.note_drained(drained),
                _ => panic!("unexpected"),
            }
        }
        self.writer.commit(&mut vec![]);
    }
}

fn records(firsts: &[u64]) -> Vec<Record> {
    firsts.iter().map(|first| record(*first..first + 2)).collect()
}

#[test]
fn an_io_error_fails_the_waiters_and_a_new_file_takes_over() {
    let temp = tempfile::tempdir().expect("a folder");
    let mut bench = bench(temp.path());
    bench.commit(0).expect("stored");
    bench.writer.file_mut().fail_next = Some(ffi::SQLITE_IOERR_FSYNC);
    assert!(matches!(bench.commit(2), Err(CommitError::Failing(_))));
    assert_eq!(bench.shared.head().generation, 2);
    assert_eq!(bench.shared.why_blocked(), None, "the new file can be written");
    bench.commit(4).expect("stored in the new file");
    assert!(temp.path().join("1.db").exists());

    assert_eq!(bench.drain(), records(&[0, 4]), "what was acknowledged, in order; the failed one is not there");
    assert!(!temp.path().join("1.db").exists(), "the old file goes when it is drained");
    assert!(!temp.path().join("1.db-wal").exists());
    assert_eq!(bench.shared.backlog(), Backlog::default());
}

#[test]
fn an_io_error_leaves_the_old_file_for_the_next_start() {
    let temp = tempfile::tempdir().expect("a folder");
    let mut bench = bench(temp.path());
    bench.commit(0).expect("stored");
    bench.writer.file_mut().fail_next = Some(ffi::SQLITE_IOERR_WRITE);
    assert!(bench.commit(2).is_err());
    bench.commit(4).expect("stored");
    drop(bench);

    let (spool, mut outlet) = Spool::open(files(temp.path()), 1 << 20, Arc::new(())).expect("opened");
    assert_eq!(spool.head().generation, 2);
    assert_eq!(spool.shared().backlog().rows, 2);
    let mut found = vec![];
    while let Some(piece) = outlet.next(100).expect("readable") {
        outlet.drained();
        found.extend(piece.records);
    }
    assert_eq!(found, records(&[0, 4]));
    assert!(!temp.path().join("1.db").exists());
    spool.stop();
    assert_eq!(spool.shared().backlog(), Backlog::default());
}

#[test]
fn files_do_not_pile_up_where_every_write_fails() {
    let temp = tempfile::tempdir().expect("a folder");
    let mut bench = bench(temp.path());
    for _ in 0..2 {
        bench.writer.file_mut().fail_next = Some(ffi::SQLITE_IOERR_FSYNC);
        assert!(bench.commit(0).is_err());
    }
    assert_eq!(bench.shared.head().generation, 2, "not a third within a second");
    assert!(matches!(bench.commit(0), Err(CommitError::Failing(_))));
    assert!(bench.shared.why_blocked().is_some());
}

#[test]
fn a_full_or_busy_disk_refuses_without_replacing_the_file() {
    let temp = tempfile::tempdir().expect("a folder");
    let mut bench = bench(temp.path());
    bench.commit(0).expect("stored");
    bench.writer.file_mut().limit_to_present_size();
    let refused = (0..50).map(|_| bench.commit(2)).find(Result::is_err).expect("full in the end");
    assert!(matches!(refused, Err(CommitError::Failing(why)) if why.contains("full")));
    assert!(bench.shared.why_blocked().is_some());
    let held = bench.shared.backlog();
    assert!(bench.commit(2).is_err());
    assert_eq!(bench.shared.backlog(), held, "a refused batch takes no room");

    bench.writer.file_mut().lift_limit();
    bench.writer.file_mut().fail_next = Some(ffi::SQLITE_BUSY);
    assert!(bench.commit(4).is_err());
    bench.writer.probe();
    assert_eq!(bench.shared.why_blocked(), None, "mending shows without traffic");
    bench.commit(4).expect("stored");
    assert_eq!(bench.shared.head().generation, 1);
    let found = bench.drain();
    assert_eq!((found.first(), found.last()), (records(&[0]).first(), records(&[4]).first()));
    assert_eq!(bench.shared.backlog(), Backlog::default());
}

#[test]
fn one_failing_commit_fails_all_that_shared_it() {
    let temp = tempfile::tempdir().expect("a folder");
    let mut bench = bench(temp.path());
    let (first, mut first_answer) = bench.waiting(0);
    let (second, mut second_answer) = bench.waiting(2);
    bench.writer.file_mut().fail_next = Some(ffi::SQLITE_FULL);
    bench.writer.commit(&mut vec![first, second]);
    for answer in [&mut first_answer, &mut second_answer] {
        assert!(matches!(answer.try_recv(), Ok(Err(CommitError::Failing(_)))));
    }
    assert_eq!(bench.shared.backlog(), Backlog::default());
    assert_eq!(bench.drain(), vec![]);
}

#[test]
fn a_damaged_file_is_set_aside_and_a_new_one_takes_over() {
    let temp = tempfile::tempdir().expect("a folder");
    std::fs::write(temp.path().join("3.db"), "no database at all, but something that stood here".repeat(200))
        .expect("written");
    let (spool, mut outlet) = Spool::open(files(temp.path()), 1 << 20, Arc::new(())).expect("starts all the same");
    assert_eq!(spool.head().generation, 4);
    assert!(outlet.next(10).expect("goes on").is_none());
    assert!(temp.path().join("3.db").exists(), "set aside, not removed");
    assert!(temp.path().join("3.db").exists(), "kept for whoever can mend it");
    spool.stop();
}

#[test]
fn ids_are_never_used_again() {
    let temp = tempfile::tempdir().expect("a folder");
    let mut bench = bench(temp.path());
    bench.commit(0).expect("stored");
    assert_eq!(bench.drain().len(), 1);
    drop(bench);
    let mut bench = self::bench(temp.path());
    assert_eq!(bench.shared.head(), Position { generation: 1, id: 1 });
    bench.commit(2).expect("stored");
    assert_eq!(bench.shared.head(), Position { generation: 1, id: 2 });
    assert_eq!(bench.drain(), records(&[2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_takes_no_room_for_ever() {
    let temp = tempfile::tempdir().expect("a folder");
    let (spool, mut outlet) = Spool::open(files(temp.path()), 1 << 20, Arc::new(())).expect("opened");
    let hung_up = tokio::time::timeout(std::time::Duration::ZERO, spool.commit(record(0..2), None)).await;
    drop(hung_up);
    spool.close();
    while outlet.next(10).expect("readable").is_some() {
        outlet.drained();
    }
    spool.stop();
    assert_eq!(spool.shared().backlog(), Backlog::default());
}

fn sealed(n: u8) -> SealedPost {
    SealedPost { seal_key_id: "k".to_owned(), sealed: vec![n; 100] }
}

#[test]
fn a_post_is_stored_with_its_batch_counts_as_backlog_and_goes_with_it() {
    let temp = tempfile::tempdir().expect("a folder");
    let mut bench = bench(temp.path());
    let (first, mut answer) = bench.waiting(0);
    let (second, _other_answer) = bench.waiting(2);
    let second = Waiting { post: Some(sealed(7)), ..second };
    bench.writer.commit(&mut vec![first, second]);
    answer.try_recv().expect("answered").map(drop).expect("stored");
    let piece = bench.outlet.next(10).expect("readable").expect("a piece");
    assert_eq!(piece.records, records(&[0, 2]));
    assert_eq!(piece.posts, [(1, SpooledPost { received_at: 7, post: sealed(7) })]);
    let path = temp.path().join("1.db");
    let records_alone: usize = piece.records.iter().map(|record| record.bytes().len()).sum();
    assert_eq!(
        Reader::open(&path).map(|reader| reader.backlog().expect("read").bytes).expect("opened"),
        records_alone as u64 + 100
    );

    let copy = temp.path().join("copy.db");
    database::snapshot(&path, &copy).expect("copied");
    leave_out_posts(&copy).expect("left out");
    let left = Reader::open(&copy).expect("opened").read_after(0, 10, 1 << 20).expect("read");
    assert!(left.len() == 2 && left.iter().all(|stored| stored.post.is_none()));
    assert!(!std::fs::read(&copy).expect("read").windows(40).any(|window| window == [7; 40]));

    bench.outlet.drained();
    bench.pass_messages();
    assert_eq!(bench.writer.file_mut().backlog().expect("read"), Backlog::default());
}

#[test]
fn an_earlier_version_s_old_file_is_drained_as_it_is() {
    let temp = tempfile::tempdir().expect("a folder");
    let mut old = bench(temp.path());
    old.commit(0).expect("stored");
    drop(old);
    let sql = rusqlite::Connection::open(temp.path().join("1.db")).expect("opened");
    sql.execute_batch("DROP TABLE post; PRAGMA user_version = 1").expect("as it was");
    drop(sql);
    drop(SpoolFile::open(&temp.path().join("2.db")).expect("a newer file"));
    assert_eq!(look(&temp.path().join("1.db")).expect("readable").batches, 1);
    let (spool, mut outlet) = Spool::open(files(temp.path()), 1 << 20, Arc::new(())).expect("opened");
    let piece = outlet.next(10).expect("readable").expect("a piece");
    assert_eq!((piece.records, outlet.drained().through), (records(&[0]), Position { generation: 1, id: 1 }));
    spool.stop();
}

#[test]
fn an_old_file_whose_first_migration_failed_holds_nothing_up() {
    let temp = tempfile::tempdir().expect("a folder");
    std::fs::write(temp.path().join("1.db"), "").expect("created, and no more");
    let mut bench = bench_at(temp.path(), 2);
    bench.commit(0).expect("stored");
    drop(bench);
    let (spool, mut outlet) = Spool::open(files(temp.path()), 1 << 20, Arc::new(())).expect("opened");
    assert_eq!(outlet.next(10).expect("readable").expect("a piece").records, records(&[0]));
    assert!(!temp.path().join("1.db").exists(), "it held nothing");
    spool.stop();
}

#[test]
fn nothing_is_acknowledged_that_goes_into_a_file_that_was_removed_or_replaced() {
    let temp = tempfile::tempdir().expect("a folder");
    let mut bench = bench(temp.path());
    bench.commit(0).expect("stored");
    for name in ["1.db", "1.db-wal", "1.db-shm"] {
        let (path, away) = (temp.path().join(name), temp.path().join("away"));
        std::fs::rename(&path, &away).expect("moved");
        assert!(matches!(bench.commit(2), Err(CommitError::Failing(why)) if why.contains("replaced or removed")));
        std::fs::write(&path, "another").expect("written");
        assert!(bench.commit(2).is_err(), "{name}");
        std::fs::rename(&away, &path).expect("moved back");
        bench.commit(4).expect("stored again");
    }
    assert_eq!(bench.shared.head().generation, 1, "no new file is begun");
}

/// Batches with posts of which two are more than a piece.
fn commit_large(bench: &mut Bench, firsts: &[u64]) {
    for first in firsts {
        bench.commit_with(*first, Some(SealedPost { sealed: vec![7; 1_500_000], ..sealed(7) })).expect("stored");
    }
}

/// The records of each piece until the chunk ends.
fn pieces(outlet: &mut Outlet, max_items: u64) -> Vec<Vec<Record>> {
    std::iter::from_fn(|| outlet.next(max_items).expect("readable")).map(|piece| piece.records).collect()
}

#[test]
fn a_chunk_comes_in_pieces_again_where_it_is_asked_for_and_goes_as_a_whole() {
    let temp = tempfile::tempdir().expect("a folder");
    let mut bench = bench(temp.path());
    commit_large(&mut bench, &[0, 2, 4, 6, 8]);
    let chunk = vec![records(&[0, 2]), records(&[4])];
    assert_eq!(pieces(&mut bench.outlet, 6), chunk);
    assert_eq!(bench.outlet.position(), Position::default());
    bench.outlet.again();
    assert_eq!(pieces(&mut bench.outlet, 6), chunk, "nothing of it was drained");
    let drained = bench.outlet.drained();
    assert_eq!(drained.through, Position { generation: 1, id: 3 });
    assert!(drained.is_small(14) && !drained.is_small(12));
    bench.pass_messages();
    assert_eq!(bench.writer.file_mut().backlog().expect("read").rows, 2, "the chunk is deleted");
    assert_eq!(pieces(&mut bench.outlet, 6), [records(&[6, 8])]);
    bench.outlet.drained();
    assert!(bench.outlet.next(6).expect("readable").is_none());
    bench.pass_messages();
    assert_eq!(bench.writer.file_mut().backlog().expect("read"), Backlog::default());
}

#[test]
fn what_stands_before_a_damaged_place_is_drained_before_the_file_is_set_aside() {
    let temp = tempfile::tempdir().expect("a folder");
    let mut bench = bench(temp.path());
    commit_large(&mut bench, &[0, 2, 4]);
    bench.writer.file_mut().settle().expect("all in the file");
    // The pages of the last post no longer lead to each other.
    let path = temp.path().join("1.db");
    let mut bytes = std::fs::read(&path).expect("read");
    let end = bytes.len();
    bytes[end - 100 * 4096..].fill(0xff);
    std::fs::write(&path, bytes).expect("written");

    assert_eq!(pieces(&mut bench.outlet, 100), [records(&[0, 2])]);
    assert_eq!(bench.outlet.drained().through.id, 2);
    assert!(bench.outlet.next(100).is_err_and(|error| error.to_string().contains("malformed")));
    let messages: Vec<_> = bench.messages.try_iter().collect();
    assert!(matches!(messages[..], [Message::Drained(_), Message::Distrust(1, _)]));
}
