//! A second factor: codes of six digits that a device makes every thirty seconds from a secret it shares with us (RFC 6238, TOTP;
//! RFC 4226, HOTP), and recovery codes for the day it is lost.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::UtcMs;

/// For so long a code holds. What all apps take for granted.
const STEP_MS: i64 = 30_000;
/// Steps before and after now whose code is taken: a device's clock may be off, and a person takes time to type.
const DRIFT: i64 = 1;
/// Bytes of a secret: as many as SHA-1 gives (RFC 4226, 4).
pub const SECRET_BYTES: usize = 20;
/// Recovery codes that are made at once.
pub const RECOVERY_CODES: usize = 10;
/// Random bytes of a recovery code: 100 bits of them are written.
pub const RECOVERY_BYTES: usize = 13;
const RECOVERY_LETTERS: usize = 20;

/// What a device and we share.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FactorSecret(pub [u8; SECRET_BYTES]);

impl fmt::Debug for FactorSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FactorSecret(..)")
    }
}

impl FactorSecret {
    /// As a person types it who cannot scan it: base 32 (RFC 4648) in groups of four.
    #[must_use]
    pub fn words(&self) -> String {
        grouped(&base32(&self.0))
    }

    /// What a device reads as a picture: `otpauth://totp/...`, the form that all apps know.
    #[must_use]
    pub fn uri(&self, username: &str) -> String {
        let name: String = url::form_urlencoded::byte_serialize(username.as_bytes()).collect();
        format!("otpauth://totp/BetterUptime:{name}?secret={}&issuer=BetterUptime", base32(&self.0))
    }

    /// The code of a step.
    #[must_use]
    pub fn code(&self, step: i64) -> u32 {
        // Any key fits HMAC; without one, no code fits.
        let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(&self.0) else { return u32::MAX };
        mac.update(&step.to_be_bytes());
        let digest = mac.finalize().into_bytes();
        let at = usize::from(digest.last().copied().unwrap_or(0) & 0xf);
        let four = digest.iter().skip(at).take(4).fold(0_u32, |all, byte| (all << 8) | u32::from(*byte));
        (four & 0x7fff_ffff) % 1_000_000
    }

    /// The step whose code was typed, of those that hold now; the newest first.
    #[must_use]
    pub fn step_of(&self, typed: &str, now: UtcMs) -> Option<i64> {
        let digits: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
        if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let typed: u32 = digits.parse().ok()?;
        let step = now.div_euclid(STEP_MS);
        // All are compared, so that the time tells nothing.
        (step - DRIFT..=step + DRIFT)
            .fold(None, |found, step| if self.code(step) == typed { Some(step) } else { found })
    }
}

/// A recovery code of random bytes, as it is shown once: twenty letters and digits in groups of four.
#[must_use]
pub fn recovery_code(random: &[u8; RECOVERY_BYTES]) -> String {
    let mut letters = base32(random).to_lowercase();
    letters.truncate(RECOVERY_LETTERS);
    grouped(&letters).replace(' ', "-")
}

/// What is kept of a recovery code, however it was typed: capitals, blanks and dashes do not matter. `None` for what is none,
/// such as a code of six digits.
#[must_use]
pub fn recovery_hash(typed: &str) -> Option<[u8; 32]> {
    let letters: String = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    let letters = letters.to_ascii_lowercase();
    let is_code =
        letters.len() == RECOVERY_LETTERS && letters.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    is_code.then(|| Sha256::digest(letters.as_bytes()).into())
}

/// Base 32 without padding (RFC 4648, 6).
fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::new();
    let (mut held, mut bits) = (0_u32, 0);
    for byte in bytes {
        (held, bits) = ((held << 8) | u32::from(*byte), bits + 8);
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(LETTERS[((held >> bits) & 31) as usize]));
        }
    }
    if bits > 0 {
        text.push(char::from(LETTERS[((held << (5 - bits)) & 31) as usize]));
    }
    text
}

fn grouped(text: &str) -> String {
    let mut out = String::new();
    for (n, letter) in text.chars().enumerate() {
        if n > 0 && n % 4 == 0 {
            out.push(' ');
        }
        out.push(letter);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, with SHA-1; the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_rfc() {
        let secret = FactorSecret(*b"12345678901234567890");
        for (at_s, code) in [
            (59, 287_082),
            (1_111_111_109, 81_804),
            (1_111_111_111, 50_471),
            (1_234_567_890, 5_924),
            (2_000_000_000, 279_037),
            (20_000_000_000, 353_130),
        ] {
            assert_eq!(secret.code(at_s / 30), code, "{at_s}");
            assert_eq!(secret.step_of(&format!("{code:06}"), at_s * 1_000), Some(at_s / 30), "{at_s}");
        }
    }

    #[test]
    fn a_code_holds_a_step_before_and_after_and_may_be_typed_with_a_blank() {
        let secret = FactorSecret([7; SECRET_BYTES]);
        let now = 1_700_000_000_000;
        let code = |off: i64| format!("{:06}", secret.code(now / STEP_MS + off));
        for (off, holds) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
            assert_eq!(secret.step_of(&code(off), now), holds.then_some(now / STEP_MS + off), "{off}");
        }
        let spaced = format!(" {} {} ", &code(0)[..3], &code(0)[3..]);
        assert!(secret.step_of(&spaced, now).is_some());
        for bad in ["", "12345", "1234567", "12345x", "+12345", "\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}"] {
            assert_eq!(secret.step_of(bad, now), None, "{bad}");
        }
    }

    #[test]
    fn secrets_and_recovery_codes_are_written_so_that_people_can_copy_them() {
        assert_eq!(base32(b"foobar"), "MZXW6YTBOI", "RFC 4648, 10");
        assert_eq!(base32(b"foob"), "MZXW6YQ");
        let secret = FactorSecret(*b"12345678901234567890");
        assert_eq!(secret.words(), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
        assert_eq!(
            secret.uri("ann+ops@x"),
            "otpauth://totp/BetterUptime:ann%2Bops%40x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=BetterUptime"
        );
        let code = recovery_code(&[0xa5; RECOVERY_BYTES]);
        assert_eq!(code.len(), 24, "{code}");
        assert_eq!(recovery_hash(&code), recovery_hash(&code.to_uppercase().replace('-', " ")));
        assert!(recovery_hash(&code).is_some() && recovery_hash("123456").is_none() && recovery_hash("").is_none());
        assert_eq!(format!("{secret:?}"), "FactorSecret(..)");
    }
}
