//! The colour of a page, in shades that can be read: contrast after WCAG 2.1, on light and on dark.

use std::fmt;
use std::str::FromStr;

/// What text needs (WCAG 2.1, 1.4.3, level AA).
const READABLE: f64 = 4.5;
/// Steps from a colour to black or to white.
const STEPS: u32 = 40;

/// A colour as an owner gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accent([u8; 3]);

/// One that can be read on what it stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shade([u8; 3]);

/// A text that is no colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("give a colour as #1a7f5a")]
pub struct NoColour;

impl FromStr for Accent {
    type Err = NoColour;

    fn from_str(text: &str) -> Result<Self, NoColour> {
        let hex = text.strip_prefix('#').filter(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
        let number = u32::from_str_radix(hex.ok_or(NoColour)?, 16).map_err(|_| NoColour)?;
        let [_, red, green, blue] = number.to_be_bytes();
        Ok(Self([red, green, blue]))
    }
}

impl fmt::Display for Accent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl fmt::Display for Shade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Accent(self.0).fmt(f)
    }
}

/// What light pages and cards are, and dark ones: as in the style sheet.
const LIGHT: [[u8; 3]; 2] = [[0xff, 0xff, 0xff], [0xfb, 0xfb, 0xf9]];
const DARK: [[u8; 3]; 2] = [[0x14, 0x17, 0x1a], [0x1b, 0x1f, 0x24]];

impl Accent {
    /// The colour, as much darker as it takes to be read on light, and to have light text on it.
    #[must_use]
    pub fn on_light(self) -> Shade {
        self.towards([0, 0, 0], &LIGHT)
    }

    /// The colour, as much lighter as it takes to be read on dark, and to have dark text on it.
    #[must_use]
    pub fn on_dark(self) -> Shade {
        self.towards([0xff; 3], &DARK)
    }

    fn towards(self, end: [u8; 3], grounds: &[[u8; 3]]) -> Shade {
        let mixed = |step: u32| {
            let mut colour = self.0;
            for (channel, end) in colour.iter_mut().zip(end) {
                let sum = u32::from(*channel) * (STEPS - step) + u32::from(end) * step;
                *channel = u8::try_from(sum / STEPS).unwrap_or(end);
            }
            colour
        };
        let fits = |colour: &[u8; 3]| grounds.iter().all(|ground| contrast(*colour, *ground) >= READABLE);
        Shade((0..=STEPS).map(mixed).find(fits).unwrap_or(end))
    }
}

/// From 1 to 21.
fn contrast(a: [u8; 3], b: [u8; 3]) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn luminance(colour: [u8; 3]) -> f64 {
    let linear = |channel: u8| {
        let share = f64::from(channel) / 255.0;
        if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    };
    let [red, green, blue] = colour.map(linear);
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_colour_can_be_read_on_light_and_on_dark() {
        for red in (0..=255).step_by(51) {
            for green in (0..=255).step_by(51) {
                for blue in (0..=255).step_by(51) {
                    let accent = Accent([red, green, blue]);
                    for ground in LIGHT {
                        assert!(contrast(accent.on_light().0, ground) >= READABLE, "{accent}");
                    }
                    for ground in DARK {
                        assert!(contrast(accent.on_dark().0, ground) >= READABLE, "{accent}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_can_be_read_stays_as_it_is() {
        assert_eq!("#0b5cad".parse::<Accent>().unwrap().on_light().to_string(), "#0b5cad");
        assert_eq!("#7FB8F5".parse::<Accent>().unwrap().on_dark().to_string(), "#7fb8f5");
        assert!((contrast([0; 3], [255; 3]) - 21.0).abs() < 1e-9);
    }

    #[test]
    fn a_colour_is_six_digits() {
        for bad in ["", "#fff", "0b5cad", "#0b5cag", "#0b5cad0", "red", "#+12345", "#é123"] {
            assert_eq!(bad.parse::<Accent>(), Err(NoColour), "{bad}");
        }
    }
}
