//! Who issues a website's certificates, and when that changes. Pure. Intermediates of one authority take turns (R10, R11, E5),
//! so that organisations are compared, not names.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Certificate, Notice, RegionState, StoredTick, UtcMs, WebsiteId, WebsiteState};

/// Between two notes of the same two issuers in turns: servers of one website may have certificates of both.
const APART_MS: i64 = 86_400_000;
/// Regions whose issuers are remembered.
const REGIONS: usize = 20;
/// Characters of an organisation that are remembered.
const CHARS: usize = 64;
/// What companies are called by in one certificate, and not in the next.
const FORMS: [&str; 12] = ["inc", "llc", "ltd", "limited", "corporation", "corp", "co", "gmbh", "ag", "sa", "bv", "nv"];

/// What is remembered of a website's certificates beside the one near its end. Written when one of them changes, and read only
/// then: it is kept as it is stored, as JSON. Empty: nothing is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certificates(String);

/// The same, read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CertificateBook {
    /// Issuer's organisation by region.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub issuers: BTreeMap<String, String>,
    /// The last change of issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<IssuerChange>,
    /// End of the certificate whose warning was over last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over: Option<UtcMs>,
}

/// A change of issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuerChange {
    /// Slot of the tick that saw it first.
    pub at: UtcMs,
    /// Organisation before.
    pub from: String,
    /// And since.
    pub to: String,
}

impl Certificates {
    /// As stored.
    #[must_use]
    pub fn stored(json: String) -> Self {
        Self(json)
    }

    /// To be stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a newer version wrote, or a person, counts as not known.
    #[must_use]
    pub fn read(&self) -> CertificateBook {
        serde_json::from_str(&self.0).unwrap_or_default()
    }

    pub(super) fn write(&mut self, book: &CertificateBook) {
        self.0 = if *book == CertificateBook::default() {
            String::new()
        } else {
            serde_json::to_string(book).unwrap_or_default()
        };
    }
}

/// What a look at `certificate` says of its issuer; `before_at` is the end of the one that this region saw before. Looked at
/// when that has changed; where nothing is known yet (the website is new, or the hub is), it is learnt.
pub fn judge(
    website_id: WebsiteId,
    state: &mut WebsiteState,
    regions: &[RegionState],
    tick: &StoredTick,
    certificate: &Certificate,
    before_at: Option<UtcMs>,
) -> Option<Notice> {
    let is_known = before_at == Some(certificate.not_after_at) && !state.certificates.0.is_empty();
    let organization = certificate.issuer_organization.as_deref().filter(|_| !is_known)?;
    let to: String = organization.chars().filter(|c| !c.is_control()).take(CHARS).collect();
    if normal(&to).is_empty() {
        return None;
    }
    let mut book = state.certificates.read();
    book.issuers.retain(|name, _| regions.iter().any(|region| region.region_id.as_str() == name));
    let region = tick.region_id.as_str();
    let from = match book.issuers.get(region) {
        None if book.issuers.len() >= REGIONS => return None,
        None => None,
        Some(from) => Some(from.clone()).filter(|from| normal(from) != normal(&to)),
    };
    book.issuers.insert(region.to_owned(), to.clone());
    let at = tick.tick.slot_at;
    // A further region sees what one has seen change, or two issuers take turns.
    let is_told = |changed: &IssuerChange, from: &str| {
        let is_pair = |a: &str, b: &str| normal(&changed.from) == normal(a) && normal(&changed.to) == normal(b);
        (is_pair(from, &to) || is_pair(&to, from)) && at.abs_diff(changed.at) < APART_MS.unsigned_abs()
    };
    let change = from
        .filter(|from| !book.changed.as_ref().is_some_and(|changed| is_told(changed, from)))
        .map(|from| IssuerChange { at, from, to });
    book.changed = change.clone().or(book.changed);
    state.certificates.write(&book);
    change.map(|change| Notice::IssuerChanged { website_id, change })
}

/// An organisation without what differs between certificates of the same one: case, punctuation, and its legal form.
fn normal(organization: &str) -> String {
    let lower = organization.to_lowercase();
    let words = lower.split_whitespace().map(|word| word.chars().filter(|c| c.is_alphanumeric()).collect::<String>());
    let words: Vec<String> = words.filter(|word| !word.is_empty()).collect();
    let named: Vec<&str> = words.iter().map(String::as_str).filter(|word| !FORMS.contains(word)).collect();
    // A name of nothing but such words is a name, too.
    if named.is_empty() { words.concat() } else { named.concat() }
}

#[cfg(test)]
mod tests;
