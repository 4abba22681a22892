//! One hop: a request and its answer over a fresh connection.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use ureq::http::{HeaderMap, Request, Response, Version, header};
use ureq::{Agent, Body};
use url::Url;

use super::Shared;
use super::challenge::LOOK_BYTES;
use super::classify::{self, Trouble};
use super::content::{self, Listener};
use super::hop::{Hop, Record};
use super::limits::MAX_BODY_BYTES;
use super::request::Ask;
use super::transport::Layers;
use crate::wire::{Certificate, Expectations, Failure, Method, Phases, Target, Tick};

/// Bytes of a body looked at in one go.
const STEP_BYTES: usize = 4 * 1024;

/// What came of a hop.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) phases: Phases,
    /// Addresses there were to connect to; none when it did not come to that.
    pub(super) addresses: Vec<std::net::IpAddr>,
    /// A name server was asked for the host, and found it.
    pub(super) name_found: bool,
    pub(super) remote: Option<std::net::SocketAddr>,
    pub(super) certificate: Option<Certificate>,
    pub(super) answer: Option<Answer>,
    /// Why the exchange is not complete. Set beside `answer` when the body broke off.
    pub(super) failure: Option<Failure>,
}

/// Head and size of an answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body_bytes: u32,
    pub(super) truncated: bool,
    /// Beginning of the body of an answer whose status does not count, or of which something is expected.
    pub(super) beginning: Vec<u8>,
    /// What is wrong with head or body of an answer whose status counts.
    pub(super) content: Option<Trouble>,
}

/// Makes the exchange. `follow` tells statuses whose body is of no interest.
pub(super) fn exchange(
    shared: &Arc<Shared>,
    url: &Url,
    target: &Target,
    ask: &Ask<'_>,
    deadline: Instant,
    follows: impl Fn(u16, &HeaderMap) -> bool,
) -> Exchange {
    let verify = !target.request.insecure_tls;
    let Some(hop) = Hop::new(url, target.request.ip_family, deadline, verify).map(Arc::new) else {
        return Exchange::refused(classify::unsupported("The URL has no host or no usable port."));
    };
    let layers = Layers { shared: Arc::clone(shared), hop: Arc::clone(&hop) };
    let agent = Agent::with_parts(shared.http.clone(), layers.clone(), layers);
    let (mut answer, failure, listener) = talk(&agent, shared, &hop, url, ask, &target.expect, follows);
    drop(agent);
    let record = hop.finish();
    let Record { stopwatch, addresses, name_found, remote, seen, tls_version, .. } = record;
    let phases = stopwatch.stop();
    // Judging is our own time, in no phase.
    if failure.is_none()
        && let Some(answer) = answer.as_mut().filter(|answer| target.expect.accept.accepts(answer.status))
    {
        answer.content = match listener {
            Some(listener) => listener.judge(answer.truncated, &answer.headers, &shared.patterns),
            None => content::judge_head(&target.expect, &answer.headers),
        };
    }
    let certificate = seen.shown.map(|shown| shown.facts(tls_version));
    Exchange { phases, addresses, name_found, remote, certificate, answer, failure }
}

impl Answer {
    /// Its beginning for people ([`Tick::answer`]); `None` where none was kept, or it is encoded.
    pub(super) fn shown(&self) -> Option<String> {
        let is_encoded = self.headers.get_all(header::CONTENT_ENCODING).iter().any(|coding| coding != "identity");
        if is_encoded {
            return None;
        }
        let (mut shown, mut count, mut is_apart) = (String::new(), 0, false);
        for c in String::from_utf8_lossy(&self.beginning).chars() {
            if c.is_whitespace() || c.is_control() {
                is_apart = count > 0;
                continue;
            }
            let more = 1 + usize::from(is_apart);
            if count + more > Tick::ANSWER_CHARS {
                break;
            }
            if std::mem::take(&mut is_apart) {
                shown.push(' ');
            }
            shown.push(c);
            count += more;
        }
        (count > 0).then_some(shown)
    }
}

impl Exchange {
    pub(super) fn refused(failure: Failure) -> Self {
        Self {
            phases: Phases::default(),
            addresses: Vec::new(),
            name_found: false,
            remote: None,
            certificate: None,
            answer: None,
            failure: Some(failure),
        }
    }
}

