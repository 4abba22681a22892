//! Names and passwords: what is accepted, and how it is kept (P9).

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};

use crate::model::incident_words::BY_LINK;
use crate::model::{FieldError, FieldErrors};

/// The memory of one hash is asked for in one piece of at least this size, which the C library takes from the system and
/// gives back at once. Smaller pieces (a hash needs 19 MiB) it keeps for later, per thread: 80 MB after a few sign-ins
/// on a small host. glibc's limit is 32 MiB (mallopt(3), `M_MMAP_THRESHOLD`); what is not touched costs nothing.
const PIECE_BYTES: usize = 33 * 1024 * 1024;

fn digest(params: &Params, password: &[u8], salt: &[u8]) -> anyhow::Result<Output> {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    let mut memory: Vec<Block> = Vec::with_capacity(params.block_count().max(PIECE_BYTES / Block::SIZE));
    memory.resize_with(params.block_count(), Block::default);
    let mut out = [0_u8; Params::DEFAULT_OUTPUT_LEN];
    let filled = argon2.hash_password_into_with_memory(password, salt, &mut out, &mut memory);
    filled.map_err(|e| anyhow::anyhow!("the password could not be hashed: {e}"))?;
    Ok(Output::new(&out)?)
}

/// A user name: 3 to 64 of letters, digits and `. _ @ + -`; not the word that stands for whoever took an incident on by a
/// link.
///
/// # Errors
/// What would work.
pub fn check_username(name: &str) -> Result<(), FieldErrors> {
    let fits =
        (3..=64).contains(&name.chars().count()) && name.chars().all(|c| c.is_alphanumeric() || "._@+-".contains(c));
    let is_taken = name.eq_ignore_ascii_case(BY_LINK);
    if fits && !is_taken {
        return Ok(());
    }
    let remedy = match is_taken {
        true => "This name stands for whoever follows a link of a message; choose another.",
        false => "Use 3 to 64 letters, digits or . _ @ + -",
    };
    Err(FieldErrors(vec![FieldError::new("username", name, remedy)]))
}

/// A password: 8 to 256 characters, exactly as typed, none that everybody tries first.
///
/// # Errors
/// What would work; the password itself is not repeated.
pub fn check_password(password: &str) -> Result<(), FieldErrors> {
    const COMMON: [&str; 12] = [
        "password",
        "password1",
        "passw0rd",
        "12345678",
        "123456789",
        "1234567890",
        "qwertyui",
        "qwerty123",
        "iloveyou",
        "betteruptime",
        "letmein1",
        "11111111",
    ];
    let lower = password.to_lowercase();
    let remedy = match password.chars().count() {
        0..=7 => "Use at least 8 characters.",
        257.. => "Use at most 256 characters.",
        _ if COMMON.contains(&lower.as_str()) => "This one is among the first anybody tries; choose another.",
        _ => return Ok(()),
    };
    Err(FieldErrors(vec![FieldError::new("password", "", remedy)]))
}

/// The hash to store. Takes tens of milliseconds and 19 MiB: callers limit how many run at once.
///
/// # Errors
/// No random bytes or no memory.
pub fn hash_blocking(password: &str) -> anyhow::Result<String> {
    // OWASP: argon2id, 19 MiB, two passes, one lane; these are also the crate's defaults.
    let params = Params::default();
    let mut salt = [0_u8; 16];
    getrandom::fill(&mut salt).map_err(|e| anyhow::anyhow!("no random bytes from the system: {e}"))?;
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params)?,
        salt: Some(Salt::new(&salt)?),
        hash: Some(digest(&params, password.as_bytes(), &salt)?),
    };
    Ok(hash.to_string())
}

/// Whether a password fits a stored hash, which must be one of [`hash_blocking`]'s kind. As slow as hashing.
#[must_use]
pub fn verify_blocking(password: &str, hash: &str) -> bool {
    let Ok(stored) = PasswordHash::new(hash) else { return false };
    let is_ours = stored.algorithm == Algorithm::Argon2id.ident() && stored.version == Some(Version::V0x13.into());
    let (true, Ok(params), Some(salt), Some(wanted)) = (is_ours, Params::try_from(&stored), &stored.salt, &stored.hash)
    else {
        return false;
    };
    // `Output` compares in constant time.
    digest(&params, password.as_bytes(), salt).is_ok_and(|found| found == *wanted)
}

/// Whether a stored hash cost less than one does now (T125). As long as nobody signs in, nothing can be done about it.
#[must_use]
pub fn is_cheaper(hash: &str) -> bool {
    let now = Params::default();
    let of = |hash: &str| Params::try_from(&PasswordHash::new(hash).ok()?).ok();
    of(hash).is_some_and(|then| then.m_cost() < now.m_cost() || then.t_cost() < now.t_cost())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t123_the_hash_is_argon2id_at_full_cost_with_a_salt_of_its_own() {
        let (one, two) = (hash_blocking("a long password").unwrap(), hash_blocking("a long password").unwrap());
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, two);
        assert!(verify_blocking("a long password", &one) && !verify_blocking("a long passwore", &one));
    }

    #[test]
    fn nobody_is_called_as_whoever_follows_a_link_is() {
        for (name, is_fine) in [("linka", true), ("ann", true), ("link", false), ("Link", false), ("ab", false)] {
            assert_eq!(check_username(name).is_ok(), is_fine, "{name}");
        }
    }

    #[test]
    fn t124_passwords_are_taken_as_typed_and_the_obvious_are_refused() {
        let long = "x".repeat(99);
        let hash = hash_blocking(&format!("{long}a")).unwrap();
        assert!(!verify_blocking(&format!("{long}b"), &hash), "no truncation");
        for good in ["8letters", " pass word ", "\u{1f512}\u{1f512}\u{1f512}\u{1f512}abcd", "nul\0inside"] {
            assert!(check_password(good).is_ok(), "{good}");
        }
        for bad in ["7letter", "Password1", "BetterUptime", &"x".repeat(257)] {
            assert!(check_password(bad).is_err(), "{bad}");
        }
    }
}
