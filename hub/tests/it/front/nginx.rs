//! Behind nginx, which keeps its connections to the hub: what it passes on is as many requests as its client sent (T108).

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{exchange, status};
use crate::process::Hub;
use crate::services::{free_port, wait_until};

struct Nginx {
    child: Child,
    address: SocketAddr,
}

impl Nginx {
    /// Streams bodies of any length, as the most careless do.
    fn start(directory: &Path, hub: SocketAddr) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let at = directory.display();
        let conf = format!(
            "worker_processes 1; daemon off; pid {at}/nginx.pid; error_log {at}/nginx.log;\n\
             events {{ worker_connections 256; }}\n\
             http {{ access_log off; client_body_temp_path {at}/body; proxy_temp_path {at}/proxy;\n\
             fastcgi_temp_path {at}/fastcgi; uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;\n\
             upstream hub {{ server {hub}; keepalive 8; }}\n\
             server {{ listen {address}; client_max_body_size 0;\n\
             location / {{ proxy_pass http://hub; proxy_http_version 1.1; proxy_request_buffering off;\n\
             proxy_set_header Connection \"\"; proxy_set_header Host $host;\n\
             proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }} }} }}\n"
        );
        let file = directory.join("nginx.conf");
        std::fs::File::create(&file).unwrap().write_all(conf.as_bytes()).unwrap();
        let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
        let child = Command::new("nginx")
            .env("PATH", path)
            .args(["-p", &at.to_string(), "-c", &file.display().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx; install nginx-light, or run ./test.sh, which does");
        wait_until("nginx to listen", Duration::from_secs(10), || std::net::TcpStream::connect(address).is_ok());
        Self { child, address }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // SIGTERM: its worker goes with it.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// Requests the application has had, but for those the front makes itself to see whether it lives.
fn had(metrics: SocketAddr) -> u64 {
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {metrics}\r\nConnection: close\r\n\r\n");
    let text = exchange(metrics, request.as_bytes());
    let counts = text.lines().filter(|line| line.starts_with("betteruptime_http_requests_total{"));
    counts
        .filter(|line| !line.contains("\"/healthz\""))
        .map(|line| {
            line.rsplit(' ').next().and_then(|n| n.parse::<f64>().ok()).unwrap_or_else(|| panic!("{line}")) as u64
        })
        .sum()
}

#[test]
fn t108_nothing_is_smuggled_through_a_proxy() {
    let directory = tempfile::tempdir().unwrap();
    let metrics = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let proxies = ("TRUSTED_PROXIES", "127.0.0.1/32");
    let hub = Hub::start(directory.path(), &[("METRICS_LISTEN", &metrics.to_string()), proxies]);
    let nginx = Nginx::start(directory.path(), hub.address);
    let hidden = "GET /signup HTTP/1.1\r\nHost: h\r\n\r\n";
    let post = |framing: &str, body: &str| format!("POST /signin HTTP/1.1\r\nHost: h\r\n{framing}\r\n\r\n{body}");
    let length = hidden.len();
    let mut attacks = vec![
        post(&format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"), &format!("0\r\n\r\n{hidden}")),
        post(&format!("Content-Length: {length}\r\nContent-Length: 0"), hidden),
        post(&format!("Content-Length: 0\r\nContent-Length: {length}"), hidden),
        post(&format!("Content-Length: 0, {length}"), hidden),
        post(&format!("Content-Length: +{length}"), hidden),
        post("Content-Length: 0x0", hidden),
        post(&format!("Content-Length : {length}"), hidden),
        post(&format!("Transfer-Encoding: identity\r\nContent-Length: {length}"), hidden),
        post("Transfer-Encoding: chunked, identity", &format!("0\r\n\r\n{hidden}")),
        post("Transfer-Encoding: identity, chunked", &format!("0\r\n\r\n{hidden}")),
        post("Transfer-Encoding:\r\n chunked", &format!("0\r\n\r\n{hidden}")),
        post("Transfer-Encoding: xchunked", &format!("0\r\n\r\n{hidden}")),
        post("Transfer-Encoding : chunked", &format!("0\r\n\r\n{hidden}")),
        post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", &format!("0\r\n\r\n{hidden}")),
        format!("GET /signin HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{hidden}"),
        format!("GET /signin HTTP/1.1\nHost: h\nContent-Length: {length}\n\n{hidden}"),
        format!("GET /signin HTTP/1.1\r\nHost: h\r\nX: a\rContent-Length: {length}\r\n\r\n{hidden}"),
        format!("GET /signin HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"),
        "POST /signin HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000000\r\n\r\nabc".to_owned(),
    ];
    // Two honest ones in a line are two.
    attacks.push(format!("{}{hidden}", "GET /signin HTTP/1.1\r\nHost: h\r\n\r\n"));
    for attack in &attacks {
        let shown: String = attack.chars().take(110).collect();
        let before = had(metrics);
        // A connection of nginx's own to the hub is used by whoever comes next.
        let answer = exchange(nginx.address, attack.as_bytes());
        let answers = answer.matches("HTTP/1.1 ").count() as u64;
        let next = exchange(nginx.address, b"GET /nowhere HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        assert_eq!(status(&next), 404, "after {shown:?} somebody else was answered {next}");
        let seen = had(metrics) - before - 1;
        assert!(seen <= answers, "{shown:?}: {answers} answers, {seen} requests\n{answer}");
    }
    let well = exchange(nginx.address, b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert_eq!(status(&well), 200, "{well}");
    assert!(!hub.process.log().contains("panicked"), "{}", hub.process.log());
}
