//! Somebody who is told: takes every POST, and notes when it came, its id and its body.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::{lock, now};

/// A message as it came.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) at: i64,
    /// The header `webhook-id`.
    pub(super) id: String,
    /// The field `type`, e.g. `incident.opened`.
    pub(super) event: String,
    pub(super) body: String,
}

/// Listens until the process ends.
#[derive(Debug, Clone)]
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    messages: Arc<Mutex<Vec<Message>>>,
}

impl Receiver {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let receiver = Self { address: listener.local_addr().unwrap(), messages: Arc::default() };
        let messages = Arc::clone(&receiver.messages);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Some(message) = take(stream) {
                    lock(&messages).push(message);
                }
            }
        });
        receiver
    }

    pub(super) fn messages(&self) -> Vec<Message> {
        lock(&self.messages).clone()
    }

    /// The first message of this event whose body has this text.
    pub(super) fn first(&self, event: &str, text: &str, from: i64) -> Option<Message> {
        let fits = |m: &&Message| m.at >= from && m.event.ends_with(event) && m.body.contains(text);
        lock(&self.messages).iter().find(fits).cloned()
    }
}

fn take(stream: TcpStream) -> Option<Message> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut reader = BufReader::new(stream);
    let (mut id, mut length) = (String::new(), 0_usize);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        match name.to_ascii_lowercase().as_str() {
            "webhook-id" => id = value.trim().to_owned(),
            "content-length" => length = value.trim().parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let at = now();
    reader.get_mut().write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").ok()?;
    let body = String::from_utf8_lossy(&body).into_owned();
    let json: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
    let event = json.get("type").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    Some(Message { at, id, event, body })
}
