//! One hop: a request and its answer over a fresh connection.

use std::io::Read;
use std::sync::Arc;
use std::time::Instant;

use ureq::Agent;
use ureq::http::{HeaderMap, Request, header};
use url::Url;

use super::Shared;
use super::certificate;
use super::classify;
use super::hop::{Hop, Record};
use super::limits::{BUFFER_BYTES, MAX_BODY_BYTES};
use super::transport::Layers;
use crate::wire::{Certificate, Failure, IpFamily, Method, Phases};

/// What came of a hop.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) phases: Phases,
    /// Addresses there were to connect to; none when it did not come to that.
    pub(super) addresses: Vec<std::net::IpAddr>,
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
}

/// Makes the exchange. `follow` tells statuses whose body is of no interest.
pub(super) fn exchange(
    shared: &Arc<Shared>,
    url: &Url,
    method: Method,
    family: IpFamily,
    deadline: Instant,
    follows: impl Fn(u16, &HeaderMap) -> bool,
) -> Exchange {
    let Some(hop) = Hop::new(url, family, deadline).map(Arc::new) else {
        return Exchange::refused(classify::unsupported("The URL has no host or no usable port."));
    };
    let layers = Layers { shared: Arc::clone(shared), hop: Arc::clone(&hop) };
    let agent = Agent::with_parts(shared.http.clone(), layers.clone(), layers);
    let (answer, failure) = talk(&agent, &hop, url, method, follows);
    drop(agent);
    let record = hop.finish();
    let Record { stopwatch, addresses, remote, seen, tls_version, .. } = record;
    let phases = stopwatch.stop();
    let certificate = seen.leaf.as_ref().and_then(|leaf| certificate::facts(leaf, tls_version));
    Exchange { phases, addresses, remote, certificate, answer, failure }
}

impl Exchange {
    fn refused(failure: Failure) -> Self {
        Self {
            phases: Phases::default(),
            addresses: Vec::new(),
            remote: None,
            certificate: None,
            answer: None,
            failure: Some(failure),
        }
    }
}

fn talk(
    agent: &Agent,
    hop: &Hop,
    url: &Url,
    method: Method,
    follows: impl Fn(u16, &HeaderMap) -> bool,
) -> (Option<Answer>, Option<Failure>) {
    let request =
        Request::builder().method(method.as_str()).uri(url.as_str()).header(header::CONNECTION, "close").body(());
    let request = match request {
        Ok(request) => request,
        Err(e) => return (None, Some(classify::unsupported(&format!("The URL cannot be asked for: {e}.")))),
    };
    let response = match agent.run(request) {
        Ok(response) => response,
        Err(error) => return (None, Some(classify::exchange(&error, &hop.record()))),
    };
    hop.record().end_head();
    let (head, body) = response.into_parts();
    let mut answer = Answer { status: head.status.as_u16(), headers: head.headers, body_bytes: 0, truncated: false };
    if answer.status == 101 {
        return (None, Some(classify::switched()));
    }
    if follows(answer.status, &answer.headers) {
        return (Some(answer), None);
    }
    let declared = body.content_length();
    let mut reader = body.into_reader();
    let mut buffer = vec![0u8; BUFFER_BYTES];
    loop {
        if answer.body_bytes >= MAX_BODY_BYTES && declared.is_some() {
            answer.truncated = declared > Some(u64::from(MAX_BODY_BYTES));
            return (Some(answer), None);
        }
        match reader.read(&mut buffer) {
            Ok(0) => return (Some(answer), None),
            Ok(count) => {
                let sum = answer.body_bytes.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
                answer.body_bytes = sum.min(MAX_BODY_BYTES);
                if sum > MAX_BODY_BYTES {
                    answer.truncated = true;
                    return (Some(answer), None);
                }
            }
            Err(error) if is_over_the_wire_limit(&error) => {
                answer.truncated = true;
                return (Some(answer), None);
            }
            Err(error) => {
                let failure = classify::body(error, &hop.record(), answer.body_bytes, declared);
                return (Some(answer), Some(failure));
            }
        }
    }
}

/// The transport stopped: the body and its framing were more than is read of any answer.
fn is_over_the_wire_limit(error: &std::io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>());
    inner.is_some_and(|inner| matches!(inner, ureq::Error::BodyExceedsLimit(_)))
}
