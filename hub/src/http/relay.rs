//! One complete request, checked and written anew for tiny_http over a UNIX socket, and its answer back. tiny_http never
//! sees a byte from outside: one anonymous request would end the process (CASES 2.1).

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Either, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use probe::engine::Cidr;
use tokio::net::UnixStream;

use super::events::{self, Refused};
use super::front::Front;
use super::front::cache::{self, Key};
use super::front::places::Place;
use super::{compress, metrics, route};
use crate::model::{AccountId, UtcMs};

const TARGET_BYTES: usize = 2 * 1024;
const BODY_BYTES: usize = 64 * 1024;
/// Of what comes with a ping so much is passed on; more is read, and left out: no ping is lost for a long log.
const PING_BYTES: usize = 8 * 1024;
const PING_BYTES_READ: usize = 1024 * 1024;
/// Where jobs report.
const PING_PATH: &str = "/ping/";
const ANSWER_BYTES: usize = 2 * 1024 * 1024;
const BODY_DEADLINE: Duration = Duration::from_secs(10);
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);
/// What is answered to: also the value of `Allow` where something else was asked for.
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";

/// Who asks: the connection's peer, or, when that is a proxy we trust, whom it names. Of a chain of proxies the last
/// address that is not a trusted proxy counts; what stands before it could be written by anybody.
fn client(peer: IpAddr, headers: &HeaderMap, proxies: &[Cidr]) -> IpAddr {
    let is_proxy = |address: IpAddr| proxies.iter().any(|p| p.contains(address));
    let named = headers.get_all("x-forwarded-for").iter();
    // Each part by itself: what a client put in front must not hide what the proxy added.
    let chain: Vec<&[u8]> = named.flat_map(|value| value.as_bytes().split(|b| *b == b',')).collect();
    let mut client = peer;
    for part in chain.into_iter().rev() {
        if !is_proxy(client) {
            break;
        }
        let address = std::str::from_utf8(part).ok().and_then(|text| text.trim().parse::<IpAddr>().ok());
        let Some(address) = address else { break };
        client = address.to_canonical();
    }
    client
}

/// An answer: whole, or a stream.
type Answer = Response<Either<Full<Bytes>, events::Body>>;

/// An answer of the front's own. Programs get what they get of the application (RFC 9457).
fn own(status: StatusCode, is_api: bool, request_id: &str) -> Response<Full<Bytes>> {
    let words = status.canonical_reason().unwrap_or("");
    let (media_type, body) = if is_api {
        let problem = serde_json::json!({
            "type": format!("/docs#status-{}", status.as_u16()),
            "status": status.as_u16(),
            "title": words,
            "request_id": request_id,
        });
        ("application/problem+json", problem.to_string())
    } else {
        ("text/plain; charset=utf-8", format!("{words}\n"))
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    // What follows a refused request on the connection is not to be trusted.
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static(METHODS));
    }
    response
}

