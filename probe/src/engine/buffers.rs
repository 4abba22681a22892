//! Buffers of one exchange: 8 KiB to begin with, so that hundreds of checks fit a small machine. The one that held the
//! request takes the answer; it grows only for a long response head.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ureq::unversioned::transport::Buffers;

use super::framing::Chunks;
use super::hop::Hop;
use super::limits::{BUFFER_BYTES, MAX_HEAD_BYTES};

#[derive(Default)]
pub(super) struct SmallBuffers {
    input: Vec<u8>,
    consumed: usize,
    filled: usize,
    output: Vec<u8>,
    progress: bool,
    chunks: Option<(Arc<Hop>, Chunks)>,
}

impl SmallBuffers {
    /// What is consumed from here on is the chunked body of `hop`.
    pub(super) fn follow_chunks(&mut self, hop: &Arc<Hop>) {
        self.chunks.get_or_insert_with(|| (Arc::clone(hop), Chunks::default()));
    }
}

/// What is in them may be secret.
impl fmt::Debug for SmallBuffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SmallBuffers(..)")
    }
}

impl Buffers for SmallBuffers {
    fn output(&mut self) -> &mut [u8] {
        if self.output.is_empty() {
            self.output.resize(BUFFER_BYTES, 0);
        }
        &mut self.output
    }

    fn input(&self) -> &[u8] {
        &self.input[self.consumed..self.filled]
    }

    /// Empty when the input has reached its limit.
    fn input_append_buf(&mut self) -> &mut [u8] {
        if self.consumed > 0 {
            self.input.copy_within(self.consumed..self.filled, 0);
            self.filled -= self.consumed;
            self.consumed = 0;
        }
        if self.input.is_empty() {
            self.input = std::mem::take(&mut self.output);
        }
        if self.filled == self.input.len() {
            let size = (self.input.len() * 2).clamp(BUFFER_BYTES, MAX_HEAD_BYTES + BUFFER_BYTES);
            self.input.resize(size, 0);
        }
        &mut self.input[self.filled..]
    }

    fn input_appended(&mut self, amount: usize) {
        self.filled += amount;
    }

    fn input_consume(&mut self, amount: usize) {
        if let Some((hop, chunks)) = &mut self.chunks
            && !chunks.are_sound(&self.input[self.consumed..self.consumed + amount])
        {
            hop.unsound.store(true, Ordering::Relaxed);
        }
        self.progress = amount > 0;
        self.consumed += amount;
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        self.input_append_buf();
        self.output();
        (&mut self.input[self.filled..], &mut self.output)
    }

    fn can_use_input(&self) -> bool {
        self.progress && self.consumed < self.filled
    }
}
