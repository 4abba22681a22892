//! Ports for programs that have to be told theirs: they bind it themselves, a while after it was chosen.

use std::net::{TcpListener, UdpSocket};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::threads::lock;

/// Below those that Linux gives to whoever asks for any port, and to connections that leave (32768 and up): none of these
/// is taken between now and then, or while a server that was killed is away.
const FIRST: u32 = 10_000;
const LAST: u32 = 31_999;
/// Ports of one process before it comes into those of the next: tests run in processes of their own, side by side.
const OF_A_PROCESS: u32 = 40;

/// A port of 127.0.0.1 that nobody listens on, and that no test beside this one is given.
#[must_use]
pub fn free() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // The same numbers over UDP, which nobody else uses: who has one has the port, until this process ends.
    static HELD: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());
    let first = std::process::id().wrapping_mul(OF_A_PROCESS);
    loop {
        let number = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(FIRST + number % (LAST + 1 - FIRST)).unwrap();
        // Another test may hold it, or something else on this machine have it.
        let Ok(held) = UdpSocket::bind(("127.0.0.1", port)) else { continue };
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            lock(&HELD).push(held);
            return port;
        }
    }
}
