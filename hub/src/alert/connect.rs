//! The way to a receiver: one name, judged addresses, one connection, one exchange. No proxy, no redirect, no pool. The
//! address that is connected to is the one that was judged (T092): the name is not looked up again.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper::http::request::Builder;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use probe::engine::AddressPolicy;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::{Host, Url};

use super::request::Outgoing;

/// Of an answer at most so much is read (P10).
const ANSWER_BYTES: usize = 4_096;
/// Addresses of one name that are looked at.
const MAX_JUDGED: usize = 32;
/// Addresses of one name that are tried.
const MAX_TRIED: usize = 3;
/// For one of them.
const CONNECT: Duration = Duration::from_secs(5);
/// Head of an answer.
const HEAD_BYTES: usize = 16_384;

/// Why nothing was answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Trouble {
    #[error("The name of the receiver has no address.")]
    Name,
    #[error("The receiver's address is one that messages may not go to.")]
    Blocked,
    #[error("No connection: {0}.")]
    Connect(String),
    #[error("No TLS: {0}.")]
    Tls(String),
    #[error("No answer within {0} s.")]
    Timeout(u64),
    #[error("The answer is not HTTP.")]
    Protocol,
}

/// What came back.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub status: u16,
    pub retry_after: Option<String>,
    /// Its first bytes.
    pub body: Vec<u8>,
}

/// Where messages may go, and whom is trusted.
pub(super) struct Client {
    policy: AddressPolicy,
    roots: Vec<CertificateDer<'static>>,
    tls: Arc<ClientConfig>,
    timeout: Duration,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl Client {
    /// Trusts Mozilla's authorities and `roots`.
    pub(super) fn new(
        policy: AddressPolicy,
        roots: Vec<CertificateDer<'static>>,
        timeout: Duration,
    ) -> anyhow::Result<Self> {
        let mut trusted = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for root in &roots {
            trusted.add(root.clone())?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(trusted)
            .with_no_client_auth();
        Ok(Self { policy, roots, tls: Arc::new(tls), timeout })
    }

    /// For one try.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Authorities trusted besides Mozilla's.
    pub(super) fn extra_roots(&self) -> &[CertificateDer<'static>] {
        &self.roots
    }

    /// A connection to the first judged address that takes one.
    pub(super) async fn connect(&self, host: &Host<String>, port: u16) -> Result<TcpStream, Trouble> {
        let found: Vec<IpAddr> = match host {
            Host::Ipv4(address) => vec![(*address).into()],
            Host::Ipv6(address) => vec![(*address).into()],
            Host::Domain(name) => {
                let found = tokio::net::lookup_host((name.as_str(), port)).await.map_err(|_| Trouble::Name)?;
                found.map(|address| address.ip()).collect()
            }
        };
        if found.is_empty() {
            return Err(Trouble::Name);
        }
        let mut trouble = Trouble::Blocked;
        let endpoints = in_turn(found).into_iter().map(|address| SocketAddr::new(address, port));
        for endpoint in
            endpoints.take(MAX_JUDGED).filter(|endpoint| self.policy.allows_endpoint(*endpoint)).take(MAX_TRIED)
        {
            let connecting = TcpStream::connect(endpoint);
            trouble = match tokio::time::timeout(CONNECT, connecting).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => Trouble::Connect(words_of(error.kind())),
                Err(_) => Trouble::Connect("no answer in time".to_owned()),
            };
        }
        Err(trouble)
    }

    /// TLS over a connection, for this name.
    pub(super) async fn secure(&self, host: &Host<String>, stream: TcpStream) -> Result<TlsStream<TcpStream>, Trouble> {
        let name = match host {
            Host::Domain(name) => ServerName::try_from(name.clone()).map_err(|_| Trouble::Name)?,
            Host::Ipv4(address) => ServerName::from(IpAddr::from(*address)),
            Host::Ipv6(address) => ServerName::from(IpAddr::from(*address)),
        };
        let connector = TlsConnector::from(self.tls.clone());
        connector.connect(name, stream).await.map_err(|error| Trouble::Tls(of_tls(&error)))
    }

    /// Posts and waits for the answer, in the time of a try.
    pub(super) async fn post(&self, outgoing: Outgoing) -> Result<Reply, Trouble> {
        let Outgoing { url, headers, body } = outgoing;
        let mut request = Request::post(path_of(&url)).header(header::CONTENT_TYPE, "application/json");
        for (name, value) in &headers {
            request = request.header(*name, value.expose());
        }
        self.in_time(self.exchange(&url, request, body)).await
    }

    /// Asks and waits for the answer, in the time of a try.
    pub(super) async fn get(&self, url: Url) -> Result<Reply, Trouble> {
        self.in_time(self.exchange(&url, Request::get(path_of(&url)), Vec::new())).await
    }

    async fn in_time(&self, exchange: impl Future<Output = Result<Reply, Trouble>>) -> Result<Reply, Trouble> {
        let timeout = Trouble::Timeout(self.timeout.as_secs());
        tokio::time::timeout(self.timeout, exchange).await.unwrap_or(Err(timeout))
    }

    async fn exchange(&self, url: &Url, request: Builder, body: Vec<u8>) -> Result<Reply, Trouble> {
        let host = url.host().ok_or(Trouble::Name)?.to_owned();
        let port = url.port_or_known_default().ok_or(Trouble::Name)?;
        let stream = self.connect(&host, port).await?;
        let request = request
            .header(header::HOST, authority_of(url))
            .header(header::USER_AGENT, concat!("BetterUptime/", env!("CARGO_PKG_VERSION")))
            .header(header::CONNECTION, "close")
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| Trouble::Protocol)?;
        if url.scheme() == "https" {
            speak(self.secure(&host, stream).await?, request).await
        } else {
            speak(stream, request).await
        }
    }
}

