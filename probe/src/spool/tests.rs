use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn spool(directory: &Path, limit: u64, now: Instant) -> Spool {
    Spool::new(directory, &"eu".parse().unwrap(), &"w".parse().unwrap(), limit, now)
}

fn ticks(range: std::ops::Range<usize>) -> Vec<(String, String)> {
    range.map(|n| (format!("{n}-0"), format!("{{\"n\":{n}}}"))).collect()
}

fn drain(spool: &mut Spool) -> Vec<String> {
    let mut ids = Vec::new();
    loop {
        let next = spool.next(7, 1_000);
        if next.is_empty() {
            return ids;
        }
        spool.sent(next.len());
        ids.extend(next.into_iter().map(|(id, _)| id));
    }
}

fn names(range: std::ops::Range<usize>) -> Vec<String> {
    ticks(range).into_iter().map(|(id, _)| id).collect()
}

#[test]
fn what_is_kept_outlives_the_process_and_the_youngest_file_is_sent_first() {
    let (directory, now) = (tempfile::tempdir().unwrap(), Instant::now());
    let mut first = spool(directory.path(), 1 << 20, now);
    assert!(first.open(now) && first.takes(now));
    assert!(first.keep(&ticks(0..10), now) && first.keep(&ticks(10..30), now));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let own = directory.path().join("eu_w");
    assert_eq!(mode(&own), 0o700);
    assert!(fs::read_dir(&own).unwrap().all(|f| mode(&f.unwrap().path()) == 0o600));
    let half_sent = first.next(5, 1_000);
    first.sent(half_sent.len());
    assert_eq!((first.ticks(), half_sent[0].0.as_str()), (25, "10-0"));
    // As after kill -9: what was sent from a file that is not through is sent again.
    drop(first);
    let mut second = spool(directory.path(), 1 << 20, now);
    assert!(second.open(now));
    assert_eq!(second.ticks(), 30);
    assert_eq!(second.youngest_entries(25), [names(10..30), names(0..5)].concat());
    assert_eq!(drain(&mut second), [names(10..30), names(0..10)].concat());
    assert_eq!((second.ticks(), second.take_loss()), (0, Loss::default()));
    assert_eq!(fs::read_dir(&own).unwrap().count(), 1, "only the lock is left");
}

#[test]
fn two_workers_never_share_one_and_the_second_gets_it_when_the_first_has_gone() {
    let (directory, now) = (tempfile::tempdir().unwrap(), Instant::now());
    let mut first = spool(directory.path(), 1 << 20, now);
    assert!(first.open(now));
    let mut second = spool(directory.path(), 1 << 20, now);
    assert!(!second.open(now) && !second.takes(now));
    drop(first);
    assert!(!second.open(now + Duration::from_secs(59)), "the disk is left alone for a minute");
    assert!(second.open(now + Duration::from_secs(60)));
    let mut other = Spool::new(directory.path(), &"eu".parse().unwrap(), &"v".parse().unwrap(), 1, now);
    assert!(other.open(now), "another name is another spool");
}

#[test]
fn the_oldest_file_goes_when_there_is_no_room_and_its_ticks_are_counted() {
    let (directory, now) = (tempfile::tempdir().unwrap(), Instant::now());
    // Room for two files of ten.
    let mut spool = spool(directory.path(), 700, now);
    assert!(spool.open(now));
    for n in 0..4 {
        assert!(spool.keep(&ticks(n * 10..n * 10 + 10), now));
    }
    assert_eq!(spool.take_loss(), Loss { dropped: 20, damaged: 0 });
    assert_eq!(drain(&mut spool), [names(30..40), names(20..30)].concat());
}

#[test]
fn damage_is_counted_and_passed_over_never_fatal() {
    let (directory, now) = (tempfile::tempdir().unwrap(), Instant::now());
    let mut first = spool(directory.path(), 1 << 20, now);
    assert!(first.open(now));
    (0..5).for_each(|n| assert!(first.keep(&ticks(n * 10..n * 10 + 10), now)));
    drop(first);
    let own = directory.path().join("eu_w");
    let file = |n: u64| path(&own, n, 10);
    let torn = fs::read(file(1)).unwrap();
    fs::write(file(1), &torn[..torn.len() - 3]).unwrap();
    let mut flipped = fs::read(file(2)).unwrap();
    flipped[40] ^= 4;
    fs::write(file(2), &flipped).unwrap();
    fs::write(file(3), b"").unwrap();
    fs::remove_file(file(4)).unwrap();
    fs::create_dir(file(4)).unwrap();
    File::create(file(5)).unwrap().set_len(MAX_READ + 1).unwrap();
    fs::write(own.join("notes.txt"), "not ours").unwrap();
    let mut second = spool(directory.path(), 1 << 30, now);
    assert!(second.open(now));
    let sent = drain(&mut second);
    assert_eq!(sent.len(), 9 + 9, "{sent:?}");
    assert_eq!(second.take_loss(), Loss { dropped: 0, damaged: 1 + 1 + 10 + 10 + 10 });
    assert!(own.join("notes.txt").exists());
}

#[test]
fn a_directory_that_cannot_be_made_is_no_spool() {
    let (directory, now) = (tempfile::tempdir().unwrap(), Instant::now());
    fs::write(directory.path().join("file"), "").unwrap();
    let mut spool = spool(&directory.path().join("file"), 1 << 20, now);
    assert!(!spool.open(now) && !spool.takes(now) && !spool.keep(&ticks(0..1), now));
    assert_eq!((spool.ticks(), spool.next(1, 1), spool.youngest_entries(1)), (0, vec![], vec![]));
}

#[test]
fn where_nothing_can_be_written_the_oldest_is_not_dropped_for_it() {
    let (directory, now) = (tempfile::tempdir().unwrap(), Instant::now());
    // Room for two files of ten.
    let mut spool = spool(directory.path(), 700, now);
    assert!(spool.open(now));
    (0..2).for_each(|n| assert!(spool.keep(&ticks(n * 10..n * 10 + 10), now)));
    // As on a disk that was mounted anew for reading alone: no file can be made.
    let (own, away) = (directory.path().join("eu_w"), directory.path().join("away"));
    fs::rename(&own, &away).unwrap();
    assert!(!spool.keep(&ticks(20..30), now));
    assert_eq!((spool.ticks(), spool.take_loss()), (20, Loss::default()));
    fs::rename(&away, &own).unwrap();
    assert!(spool.keep(&ticks(20..30), now), "it can be written again");
    assert_eq!(spool.take_loss(), Loss { dropped: 10, damaged: 0 });
    assert_eq!(drain(&mut spool), [names(20..30), names(10..20)].concat());
}
