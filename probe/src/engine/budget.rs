//! Memory that all checks of an engine share: bodies that must be kept whole are bounded together, not each by itself.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that are left.
#[derive(Debug)]
pub(super) struct Budget(AtomicUsize);

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        Self(AtomicUsize::new(bytes))
    }

    fn take(&self, bytes: usize) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
    }
}

/// A body that is kept, as far as there is room; what it took is given back with it.
#[derive(Debug)]
pub(super) struct Kept<'a> {
    budget: &'a Budget,
    bytes: Vec<u8>,
    taken: usize,
    limit: usize,
    /// The other checks have all of the memory.
    pub(super) starved: bool,
}

/// The budget is asked for this much at a time.
const STEP: usize = 16 * 1024;

impl<'a> Kept<'a> {
    /// Keeps the first `limit` bytes.
    pub(super) fn new(budget: &'a Budget, limit: usize) -> Self {
        Self { budget, bytes: Vec::new(), taken: 0, limit, starved: false }
    }

    pub(super) fn keep(&mut self, bytes: &[u8]) {
        let bytes = &bytes[..bytes.len().min(self.limit - self.bytes.len())];
        let wanted = (self.bytes.len() + bytes.len()).next_multiple_of(STEP).min(self.limit);
        if self.starved || wanted > self.taken && !self.budget.take(wanted - self.taken) {
            self.starved = true;
            return;
        }
        if wanted > self.taken {
            self.taken = wanted;
            self.bytes.reserve_exact(wanted - self.bytes.len());
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// What was kept, as text: what is not UTF-8 becomes question marks where it stands, so that no copy is needed.
    pub(super) fn text(&mut self) -> &str {
        let mut from = 0;
        while let Err(error) = std::str::from_utf8(&self.bytes[from..]) {
            let bad = from + error.valid_up_to();
            let end = error.error_len().map_or(self.bytes.len(), |length| bad + length);
            self.bytes[bad..end].fill(b'?');
            from = end;
        }
        std::str::from_utf8(&self.bytes).unwrap_or_default()
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        self.budget.0.fetch_add(self.taken, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_bounded_together_and_give_back_what_they_took() {
        let budget = Budget::new(3 * STEP);
        let mut one = Kept::new(&budget, 2 * STEP);
        one.keep(&[b'x'; STEP + 1]);
        let mut other = Kept::new(&budget, 2 * STEP);
        other.keep(b"hi");
        assert!(!one.starved && !other.starved);
        other.keep(&[b'x'; STEP]);
        assert!(other.starved);
        one.keep(&[b'x'; 4 * STEP]);
        assert_eq!((one.starved, one.text().len()), (false, 2 * STEP));
        drop(one);
        let mut third = Kept::new(&budget, 2 * STEP);
        third.keep(&[b'x'; 2 * STEP]);
        assert!(!third.starved);
    }

    #[test]
    fn bytes_that_are_not_utf8_are_still_text() {
        let budget = Budget::new(STEP);
        let mut kept = Kept::new(&budget, STEP);
        kept.keep(b"a\xffb\xe2\x82");
        assert_eq!(kept.text(), "a?b??");
    }
}
