//! The numbers of CASES P1 and P2.

use std::time::Duration;

use crate::wire::UtcMs;

/// Name to addresses.
pub(super) const DNS_BUDGET: Duration = Duration::from_secs(3);
/// TCP handshake, all addresses together.
pub(super) const CONNECT_BUDGET: Duration = Duration::from_secs(5);
/// Longest wait for an address while another is left: one lost SYN is repeated after a second, so it has its chance.
pub(super) const CONNECT_SHARE: Duration = Duration::from_millis(1_500);
/// TLS handshake.
pub(super) const TLS_BUDGET: Duration = Duration::from_secs(5);
/// Longest whole check, whatever the order says.
pub(super) const MAX_CHECK_MS: u32 = 60_000;
/// Addresses tried per hop.
pub(super) const MAX_ADDRESSES: usize = 4;
/// Response head.
pub(super) const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Body read of one answer.
pub(super) const MAX_BODY_BYTES: u32 = 1024 * 1024;
/// What may cross the wire after a head beside the body itself, for its framing: chunk sizes and trailers have no end
/// of their own (T020, T021).
pub(super) const MAX_FRAMING_BYTES: u64 = 64 * 1024;
/// One buffer.
pub(super) const BUFFER_BYTES: usize = 8 * 1024;
/// Sentence of a failure.
pub(super) const MAX_DETAIL_BYTES: usize = 512;
/// Bytes of an answer that are kept to tell what is strange about it.
pub(super) const MAX_BEGINNING_BYTES: usize = 1024;
/// Bytes of a strange answer that are quoted.
pub(super) const MAX_SNIPPET_BYTES: usize = 64;
/// Of a body that a pattern is tried on: its time grows with text and pattern, and the text is a stranger's.
pub(super) const MAX_PATTERN_BODY_BYTES: usize = 256 * 1024;
/// Bodies that are kept whole for patterns and JSON pointers, all checks of an engine together (P3).
pub(super) const MAX_KEPT_BYTES: usize = 16 * 1024 * 1024;
/// URL a redirect may lead to: what is written at once must fit the buffer of a request.
pub(super) const MAX_REDIRECT_URL_BYTES: usize = 6 * 1024;
/// Text of an expectation, or of what was found instead, that is quoted.
pub(super) const MAX_QUOTE_BYTES: usize = 64;
/// URL of a check (T076).
pub(super) const MAX_URL_BYTES: usize = 2_048;
/// URL of a hop inside a sentence, which must still say what happened there.
pub(super) const MAX_PLACE_BYTES: usize = 200;
/// URL of a hop.
pub(super) const MAX_HOP_URL_BYTES: usize = 512;
/// Text of a certificate.
pub(super) const MAX_CERTIFICATE_TEXT_BYTES: usize = 256;
/// A certificate that ends sooner is worth a warning, unless it was never meant to live long.
pub(super) const CERTIFICATE_WARNING: Duration = Duration::from_secs(7 * 24 * 3600);
/// 2026-11-01, before which no copy of this program existed: a clock that says less was never set (a Pi starts in
/// 1970), and nothing it says about a certificate is the website's fault.
pub(crate) const EARLIEST_NOW_AT: UtcMs = 1_793_491_200_000;
