//! The other end of Redis: reads the region's stream as its workers would, and compares each entry's id with its slot.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use hub::queue::Tally;

const KEY: &str = "betteruptime:website:EU";
const AT_ONCE: usize = 5_000;

type Entries = Vec<(String, Vec<(String, Vec<u8>)>)>;

/// What was read.
#[derive(Default)]
struct Read {
    tally: Tally,
    /// When a website was last looked at out of turn.
    first: HashMap<String, i64>,
}

pub(crate) struct Reader {
    read: Arc<Mutex<Read>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    pub(crate) fn start(url: &str) -> Self {
        let mut connection = redis::Client::open(url).unwrap().get_connection().unwrap();
        let () = redis::cmd("FLUSHALL").query(&mut connection).unwrap();
        let () = redis::cmd("XGROUP").arg(&["CREATE", KEY, "EU", "0", "MKSTREAM"]).query(&mut connection).unwrap();
        let (read, stop) = (Arc::new(Mutex::new(Read::default())), Arc::new(AtomicBool::new(false)));
        let (shared, stopped) = (read.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let mut read = redis::cmd("XREADGROUP");
                read.arg(&[
                    "GROUP",
                    "EU",
                    "w",
                    "COUNT",
                    &AT_ONCE.to_string(),
                    "BLOCK",
                    "100",
                    "NOACK",
                    "STREAMS",
                    KEY,
                    ">",
                ]);
                let reply: Option<Vec<(String, Entries)>> = read.query(&mut connection).unwrap();
                let Some((_, entries)) = reply.and_then(|mut streams| streams.pop()) else { continue };
                if let Ok(mut read) = shared.lock() {
                    for entry in &entries {
                        let _ = note(&mut read, entry);
                    }
                }
                let last = entries.last().map_or("0", |(id, _)| id.as_str());
                let () = redis::cmd("XTRIM").arg(&[KEY, "MINID", last]).query(&mut connection).unwrap();
                if entries.len() < AT_ONCE {
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
        });
        Self { read, stop, thread: Some(thread) }
    }

    /// Begins another tally; returns what became of the last one.
    pub(crate) fn tally(&self, seconds: Range<i64>) -> Tally {
        std::mem::replace(&mut self.read.lock().unwrap().tally, Tally::of(seconds))
    }

    /// When a website was last looked at out of turn, by its entry's id.
    pub(crate) fn first(&self, website: &str) -> Option<i64> {
        self.read.lock().unwrap().first.get(website).copied()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn note(read: &mut Read, (id, fields): &(String, Vec<(String, Vec<u8>)>)) -> Option<()> {
    let at: i64 = id.split('-').next()?.parse().ok()?;
    let body = fields.iter().find(|(name, _)| name == "body")?;
    let text = std::str::from_utf8(&body.1).ok()?;
    if text.contains("\"scheduled\"") {
        let slot = text.split("\"slot_at\":").nth(1)?;
        let slot_at = slot.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
        read.tally.count(slot_at, at);
    } else {
        let website = text.split("\"website_id\":\"").nth(1)?.split('"').next()?;
        read.first.insert(website.to_owned(), at);
    }
    Some(())
}
