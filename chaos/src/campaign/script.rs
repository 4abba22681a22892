//! Takes the scripted websites down and up again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::world::{World, wait_until};
use crate::{lock, now};

/// The scripted websites are up for so long.
const UP: Duration = Duration::from_secs(50);
/// And then down for so long.
const DOWN: Duration = Duration::from_secs(45);

/// Runs until ended.
#[derive(Debug)]
pub(super) struct Script {
    stopping: Arc<AtomicBool>,
    times: Arc<Mutex<Vec<(i64, i64)>>>,
    thread: JoinHandle<()>,
}

impl Script {
    pub(super) fn start(world: &World) -> Self {
        let (stopping, times) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (state, switch, shared) = (Arc::clone(&stopping), world.targets.switch(), Arc::clone(&times));
        let thread = std::thread::spawn(move || {
            let pause = |time: Duration| wait_until(time, || state.load(Ordering::SeqCst));
            while !pause(UP) {
                lock(&shared).push((now(), i64::MAX));
                switch.set_down(true);
                let is_over = pause(DOWN);
                switch.set_down(false);
                if let Some(last) = lock(&shared).last_mut() {
                    last.1 = now();
                }
                if is_over {
                    return;
                }
            }
        });
        Self { stopping, times, thread }
    }

    /// When they were down, so far; one that has not ended ends at [`i64::MAX`].
    pub(super) fn times(&self) -> Vec<(i64, i64)> {
        lock(&self.times).clone()
    }

    /// Leaves them up.
    pub(super) fn end(self) -> Vec<(i64, i64)> {
        self.stopping.store(true, Ordering::SeqCst);
        self.thread.join().unwrap();
        lock(&self.times).clone()
    }
}
