//! Messages that were given up.

use super::{Fixture, MINUTE};

on_both! {
    a_dead_letter_is_kept_once
    dead_letters_are_kept_for_a_while_and_not_without_number
}

async fn a_dead_letter_is_kept_once(f: Fixture) {
    for _ in 0..3 {
        f.store.dead_letter("betteruptime:tick:a:w1", "not\0json", b"\0\xff", f.now).await.expect("a dead letter");
    }
    f.store.dead_letter("betteruptime:tick:a:w1", "another", b"{", f.now).await.expect("a dead letter");
    assert_eq!(f.count("select count(*) from dead_letter").await, 2);
}

async fn dead_letters_are_kept_for_a_while_and_not_without_number(f: Fixture) {
    const DAY: i64 = 24 * 60 * MINUTE;
    for (stream, at) in [("a", f.now - 31 * DAY), ("a", f.now - 29 * DAY), ("b", f.now - 31 * DAY), ("c", f.now)] {
        f.store.dead_letter(stream, "old", at.to_string().as_bytes(), at).await.expect("a dead letter");
    }
    assert_eq!(f.store.trim_dead_letters(f.now).await.expect("a trim"), 2);
    assert_eq!(f.count("select count(*) from dead_letter").await, 2);
    // 17,000 more of one stream, each a millisecond younger than the one before.
    f.execute(match &f.url {
        Some(_) => {
            "insert into dead_letter (dead_letter_id, stream, reason, raw, created_at) \
             select gen_random_uuid(), 'a', 'r', ''::bytea, \
             (extract(epoch from now()) * 1000)::bigint - 3600000 + n from generate_series(1, 17000) n"
        }
        None => {
            "with recursive s (n) as (select 1 union all select n + 1 from s where n < 17000) \
             insert into dead_letter (dead_letter_id, stream, reason, raw, created_at) select randomblob(16), 'a', 'r', x'', \
             cast(strftime('%s', 'now') as integer) * 1000 - 3600000 + n from s"
        }
    })
    .await;
    let mut gone = Vec::new();
    for _ in 0..3 {
        gone.push(f.store.trim_dead_letters(f.now).await.expect("a trim"));
    }
    assert_eq!(gone, [5_000, 2_001, 0]);
    assert_eq!(f.count("select count(*) from dead_letter where stream = 'a'").await, 10_000);
    assert_eq!(f.count("select count(*) from dead_letter where stream = 'a' and reason = 'old'").await, 0);
    assert_eq!(f.count("select count(*) from dead_letter where stream = 'c'").await, 1);
}
