//! The other end of Redis: reads the region's stream as its workers would, and compares each entry's id with its slot.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

const KEY: &str = "betteruptime:website:EU";
const MOST_MS: usize = 20_000;

type Entries = Vec<(String, Vec<(String, Vec<u8>)>)>;

pub(crate) struct Reader {
    late: Arc<Mutex<Vec<u64>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    pub(crate) fn start(url: &str) -> Self {
        let mut connection = redis::Client::open(url).unwrap().get_connection().unwrap();
        let () = redis::cmd("FLUSHALL").query(&mut connection).unwrap();
        let () = redis::cmd("XGROUP").arg(&["CREATE", KEY, "EU", "0", "MKSTREAM"]).query(&mut connection).unwrap();
        let (late, stop) = (Arc::new(Mutex::new(vec![0; MOST_MS + 1])), Arc::new(AtomicBool::new(false)));
        let (shared, stopped) = (late.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let mut read = redis::cmd("XREADGROUP");
                read.arg(&["GROUP", "EU", "w", "COUNT", "5000", "BLOCK", "100", "NOACK", "STREAMS", KEY, ">"]);
                let reply: Option<Vec<(String, Entries)>> = read.query(&mut connection).unwrap();
                let Some((_, entries)) = reply.and_then(|mut streams| streams.pop()) else { continue };
                if let Ok(mut late) = shared.lock() {
                    entries.iter().filter_map(lateness).for_each(|ms| late[ms] += 1);
                }
                let last = entries.last().map_or("0", |(id, _)| id.as_str());
                let () = redis::cmd("XTRIM").arg(&[KEY, "MINID", last]).query(&mut connection).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
        });
        Self { late, stop, thread: Some(thread) }
    }

    /// Checks of the schedule since this was last asked, by milliseconds from their slot to their entry.
    pub(crate) fn late(&self) -> Vec<u64> {
        std::mem::replace(&mut *self.late.lock().unwrap(), vec![0; MOST_MS + 1])
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

fn lateness((id, fields): &(String, Vec<(String, Vec<u8>)>)) -> Option<usize> {
    let at: i64 = id.split('-').next()?.parse().ok()?;
    let body = fields.iter().find(|(name, _)| name == "body")?;
    let text = std::str::from_utf8(&body.1).ok()?;
    if !text.contains("\"scheduled\"") {
        return None;
    }
    let slot = text.split("\"slot_at\":").nth(1)?;
    let slot_at: i64 = slot.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    Some(usize::try_from(at - slot_at).unwrap_or(0).min(MOST_MS))
}
