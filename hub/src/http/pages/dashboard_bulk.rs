//! The same for many websites that were marked on the dashboard: one form, which works without script.

use std::collections::BTreeSet;

use askama::Template;

use super::dashboard_words::{self as say, Deed};
use super::{Frame, Viewer, page, words};
use crate::clock;
use crate::http::api::bulk::{MOST, note};
use crate::http::{App, HttpError, Request, Response, login, route::Params};
use crate::model::{Tag, WebsiteId, WebsiteName};

/// Names shown of those that are to be deleted.
const NAMED: usize = 20;

/// Asks before they are deleted.
#[derive(Template, Debug)]
#[template(path = "bulk_delete.html", whitespace = "minimize")]
pub struct BulkDeletePage {
    frame: Frame,
    ids: Vec<WebsiteId>,
    names: Vec<String>,
    more: usize,
    back: String,
}

impl BulkDeletePage {
    /// Of these.
    #[must_use]
    pub fn new(viewer: impl Into<Viewer>, websites: &[WebsiteName], back: &str) -> Self {
        Self {
            frame: Frame::narrow(say::delete(websites.len()), Some(viewer.into())).at("/"),
            ids: websites.iter().map(|website| website.website_id).collect(),
            names: websites.iter().take(NAMED).map(|website| words::name(&website.url)).collect(),
            more: websites.len().saturating_sub(NAMED),
            back: back.to_owned(),
        }
    }
}

/// `POST /websites/bulk`: pauses, resumes, tags or deletes those that are marked; before these are deleted it asks.
///
/// # Errors
/// 400 for what is no such form, 404 where none of them is there.
pub fn change(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let (account, form) = (who.account.account_id, request.form());
    let marked: BTreeSet<WebsiteId> = form.all("id").into_iter().filter_map(|id| id.parse().ok()).take(MOST).collect();
    let ids: Vec<WebsiteId> = marked.into_iter().collect();
    let back = form.get("back");
    let Some(deed) = Deed::of(form.get("action")) else {
        return Err(HttpError::NotFound);
    };
    if ids.is_empty() {
        return Ok(unchanged(request, back, "none"));
    }
    let tag = || form.get("tag").parse::<Tag>();
    let done = match deed {
        Deed::Pause => app.wait(app.store.set_all_paused(account, &ids, true, clock::now())),
        Deed::Resume => app.wait(app.store.set_all_paused(account, &ids, false, clock::now())),
        Deed::Tag | Deed::Untag => match tag() {
            Ok(tag) => app.wait(app.store.tag_websites(account, &ids, &tag, deed == Deed::Tag)),
            Err(_) => return Ok(unchanged(request, back, "tag")),
        },
        Deed::Delete if form.get("sure") != "yes" => {
            let websites = app.wait(app.store.websites_named(account, &ids)).map_err(login::store)?;
            if websites.is_empty() {
                return Err(HttpError::NotFound);
            }
            request.notes.nothing();
            return page(200, &BulkDeletePage::new(Viewer::of(app, &who), &websites, back));
        }
        Deed::Delete => app.wait(app.store.delete_websites(account, &ids, clock::now())),
    };
    let done = done.map_err(login::store)?;
    done.iter().for_each(|id| app.scheduler.changed(*id));
    note(request, deed.done(), &done);
    Ok(Response::see_other(&to(back, &format!("{}-{}", deed.as_str(), done.len()))))
}

fn unchanged(request: &Request, back: &str, said: &str) -> Response {
    request.notes.nothing();
    Response::see_other(&to(back, said))
}

/// Where one came from, with a word. Whatever a form says, it stays on this page.
fn to(back: &str, said: &str) -> String {
    let kept = url::form_urlencoded::parse(back.as_bytes()).filter(|(name, _)| name != "said");
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(kept.take(8)).append_pair("said", said);
    format!("/?{}", query.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_comes_back_to_the_same_list() {
        assert_eq!(to("tag=eu+%26+x&choose=1&said=pause-1", "tag-3"), "/?tag=eu+%26+x&choose=1&said=tag-3");
        assert_eq!(to("//evil.example\r\na: b", "none"), "/?%2F%2Fevil.example%0D%0Aa%3A+b=&said=none");
    }
}
