//! gzip (RFC 1952) to be sent, good and bad, without a compressor.

/// The bytes as they are, in a gzip member of stored blocks.
#[must_use]
pub fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut out = HEAD.to_vec();
    let mut chunks = bytes.chunks(0xffff).peekable();
    if bytes.is_empty() {
        out.extend([1, 0, 0, 0xff, 0xff]);
    }
    while let Some(chunk) = chunks.next() {
        let length = u16::try_from(chunk.len()).unwrap();
        out.push(u8::from(chunks.peek().is_none()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(chunk);
    }
    out.extend(crc(bytes).to_le_bytes());
    out.extend(u32::try_from(bytes.len()).unwrap().to_le_bytes());
    out
}

/// `count` times 258 bytes of `x`, and one: two bits for every 258 bytes, the most that DEFLATE can do (a MiB of it is a
/// GiB). Its checksum is wrong, which only one who decodes it to the end could tell.
#[must_use]
pub fn bomb(count: usize) -> Vec<u8> {
    let mut bits = Bits { out: HEAD.to_vec(), byte: 0, used: 0 };
    // Last block, dynamic codes (RFC 1951, 3.2.7): 286 literals and lengths, one distance, 18 code lengths.
    bits.number(1, 1);
    bits.number(2, 2);
    bits.number(29, 5);
    bits.number(0, 5);
    bits.number(14, 4);
    // Code lengths in the order of the RFC: 18 has one bit, 2 and 1 have two.
    for length in [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2] {
        bits.number(length, 3);
    }
    let zeros = |bits: &mut Bits, count: u32| {
        bits.code(&[0]);
        bits.number(count - 11, 7);
    };
    let (one, two): (&[u32], &[u32]) = (&[1, 0], &[1, 1]);
    // `x` and the end have two bits, the length 258 has one; so has the distance 1.
    zeros(&mut bits, 120);
    bits.code(two);
    zeros(&mut bits, 135);
    bits.code(two);
    zeros(&mut bits, 28);
    bits.code(one);
    bits.code(one);
    bits.code(&[1, 0]);
    for _ in 0..count {
        bits.code(&[0, 0]);
    }
    bits.code(&[1, 1]);
    let mut out = bits.finish();
    out.extend([0; 4]);
    out.extend(u32::try_from(count * 258 + 1).unwrap_or(0).to_le_bytes());
    out
}

/// Magic, DEFLATE, no flags, no time, no system.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

struct Bits {
    out: Vec<u8>,
    byte: u8,
    used: u8,
}

impl Bits {
    fn bit(&mut self, bit: u32) {
        self.byte |= u8::from(bit & 1 == 1) << self.used;
        self.used += 1;
        if self.used == 8 {
            self.out.push(self.byte);
            (self.byte, self.used) = (0, 0);
        }
    }

    /// Numbers begin with their lowest bit.
    fn number(&mut self, value: u32, width: u32) {
        for at in 0..width {
            self.bit(value >> at);
        }
    }

    /// Codes begin with their first bit.
    fn code(&mut self, bits: &[u32]) {
        for bit in bits {
            self.bit(*bit);
        }
    }

    fn finish(mut self) -> Vec<u8> {
        if self.used > 0 {
            self.out.push(self.byte);
        }
        self.out
    }
}

/// CRC-32 of RFC 1952.
fn crc(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}
