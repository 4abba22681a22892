//! A message as mail: text and HTML of the same content, both small; it reads in light and dark. Headers are made by
//! `lettre`, which encodes whatever is no plain text (T271).

use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};

use super::{Message, Tone, words};

/// What of a mail's head is the same for all mails of this hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailHead {
    /// Domain of its message ids.
    pub domain: String,
}

/// Longest subject, in characters.
const SUBJECT: usize = 150;

pub(super) fn render(message: &Message, from: &str, to: &[String], head: &MailHead) -> Result<String, String> {
    let address = |text: &str| text.parse::<Mailbox>().map_err(|_| format!("{text} is no mail address."));
    let id = format!("<{}@{}>", message.alert_id, head.domain);
    let date = UNIX_EPOCH + Duration::from_millis(u64::try_from(message.at).unwrap_or(0));
    let mut builder = lettre::Message::builder()
        .from(address(from)?)
        .subject(words::line(&message.title, SUBJECT))
        .message_id(Some(id))
        .date(date)
        // Out-of-office answers and the like do not answer such mails (RFC 3834).
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()));
    for one in to {
        builder = builder.to(address(one)?);
    }
    if let Some(about) = &message.about {
        // Readers show what is about one incident as one conversation.
        let thread = format!("<{}@{}>", about.incident.incident_id, head.domain);
        builder = builder.in_reply_to(thread.clone()).references(thread);
    }
    let body = MultiPart::alternative()
        .boundary(format!("=_{}", message.alert_id))
        .singlepart(SinglePart::plain(format!("{}\n\n{}\n", message.title, message.text())))
        .singlepart(SinglePart::html(html(message)));
    let mail = builder.multipart(body).map_err(|error| format!("The mail cannot be made: {error}"))?;
    String::from_utf8(mail.formatted()).map_err(|_| "The mail cannot be made.".to_owned())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

const STYLE: &str = "body{margin:0;padding:24px;background:#f4f5f7;color:#1b1f24;font:16px/1.5 system-ui,sans-serif}\
main{max-width:560px;margin:auto;background:#fff;border-radius:8px;padding:20px 24px;border-top:4px solid #566b85}\
main.bad{border-color:#c62f2f}main.warning{border-color:#b87503}main.good{border-color:#2f8f4e}\
h1{font-size:20px;line-height:1.3;margin:0 0 8px}table{border-collapse:collapse;margin:16px 0;font-size:14px}\
th{text-align:left;vertical-align:top;padding:2px 16px 2px 0;font-weight:normal;color:#57606a;white-space:nowrap}\
td{padding:2px 0;word-break:break-word}ul{padding-left:20px;font-size:14px}\
a{color:#0b5cad}a.button{display:inline-block;margin:4px 8px 0 0;padding:8px 14px;border-radius:6px;background:#0b5cad;\
color:#fff;text-decoration:none}\
@media(prefers-color-scheme:dark){body{background:#14171a;color:#e6e9ec}main{background:#1e2327}th{color:#a3adb8}\
a{color:#7fb8f5}a.button{background:#2a73bd;color:#fff}}";

fn html(message: &Message) -> String {
    let tone = match message.tone {
        Tone::Bad => "bad",
        Tone::Warning => "warning",
        Tone::Good => "good",
        Tone::Note => "note",
    };
    let title = escaped(&message.title);
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\">\
         <style>{STYLE}</style></head>\n<body><main class=\"{tone}\"><h1>{title}</h1>\n<p>{}</p>\n",
        escaped(&message.said)
    );
    if !message.facts.is_empty() {
        html.push_str("<table>\n");
        for (name, value) in &message.facts {
            let _ = writeln!(html, "<tr><th scope=\"row\">{}</th><td>{}</td></tr>", escaped(name), escaped(value));
        }
        html.push_str("</table>\n");
    }
    if !message.list.is_empty() {
        html.push_str("<ul>\n");
        for one in message.list.iter().chain(message.more_words().iter()) {
            let _ = writeln!(html, "<li>{}</li>", escaped(one));
        }
        html.push_str("</ul>\n");
    }
    for (name, link) in [("Details", &message.links.page), ("Acknowledge", &message.links.acknowledge)] {
        if let Some(link) = link {
            let _ = writeln!(html, "<a class=\"button\" href=\"{}\">{name}</a>", escaped(link));
        }
    }
    html.push_str("</main></body></html>\n");
    html
}
