//! The only listener: hyper with limits and deadlines (P8). It reads one complete request, writes a clean copy of it to
//! tiny_http over a UNIX socket, and sends the answer back. tiny_http never sees a byte from outside: one anonymous
//! request would end the process (CASES 2.1).

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::TlsFiles;

const HEAD_BYTES: usize = 16 * 1024;
const FIELDS: usize = 64;
const TARGET_BYTES: usize = 2 * 1024;
const BODY_BYTES: usize = 64 * 1024;
const ANSWER_BYTES: usize = 2 * 1024 * 1024;
const CONNECTIONS: usize = 512;
const CONNECTIONS_PER_CLIENT: usize = 32;
const AT_ONCE: usize = 16;
const HEAD_DEADLINE: Duration = Duration::from_secs(5);
const BODY_DEADLINE: Duration = Duration::from_secs(10);
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);
const CONNECTION_LIFE: Duration = Duration::from_secs(60);
const DRAIN: Duration = Duration::from_secs(10);

/// Where the front listens, and its certificate.
pub struct FrontConfig {
    listen: SocketAddr,
    tls: Option<TlsAcceptor>,
    is_https: bool,
}

impl FrontConfig {
    /// Reads the certificate, when there is one. `is_https`: browsers come over TLS, ours or a proxy's.
    ///
    /// # Errors
    /// Certificate or key cannot be read or do not fit each other.
    pub fn new(listen: SocketAddr, tls: Option<&TlsFiles>, is_https: bool) -> anyhow::Result<Self> {
        let tls = tls.map(acceptor).transpose()?;
        Ok(Self { listen, tls, is_https })
    }
}

fn acceptor(files: &TlsFiles) -> anyhow::Result<TlsAcceptor> {
    let shown = |path: &Path| path.display().to_string();
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("TLS_CERT_FILE {} holds no PEM certificates", shown(&files.certificate)))?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .with_context(|| format!("TLS_KEY_FILE {} holds no PEM key", shown(&files.key)))?;
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("TLS_CERT_FILE and TLS_KEY_FILE do not fit each other")?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

struct Front {
    socket: PathBuf,
    connections: Arc<Semaphore>,
    at_once: Arc<Semaphore>,
    per_client: Mutex<HashMap<IpAddr, usize>>,
    is_https: bool,
}

/// A client's place among the connections; given back when dropped.
struct Place {
    front: Arc<Front>,
    client: IpAddr,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut clients = self.front.per_client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = clients.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                clients.remove(&self.client);
            }
        }
    }
}

impl Front {
    fn admit(self: &Arc<Self>, client: IpAddr) -> Option<Place> {
        let permit = self.connections.clone().try_acquire_owned().ok()?;
        let mut clients = self.per_client.lock().unwrap_or_else(PoisonError::into_inner);
        let count = clients.entry(client).or_default();
        // A proxy on this machine speaks for many.
        if *count >= CONNECTIONS_PER_CLIENT && !client.is_loopback() {
            return None;
        }
        *count += 1;
        Some(Place { front: self.clone(), client, _permit: permit })
    }
}

/// A listening front.
pub struct Listening {
    /// The address it listens on; the port is chosen by the system when 0 was asked for.
    pub address: SocketAddr,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Listening {
    /// Waits until it stopped.
    ///
    /// # Errors
    /// It stopped by itself: the process must be restarted (D2).
    pub async fn finished(self) -> anyhow::Result<()> {
        self.task.await.context("the front failed")?
    }
}

/// Listens, and serves through the application at `socket`.
///
/// # Errors
/// The address cannot be listened on.
pub(super) async fn listen(
    config: FrontConfig,
    socket: PathBuf,
    stopping: watch::Receiver<bool>,
) -> anyhow::Result<Listening> {
    let listener = TcpListener::bind(config.listen).await.with_context(|| {
        format!(
            "LISTEN is \"{}\", which cannot be listened on; choose another port, or stop what uses it",
            config.listen
        )
    })?;
    let address = listener.local_addr()?;
    let front = Arc::new(Front {
        socket,
        connections: Arc::new(Semaphore::new(CONNECTIONS)),
        at_once: Arc::new(Semaphore::new(AT_ONCE)),
        per_client: Mutex::default(),
        is_https: config.is_https,
    });
    let accepting = accept(front.clone(), listener, config.tls, stopping.clone());
    let task = tokio::spawn(async move {
        tokio::select! {
            result = accepting => result,
            result = watch_application(front, stopping) => result,
        }
    });
    Ok(Listening { address, task })
}

/// A process that is up but deaf is the worst failure (D2): asked every 5 s whether the application still answers.
async fn watch_application(front: Arc<Front>, mut stopping: watch::Receiver<bool>) -> anyhow::Result<()> {
    let mut silent = 0;
    loop {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(5)) => {}
            _ = stopping.changed() => std::future::pending::<()>().await,
        }
        let request = Request::get("/healthz").header(header::HOST, "self").body(Full::default())?;
        silent = if forward(&front.socket, request).await.is_ok() { 0 } else { silent + 1 };
        if silent >= 3 {
            bail!("the application behind the front does not answer");
        }
    }
}

