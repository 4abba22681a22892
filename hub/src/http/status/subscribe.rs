//! Mail of a page: asked for by a form, confirmed and ended by links of mails. Links show a button, since scanners of mails follow
//! them; programs of mail end a subscription by one POST (RFC 8058).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use super::bare::BarePage;
use super::{Found, bare, find, not_now, nothing};
use crate::clock;
use crate::http::{App, HttpError, Request, Response, route::Params};

/// Of one network at once, and when one more may be asked for.
const BURST: i64 = 10;
const ONE_MS: i64 = 360_000;
/// Networks that are counted.
const KEYS: usize = 10_000;
/// RFC 5321.
const ADDRESS_BYTES: usize = 254;

/// How often a network may ask for mail.
#[derive(Debug, Default)]
pub struct SubscribeLimit(Mutex<HashMap<IpAddr, i64>>);

impl SubscribeLimit {
    /// Whether one more may be asked for at `now_ms`, of a clock that does not jump.
    pub fn admits(&self, client: IpAddr, now_ms: i64) -> bool {
        let network = match client.to_canonical() {
            IpAddr::V4(ip) => IpAddr::V4(ip),
            IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() & !((1 << 64) - 1)).into()),
        };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEYS && !known.contains_key(&network) {
            known.retain(|_, full_at| *full_at > now_ms);
            if known.len() >= KEYS {
                // Rather nobody for a while than everybody.
                return false;
            }
        }
        let full_at = known.entry(network).or_insert(now_ms);
        let next = (*full_at).max(now_ms) + ONE_MS;
        let admits = next - now_ms <= BURST * ONE_MS;
        if admits {
            *full_at = next;
        }
        admits
    }
}

/// `POST /s/:slug/subscribe`. Whatever is known of an address, the answer is the same.
///
/// # Errors
/// Our own trouble.
pub fn ask(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let seen = match find(app, request, params) {
        Found::Page(seen) => seen,
        Found::Locked(_) | Found::Nothing => return nothing(),
        Found::NotNow => return not_now(),
    };
    let (page, name) = (seen.page().status_page_id, &seen.page().plan.name);
    if !seen.shown.public.sends_mail || !app.alerts.has_links() {
        return nothing();
    }
    let form = request.form();
    let address = form.get("address").trim();
    let is_address = address.len() <= ADDRESS_BYTES && address.parse::<lettre::Address>().is_ok();
    if !is_address || !address.is_ascii() {
        let view = BarePage::new("This is no mail address", "Go back and type an address such as ann@example.com.");
        return bare(422, &view.with_back(&seen.base));
    }
    if !app.subscribe_limit.admits(request.client, clock::steady_us().div_euclid(1_000)) {
        let view =
            BarePage::new("Not so fast", "Too many addresses were given from your network. Try again in an hour.");
        return Ok(bare(429, &view.with_back(&seen.base))?.with("retry-after", "3600"));
    }
    if let Err(error) = app.wait(app.store.ask_subscription(page, address, clock::now())) {
        tracing::warn!(%error, "A subscription could not be written down.");
        return not_now();
    }
    let message = format!(
        "If {address} does not get mail of {name} yet, we have sent a message there. Follow the link in it, and you will."
    );
    bare(200, &BarePage::new("Look at your mail", &message).with_back(&seen.base))
}

fn gone() -> Result<Response, HttpError> {
    let message = "It was used, has run out, or was cut off. Ask for mail again on the page, if you want it.";
    bare(404, &BarePage::new("This link does not work", message))
}

/// `GET /subscription/confirm/:token`: shows what it is about, and changes nothing.
///
/// # Errors
/// Our own trouble.
pub fn confirm_form(app: &App, _: &Request, params: &Params) -> Result<Response, HttpError> {
    let Some(id) = app.alerts.confirms(params.get("token"), clock::now()) else { return gone() };
    let Ok(found) = app.wait(app.store.subscription(id)) else { return not_now() };
    match found {
        Some(found) if found.is_confirmed => bare(200, &BarePage::new(&found.page, &confirmed(&found.address))),
        Some(found) => {
            let message = format!("{} is to get mail when something is published there.", found.address);
            bare(200, &BarePage::new(&found.page, &message).with_button("Yes, send me mail"))
        }
        None => gone(),
    }
}

fn confirmed(address: &str) -> String {
    format!("{address} gets mail from now on. Each has a link that ends it.")
}

/// `POST /subscription/confirm/:token`.
///
/// # Errors
/// Our own trouble.
pub fn confirm(app: &App, _: &Request, params: &Params) -> Result<Response, HttpError> {
    let now = clock::now();
    let Some(id) = app.alerts.confirms(params.get("token"), now) else { return gone() };
    match app.wait(app.store.confirm_subscription(id, now)) {
        Ok(true) => {}
        Ok(false) => return gone(),
        Err(_) => return not_now(),
    }
    let Ok(Some(found)) = app.wait(app.store.subscription(id)) else { return not_now() };
    bare(200, &BarePage::new(&found.page, &confirmed(&found.address)))
}

/// `GET /subscription/end/:token`: shows what it is about, and changes nothing.
///
/// # Errors
/// Our own trouble.
pub fn end_form(app: &App, _: &Request, params: &Params) -> Result<Response, HttpError> {
    let Some(id) = app.alerts.leaves(params.get("token"), clock::now()) else { return gone() };
    let Ok(found) = app.wait(app.store.subscription(id)) else { return not_now() };
    match found {
        Some(found) => {
            let message = format!("{} gets mail when something is published there.", found.address);
            bare(200, &BarePage::new(&found.page, &message).with_button("No more mail"))
        }
        None => ended(),
    }
}

fn ended() -> Result<Response, HttpError> {
    bare(200, &BarePage::new("No more mail", "You get no more mail of this page."))
}

/// `POST /subscription/end/:token`: by its button, or by a program of mail.
///
/// # Errors
/// Our own trouble.
pub fn end(app: &App, _: &Request, params: &Params) -> Result<Response, HttpError> {
    let Some(id) = app.alerts.leaves(params.get("token"), clock::now()) else { return gone() };
    match app.wait(app.store.end_subscription(id)) {
        Ok(()) => ended(),
        Err(_) => not_now(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_asks_for_few() {
        let limit = SubscribeLimit::default();
        let ip = |n: u8| IpAddr::from([192, 0, 2, n]);
        assert_eq!((0..20).filter(|_| limit.admits(ip(1), 0)).count(), 10);
        assert!(limit.admits(ip(2), 0) && !limit.admits(ip(1), ONE_MS - 1) && limit.admits(ip(1), ONE_MS));
    }
}