/// Ends with the exchange, however that ends.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn speak<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Reply, Trouble>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(|_| Trouble::Protocol)?;
    let _driver = Driver(tokio::spawn(async move {
        let _ = connection.await;
    }));
    let mut response = sender.send_request(request).await.map_err(|error| of_http(&error))?;
    let status = response.status().as_u16();
    let retry_after = response.headers().get(header::RETRY_AFTER).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let mut body = Vec::new();
    // What ends in the middle was answered all the same: the status says so.
    while let Some(Ok(frame)) = response.body_mut().frame().await {
        let Ok(data) = frame.into_data() else { continue };
        let left = ANSWER_BYTES - body.len();
        body.extend_from_slice(data.get(..left.min(data.len())).unwrap_or_default());
        if body.len() >= ANSWER_BYTES {
            break;
        }
    }
    Ok(Reply { status, retry_after, body })
}

/// Both families in turn, the one that came first before the other: where one leads nowhere, the other is tried in time.
fn in_turn(found: Vec<IpAddr>) -> Vec<IpAddr> {
    let is_six = found.first().is_some_and(IpAddr::is_ipv6);
    let (first, second): (Vec<IpAddr>, Vec<IpAddr>) =
        found.into_iter().partition(|address| address.is_ipv6() == is_six);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut all = Vec::new();
    loop {
        match (first.next(), second.next()) {
            (None, None) => return all,
            (one, other) => all.extend(one.into_iter().chain(other)),
        }
    }
}

fn path_of(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

fn authority_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn words_of(kind: std::io::ErrorKind) -> String {
    use std::io::ErrorKind;
    match kind {
        ErrorKind::ConnectionRefused => "it was refused".to_owned(),
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => "it was cut off".to_owned(),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => "the receiver cannot be reached".to_owned(),
        ErrorKind::TimedOut => "no answer in time".to_owned(),
        other => other.to_string(),
    }
}

fn of_http(error: &hyper::Error) -> Trouble {
    if error.is_parse() || error.is_parse_too_large() {
        return Trouble::Protocol;
    }
    Trouble::Connect("the receiver closed it without an answer".to_owned())
}

fn of_tls(error: &std::io::Error) -> String {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(why)) => format!("the certificate was not accepted ({why:?})"),
        Some(rustls::Error::AlertReceived(why)) => format!("the receiver refused it ({why:?})"),
        Some(_) => "the receiver does not speak it as we do".to_owned(),
        None => words_of(error.kind()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    /// No packet is sent: the policy stands before the socket.
    #[tokio::test]
    async fn t092_addresses_of_the_inside_are_refused_where_strangers_may_come() {
        let client = Client::new(AddressPolicy::public_only(), Vec::new(), Duration::from_secs(1)).unwrap();
        for inside in
            ["127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "[::1]", "[fd00:ec2::254]", "[fe80::1]"]
        {
            let url = Url::parse(&format!("http://{inside}/")).unwrap();
            let host = url.host().unwrap().to_owned();
            assert_eq!(client.connect(&host, 80).await.err(), Some(Trouble::Blocked), "{inside}");
        }
        let host = Host::Domain("localhost".to_owned());
        assert_eq!(client.connect(&host, 80).await.err(), Some(Trouble::Blocked), "a name that leads inside");
    }

    #[test]
    fn families_are_tried_in_turn() {
        let parse = |all: &[&str]| all.iter().map(|one| one.parse().unwrap()).collect::<Vec<IpAddr>>();
        let found = parse(&["2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1"]);
        assert_eq!(in_turn(found), parse(&["2001:db8::1", "192.0.2.1", "2001:db8::2", "2001:db8::3"]));
        assert!(in_turn(Vec::new()).is_empty());
    }

    #[tokio::test]
    async fn metadata_addresses_are_refused_to_owners_too() {
        let client = Client::new(AddressPolicy::owner(), Vec::new(), Duration::from_secs(1)).unwrap();
        let host = Host::Ipv4(Ipv4Addr::new(169, 254, 169, 254));
        assert_eq!(client.connect(&host, 80).await.err(), Some(Trouble::Blocked));
    }
}
