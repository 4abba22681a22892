//! Websites, each on an address of its own, that can be closed: whoever comes is refused then.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A website.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) address: SocketAddr,
    open: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl Door {
    /// Number `n`, open. Many websites may lie behind one door, by their paths.
    pub(super) fn open_at(address: Ipv4Addr) -> Self {
        let mut door = Self { address: SocketAddr::from((address, 80)), open: None };
        door.open();
        door
    }

    pub(super) fn open(&mut self) {
        let listener = TcpListener::bind(self.address).unwrap();
        let closing = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&closing);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if seen.load(Ordering::Relaxed) {
                    return;
                }
                answer(stream);
            }
        });
        self.open = Some((closing, thread));
    }

    /// Nobody listens when this returns.
    pub(super) fn close(&mut self) {
        let Some((closing, thread)) = self.open.take() else { return };
        closing.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
        let _ = thread.join();
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.close();
    }
}

fn answer(mut stream: TcpStream) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
    let mut head = [0_u8; 2_048];
    if stream.read(&mut head).is_ok() {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n");
    }
}
