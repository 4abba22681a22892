//! gzip (RFC 1952) piece by piece, for answers that come compressed although that was not asked for. The window is all
//! it keeps, so that a bomb costs as much as a letter.

use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};

/// What is decoded at a time.
const OUTPUT_BYTES: usize = 8 * 1024;
/// File name, comment and extra field of a header together; they are of no use here.
const MAX_HEADER_BYTES: usize = 4 * 1024;

const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
const HEADER_CRC: u8 = 2;

/// Why bytes are not gzip, for the middle of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Corrupt(pub(super) &'static str);

/// The decoder.
pub(super) struct Gunzip {
    stage: Stage,
    inflater: Box<InflateState>,
    output: Box<[u8]>,
    crc: u32,
    length: u32,
}

enum Stage {
    Header(Vec<u8>),
    Data,
    Trailer(Vec<u8>),
    /// What comes after the first member is ignored, as browsers do.
    Done,
}

impl Gunzip {
    /// Never part of its caller: the inflater's 43 KiB are put together on the stack, and a frame of that size would be
    /// touched by every check, gzip or not.
    #[inline(never)]
    pub(super) fn new() -> Self {
        Self {
            stage: Stage::Header(Vec::new()),
            inflater: InflateState::new_boxed(DataFormat::Raw),
            output: vec![0; OUTPUT_BYTES].into_boxed_slice(),
            crc: 0xffff_ffff,
            length: 0,
        }
    }

    /// Whether the end was reached and its checksum was right.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    /// Decodes; `sink` is given what came out and says whether it wants more.
    pub(super) fn feed(&mut self, mut input: &[u8], mut sink: impl FnMut(&[u8]) -> bool) -> Result<(), Corrupt> {
        while !input.is_empty() {
            match &mut self.stage {
                Stage::Header(bytes) => {
                    // Byte by byte costs little: headers are short, and the data after them is not touched.
                    bytes.push(input[0]);
                    input = &input[1..];
                    if header_is_complete(bytes)? {
                        self.stage = Stage::Data;
                    } else if bytes.len() > MAX_HEADER_BYTES {
                        return Err(Corrupt("its header has no end"));
                    }
                }
                Stage::Data => {
                    let result = inflate(&mut self.inflater, input, &mut self.output, MZFlush::None);
                    input = &input[result.bytes_consumed..];
                    let decoded = &self.output[..result.bytes_written];
                    self.crc = crc32(self.crc, decoded);
                    self.length = self.length.wrapping_add(result.bytes_written as u32);
                    match result.status {
                        Ok(MZStatus::StreamEnd) => self.stage = Stage::Trailer(Vec::new()),
                        Ok(MZStatus::Ok | MZStatus::NeedDict) | Err(MZError::Buf) => {}
                        Err(_) => return Err(Corrupt("its data is corrupt")),
                    }
                    if !sink(decoded) {
                        return Ok(());
                    }
                }
                Stage::Trailer(bytes) => {
                    bytes.push(input[0]);
                    input = &input[1..];
                    if let [a, b, c, d, e, f, g, h] = bytes[..] {
                        let sum = u32::from_le_bytes([a, b, c, d]);
                        let length = u32::from_le_bytes([e, f, g, h]);
                        if sum != !self.crc || length != self.length {
                            return Err(Corrupt("its checksum is wrong"));
                        }
                        self.stage = Stage::Done;
                    }
                }
                Stage::Done => return Ok(()),
            }
        }
        Ok(())
    }
}

/// Whether these bytes are a whole header (RFC 1952, 2.3).
fn header_is_complete(bytes: &[u8]) -> Result<bool, Corrupt> {
    let magic = [0x1f, 0x8b, 8];
    if bytes.iter().zip(magic).any(|(found, wanted)| *found != wanted) {
        return Err(Corrupt("it does not begin as gzip does"));
    }
    let Some(flags) = bytes.get(3).copied() else { return Ok(false) };
    if flags & 0xe0 != 0 {
        return Err(Corrupt("its header is corrupt"));
    }
    let mut at = 10;
    if flags & EXTRA != 0 {
        let (Some(low), Some(high)) = (bytes.get(at), bytes.get(at + 1)) else { return Ok(false) };
        at += 2 + usize::from(u16::from_le_bytes([*low, *high]));
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            let Some(end) = bytes.get(at..).and_then(|rest| rest.iter().position(|b| *b == 0)) else {
                return Ok(false);
            };
            at += end + 1;
        }
    }
    if flags & HEADER_CRC != 0 {
        at += 2;
    }
    Ok(bytes.len() >= at)
}

