use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;
use crate::store::testing::{PlainKeys, batch, connect, encode, ids, record, stored};

fn start(folder: &Path) -> Keeper {
    start_with(folder, KeeperOptions::default())
}

fn start_with(folder: &Path, options: KeeperOptions) -> Keeper {
    Keeper::start(&paths(folder), options, Arc::new(PlainKeys)).expect("the store starts")
}

fn paths(folder: &Path) -> Paths {
    Paths::new(folder.join("store/mail.db"))
}

/// A trail that another process keeps locked, so that nothing drains meanwhile.
fn hold(folder: &Path) -> rusqlite::Connection {
    let connection = connect(paths(folder).trail());
    connection.execute_batch("BEGIN IMMEDIATE").expect("locked");
    connection
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_committed_is_in_the_trail_once_and_counted() {
    let temp = tempfile::tempdir().expect("a folder");
    let keeper = start(temp.path());
    let first = keeper.commit(record(0..30)).await.expect("stored");
    let second = keeper.commit(record(20..40)).await.expect("stored");
    let (_, _) = (first, second);
    keeper.drained().await;
    assert_eq!(stored(paths(temp.path()).trail()), ids(0..40));
    keeper.stop();
    let state = keeper.state();
    assert_eq!((state.stored, state.duplicate, state.quarantined), (40, 10, 0));
    assert_eq!(state.backlog, Backlog::default());
    assert_eq!((state.oldest_received_at, state.spool_generation), (None, 1));
    assert_eq!(keeper.commit(record(0..1)).await.expect_err("stopped"), CommitError::Closed);
    assert!(state.not_writable.is_some());
    keeper.drained().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_files_are_the_owner_s_alone() {
    let temp = tempfile::tempdir().expect("a folder");
    let keeper = start(temp.path());
    keeper.commit(record(0..3)).await.map(drop).expect("stored");
    let folder = temp.path().join("store");
    let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let files: Vec<_> = std::fs::read_dir(&folder).expect("read").map(|file| file.expect("read").path()).collect();
    assert!(files.len() >= 7, "trail, spool, their side files and the lock: {files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{file:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_is_refused_while_the_first_lives() {
    let temp = tempfile::tempdir().expect("a folder");
    let keeper = start(temp.path());
    let again = Keeper::start(&paths(temp.path()), KeeperOptions::default(), Arc::new(PlainKeys));
    assert!(matches!(again, Err(StartError::Lock(LockError::Held { process: Some(_), .. }))));
    drop(keeper);
    drop(start(temp.path()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_survives_and_drains_at_the_next_start() {
    let temp = tempfile::tempdir().expect("a folder");
    let keeper = start_with(temp.path(), KeeperOptions { drain_at_stop: Duration::ZERO, ..KeeperOptions::default() });
    keeper.commit(record(0..5)).await.map(drop).expect("stored");
    keeper.drained().await;
    let held = hold(temp.path());
    for n in 1..50 {
        keeper.commit(record(n * 5..n * 5 + 5)).await.map(drop).expect("stored though the trail is locked");
    }
    let state = keeper.state();
    assert_eq!((state.backlog.rows, state.backlog.items), (49, 245));
    assert!(state.not_writable.is_none());
    // What a crash leaves: the files as they are.
    let copy = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(copy.path().join("store")).expect("created");
    for file in std::fs::read_dir(temp.path().join("store")).expect("read") {
        let file = file.expect("read");
        if file.path().extension().is_some_and(|extension| extension != "db-shm") {
            std::fs::copy(file.path(), copy.path().join("store").join(file.file_name())).expect("copied");
        }
    }
    held.execute_batch("ROLLBACK").expect("released");
    drop(keeper);

    for folder in [temp.path(), copy.path()] {
        let keeper = start(folder);
        keeper.drained().await;
        assert_eq!(stored(paths(folder).trail()), ids(0..250));
        keeper.stop();
        assert_eq!(keeper.state().backlog, Backlog::default());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_spool_refuses_and_takes_again_when_drained() {
    let temp = tempfile::tempdir().expect("a folder");
    let size = record(0..10).bytes().len() as u64;
    let options = KeeperOptions { max_backlog_bytes: 3 * size, ..KeeperOptions::default() };
    let keeper = start_with(temp.path(), options);
    let held = hold(temp.path());
    let mut taken = 0;
    let refused = loop {
        match keeper.commit(record(0..10)).await {
            Ok(receipt) => {
                drop(receipt);
                taken += 1;
            }
            Err(error) => break error,
        }
        assert!(taken <= 3, "the bound holds");
    };
    assert_eq!((refused, taken), (CommitError::Full, 3));
    assert!(keeper.state().not_writable.is_some_and(|why| why.contains("max_backlog")));
    held.execute_batch("ROLLBACK").expect("released");
    keeper.drained().await;
    // The spool's own commit, which deletes, comes right after.
    while keeper.state().backlog.bytes > 0 {
        tokio::task::yield_now().await;
    }
    assert!(keeper.state().not_writable.is_none());
    keeper.commit(record(0..10)).await.map(drop).expect("room again");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_share_commits_and_lose_nothing() {
    let temp = tempfile::tempdir().expect("a folder");
    let keeper = start(temp.path());
    let senders: Vec<_> = (0..32)
        .map(|sender: u64| {
            let keeper = keeper.clone();
            tokio::spawn(async move {
                for n in 0..20 {
                    let first = (sender * 20 + n) * 3;
                    keeper.commit(record(first..first + 3)).await.map(drop).expect("stored");
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.expect("no panic");
    }
    keeper.drained().await;
    assert_eq!(stored(paths(temp.path()).trail()), ids(0..32 * 20 * 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_trail_is_refused_with_what_to_do() {
    let temp = tempfile::tempdir().expect("a folder");
    drop(start(temp.path()));
    connect(paths(temp.path()).trail()).pragma_update(None, "user_version", 99).expect("set");
    let Err(error) = Keeper::start(&paths(temp.path()), KeeperOptions::default(), Arc::new(PlainKeys)) else {
        panic!("a newer trail must not start");
    };
    assert!(error.to_string().contains("Run the newer mailtrail"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_batch_in_the_spool_is_refused_and_stays() {
    let temp = tempfile::tempdir().expect("a folder");
    drop(start(temp.path()));
    connect(&paths(temp.path()).spool(1))
        .execute("INSERT INTO batch (received_at, format, items, body) VALUES (1, 2, 1, x'00')", ())
        .expect("inserted");
    let Err(error) = Keeper::start(&paths(temp.path()), KeeperOptions::default(), Arc::new(PlainKeys)) else {
        panic!("a newer batch must not be drained");
    };
    assert!(error.to_string().contains("spool row format 2"), "{error}");
    let left: i64 = connect(&paths(temp.path()).spool(1))
        .query_row("SELECT count(*) FROM batch", (), |row| row.get(0))
        .expect("counted");
    assert_eq!(left, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_element_that_cannot_be_stored_goes_to_quarantine_and_the_rest_goes_on() {
    let temp = tempfile::tempdir().expect("a folder");
    let keeper = start(temp.path());
    connect(paths(temp.path()).trail())
        .execute_batch(
            "CREATE TRIGGER refuse BEFORE INSERT ON event WHEN new.sg_event_id IN ('event-3', 'event-8')
             BEGIN SELECT raise(ABORT, 'no'); END",
        )
        .expect("made");
    keeper.commit(record(0..10)).await.map(drop).expect("stored");
    keeper.commit(Record::from_stored(1, 1, vec![0xff; 40])).await.map(drop).expect("stored");
    keeper.commit(encode(batch(10..20))).await.map(drop).expect("stored");
    keeper.drained().await;
    assert_eq!(stored(paths(temp.path()).trail()), ids((0..20).filter(|n| *n != 3 && *n != 8)));
    let state = keeper.state();
    assert_eq!((state.stored, state.duplicate, state.quarantined), (18, 0, 3));
    assert!(state.not_draining.is_none());
    let connection = connect(paths(temp.path()).trail());
    let kept: i64 = connection
        .query_row("SELECT count(*) FROM quarantine WHERE why = 'undrainable' AND seal_key_id = 'seal-1'", (), |row| {
            row.get(0)
        })
        .expect("counted");
    assert_eq!(kept, 3);
}
