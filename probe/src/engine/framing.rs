//! A second look at chunked bodies (RFC 9112, 7.1): the HTTP library reads the size of a chunk as Rust reads a number,
//! which lets `+5` pass (T023). Two readers of one body who disagree are how requests are smuggled.

/// Follows the chunks of a body.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    at: At,
    size: u64,
}

#[derive(Debug, Default)]
enum At {
    /// The first byte of a size.
    #[default]
    Start,
    /// The rest of a size.
    Size,
    /// Extensions, up to the end of their line.
    Line,
    /// Bytes of a chunk that are left.
    Data(u64),
    /// The end of a line after a chunk.
    AfterData,
    /// Trailers and what comes after: of no interest.
    End,
}

impl Chunks {
    /// The next bytes as they came. False when a size does not begin with a digit.
    pub(super) fn are_sound(&mut self, mut bytes: &[u8]) -> bool {
        while let Some((first, rest)) = bytes.split_first() {
            let digit = char::from(*first).to_digit(16).map(u64::from);
            match (&self.at, digit) {
                (At::Start, None) => return false,
                (At::Start, Some(digit)) => (self.at, self.size, bytes) = (At::Size, digit, rest),
                (At::Size, Some(digit)) => {
                    (self.size, bytes) = (self.size.saturating_mul(16).saturating_add(digit), rest);
                }
                (At::Size, None) => self.at = At::Line,
                (At::Line, _) => {
                    if *first == b'\n' {
                        self.at = if self.size == 0 { At::End } else { At::Data(self.size) };
                    }
                    bytes = rest;
                }
                (At::Data(left), _) => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    let left = left - here as u64;
                    self.at = if left == 0 { At::AfterData } else { At::Data(left) };
                    bytes = &bytes[here..];
                }
                (At::AfterData, _) => {
                    if *first == b'\n' {
                        self.at = At::Start;
                    }
                    bytes = rest;
                }
                (At::End, _) => return true,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_begin_with_a_digit_however_the_bytes_come() {
        for (body, expected) in [
            ("5\r\nhello\r\n0\r\n\r\n", true),
            ("5;a=\"+1\"\r\nhe\r\no\r\nF\r\n+++++++++++++++\r\n0\r\nX: +\r\n\r\n", true),
            ("+5\r\nhello\r\n0\r\n\r\n", false),
            ("5\r\nhello\r\n-1\r\n", false),
            ("5\r\nhello\r\n 3\r\n", false),
        ] {
            for size in 1..=body.len() {
                let mut chunks = Chunks::default();
                let sound = body.as_bytes().chunks(size).all(|piece| chunks.are_sound(piece));
                assert_eq!(sound, expected, "{body:?} by {size}");
            }
        }
    }
}
