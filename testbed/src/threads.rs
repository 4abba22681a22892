//! Threads that end with the value that started them.

use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Locks, whatever happened to the thread that held it before: a test that failed is to be seen, not a poisoned lock.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the threads of a server share: whether to stop, and which streams to break when it is time.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    stopping: AtomicBool,
    asleep: Mutex<()>,
    wake: Condvar,
    streams: Mutex<Vec<TcpStream>>,
}

impl Stop {
    pub(crate) fn is_set(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Breaks `stream` when it is time to stop.
    pub(crate) fn watch(&self, stream: &TcpStream) {
        if let Ok(copy) = stream.try_clone() {
            lock(&self.streams).push(copy);
        }
        if self.is_set() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Lets go of a stream, so that closing it closes the connection.
    pub(crate) fn forget(&self, peer: SocketAddr) {
        lock(&self.streams).retain(|stream| stream.peer_addr().is_ok_and(|other| other != peer));
    }

    /// Breaks all streams that are watched.
    pub(crate) fn break_streams(&self) {
        for stream in lock(&self.streams).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Waits, less when it is time to stop. False: it is.
    pub(crate) fn pause(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut asleep = lock(&self.asleep);
        while !self.is_set() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            asleep = self.wake.wait_timeout(asleep, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }

    pub(crate) fn set(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        drop(lock(&self.asleep));
        self.wake.notify_all();
        self.break_streams();
    }
}

/// Threads to be joined.
#[derive(Debug, Default, Clone)]
pub(crate) struct Threads(Arc<Mutex<Vec<JoinHandle<()>>>>);

impl Threads {
    pub(crate) fn spawn(&self, work: impl FnOnce() + Send + 'static) {
        let mut threads = lock(&self.0);
        // A long run of short connections must not keep a handle of each.
        threads.retain(|thread| !thread.is_finished());
        threads.push(std::thread::spawn(work));
    }

    /// Joins every thread, also those that others start meanwhile. What a thread panicked with was printed by itself.
    pub(crate) fn join(&self) {
        loop {
            let Some(thread) = lock(&self.0).pop() else { return };
            let _ = thread.join();
        }
    }
}
