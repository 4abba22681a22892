//! A badge as an image: two fields with a slanted edge between them. No script, no style sheet, no ids, so that any number of
//! them may stand in one page, and nothing that has to be fetched.
//!
//! Whoever shows it has fonts of his own. How wide a text is drawn is therefore said in it (`textLength`), by the widths of
//! DejaVu Sans, which Verdana has nearly, too.

use std::fmt::Write as _;

use super::words::Badge;

/// Of the field with the label: red, green and blue.
pub(super) const LABEL: &str = "434d5b";
const HEIGHT: f64 = 20.0;
/// Of the font, in pixels.
const SIZE: f64 = 11.0;
/// Between a text and the edge of its field.
const PADDING: f64 = 8.0;
/// How much further right the edge between the fields is at its top than in its middle.
const SLANT: f64 = 3.0;
/// Radius of the corners.
const ROUND: f64 = 5.0;
/// Widths of what is printable in ASCII, in thousandths of the font's size, from the space on.
const WIDTHS: [u16; 95] = [
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, // space to /
    636, 636, 636, 636, 636, 636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 531, // 0 to ?
    1000, 684, 686, 698, 770, 632, 575, 775, 752, 295, 295, 656, 557, 863, 748, 787, // @ to O
    603, 787, 695, 635, 611, 732, 684, 989, 685, 611, 685, 390, 337, 390, 838, 500, // P to _
    500, 613, 635, 550, 635, 615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612, // ` to o
    635, 635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636, 337, 636, 838, // p to ~
];
/// Of letters beyond ASCII; of those that are as wide as they are high, and pictures, twice that is not too much.
const OTHER: u16 = 640;
const WIDE: u16 = 1_150;

/// How wide a text is drawn, in pixels.
fn width(text: &str) -> f64 {
    let of = |c: char| {
        let place = usize::try_from(u32::from(c)).ok().and_then(|c| c.checked_sub(32));
        let known = place.and_then(|place| WIDTHS.get(place)).copied();
        known.unwrap_or(if u32::from(c) < 0x1100 { OTHER } else { WIDE })
    };
    let thousandths: u32 = text.chars().map(|c| u32::from(of(c))).sum();
    (f64::from(thousandths) * SIZE / 100.0).round() / 10.0
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// The image. Without a label it is the figure alone.
pub(super) fn write(badge: &Badge) -> String {
    let (label, message) = (escaped(&badge.label), escaped(&badge.message));
    let (label_width, message_width) = (width(&badge.label), width(&badge.message));
    let has_label = !badge.label.is_empty();
    let edge = if has_label { label_width + 2.0 * PADDING } else { 0.0 };
    let all = edge + message_width + 2.0 * PADDING;
    let spoken = if has_label { format!("{label}: {message}") } else { message.clone() };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{all:.1}\" height=\"{HEIGHT}\" viewBox=\"0 0 {all:.1} {HEIGHT}\" \
         role=\"img\" aria-label=\"{spoken}\"><title>{spoken}</title>"
    );
    let colour = badge.tone.colour();
    let (top, bottom, right, low) = (edge + SLANT, edge - SLANT, all - ROUND, HEIGHT - ROUND);
    if has_label {
        // One under the other, so that no light shines through between them.
        let _ = write!(
            svg,
            "<path fill=\"#{LABEL}\" d=\"M{ROUND} 0H{top:.1}V{HEIGHT}H{ROUND}Q0 {HEIGHT} 0 {low}V{ROUND}Q0 0 {ROUND} 0z\"/>\
             <path fill=\"#{colour}\" d=\"M{top:.1} 0H{right:.1}Q{all:.1} 0 {all:.1} {ROUND}V{low}Q{all:.1} {HEIGHT} {right:.1} {HEIGHT}\
             H{bottom:.1}z\"/>"
        );
    } else {
        let _ = write!(svg, "<rect fill=\"#{colour}\" width=\"{all:.1}\" height=\"{HEIGHT}\" rx=\"{ROUND}\"/>");
    }
    let _ = write!(svg, "<g fill=\"#fff\" font-family=\"DejaVu Sans,Verdana,Geneva,sans-serif\" font-size=\"{SIZE}\">");
    let mut text = |x: f64, wide: f64, text: &str| {
        let _ = write!(
            svg,
            "<text x=\"{x:.1}\" y=\"14\" textLength=\"{wide:.1}\" lengthAdjust=\"spacingAndGlyphs\">{text}</text>"
        );
    };
    if has_label {
        text(PADDING, label_width, &label);
    }
    text(edge + PADDING, message_width, &message);
    svg.push_str("</g></svg>\n");
    svg
}

#[cfg(test)]
mod tests {
    use super::super::words::Tone;
    use super::*;

    fn badge(label: &str, message: &str) -> String {
        write(&Badge { label: label.into(), message: message.into(), tone: Tone::Good })
    }

    #[test]
    fn it_is_as_wide_as_its_texts_and_says_them_to_who_cannot_see() {
        let svg = badge("uptime 30 d", "99.98 %");
        assert!(
            svg.contains("role=\"img\" aria-label=\"uptime 30 d: 99.98 %\"><title>uptime 30 d: 99.98 %</title>"),
            "{svg}"
        );
        assert!((width("99.98 %") - 45.4).abs() < 0.1 && width("") == 0.0, "{}", width("99.98 %"));
        let only = badge("", "up");
        assert!(only.contains("aria-label=\"up\"") && only.matches("<text").count() == 1, "{only}");
        assert!(!svg.contains(" id=") && !svg.contains("style") && !svg.contains("href"));
    }

    #[test]
    fn whatever_a_label_says_is_text() {
        let hostile = "\"><script>alert('x')</script>&\u{1f600}";
        let svg = badge(hostile, "<b>");
        assert!(!svg.contains("<script") && !svg.contains("<b>"), "{svg}");
        let text = "&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;\u{1f600}";
        assert_eq!(svg.matches(text).count(), 3, "said, titled and drawn: {svg}");
    }
}