/// The answer to a request, headers of every answer included.
pub(super) async fn answer(front: &Arc<Front>, place: &Arc<Place>, request: Request<Incoming>) -> Answer {
    let is_head = request.method() == Method::HEAD;
    let is_api = route::is_for_programs(request.uri().path());
    let packs = compress::is_wanted(request.method(), request.headers());
    let request_id = uuid::Uuid::now_v7().simple().to_string();
    let metrics = front.metrics.as_ref().filter(|_| request.uri().path() == metrics::PATH);
    let answered = match metrics {
        Some(readers) => {
            place.begins();
            let whole = readers.answer(request.method(), request.headers()).await;
            Ok(compress::answer(whole, packs).await.map(Either::Left))
        }
        None => relay(front, place, &request_id, packs, request).await,
    };
    let mut response = answered.unwrap_or_else(|status| {
        let is_busy = status == StatusCode::SERVICE_UNAVAILABLE;
        if is_busy { &front.counts.refused_busy } else { &front.counts.refused_request }.add(1);
        let mut own = own(status, is_api, &request_id);
        if is_busy {
            own.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        own.map(Either::Left)
    });
    if is_head && let Some(size) = hyper::body::Body::size_hint(response.body()).exact() {
        *response.body_mut() = Either::Left(Full::default());
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    }
    secure(response.headers_mut(), front.is_https);
    response
}

/// Headers of every answer, errors included (T144).
fn secure(headers: &mut hyper::HeaderMap, is_https: bool) {
    // The application gives an image of its own a stricter one.
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        let policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    }
    if !headers.contains_key(header::REFERRER_POLICY) {
        // Not no-referrer: with it browsers send `Origin: null` with our own forms, and the forgery check needs it. A page whose
        // address is a secret says that itself.
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    }
    let fixed = [
        ("x-content-type-options", "nosniff"),
        ("cross-origin-opener-policy", "same-origin"),
        ("x-frame-options", "DENY"),
    ];
    for (name, value) in fixed {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if is_https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

async fn relay(
    front: &Arc<Front>,
    place: &Arc<Place>,
    request_id: &str,
    packs: bool,
    request: Request<Incoming>,
) -> Result<Answer, StatusCode> {
    let (head, body) = request.into_parts();
    check(&head)?;
    let collected = tokio::time::timeout(BODY_DEADLINE, read(&head, body)).await;
    let body = collected.unwrap_or(Err(StatusCode::REQUEST_TIMEOUT))?;
    // Not before: whoever sends his request in drops keeps nobody out.
    place.begins();
    let target = head.uri.path_and_query().map_or("/", |t| t.as_str());
    let is_pages_own = |host: &str| front.domains.knows(host);
    let key = Key::of(&head.method, target, &head.headers, packs, is_pages_own).filter(|_| body.is_empty());
    let listens = head.uri.path() == events::PATH && head.method == Method::GET;
    // Who listens is asked about again and again: what nobody reads is not kept for that.
    let body = if listens { Bytes::new() } else { body };
    let mut clean = clean(front, place.client(), request_id, &head, body)?;
    if let Some(key) = key {
        // What others get as well is asked for whole.
        let known = clean.headers_mut().remove(header::IF_NONE_MATCH);
        let (asks, request_id) = (front.clone(), request_id.to_owned());
        let ask = async move { ask(&asks, &request_id, packs, clean).await };
        let answer = front.cache.answer(key, &front.counts, ask).await?;
        return Ok(cache::unless_known(known.as_ref(), answer).map(Either::Left));
    }
    let asked = listens.then(|| clean.clone());
    let mut response = ask(front, request_id, packs, clean).await?;
    let may_listen = response.headers_mut().remove(events::MAY_LISTEN);
    if let Some((asked, account)) = asked.zip(may_listen.as_ref().and_then(account_of)) {
        return Ok(listen(front, place, account, request_id, asked, response));
    }
    Ok(response.map(Either::Left))
}

fn account_of(value: &HeaderValue) -> Option<AccountId> {
    value.to_str().ok()?.parse().ok()
}

/// The stream of who may listen.
fn listen(
    front: &Arc<Front>,
    place: &Arc<Place>,
    account: AccountId,
    request_id: &str,
    asked: Request<Full<Bytes>>,
    response: Response<Full<Bytes>>,
) -> Answer {
    let last_seen = asked.headers().get("last-event-id").and_then(|id| id.to_str().ok()?.trim().parse::<UtcMs>().ok());
    let body = match events::open(front, place, account, last_seen, asked) {
        Ok(body) => body,
        Err(refused) => {
            let status = match refused {
                Refused::Account => StatusCode::TOO_MANY_REQUESTS,
                Refused::All => StatusCode::SERVICE_UNAVAILABLE,
            };
            front.counts.refused_listener.add(1);
            let mut own = own(status, true, request_id);
            own.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
            return own.map(Either::Left);
        }
    };
    let mut response = response.map(|_| Either::Right(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    // nginx would keep events back until it has some kilobytes of them.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// The request as tiny_http gets it.
fn clean(
    front: &Front,
    peer: IpAddr,
    request_id: &str,
    head: &hyper::http::request::Parts,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, StatusCode> {
    let method = if head.method == Method::HEAD { Method::GET } else { head.method.clone() };
    let target = head.uri.path_and_query().map_or("/", |t| t.as_str());
    let listens = head.uri.path() == events::PATH;
    let mut clean = Request::builder().method(method).uri(target);
    for (name, value) in &head.headers {
        let name_text = name.as_str();
        let is_ours = name_text.starts_with("x-betteruptime-");
        let is_framing = matches!(
            name_text,
            "connection"
                | "keep-alive"
                | "proxy-connection"
                | "te"
                | "trailer"
                | "transfer-encoding"
                | "upgrade"
                | "content-length"
                | "expect"
        );
        if is_ours || is_framing {
            continue;
        }
        // tiny_http reads ASCII only. Other applications of the same host may have set cookies of any bytes: those are
        // left out, ours stay.
        if value.to_str().is_ok() {
            let is_tag = name == header::IF_NONE_MATCH;
            clean = clean.header(name, if is_tag { compress::strong_tags(value) } else { value.clone() });
        } else if name == header::COOKIE {
            let pairs = value.as_bytes().split(|b| *b == b';').filter(|pair| pair.is_ascii());
            clean = clean.header(name, pairs.collect::<Vec<_>>().join(&b';'));
        }
    }
    if listens {
        // Who only listens is not there (T140): browsers connect anew by themselves.
        clean = clean.header("x-background", "1");
    }
    let client = client(peer, &head.headers, &front.proxies);
    clean
        .header("x-betteruptime-client", client.to_string())
        .header("x-betteruptime-request", request_id)
        .header(header::CONNECTION, "close")
        .header(header::CONTENT_LENGTH, body.len())
        .body(Full::new(body))
        .map_err(|_| StatusCode::BAD_REQUEST)
}

/// What the application answers, when it has a moment.
pub(super) async fn ask(
    front: &Front,
    request_id: &str,
    packs: bool,
    clean: Request<Full<Bytes>>,
) -> Result<Response<Full<Bytes>>, StatusCode> {
    let wait = tokio::time::timeout(Duration::from_secs(5), front.at_once.acquire());
    let Ok(Ok(_turn)) = wait.await else { return Err(StatusCode::SERVICE_UNAVAILABLE) };
    if front.is_short() {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    match tokio::time::timeout(ANSWER_DEADLINE, forward(&front.socket, clean)).await {
        // While it has its turn: so many are packed at once.
        Ok(Ok(response)) => Ok(compress::answer(response, packs).await),
        Ok(Err(error)) => {
            tracing::error!(request.id = request_id, error = format!("{error:#}"), "The application gave no answer.");
            Err(StatusCode::BAD_GATEWAY)
        }
        Err(_) => Err(StatusCode::GATEWAY_TIMEOUT),
    }
}

fn is_ping(head: &hyper::http::request::Parts) -> bool {
    head.uri.path().starts_with(PING_PATH)
}

/// The body; of a ping its beginning.
async fn read(head: &hyper::http::request::Parts, mut body: Incoming) -> Result<Bytes, StatusCode> {
    if !is_ping(head) {
        return match Limited::new(body, BODY_BYTES).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
            Err(_) => Err(StatusCode::BAD_REQUEST),
        };
    }
    let (mut kept, mut read) = (Vec::new(), 0_usize);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() else { continue };
        read = read.saturating_add(data.len());
        if read > PING_BYTES_READ {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let room = PING_BYTES.saturating_sub(kept.len());
        kept.extend(data.iter().take(room));
    }
    Ok(kept.into())
}

/// What hyper lets through and we do not.
fn check(head: &hyper::http::request::Parts) -> Result<(), StatusCode> {
    let headers = &head.headers;
    let is_known =
        matches!(head.method, Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::PATCH | Method::DELETE);
    if !is_known {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    if head.version != Version::HTTP_11 && head.version != Version::HTTP_10 {
        return Err(StatusCode::HTTP_VERSION_NOT_SUPPORTED);
    }
    let target = head.uri.path_and_query().map_or("", |t| t.as_str());
    if target.len() > TARGET_BYTES {
        return Err(StatusCode::URI_TOO_LONG);
    }
    if !target.starts_with('/') || !target.is_ascii() || head.uri.authority().is_some() {
        return Err(StatusCode::BAD_REQUEST);
    }
    let count = |name: HeaderName| headers.get_all(name).iter().count();
    if count(header::HOST) != 1 && head.version == Version::HTTP_11 {
        return Err(StatusCode::BAD_REQUEST);
    }
    let both = headers.contains_key(header::CONTENT_LENGTH) && headers.contains_key(header::TRANSFER_ENCODING);
    if both || count(header::CONTENT_LENGTH) > 1 || count(header::TRANSFER_ENCODING) > 1 {
        return Err(StatusCode::BAD_REQUEST);
    }
    // Others than this one in a list (`identity, chunked`) a proxy may read in its own way.
    if headers.get(header::TRANSFER_ENCODING).is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
    {
        return Err(StatusCode::NOT_IMPLEMENTED);
    }
    // What is no ASCII is left out below. Of these that would do something else than was asked: for another team, without the
    // revision that was named, twice.
    let decides = ["authorization", "token", "x-team", "if-match", "idempotency-key", "origin", "content-type"];
    if decides.iter().flat_map(|name| headers.get_all(*name)).any(|value| value.to_str().is_err()) {
        return Err(StatusCode::BAD_REQUEST);
    }
    let length = headers.get(header::CONTENT_LENGTH).map(|v| v.to_str().unwrap_or("").parse::<usize>());
    match length {
        Some(Ok(length)) if length > if is_ping(head) { PING_BYTES_READ } else { BODY_BYTES } => {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        Some(Err(_)) => return Err(StatusCode::BAD_REQUEST),
        Some(Ok(_)) | None => {}
    }
    match headers.get(header::EXPECT).map(HeaderValue::as_bytes) {
        None => Ok(()),
        Some(value) if value.eq_ignore_ascii_case(b"100-continue") => Ok(()),
        Some(_) => Err(StatusCode::EXPECTATION_FAILED),
    }
}

async fn forward(socket: &Path, request: Request<Full<Bytes>>) -> anyhow::Result<Response<Full<Bytes>>> {
    let stream = UnixStream::connect(socket).await.context("its socket does not answer")?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        let _ = connection.await; // ends with the request
    });
    let (head, body) = sender.send_request(request).await?.into_parts();
    let body = Limited::new(body, ANSWER_BYTES).collect().await;
    let body = body.map_err(|e| anyhow::anyhow!("its answer is over 2 MiB or broke off: {e}"))?.to_bytes();
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = head.status;
    for (name, value) in &head.headers {
        let is_framing = [header::CONNECTION, header::TRANSFER_ENCODING, header::CONTENT_LENGTH, header::SERVER];
        if !is_framing.contains(name) {
            response.headers_mut().append(name, value.clone());
        }
    }
    Ok(response)
}

/// Whether the application answers.
pub(super) async fn is_alive(socket: &Path) -> bool {
    match Request::get("/healthz").header(header::HOST, "self").body(Full::default()) {
        Ok(request) => forward(socket, request).await.is_ok(),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trusted_proxy_is_believed_who_the_client_is() {
        let proxies: Vec<Cidr> = ["10.0.0.0/8", "127.0.0.1/32"].iter().map(|p| p.parse().unwrap()).collect();
        let named = |value: &str| {
            HeaderMap::from_iter([(HeaderName::from_static("x-forwarded-for"), HeaderValue::from_str(value).unwrap())])
        };
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        for (peer, value, expected) in [
            ("203.0.113.9", "1.2.3.4", "203.0.113.9"),
            ("127.0.0.1", "1.2.3.4", "1.2.3.4"),
            ("127.0.0.1", "6.6.6.6, 1.2.3.4", "1.2.3.4"),
            ("127.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.7", "1.2.3.4"),
            ("127.0.0.1", "unknown", "127.0.0.1"),
            ("127.0.0.1", "\u{e9}, 1.2.3.4", "1.2.3.4"),
            ("127.0.0.1", "::ffff:1.2.3.4", "1.2.3.4"),
        ] {
            assert_eq!(client(ip(peer), &named(value), &proxies), ip(expected), "{peer} {value}");
        }
        assert_eq!(client(ip("127.0.0.1"), &named("1.2.3.4"), &[]), ip("127.0.0.1"));
    }
}
