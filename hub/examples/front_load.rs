//! What `bench/front.sh` needs beside a hub and wrk: the same bytes served by tiny_http alone and by hyper alone, and clients who
//! hold connections open.
//!
//! ```text
//! front_load serve DIRECTORY TINY_HTTP_PORT HYPER_PORT    each file of DIRECTORY, by its name
//! front_load hold ADDRESS IDLE SLOW SECONDS               so many who send nothing, and who send a byte a second
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "for measurements: it may end in a panic")]

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

type Files = Arc<HashMap<String, Bytes>>;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["serve", directory, tiny, hyper] => {
            serve(read(directory), tiny.parse().expect("a port"), hyper.parse().expect("a port")).await;
        }
        ["hold", address, idle, slow, seconds] => {
            let number = |text: &str| text.parse::<u64>().expect("a number");
            hold(address.parse().expect("an address"), number(idle), number(slow), number(seconds)).await;
        }
        _ => {
            eprintln!("front_load serve DIRECTORY TINY_HTTP_PORT HYPER_PORT | hold ADDRESS IDLE SLOW SECONDS");
            std::process::exit(2);
        }
    }
}

fn read(directory: &str) -> Files {
    let entries = std::fs::read_dir(directory).expect("a directory");
    let file = |entry: std::fs::DirEntry| {
        let name = format!("/{}", entry.file_name().to_string_lossy());
        (name, Bytes::from(std::fs::read(entry.path()).expect("a file")))
    };
    Arc::new(entries.flatten().map(file).collect())
}

async fn serve(files: Files, tiny: u16, hyper: u16) {
    let server = Arc::new(tiny_http::Server::http(("127.0.0.1", tiny)).expect("a port"));
    for _ in 0..16 {
        let (server, files) = (server.clone(), files.clone());
        std::thread::spawn(move || {
            while let Ok(request) = server.recv() {
                let body = files.get(request.url()).cloned().unwrap_or_default();
                let _ = request.respond(tiny_http::Response::from_data(body.to_vec()));
            }
        });
    }
    let listener = TcpListener::bind(("127.0.0.1", hyper)).await.expect("a port");
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let _ = stream.set_nodelay(true);
        let files = files.clone();
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                let body = files.get(request.uri().path()).cloned();
                let status = if body.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
                let mut response = Response::new(Full::new(body.unwrap_or_default()));
                *response.status_mut() = status;
                async move { Ok::<_, Infallible>(response) }
            });
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Whoever is closed comes again, as those who mean harm do.
async fn hold(address: SocketAddr, idle: u64, slow: u64, seconds: u64) {
    let closed = Arc::new(AtomicU64::new(0));
    for number in 0..idle + slow {
        let (closed, is_slow) = (closed.clone(), number >= idle);
        tokio::spawn(async move {
            loop {
                if let Ok(stream) = TcpStream::connect(address).await {
                    one(stream, is_slow).await;
                    closed.fetch_add(1, Ordering::Relaxed);
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        });
    }
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    println!("{} connections were closed by the other end in {seconds} s", closed.load(Ordering::Relaxed));
}

/// Until the other end closes it.
async fn one(mut stream: TcpStream, is_slow: bool) {
    let mut head = b"GET / HTTP/1.1\r\nHost: h\r\nX-Slow: ".iter().copied().chain(std::iter::repeat(b'x'));
    let mut piece = [0; 1_024];
    loop {
        let waits = Duration::from_secs(if is_slow { 1 } else { 3_600 });
        match tokio::time::timeout(waits, stream.read(&mut piece)).await {
            Ok(Ok(0) | Err(_)) => return,
            Ok(Ok(_)) => {}
            Err(_) if is_slow => {
                let byte = head.next().unwrap_or(b'x');
                if stream.write_all(&[byte]).await.is_err() {
                    return;
                }
            }
            Err(_) => {}
        }
    }
}
