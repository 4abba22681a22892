use uuid::Uuid;

use super::*;
use crate::model::{CheckKind, Delays, Outcome, Phases};

const TICKS: &str = "betteruptime:tick:eu:pi-1";
const ID: WebsiteId = WebsiteId(Uuid::from_u128(1));

fn letter(stream: &str, kind: &str, raw: &[u8]) -> KeptLetter {
    KeptLetter {
        letter_id: LetterId(Uuid::nil()),
        stream: stream.to_owned(),
        kind: kind.to_owned(),
        reason: kind.to_owned(),
        raw: raw.to_vec(),
        created_at: 7,
        replay_asked_at: None,
        replay_note: String::new(),
    }
}

fn tick() -> Tick {
    Tick {
        website_id: ID,
        slot_at: 1_000,
        attempt: 0,
        kind: CheckKind::Scheduled,
        started_at: 1_000,
        outcome: Outcome::Up,
        failure: None,
        phases: Phases::default(),
        total_us: 1,
        status: Some(200),
        remote: None,
        body_bytes: 0,
        truncated: false,
        hops: Vec::new(),
        certificate: None,
        answer: None,
        notes: Vec::new(),
        delays: Delays::default(),
    }
}

#[test]
fn a_result_is_taken_in_again_whatever_form_it_was_kept_in() {
    let json = serde_json::to_string(&tick()).unwrap();
    for raw in [
        json.clone(),
        format!("v=1\nkind=tick\nbody={json}\n"),
        format!("x=1\nv=1\nkind=tick\nbody={json}"),
        format!("v=1\nkind=tick\nbody={json}\ny=2\n"),
        format!("v=1\nkind=tick\nbody={}\n", json.replace(",\"", ",\n\"")),
    ] {
        let kept = letter(TICKS, "hub_failed", raw.as_bytes());
        let Replay::Tick { region, worker, tick: found } = kept.replay() else { panic!("{raw}: {:?}", kept.replay()) };
        assert_eq!((region.as_str(), worker.as_str(), *found), ("eu", "pi-1", tick()));
        assert_eq!((kept.subject(), kept.website_id()), (Subject::Report, Some(ID)));
    }
}

#[test]
fn a_check_that_was_put_away_is_a_look_at_its_website_now() {
    let of = |website_id| DeadLetter {
        entry_id: "1-0".to_owned(),
        reason: super::super::DeadReason::Expired,
        detail: "It may wait 5 s.".to_owned(),
        website_id,
        raw: String::new(),
    };
    let raw = |letter: &DeadLetter| serde_json::to_vec(letter).unwrap();
    let kept = letter(TICKS, "expired", &raw(&of(Some(ID))));
    assert_eq!((kept.replay(), kept.subject()), (Replay::Check(ID), Subject::Check));
    assert!(matches!(letter(TICKS, "expired", &raw(&of(None))).replay(), Replay::Nothing(_)));
    // What the hub itself gives up of the checks' stream, in either form.
    let check = format!("{{\"website_id\":\"{ID}\",\"slot_at\":1}}");
    for raw in [check.clone(), format!("v=1\nkind=check\nbody={check}\n")] {
        let kept = letter("betteruptime:website:eu", "max_deliveries", raw.as_bytes());
        assert_eq!((kept.replay(), kept.subject()), (Replay::Check(ID), Subject::Check));
        assert_eq!(kept.origin().map(|(region, worker)| (region.to_string(), worker)), Some(("eu".to_owned(), None)));
    }
    // A letter that an older hub did not understand.
    let entry = [b"v=1\nkind=dead_letter\nbody=", &raw(&of(Some(ID)))[..], b"\n"].concat();
    assert_eq!(letter(TICKS, "not_understood", &entry).replay(), Replay::Letter(of(Some(ID))));
}

#[test]
fn what_cannot_be_replayed_says_so() {
    assert!(matches!(letter(TICKS, "x", b"").replay(), Replay::Nothing(_)));
    assert!(matches!(letter(TICKS, "x", b"\xff\xfe").replay(), Replay::Nothing(_)));
    assert!(matches!(letter("a", "x", b"{}").replay(), Replay::Nothing(_)));
    assert!(matches!(letter("betteruptime:website:eu", "x", b"{}").replay(), Replay::Nothing(_)));
    let still = letter(TICKS, "not_understood", b"v=9\nkind=tick\nbody={}\n").replay();
    assert!(matches!(&still, Replay::StillNot(why) if why.contains("version 9")), "{still:?}");
    let beat = br#"{"version":"1","started_at":0,"sent_at":0,"concurrency":1,"in_flight":0,"checks":0,"expired":0,
        "refused":0,"buffered":0,"dropped":0,"lost":0}"#;
    let beat = letter(TICKS, "x", &[b"v=1\nkind=heartbeat\nbody=", &beat[..]].concat()).replay();
    assert!(matches!(beat, Replay::Nothing(why) if why.contains("sign of life")), "{beat:?}");
}

#[test]
fn a_place_in_the_list_survives_a_link() {
    let cursor = LetterCursor { at: 1_795_487_400_000, id: LetterId(Uuid::from_u128(7)) };
    assert_eq!(cursor.to_string().parse(), Ok(cursor));
    for bad in ["", "_", "1", "1_x", "x_00000000000000000000000000000007"] {
        assert_eq!(bad.parse::<LetterCursor>(), Err(()), "{bad}");
    }
}
