use std::time::Duration;

use super::*;

const SECOND: i64 = 1_000_000;

struct Bench {
    _folder: tempfile::TempDir,
    paths: Paths,
    file: RelayFile,
}

fn bench(consumers: &[&str]) -> Bench {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = Paths::new(folder.path().join("mail.db"));
    let mut file = RelayFile::open_for_delivery(&paths).expect("created");
    file.set_consumers(consumers).expect("set");
    Bench { _folder: folder, paths, file }
}

fn post(n: u8) -> SpooledPost {
    let post = SealedPost { seal_key_id: "k".to_owned(), sealed: vec![n; 1000] };
    SpooledPost { received_at: i64::from(n) * SECOND, post }
}

impl Bench {
    fn add(&mut self, numbers: std::ops::Range<u8>) {
        // As the drain does, beside whoever delivers.
        let mut other = RelayFile::open(&self.paths).expect("opened");
        other.add(&numbers.map(post).collect::<Vec<_>>()).expect("added");
    }

    fn next(&self, consumer: &str) -> Vec<i64> {
        self.file.next(consumer, 100, 1 << 20).expect("read").iter().map(|post| post.id).collect()
    }

    fn done(&mut self, consumer: &str, id: i64, outcome: Outcome) {
        self.file.done(consumer, &[Done { id, again: false, outcome }]).expect("saved");
    }

    fn state(&self, consumer: &str) -> ConsumerState {
        let found = look(&self.paths).expect("read").expect("there");
        assert_eq!(found, self.file.consumers().expect("read"));
        found.into_iter().find(|state| state.name == consumer).expect("known")
    }
}

#[test]
fn each_consumer_has_its_own_place_and_what_all_have_is_deleted() {
    let mut bench = bench(&["a", "b"]);
    bench.add(1..4);
    assert_eq!((bench.next("a"), bench.next("b")), (vec![1, 2, 3], vec![1, 2, 3]));
    assert_eq!(bench.file.next("a", 2, 1 << 20).expect("read").len(), 2);
    assert_eq!(bench.file.next("a", 9, 1).expect("read").len(), 1, "one at least");
    bench.done("a", 1, Outcome::Delivered);
    bench.done("a", 2, Outcome::Delivered);
    bench.done("b", 1, Outcome::Delivered);
    let bounds = ["a", "b"].map(|name| Bound { consumer: name.to_owned(), max_age: Duration::from_secs(100) });
    assert_eq!(bench.file.bound(&bounds, 1 << 20, 4 * SECOND).expect("bounded"), []);
    assert_eq!(bench.file.held().expect("read"), (2, 2000));
    assert_eq!((bench.next("a"), bench.next("b")), (vec![3], vec![2, 3]));
    let state = bench.state("b");
    assert_eq!((state.waiting, state.oldest, state.delivered), (2, Some(2 * SECOND), 1));
    assert!(bench.next("nobody").is_empty());
}

#[test]
fn a_new_consumer_begins_at_the_end_and_nothing_is_kept_for_one_that_went() {
    let mut bench = bench(&["a"]);
    bench.add(1..3);
    bench.file.set_consumers(&["a", "new"]).expect("set");
    assert_eq!((bench.next("a"), bench.next("new")), (vec![1, 2], vec![]));
    bench.add(3..4);
    assert_eq!(bench.next("new"), [3]);
    bench.done("a", 1, Outcome::SetAside(400));
    bench.file.set_consumers(&["new"]).expect("set");
    let bounds = [Bound { consumer: "new".to_owned(), max_age: Duration::from_secs(100) }];
    assert_eq!(bench.file.bound(&bounds, 1 << 20, 4 * SECOND).expect("bounded"), []);
    assert_eq!(bench.file.held().expect("read").0, 1);
}

#[test]
fn what_is_refused_waits_aside_and_is_given_again_when_asked_for() {
    let mut bench = bench(&["a"]);
    bench.add(1..4);
    bench.done("a", 1, Outcome::SetAside(422));
    bench.done("a", 2, Outcome::Delivered);
    let bounds = [Bound { consumer: "a".to_owned(), max_age: Duration::from_secs(100) }];
    assert_eq!(bench.file.bound(&bounds, 1 << 20, 4 * SECOND).expect("bounded"), []);
    assert_eq!(bench.next("a"), [3], "the rest goes on");
    let waits = |bench: &Bench, id, again| bench.file.waits("a", id, again).expect("read");
    assert!(waits(&bench, 3, false) && !waits(&bench, 2, false) && !waits(&bench, 1, true));
    assert_eq!(bench.state("a").refusals.into_iter().collect::<Vec<_>>(), [(422, 1)]);
    assert_eq!(bench.file.give_again("a").expect("asked"), 1);
    let again = bench.file.next("a", 100, 1 << 20).expect("read");
    assert_eq!(again.iter().map(|post| (post.id, post.again)).collect::<Vec<_>>(), [(1, true)]);
    assert!(waits(&bench, 1, true) && !waits(&bench, 7, false));
    let refused = Done { id: 1, again: true, outcome: Outcome::SetAside(410) };
    bench.file.done("a", &[refused]).expect("saved");
    assert_eq!(bench.next("a"), [3], "aside once more");
    bench.file.give_again("a").expect("asked");
    bench.file.done("a", &[Done { outcome: Outcome::Delivered, ..refused }]).expect("saved");
    bench.file.bound(&bounds, 1 << 20, 4 * SECOND).expect("bounded");
    assert_eq!((bench.state("a").set_aside, bench.file.held().expect("read").0), (0, 1));
}