/// Carries on a CRC-32 (ISO 3309, as RFC 1952 has it); begins with all ones, ends inverted.
fn crc32(mut crc: u32, bytes: &[u8]) -> u32 {
    /// Of four bits at a time: small enough to stay in a first cache beside everything else.
    const TABLE: [u32; 16] = {
        let mut table = [0u32; 16];
        let mut n = 0;
        while n < 16 {
            let mut c = n as u32;
            let mut bit = 0;
            while bit < 4 {
                c = if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 };
                bit += 1;
            }
            table[n] = c;
            n += 1;
        }
        table
    };
    for byte in bytes {
        crc ^= u32::from(*byte);
        crc = TABLE[(crc & 15) as usize] ^ (crc >> 4);
        crc = TABLE[(crc & 15) as usize] ^ (crc >> 4);
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gzip(text: &[u8], flags: u8, between: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 255];
        bytes.extend(between);
        bytes.extend(miniz_oxide::deflate::compress_to_vec(text, 6));
        bytes.extend((!crc32(0xffff_ffff, text)).to_le_bytes());
        bytes.extend((text.len() as u32).to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8], piece: usize) -> Result<(Vec<u8>, bool), Corrupt> {
        let mut gunzip = Gunzip::new();
        let mut text = Vec::new();
        for piece in bytes.chunks(piece) {
            gunzip.feed(piece, |decoded| {
                text.extend_from_slice(decoded);
                true
            })?;
        }
        Ok((text, gunzip.is_done()))
    }

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(!crc32(0xffff_ffff, b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_member_is_decoded_whatever_its_pieces_and_its_header() {
        let text: Vec<u8> = (0..100_000u32).flat_map(|n| (n % 251).to_le_bytes()).collect();
        for (flags, between) in
            [(0, &b""[..]), (NAME, b"a.txt\0"), (EXTRA | COMMENT, b"\x02\0xyhm\0"), (HEADER_CRC | NAME, b"a\0cc")]
        {
            for piece in [1, 7, 8_192, usize::MAX] {
                assert_eq!(decode(&gzip(&text, flags, between), piece), Ok((text.clone(), true)), "{flags} {piece}");
            }
        }
        let mut longer = gzip(b"hi", 0, b"");
        longer.extend(b"and more");
        assert_eq!(decode(&longer, 3), Ok((b"hi".to_vec(), true)));
    }

    #[test]
    fn t027_what_is_not_gzip_is_told_and_what_breaks_off_is_not_done() {
        let good = gzip(b"hello hello hello", 0, b"");
        assert_eq!(decode(b"<html>", 9), Err(Corrupt("it does not begin as gzip does")));
        let mut sum = good.clone();
        let at = sum.len() - 8;
        sum[at] ^= 1;
        assert_eq!(decode(&sum, 9), Err(Corrupt("its checksum is wrong")));
        for cut in 0..good.len() {
            assert!(decode(&good[..cut], 5).is_ok_and(|(_, done)| !done), "{cut}");
        }
        let mut data = good;
        data[10] = 0xff;
        assert_eq!(decode(&data, 9), Err(Corrupt("its data is corrupt")));
    }

    #[test]
    fn t025_a_bomb_is_left_alone_when_nobody_wants_more() {
        let bomb = gzip(&vec![0u8; 64 * 1024 * 1024], 0, b"");
        let mut gunzip = Gunzip::new();
        let mut decoded = 0;
        gunzip
            .feed(&bomb, |piece| {
                decoded += piece.len();
                decoded <= 1024 * 1024
            })
            .unwrap();
        assert!(decoded <= 1024 * 1024 + OUTPUT_BYTES, "{decoded}");
    }
}
