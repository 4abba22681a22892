//! The limit: a fresh connection, the request's bytes, the answer read to its end. Nothing is classified, bounded or
//! kept.

use std::io::{Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

/// How long each part took.
#[derive(Default)]
pub(crate) struct Times {
    pub(crate) connect: Duration,
    pub(crate) tls: Duration,
    pub(crate) send: Duration,
    pub(crate) wait: Duration,
    pub(crate) receive: Duration,
}

/// Asks, over TLS when there is a client for it.
pub(crate) fn exchange(
    address: SocketAddr,
    tls: Option<(&Arc<ClientConfig>, ServerName<'static>)>,
    request: &[u8],
) -> std::io::Result<Times> {
    let mut times = Times::default();
    let mut since = Instant::now();
    let mut lap = |slot: &mut Duration| {
        let now = Instant::now();
        *slot = now - since;
        since = now;
    };
    let mut stream = TcpStream::connect(address)?;
    // As the engine: a request that waits for the handshake to be acknowledged waits 40 ms.
    stream.set_nodelay(true)?;
    lap(&mut times.connect);
    match tls {
        None => talk(&mut stream, request, &mut times, &mut lap)?,
        Some((config, name)) => {
            let mut connection = ClientConnection::new(Arc::clone(config), name).map_err(Error::other)?;
            while connection.is_handshaking() {
                connection.complete_io(&mut stream)?;
            }
            lap(&mut times.tls);
            talk(&mut StreamOwned::new(connection, stream), request, &mut times, &mut lap)?;
        }
    }
    Ok(times)
}

fn talk(
    stream: &mut (impl Read + Write),
    request: &[u8],
    times: &mut Times,
    lap: &mut impl FnMut(&mut Duration),
) -> std::io::Result<()> {
    stream.write_all(request)?;
    stream.flush()?;
    lap(&mut times.send);
    let mut answer = [0u8; 8 * 1024];
    let mut filled = 0;
    loop {
        let count = stream.read(&mut answer[filled..])?;
        if filled == 0 {
            lap(&mut times.wait);
        }
        filled += count;
        match length(&answer[..filled]) {
            Some(length) if filled >= length => break,
            Some(_) | None if count == 0 => return Err(ErrorKind::UnexpectedEof.into()),
            Some(_) | None => {}
        }
    }
    lap(&mut times.receive);
    if answer.starts_with(b"HTTP/1.1 200") { Ok(()) } else { Err(ErrorKind::InvalidData.into()) }
}

/// Length of head and body, once the head is there.
fn length(answer: &[u8]) -> Option<usize> {
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&answer[..head]).ok()?;
    let body = text.lines().find_map(|line| line.strip_prefix("Content-Length: "))?;
    Some(head + body.parse::<usize>().ok()?)
}
