//! Tokens: JWTs that live 15 minutes and name a session (D20). Which key signed one is in its header; it is looked up among
//! those accepted, and nothing else is done with it.

use anyhow::anyhow;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::hex;
use crate::model::{AccountId, UtcMs};
use crate::secret::{Secret, SigningKeys};

const ISSUER: &str = "betteruptime-hub";
pub(super) const LIFE_MS: i64 = 15 * 60_000;
const LEEWAY_S: i64 = 5;
/// For so long a person may look for the device that shows the code.
pub(super) const TICKET_MS: i64 = 10 * 60_000;
/// No session's token: it opens nothing but the second step of signing in.
const TICKET_AUDIENCE: &str = "betteruptime-second-step";

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Claims {
    iss: String,
    aud: String,
    pub(super) sub: String,
    /// The session's random id, hex.
    pub(super) sid: String,
    iat: i64,
    nbf: i64,
    pub(super) exp: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct TicketClaims {
    iss: String,
    aud: String,
    sub: String,
    /// Of the password that was shown.
    proof: String,
    nbf: i64,
    exp: i64,
}

pub(super) struct Tokens {
    kid: String,
    signing: EncodingKey,
    accepted: Vec<(String, DecodingKey)>,
}

fn kid(key: &Secret) -> String {
    let mut name = hex(&Sha256::digest(key.expose().as_bytes()));
    name.truncate(8);
    name
}

impl Tokens {
    pub(super) fn new(keys: &SigningKeys) -> Self {
        let checking = |key: &Secret| (kid(key), DecodingKey::from_secret(key.expose().as_bytes()));
        Self {
            kid: kid(&keys.current),
            signing: EncodingKey::from_secret(keys.current.expose().as_bytes()),
            accepted: keys.all().map(checking).collect(),
        }
    }

    pub(super) fn issue(&self, account: AccountId, session_id: &str, now: UtcMs) -> anyhow::Result<String> {
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::HS256) };
        let iat = now / 1_000;
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: ISSUER.to_owned(),
            sub: account.to_string(),
            sid: session_id.to_owned(),
            iat,
            nbf: iat,
            exp: iat + LIFE_MS / 1_000,
        };
        encode(&header, &claims, &self.signing).map_err(|e| anyhow!("token: {e}"))
    }

    pub(super) fn issue_ticket(&self, account: AccountId, proof: &str, now: UtcMs) -> anyhow::Result<String> {
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::HS256) };
        let claims = TicketClaims {
            iss: ISSUER.to_owned(),
            aud: TICKET_AUDIENCE.to_owned(),
            sub: account.to_string(),
            proof: proof.to_owned(),
            nbf: now / 1_000,
            exp: (now + TICKET_MS) / 1_000,
        };
        encode(&header, &claims, &self.signing).map_err(|e| anyhow!("ticket: {e}"))
    }

    /// Whose ticket it is, and of which password, when it is one of ours and holds `now`.
    pub(super) fn ticket(&self, ticket: &str, now: UtcMs) -> Option<(AccountId, String)> {
        let claims: TicketClaims = self.decoded(ticket, TICKET_AUDIENCE)?;
        let now_s = now.div_euclid(1_000);
        let is_in_time = now_s > claims.nbf - LEEWAY_S && now_s < claims.exp + LEEWAY_S;
        Some((claims.sub.parse().ok().filter(|_| is_in_time)?, claims.proof))
    }

    /// The claims of a token of ours as of `now`; `None` for `now`: whenever it was given, the session's row decides
    /// (cookies are renewed).
    pub(super) fn claims(&self, token: &str, now: Option<UtcMs>) -> Option<Claims> {
        let claims: Claims = self.decoded(token, ISSUER)?;
        let now_s = now.map(|now| now.div_euclid(1_000));
        let is_in_time = now_s.is_none_or(|now| now > claims.nbf - LEEWAY_S && now < claims.exp + LEEWAY_S);
        is_in_time.then_some(claims)
    }

    /// What we signed for `audience`, whenever that was.
    fn decoded<T: DeserializeOwned>(&self, token: &str, audience: &str) -> Option<T> {
        let named = decode_header(token).ok()?.kid?;
        let (_, key) = self.accepted.iter().find(|(kid, _)| *kid == named)?;
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_issuer(&[ISSUER]);
        rules.set_audience(&[audience]);
        rules.set_required_spec_claims(&["iss", "aud", "exp", "nbf", "sub"]);
        // The library goes by the machine's clock; a token was dated by the hubs'.
        (rules.validate_exp, rules.validate_nbf) = (false, false);
        Some(decode::<T>(token, key, &rules).ok()?.claims)
    }

    /// Whether a token was signed by another key than the one that signs now.
    pub(super) fn is_of_old_key(&self, token: &str) -> bool {
        decode_header(token).is_ok_and(|header| header.kid.as_deref() != Some(&self.kid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UtcMs = 1_000_000_000_000;
    const OLD: &str = "kR3vT9qLx2WnB7yHf5CsJ8dGa1EpZ0mU4oQ6";
    const NEW: &str = "another key that is long enough, 0123456789";

    fn tokens(current: &str, accepted: Option<&str>) -> Tokens {
        Tokens::new(&SigningKeys { current: Secret::new(current), accepted: accepted.map(Secret::new) })
    }

    fn issue(tokens: &Tokens, now: UtcMs) -> String {
        tokens.issue(AccountId(uuid::Uuid::nil()), "s", now).unwrap()
    }

    #[test]
    fn t130_a_token_that_was_touched_is_nothing() {
        let tokens = tokens(OLD, None);
        let token = issue(&tokens, NOW);
        assert!(tokens.claims(&token, Some(NOW)).is_some());
        let body = token.split('.').nth(1).unwrap();
        let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
        for forged in
            [format!("{token}x"), format!("{none}.{body}."), token[..token.len() - 2].to_owned(), String::new()]
        {
            assert!(tokens.claims(&forged, None).is_none(), "{forged}");
        }
    }

    /// Key by name, but no name that is an address, and no other way to sign.
    #[test]
    fn t130_a_token_chooses_neither_its_key_nor_how_it_is_signed() {
        let ours = tokens(OLD, None);
        let claims = |token: &str| ours.claims(token, None);
        let body = decode::<Claims>(&issue(&ours, NOW), &DecodingKey::from_secret(OLD.as_bytes()), &{
            let mut rules = Validation::new(Algorithm::HS256);
            rules.set_audience(&[ISSUER]);
            rules.validate_exp = false;
            rules
        })
        .unwrap()
        .claims;
        let signed = |algorithm: Algorithm, kid: Option<&str>, key: &str| {
            let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
            encode(&header, &body, &EncodingKey::from_secret(key.as_bytes())).unwrap()
        };
        assert!(claims(&signed(Algorithm::HS256, Some(&ours.kid), OLD)).is_some());
        for forged in [
            signed(Algorithm::HS256, Some(&ours.kid), NEW),
            signed(Algorithm::HS256, None, OLD),
            signed(Algorithm::HS256, Some("../../dev/null"), ""),
            signed(Algorithm::HS256, Some("https://evil.example/key"), NEW),
            signed(Algorithm::HS384, Some(&ours.kid), OLD),
            signed(Algorithm::HS512, Some(&ours.kid), OLD),
        ] {
            assert!(claims(&forged).is_none(), "{forged}");
        }
    }

    #[test]
    fn t132_a_token_ends_with_little_leeway() {
        let tokens = tokens(OLD, None);
        let past = |s: i64| issue(&tokens, NOW - LIFE_MS - s * 1_000);
        assert!(tokens.claims(&past(3), Some(NOW)).is_some());
        assert!(tokens.claims(&past(7), Some(NOW)).is_none());
        assert!(tokens.claims(&past(7), None).is_some(), "a cookie is renewed from its session's row");
        assert!(tokens.claims(&past(-LIFE_MS / 1_000), Some(NOW)).is_some(), "whatever this machine's clock says");
        assert!(tokens.claims(&past(-LIFE_MS / 1_000 - 7), Some(NOW)).is_none(), "not before it was given");
    }

    #[test]
    fn a_ticket_is_no_token_and_a_token_no_ticket() {
        let tokens = tokens(OLD, None);
        let ticket = tokens.issue_ticket(AccountId(uuid::Uuid::nil()), "of a password", NOW).unwrap();
        assert!(tokens.claims(&ticket, None).is_none());
        assert!(tokens.ticket(&issue(&tokens, NOW), NOW).is_none());
        let whose = |now| tokens.ticket(&ticket, now).map(|(account, proof)| (account.0.is_nil(), proof));
        assert_eq!(whose(NOW), Some((true, "of a password".to_owned())));
        assert!(whose(NOW + TICKET_MS + 6_000).is_none() && whose(NOW - 6_000).is_none());
    }

    #[test]
    fn t134_while_keys_change_both_are_accepted_and_the_new_one_signs() {
        let (before, after) = (tokens(OLD, None), tokens(NEW, Some(OLD)));
        let old = issue(&before, NOW);
        assert!(after.claims(&old, Some(NOW)).is_some() && after.is_of_old_key(&old));
        let new = issue(&after, NOW);
        assert!(before.claims(&new, Some(NOW)).is_none() && !after.is_of_old_key(&new));
        // With several hubs the new key is accepted everywhere before any of them signs with it.
        assert!(tokens(OLD, Some(NEW)).claims(&new, Some(NOW)).is_some());
        assert!(tokens(NEW, None).claims(&old, None).is_none(), "the old one is gone, and what it signed");
    }
}