#[test]
fn what_is_too_old_or_too_much_goes_and_is_counted_once() {
    let mut bench = bench(&["quick", "slow"]);
    bench.add(1..11);
    bench.done("quick", 1, Outcome::SetAside(400));
    for id in 2..=4 {
        bench.done("quick", id, Outcome::Delivered);
    }
    let bounds = [("quick", 50), ("slow", 5)]
        .map(|(name, seconds)| Bound { consumer: name.to_owned(), max_age: Duration::from_secs(seconds) });
    let of = |name: &str, posts| Dropped { consumer: name.to_owned(), posts };
    assert_eq!(bench.file.bound(&bounds, 1 << 20, 11 * SECOND).expect("bounded"), [of("slow", 5)]);
    assert_eq!(bench.file.bound(&bounds, 1 << 20, 11 * SECOND).expect("bounded"), []);
    assert_eq!((bench.next("slow"), bench.file.held().expect("read").0), (vec![6, 7, 8, 9, 10], 7));
    // Room for three: what was set aside goes first, being the oldest.
    let dropped = bench.file.bound(&bounds, 3000, 11 * SECOND).expect("bounded");
    assert_eq!(dropped, [of("quick", 3), of("slow", 2)]);
    assert_eq!((bench.next("quick"), bench.next("slow")), (vec![8, 9, 10], vec![8, 9, 10]));
    let (quick, slow) = (bench.state("quick"), bench.state("slow"));
    assert_eq!((quick.dropped, quick.set_aside, slow.dropped), (3, 0, 7));
}

#[test]
fn the_forgotten_leave_and_no_byte_of_theirs_stays() {
    let mut bench = bench(&["a"]);
    bench.add(1..30);
    bench.done("a", 1, Outcome::SetAside(400));
    let judge = |post: &SealedPost| match post.sealed[0] {
        1 | 7 => remove::Verdict::Goes,
        9 => remove::Verdict::Locked,
        _ => remove::Verdict::Stays,
    };
    let expected = remove::Removed { posts: 2, locked: 1 };
    assert_eq!(remove::count(&bench.paths, judge).expect("counted"), expected);
    assert_eq!(remove::remove(&bench.paths, judge).expect("removed"), expected);
    assert_eq!(bench.next("a").len(), 27);
    assert_eq!((bench.state("a").set_aside, bench.state("a").dropped), (0, 1));
    for suffix in ["", "-wal"] {
        let mut path = bench.paths.relay().into_os_string();
        path.push(suffix);
        let bytes = std::fs::read(path).unwrap_or_default();
        assert!(!bytes.windows(40).any(|window| window == [7; 40] || window == [1; 40]), "{suffix}");
    }
    let nowhere = Paths::new(bench.paths.folder().join("other.db"));
    assert_eq!(remove::remove(&nowhere, judge).expect("nothing"), remove::Removed::default());
    assert!(look(&nowhere).expect("nothing").is_none() && !nowhere.relay().exists());
}

#[test]
fn a_post_outlives_the_process_and_the_file_is_the_owner_s_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut bench = bench(&["a"]);
    bench.add(1..2);
    let mode = std::fs::metadata(bench.paths.relay()).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let Bench { _folder, paths, file } = bench;
    drop(file);
    let file = RelayFile::open_for_delivery(&paths).expect("opened again");
    let found = file.next("a", 10, 1 << 20).expect("read");
    assert_eq!(found, [WaitingPost { id: 1, received_at: SECOND, post: post(1).post, again: false }]);
}

#[test]
fn a_damaged_file_is_given_up_with_the_number_of_what_is_lost() {
    let mut bench = bench(&["a"]);
    bench.add(1..4);
    bench.done("a", 1, Outcome::Delivered);
    let Bench { _folder, paths, file } = bench;
    drop(file);
    // The table of posts alone: who waits for how many can still be read.
    let sql = Connection::open(paths.relay()).expect("opened");
    let root: u32 =
        sql.query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'held'", (), |row| row.get(0)).expect("found");
    drop(sql);
    let mut bytes = std::fs::read(paths.relay()).expect("read");
    let page = usize::try_from(root).expect("a page") * 4096;
    bytes[page - 4096..page].fill(7);
    std::fs::write(paths.relay(), bytes).expect("written");

    let file = RelayFile::open_or_give_up(&paths).expect("a new file").expect("there was one");
    let state = &file.consumers().expect("read")[0];
    assert_eq!((state.name.as_str(), state.delivered, state.dropped, state.waiting), ("a", 1, 2, 0));
    assert_eq!(file.held().expect("read"), (0, 0));
}
