//! Names and passwords: what is accepted, and how it is kept (P9).

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::model::{FieldError, FieldErrors};

fn argon2() -> Argon2<'static> {
    // OWASP: argon2id, 19 MiB, two passes, one lane; these are also the crate's defaults.
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::default())
}

/// A user name: 3 to 64 of letters, digits and `. _ @ + -`.
///
/// # Errors
/// What would work.
pub fn check_username(name: &str) -> Result<(), FieldErrors> {
    let fits =
        (3..=64).contains(&name.chars().count()) && name.chars().all(|c| c.is_alphanumeric() || "._@+-".contains(c));
    if fits {
        return Ok(());
    }
    let remedy = "Use 3 to 64 letters, digits or . _ @ + -";
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
    let hash = argon2().hash_password(password.as_bytes());
    Ok(hash.map_err(|e| anyhow::anyhow!("the password could not be hashed: {e}"))?.to_string())
}

/// Whether a password fits a stored hash. As slow as hashing.
#[must_use]
pub fn verify_blocking(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok())
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
