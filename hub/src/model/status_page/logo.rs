//! A picture that an owner gave: raster only, known by its first bytes. A drawing (SVG) is a program.

use std::fmt;

use super::super::FieldError;

probe::named! {
    /// What kind of picture it is.
    LogoKind {
        /// PNG.
        Png = "image/png",
        /// JPEG.
        Jpeg = "image/jpeg",
        /// WebP.
        Webp = "image/webp",
    }
}

/// A picture.
#[derive(Clone, PartialEq, Eq)]
pub struct Logo {
    /// What kind.
    pub kind: LogoKind,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// Not its bytes.
impl fmt::Debug for Logo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Logo({}, {} bytes)", self.kind, self.bytes.len())
    }
}

impl Logo {
    /// Bytes of one: with what surrounds it in a request it stays within what a request may have.
    pub const MOST_BYTES: usize = 40 * 1024;

    /// A picture, judged by its content alone.
    ///
    /// # Errors
    /// Too large, or none of the three kinds.
    pub fn of(bytes: Vec<u8>) -> Result<Self, FieldError> {
        if bytes.len() > Self::MOST_BYTES {
            let remedy = format!("Give a picture of at most {} KiB.", Self::MOST_BYTES / 1024);
            return Err(FieldError::new("logo", &format!("{} bytes", bytes.len()), remedy));
        }
        let kind = match bytes.as_slice() {
            [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => LogoKind::Png,
            [0xff, 0xd8, 0xff, ..] => LogoKind::Jpeg,
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => LogoKind::Webp,
            _ => return Err(FieldError::new("logo", "", "Give a PNG, JPEG or WebP.")),
        };
        Ok(Self { kind, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logo_is_what_its_bytes_say() {
        let of = |bytes: &[u8]| Logo::of(bytes.to_vec()).map(|logo| logo.kind);
        assert_eq!(of(b"\x89PNG\r\n\x1a\n...."), Ok(LogoKind::Png));
        assert_eq!(of(b"\xff\xd8\xff\xe0"), Ok(LogoKind::Jpeg));
        assert_eq!(of(b"RIFF....WEBPVP8 "), Ok(LogoKind::Webp));
        for bad in
            [&b""[..], b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a", b"RIFF....WAVE", b" \x89PNG\r\n\x1a\n"]
        {
            assert!(of(bad).is_err(), "{bad:?}");
        }
        let large = [b"\x89PNG\r\n\x1a\n".to_vec(), vec![0; Logo::MOST_BYTES]].concat();
        assert!(of(&large).is_err());
    }
}
