//! As much of HTTP/1.1 as a scrape takes (RFC 9112): one GET a connection, read within bounds, answered, closed. Those who ask
//! are programs of this machine; what a browser sends for a page from elsewhere is refused, as is a name that is not ours.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};
use std::time::{Duration, Instant};

const HEAD_BYTES: usize = 8 * 1024;
const HEAD_DEADLINE: Duration = Duration::from_secs(5);
const TAKES_WITHIN: Duration = Duration::from_secs(5);

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) path: String,
    /// Names and values, decoded.
    pub(super) query: Vec<(String, String)>,
    /// How long the scraper waits, which Prometheus says.
    pub(super) scrape_timeout: Option<Duration>,
}

impl Request {
    /// The first value of this name.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    status: u16,
    media_type: &'static str,
    body: String,
}

impl Answer {
    pub(super) fn text(status: u16, body: impl Into<String>) -> Self {
        Self { status, media_type: "text/plain; charset=utf-8", body: body.into() }
    }

    /// In the text format of Prometheus.
    pub(super) fn metrics(body: String) -> Self {
        Self { status: 200, media_type: "text/plain; version=0.0.4; charset=utf-8", body }
    }
}

/// Reads the head. `Err(None)`: nothing was asked.
pub(super) fn read(mut stream: &TcpStream) -> Result<Request, Option<Answer>> {
    let until = Instant::now() + HEAD_DEADLINE;
    let (mut head, mut some) = (Vec::new(), [0; 1024]);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Some(Answer::text(408, "The request did not come within 5 s.\n")));
        }
        stream.set_read_timeout(Some(left)).map_err(|_| None)?;
        match stream.read(&mut some) {
            Ok(0) => return Err(None),
            Ok(count) => head.extend_from_slice(&some[..count]),
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(_) => return Err(None),
        }
        // Looked for in what is new, and three bytes before.
        let from = head.len().saturating_sub(some.len() + 3);
        if head[from..].windows(4).any(|bytes| bytes == b"\r\n\r\n") {
            return parse(&head).map_err(Some);
        }
        if head.len() > HEAD_BYTES {
            return Err(Some(Answer::text(431, "The request has too many fields.\n")));
        }
    }
}

fn parse(head: &[u8]) -> Result<Request, Answer> {
    let odd = || Answer::text(400, "This is no HTTP request.\n");
    let text = std::str::from_utf8(head).map_err(|_| odd())?;
    let mut lines = text.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(odd());
    };
    if !version.starts_with("HTTP/1.") || !target.starts_with('/') {
        return Err(odd());
    }
    if method != "GET" {
        return Err(Answer::text(405, "Only GET.\n"));
    }
    let fields: Vec<(String, &str)> = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
        .collect();
    let field = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    // A page elsewhere may give its own name our address, or have a browser here ask for an address of its choice.
    if !field("host").is_some_and(is_this_machine) {
        return Err(Answer::text(403, "Ask by the address, such as 127.0.0.1.\n"));
    }
    if field("sec-fetch-site").is_some_and(|site| !matches!(site, "none" | "same-origin")) {
        return Err(Answer::text(403, "Not for pages from elsewhere.\n"));
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let seconds = field("x-prometheus-scrape-timeout-seconds").and_then(|text| text.parse::<f64>().ok());
    let scrape_timeout = seconds.filter(|seconds| (0.0..3_600.0).contains(seconds)).map(Duration::from_secs_f64);
    let query = url::form_urlencoded::parse(query.as_bytes());
    let query = query.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    Ok(Request { path: path.to_owned(), query, scrape_timeout })
}

fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty() => name,
        Some(_) | None => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// # Errors
/// Whoever asked takes nothing.
pub(super) fn write(mut stream: &TcpStream, answer: &Answer) -> std::io::Result<()> {
    let reason = match answer.status {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        431 => "Request Header Fields Too Large",
        _ => "Service Unavailable",
    };
    let head = format!(
        "HTTP/1.1 {} {reason}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        answer.status,
        answer.media_type,
        answer.body.len()
    );
    stream.set_write_timeout(Some(TAKES_WITHIN))?;
    stream.write_all(head.as_bytes())?;
    stream.write_all(answer.body.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(head: &str) -> u16 {
        parse(head.as_bytes()).map_or_else(|answer| answer.status, |_| 200)
    }

    #[test]
    fn a_scrape_is_read() {
        let head = "GET /probe?target=https%3A%2F%2Fa.example%2Fx%3Fy&module=http_2xx HTTP/1.1\r\nHost: 127.0.0.1:9465\r\n\
                    X-Prometheus-Scrape-Timeout-Seconds: 7.5\r\n\r\n";
        let request = parse(head.as_bytes()).unwrap();
        assert_eq!((request.path.as_str(), request.query("target")), ("/probe", Some("https://a.example/x?y")));
        assert_eq!((request.query("module"), request.query("nothing")), (Some("http_2xx"), None));
        assert_eq!(request.scrape_timeout, Some(Duration::from_millis(7_500)));
    }

    #[test]
    fn t122_pages_from_elsewhere_and_other_names_get_nothing() {
        for host in ["localhost", "localhost:9465", "127.0.0.1", "[::1]:9465", "127.3.2.1:1"] {
            assert_eq!(status(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")), 200, "{host}");
        }
        for host in ["evil.example", "evil.example:9465", "192.0.2.1", "localhost.evil.example", ""] {
            assert_eq!(status(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")), 403, "{host}");
        }
        assert_eq!(status("GET / HTTP/1.1\r\n\r\n"), 403, "no name at all");
        let from = |site: &str| status(&format!("GET / HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: {site}\r\n\r\n"));
        assert_eq!(["none", "same-origin", "same-site", "cross-site"].map(from), [200, 200, 403, 403]);
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for (head, expected) in [
            ("POST / HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
            ("GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
            ("GET / HTTP/2\r\nHost: localhost\r\n\r\n", 400),
            ("GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
            ("\r\n\r\n", 400),
        ] {
            assert_eq!(status(head), expected, "{head}");
        }
        assert_eq!(parse(b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap_err().status, 400);
    }
}