/// Sends the request and reads the head of the answer.
fn send(agent: &Agent, url: &Url, ask: &Ask<'_>) -> Result<Response<Body>, ureq::Error> {
    let body = ask.body();
    if ask.method == Method::Delete && !body.is_empty() {
        let mut request = agent.delete(url.as_str()).header(header::CONNECTION, "close");
        for (name, value) in fields(ask) {
            request = request.header(name, value.as_ref());
        }
        return request.force_send_body().send(body);
    }
    let mut request =
        Request::builder().method(ask.method.as_str()).uri(url.as_str()).header(header::CONNECTION, "close");
    for (name, value) in fields(ask) {
        request = request.header(name, value.as_ref());
    }
    match ask.method {
        Method::Post | Method::Put | Method::Patch => agent.run(request.body(body)?),
        Method::Get | Method::Head | Method::Delete | Method::Options => agent.run(request.body(())?),
    }
}

/// Fields that not every request has.
fn fields<'a>(ask: &Ask<'a>) -> impl Iterator<Item = (&'a str, std::borrow::Cow<'a, str>)> {
    let agent = ask.user_agent().map(|agent| ("user-agent", agent.into()));
    let authorization = ask.authorization().map(|value| ("authorization", value.into()));
    ask.fields().map(|(name, value)| (name, value.into())).chain(agent).chain(authorization)
}

fn talk<'a>(
    agent: &Agent,
    shared: &'a Shared,
    hop: &Hop,
    url: &Url,
    ask: &Ask<'_>,
    expect: &'a Expectations,
    follows: impl Fn(u16, &HeaderMap) -> bool,
) -> (Option<Answer>, Option<Failure>, Option<Listener<'a>>) {
    let response = match send(agent, url, ask) {
        Ok(response) => response,
        Err(error) => return (None, Some(classify::exchange(&error, &hop.record())), None),
    };
    hop.record().end_head();
    let (head, body) = response.into_parts();
    let status = head.status.as_u16();
    let mut answer =
        Answer { status, headers: head.headers, body_bytes: 0, truncated: false, beginning: Vec::new(), content: None };
    if status == 101 {
        return (None, Some(classify::switched()), None);
    }
    if follows(status, &answer.headers) {
        return (Some(answer), None, None);
    }
    hop.chunked.store(is_chunked(head.version, &answer.headers), Ordering::Relaxed);
    let counts = expect.accept.accepts(status);
    let mut listener = Listener::new(expect, &answer.headers, &shared.bodies).filter(|_| counts);
    let failure = read(hop, body, &mut answer, |bytes| match &mut listener {
        Some(listener) => {
            listener.hear(bytes);
            bytes
        }
        None if counts => &[],
        None => bytes,
    });
    let failure = failure.or_else(|| hop.unsound.load(Ordering::Relaxed).then(classify::bad_chunk));
    (Some(answer), failure, listener)
}

/// As the HTTP library has it: a token of any such field, in HTTP/1.1.
fn is_chunked(version: Version, headers: &HeaderMap) -> bool {
    let fields = headers.get_all(header::TRANSFER_ENCODING).iter().filter_map(|value| value.to_str().ok());
    version == Version::HTTP_11 && fields.flat_map(|f| f.split(',')).any(|t| t.trim().eq_ignore_ascii_case("chunked"))
}

/// Reads the body to its end or to the cap. `hear` is given each piece, and gives back what of it is to be kept as the
/// answer's beginning.
fn read(
    hop: &Hop,
    body: Body,
    answer: &mut Answer,
    mut hear: impl for<'b> FnMut(&'b [u8]) -> &'b [u8],
) -> Option<Failure> {
    let declared = body.content_length();
    let mut reader = body.into_reader();
    // On the stack: what it is filled from has the size of a read.
    let mut buffer = [0u8; STEP_BYTES];
    loop {
        if answer.body_bytes >= MAX_BODY_BYTES && declared.is_some() {
            answer.truncated = declared > Some(u64::from(MAX_BODY_BYTES));
            return None;
        }
        match reader.read(&mut buffer) {
            Ok(0) => return None,
            Ok(count) => {
                let room = usize::try_from(MAX_BODY_BYTES - answer.body_bytes).unwrap_or(0);
                let kept = hear(&buffer[..count.min(room)]);
                let more = LOOK_BYTES.saturating_sub(answer.beginning.len());
                answer.beginning.extend_from_slice(&kept[..kept.len().min(more)]);
                let sum = answer.body_bytes.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
                answer.body_bytes = sum.min(MAX_BODY_BYTES);
                if sum > MAX_BODY_BYTES {
                    answer.truncated = true;
                    return None;
                }
            }
            Err(error) if is_over_the_wire_limit(&error) => {
                answer.truncated = true;
                return None;
            }
            Err(error) => return Some(classify::body(error, &hop.record(), answer.body_bytes, declared)),
        }
    }
}

/// The transport stopped: the body and its framing were more than is read of any answer.
fn is_over_the_wire_limit(error: &std::io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>());
    inner.is_some_and(|inner| matches!(inner, ureq::Error::BodyExceedsLimit(_)))
}
