//! What is published, for programs: Atom (RFC 4287) and JSON Feed 1.1. The same as on the page, and no more.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::kept::Shown;
use super::view::told;
use crate::http::Response;
use crate::http::pages::instant_of;
use crate::model::UtcMs;
use crate::model::status_page::Outage;

/// Entries of a feed.
const MOST: usize = 50;

struct Item {
    id: Uuid,
    /// Of the page's part it is about; empty: all of it.
    anchor: String,
    title: String,
    text: String,
    began_at: UtcMs,
    changed_at: UtcMs,
}

/// Newest first.
fn items(shown: &Shown) -> Vec<Item> {
    let public = &shown.public;
    let mut items: Vec<Item> = public
        .posts
        .iter()
        .map(|post| {
            let lines: Vec<String> =
                post.updates.iter().map(|update| told(update.state, update.at, &update.said)).collect();
            Item {
                id: post.status_post_id.0,
                anchor: format!("#{}", post.status_post_id.0.simple()),
                title: post.title.clone(),
                text: lines.join("\n\n"),
                began_at: post.began_at,
                changed_at: post.updates.first().map_or(post.began_at, |update| update.at),
            }
        })
        .collect();
    items.extend(public.outages.iter().filter_map(|outage| of_outage(shown, outage)));
    items.sort_by_key(|item| std::cmp::Reverse((item.changed_at, item.began_at)));
    items.truncate(MOST);
    items
}

fn of_outage(shown: &Shown, outage: &Outage) -> Option<Item> {
    let public = &shown.public;
    let one = public.components.iter().find(|one| one.website_id == outage.website_id)?;
    // Of what tells it from others; it says nothing of the website by itself.
    let mut hash = Sha256::new();
    hash.update(public.page.status_page_id.0.as_bytes());
    hash.update(outage.website_id.0.as_bytes());
    hash.update(outage.from_at.to_be_bytes());
    let mut bytes = [0_u8; 16];
    bytes.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
    let kind = if outage.is_partial { "partial outage" } else { "major outage" };
    let from = instant_of(outage.from_at).words;
    let text = match outage.to_at {
        Some(to) => format!("From {from} to {} UTC.", instant_of(to).words),
        None => format!("Since {from} UTC."),
    };
    Some(Item {
        id: uuid::Builder::from_custom_bytes(bytes).into_uuid(),
        anchor: String::new(),
        title: format!("{}: {kind}", one.name),
        text,
        began_at: outage.from_at,
        changed_at: outage.to_at.unwrap_or(outage.from_at),
    })
}

/// Text of an element: what XML 1.0 has no character for is left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}

fn updated(shown: &Shown, items: &[Item]) -> UtcMs {
    items.iter().map(|item| item.changed_at).max().unwrap_or(shown.public.page.created_at)
}

pub(super) fn atom(shown: &Shown, url: &str) -> Response {
    let (items, page) = (items(shown), &shown.public.page);
    let home = if url.ends_with('/') {
        url.to_owned()
    } else {
        url.to_owned() + if url.matches('/').count() < 3 { "/" } else { "" }
    };
    let feed = format!("{}/feed.atom", url.trim_end_matches('/'));
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">\n<id>urn:uuid:{}</id>\n\
         <title>{}</title>\n<updated>{}</updated>\n<author><name>{}</name></author>\n\
         <link rel=\"self\" type=\"application/atom+xml\" href=\"{}\"/>\n<link rel=\"alternate\" type=\"text/html\" href=\"{}\"/>\n",
        page.status_page_id,
        escaped(&page.plan.name),
        instant_of(updated(shown, &items)).machine,
        escaped(&page.plan.name),
        escaped(&feed),
        escaped(&home),
    );
    for item in &items {
        xml.push_str(&format!(
            "<entry>\n<id>urn:uuid:{}</id>\n<title>{}</title>\n<published>{}</published>\n<updated>{}</updated>\n\
             <link rel=\"alternate\" type=\"text/html\" href=\"{}{}\"/>\n<content type=\"text\">{}</content>\n</entry>\n",
            item.id,
            escaped(&item.title),
            instant_of(item.began_at).machine,
            instant_of(item.changed_at).machine,
            escaped(&home),
            item.anchor,
            escaped(&item.text),
        ));
    }
    xml.push_str("</feed>\n");
    Response::new(200, "application/atom+xml; charset=utf-8", xml)
}

pub(super) fn json(shown: &Shown, url: &str) -> Response {
    let items = items(shown);
    let home = url.trim_end_matches('/');
    let item = |item: &Item| -> Value {
        json!({
            "id": format!("urn:uuid:{}", item.id),
            "url": format!("{home}{}{}", if home.matches('/').count() < 3 { "/" } else { "" }, item.anchor),
            "title": item.title,
            "content_text": item.text,
            "date_published": instant_of(item.began_at).machine,
            "date_modified": instant_of(item.changed_at).machine,
        })
    };
    let feed = json!({
        "version": "https://jsonfeed.org/version/1.1",
        "title": shown.public.page.plan.name,
        "home_page_url": home,
        "feed_url": format!("{home}/feed.json"),
        "language": "en",
        "items": items.iter().map(item).collect::<Vec<_>>(),
    });
    let mut answer = Response::json(200, &feed);
    answer.headers = vec![("content-type", "application/feed+json".to_owned())];
    answer
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn words_of_others_end_no_element() {
        assert_eq!(escaped("</title>]]>&\u{0}\u{1b}\u{ffff}\n\"'"), "&lt;/title&gt;]]&gt;&amp;\n&quot;&#39;");
    }
}