async fn accept(
    front: Arc<Front>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    mut stopping: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    loop {
        let (stream, client) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors, or the client went away: the listener itself is fine.
                    tracing::warn!(%error, "A connection could not be accepted.");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            _ = stopping.changed() => break,
        };
        let Some(place) = front.admit(client.ip()) else { continue }; // dropped: closed at once
        let (tls, stopping) = (tls.clone(), stopping.clone());
        tokio::spawn(async move {
            let life = tokio::time::timeout(CONNECTION_LIFE, serve(place, stream, tls, stopping));
            let _ = life.await;
        });
    }
    drop(listener);
    let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
    let _ = tokio::time::timeout(DRAIN, front.connections.acquire_many(all)).await;
    Ok(())
}

async fn serve(place: Place, stream: TcpStream, tls: Option<TlsAcceptor>, stopping: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    match tls {
        None => serve_http(&place, TokioIo::new(stream), stopping).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = tokio::time::timeout(HEAD_DEADLINE, tls.accept(stream)).await {
                serve_http(&place, TokioIo::new(stream), stopping).await;
            }
        }
    }
}

async fn serve_http<S>(place: &Place, stream: S, mut stopping: watch::Receiver<bool>)
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin,
{
    let service = hyper::service::service_fn(|request| {
        let (front, client) = (place.front.clone(), place.client);
        async move { Ok::<_, Infallible>(answer(&front, client, request).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        // Also ends idle connections (CASES 2.1).
        .header_read_timeout(HEAD_DEADLINE)
        .max_buf_size(HEAD_BYTES)
        .max_headers(FIELDS)
        .half_close(false)
        .serve_connection(stream, service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopping.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

fn plain(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(status.canonical_reason().unwrap_or("").to_owned() + "\n"));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    // What follows a refused request on the connection is not to be trusted.
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

async fn answer(front: &Front, client: IpAddr, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let is_head = request.method() == Method::HEAD;
    let request_id = uuid::Uuid::now_v7().simple().to_string();
    let mut response = match relay(front, client, &request_id, request).await {
        Ok(response) => response,
        Err(status) => plain(status),
    };
    if is_head {
        let length = http_body_util::BodyExt::boxed(response.body().clone());
        let size = hyper::body::Body::size_hint(&length).exact().unwrap_or(0);
        *response.body_mut() = Full::default();
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    }
    secure(response.headers_mut(), front.is_https);
    response
}

/// Headers of every answer, errors included (T144).
fn secure(headers: &mut hyper::HeaderMap, is_https: bool) {
    let fixed = [
        (
            "content-security-policy",
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
        ("x-content-type-options", "nosniff"),
        // Not no-referrer: with it browsers send `Origin: null` with our own forms, and the forgery check needs it.
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("x-frame-options", "DENY"),
    ];
    for (name, value) in fixed {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if is_https {
        headers
            .insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000; includeSubDomains"));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

async fn relay(
    front: &Front,
    client: IpAddr,
    request_id: &str,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, StatusCode> {
    let (head, body) = request.into_parts();
    check(&head)?;
    let collected = tokio::time::timeout(BODY_DEADLINE, Limited::new(body, BODY_BYTES).collect()).await;
    let body = match collected {
        Err(_) => return Err(StatusCode::REQUEST_TIMEOUT),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => return Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Err(_)) => return Err(StatusCode::BAD_REQUEST),
        Ok(Ok(body)) => body.to_bytes(),
    };
    let method = if head.method == Method::HEAD { Method::GET } else { head.method.clone() };
    let target = head.uri.path_and_query().map_or("/", |t| t.as_str());
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
        if !is_ours && !is_framing {
            clean = clean.header(name, value);
        }
    }
    let clean = clean
        .header("x-betteruptime-client", client.to_string())
        .header("x-betteruptime-request", request_id)
        .header(header::CONNECTION, "close")
        .header(header::CONTENT_LENGTH, body.len())
        .body(Full::new(body))
        .map_err(|_| StatusCode::BAD_REQUEST)?;
    let wait = tokio::time::timeout(Duration::from_secs(5), front.at_once.acquire());
    let Ok(Ok(_turn)) = wait.await else { return Err(StatusCode::SERVICE_UNAVAILABLE) };
    match tokio::time::timeout(ANSWER_DEADLINE, forward(&front.socket, clean)).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(error)) => {
            tracing::error!(request.id = request_id, error = format!("{error:#}"), "The application gave no answer.");
            Err(StatusCode::BAD_GATEWAY)
        }
        Err(_) => Err(StatusCode::GATEWAY_TIMEOUT),
    }
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
    if !target.starts_with('/') || head.uri.authority().is_some() {
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
    let length = headers.get(header::CONTENT_LENGTH).map(|v| v.to_str().unwrap_or("").parse::<usize>());
    match length {
        Some(Ok(length)) if length > BODY_BYTES => return Err(StatusCode::PAYLOAD_TOO_LARGE),
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
