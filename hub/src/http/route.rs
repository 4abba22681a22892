//! One table of all routes.

use super::{App, HttpError, Method, Request, Response, api, assets, badge, pages, ping};

/// How a route answers trouble, and which proof its writes need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// HTML for people.
    Page,
    /// JSON for programs.
    Api,
    /// Neither: health, assets, pings. No session, no cookie, and what is posted there is nobody's form.
    Open,
}

/// Values of the `:name` segments of a pattern.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(&'static str, String)>);

impl Params {
    /// A value; empty when the pattern has no such name.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| *n == name).map_or("", |(_, v)| v.as_str())
    }

    /// An id in the path.
    ///
    /// # Errors
    /// Not found: what is no id names nothing.
    pub fn website_id(&self) -> Result<crate::model::WebsiteId, HttpError> {
        self.get("id").parse().map_err(|_| HttpError::NotFound)
    }

    /// The id of an incident in the path.
    ///
    /// # Errors
    /// Not found: what is no id names nothing.
    pub fn incident_id(&self) -> Result<crate::model::IncidentId, HttpError> {
        self.get("id").parse().map_err(|_| HttpError::NotFound)
    }

    /// The id of a channel in the path.
    ///
    /// # Errors
    /// Not found: what is no id names nothing.
    pub fn channel_id(&self) -> Result<crate::model::ChannelId, HttpError> {
        self.get("id").parse().map_err(|_| HttpError::NotFound)
    }

    /// The id of an alert in the path.
    ///
    /// # Errors
    /// Not found: what is no id names nothing.
    pub fn alert_id(&self) -> Result<crate::model::AlertId, HttpError> {
        self.get("id").parse().map_err(|_| HttpError::NotFound)
    }

    /// The id of a dead letter in the path.
    ///
    /// # Errors
    /// Not found: what is no id names nothing.
    pub fn letter_id(&self) -> Result<crate::model::LetterId, HttpError> {
        self.get("id").parse().map_err(|_| HttpError::NotFound)
    }

    /// The name of a session in the path.
    ///
    /// # Errors
    /// Not found: what is no name names nothing.
    pub fn session_key(&self) -> Result<crate::model::SessionKey, HttpError> {
        crate::model::SessionKey::named(self.get("name")).ok_or(HttpError::NotFound)
    }

    /// The id of a maintenance window in the path.
    ///
    /// # Errors
    /// Not found: what is no id names nothing.
    pub fn maintenance_id(&self) -> Result<crate::model::MaintenanceId, HttpError> {
        self.get("id").parse().map_err(|_| HttpError::NotFound)
    }
}

/// Answers one route.
pub type Handler = fn(&App, &Request, &Params) -> Result<Response, HttpError>;

/// A line of the table.
pub struct Route {
    /// Method.
    pub method: Method,
    /// Path with `:name` segments.
    pub pattern: &'static str,
    /// Kind.
    pub kind: Kind,
    /// Handler.
    pub handler: Handler,
}

const fn route(method: Method, pattern: &'static str, kind: Kind, handler: Handler) -> Route {
    Route { method, pattern, kind, handler }
}

/// All routes. The ancestor's sign-up and sign-in share their paths with the forms; the media type tells them apart.
pub static ROUTES: &[Route] = &[
    route(Method::Get, "/", Kind::Page, pages::dashboard::show),
    route(Method::Get, "/websites/fragment", Kind::Page, pages::dashboard::fragment),
    route(Method::Get, "/signup", Kind::Page, pages::account::sign_up_form),
    route(Method::Post, "/signup", Kind::Page, pages::account::sign_up),
    route(Method::Get, "/signin", Kind::Page, pages::account::sign_in_form),
    route(Method::Post, "/signin", Kind::Page, pages::account::sign_in),
    route(Method::Post, "/signout", Kind::Page, pages::account::sign_out),
    route(Method::Get, "/websites/new", Kind::Page, pages::website_save::new),
    route(Method::Post, "/websites/new", Kind::Page, pages::website_save::create),
    route(Method::Get, "/jobs/new", Kind::Page, pages::job_form::new),
    route(Method::Post, "/jobs/new", Kind::Page, pages::job_form::create),
    route(Method::Post, "/websites/:id/ping-url", Kind::Page, pages::job_form::rotate),
    route(Method::Get, "/websites/:id", Kind::Page, pages::website::show),
    route(Method::Get, "/websites/:id/fragment", Kind::Page, pages::website::fragment),
    route(Method::Get, "/websites/:id/edit", Kind::Page, pages::website_save::edit),
    route(Method::Post, "/websites/:id/edit", Kind::Page, pages::website_save::save),
    route(Method::Post, "/websites/:id/check", Kind::Page, pages::website::check_now),
    route(Method::Post, "/websites/:id/pause", Kind::Page, pages::website::pause),
    route(Method::Post, "/websites/:id/resume", Kind::Page, pages::website::resume),
    route(Method::Get, "/websites/:id/delete", Kind::Page, pages::website::confirm_delete),
    route(Method::Post, "/websites/:id/delete", Kind::Page, pages::website::delete),
    route(Method::Get, "/incidents", Kind::Page, pages::incidents::show),
    route(Method::Get, "/incidents/:id", Kind::Page, pages::incident::show),
    route(Method::Get, "/incidents/:id/fragment", Kind::Page, pages::incident::fragment),
    route(Method::Post, "/incidents/:id/acknowledge", Kind::Page, pages::incident::acknowledge),
    route(Method::Post, "/incidents/:id/notes", Kind::Page, pages::incident::note),
    route(Method::Get, "/acknowledge/:token", Kind::Page, pages::acknowledge::show),
    route(Method::Post, "/acknowledge/:token", Kind::Page, pages::acknowledge::acknowledge),
    route(Method::Get, "/channels", Kind::Page, pages::channels::show),
    route(Method::Get, "/channels/new", Kind::Page, pages::channel_form::new),
    route(Method::Post, "/channels/new", Kind::Page, pages::channel_form::create),
    route(Method::Get, "/channels/:id", Kind::Page, pages::channel::show),
    route(Method::Get, "/channels/:id/edit", Kind::Page, pages::channel_form::edit),
    route(Method::Post, "/channels/:id/edit", Kind::Page, pages::channel_form::save),
    route(Method::Post, "/channels/:id/test", Kind::Page, pages::channel::test),
    route(Method::Post, "/channels/:id/on", Kind::Page, pages::channel::switch_on),
    route(Method::Post, "/channels/:id/off", Kind::Page, pages::channel::switch_off),
    route(Method::Get, "/channels/:id/delete", Kind::Page, pages::channel::confirm_delete),
    route(Method::Post, "/channels/:id/delete", Kind::Page, pages::channel::delete),
    route(Method::Post, "/alerts/:id/replay", Kind::Page, pages::channel::replay),
    route(Method::Get, "/maintenance", Kind::Page, pages::maintenance::show),
    route(Method::Get, "/maintenance/new", Kind::Page, pages::maintenance::new),
    route(Method::Post, "/maintenance/new", Kind::Page, pages::maintenance::create),
    route(Method::Get, "/maintenance/:id/edit", Kind::Page, pages::maintenance::edit),
    route(Method::Post, "/maintenance/:id/edit", Kind::Page, pages::maintenance::save),
    route(Method::Post, "/maintenance/:id/end", Kind::Page, pages::maintenance::end),
    route(Method::Get, "/maintenance/:id/delete", Kind::Page, pages::maintenance::confirm_delete),
    route(Method::Post, "/maintenance/:id/delete", Kind::Page, pages::maintenance::delete),
    route(Method::Get, "/settings", Kind::Page, pages::settings::show),
    route(Method::Post, "/settings/password", Kind::Page, pages::settings::change_password),
    route(Method::Post, "/settings/sessions/end", Kind::Page, pages::settings::end_others),
    route(Method::Post, "/settings/sessions/:name/end", Kind::Page, pages::settings::end_session),
    route(Method::Get, "/probes", Kind::Page, pages::probes::show),
    route(Method::Post, "/probes/enrol", Kind::Page, pages::probes::enrol),
    route(Method::Post, "/probes/revoke", Kind::Page, pages::probes::revoke),
    route(Method::Get, "/capacity", Kind::Page, pages::capacity::show),
    route(Method::Get, "/dead-letters", Kind::Page, pages::dead_letters::show),
    route(Method::Get, "/dead-letters/replay", Kind::Page, pages::dead_letters::confirm_replay),
    route(Method::Post, "/dead-letters/replay", Kind::Page, pages::dead_letters::replay_all),
    route(Method::Get, "/dead-letters/discard", Kind::Page, pages::dead_letters::confirm_discard),
    route(Method::Post, "/dead-letters/discard", Kind::Page, pages::dead_letters::discard_all),
    route(Method::Post, "/dead-letters/:id/replay", Kind::Page, pages::dead_letters::replay),
    route(Method::Post, "/dead-letters/:id/discard", Kind::Page, pages::dead_letters::discard),
    route(Method::Get, "/api/v1/capacity", Kind::Api, api::capacity::show),
    route(Method::Get, "/api/v1/dead-letters", Kind::Api, api::dead_letters::list),
    route(Method::Post, "/api/v1/dead-letters/:id/replay", Kind::Api, api::dead_letters::replay),
    route(Method::Delete, "/api/v1/dead-letters/:id", Kind::Api, api::dead_letters::discard),
    route(Method::Get, "/api/v1/incidents", Kind::Api, api::incidents::list),
    route(Method::Get, "/api/v1/incidents/:id", Kind::Api, api::incidents::one),
    route(Method::Post, "/api/v1/incidents/:id/acknowledge", Kind::Api, api::incidents::acknowledge),
    route(Method::Post, "/api/v1/incidents/:id/notes", Kind::Api, api::incidents::note),
    route(Method::Get, "/api/v1/channels", Kind::Api, api::channels::list),
    route(Method::Post, "/api/v1/channels", Kind::Api, api::channels::create),
    route(Method::Get, "/api/v1/channels/:id", Kind::Api, api::channels::one),
    route(Method::Patch, "/api/v1/channels/:id", Kind::Api, api::channels::change),
    route(Method::Delete, "/api/v1/channels/:id", Kind::Api, api::channels::delete),
    route(Method::Post, "/api/v1/channels/:id/test", Kind::Api, api::channels::test),
    route(Method::Get, "/api/v1/channels/:id/alerts", Kind::Api, api::alerts::list),
    route(Method::Get, "/api/v1/alerts", Kind::Api, api::alerts::given_up),
    route(Method::Post, "/api/v1/alerts/:id/replay", Kind::Api, api::alerts::replay),
    route(Method::Get, "/api/v1/maintenance", Kind::Api, api::maintenance::list),
    route(Method::Post, "/api/v1/maintenance", Kind::Api, api::maintenance::add),
    route(Method::Get, "/api/v1/maintenance/:id", Kind::Api, api::maintenance::show),
    route(Method::Put, "/api/v1/maintenance/:id", Kind::Api, api::maintenance::replace),
    route(Method::Delete, "/api/v1/maintenance/:id", Kind::Api, api::maintenance::delete),
    route(Method::Post, "/api/v1/maintenance/:id/end", Kind::Api, api::maintenance::end),
    route(Method::Get, "/api/v1/sessions", Kind::Api, api::sessions::list),
    route(Method::Delete, "/api/v1/sessions", Kind::Api, api::sessions::end_others),
    route(Method::Delete, "/api/v1/sessions/:name", Kind::Api, api::sessions::end),
    route(Method::Put, "/api/v1/password", Kind::Api, api::sessions::change_password),
    route(Method::Get, "/api/v1/websites", Kind::Api, api::websites::list),
    route(Method::Post, "/api/v1/websites", Kind::Api, api::websites::add),
    route(Method::Get, "/api/v1/websites/:id", Kind::Api, api::websites::show),
    route(Method::Patch, "/api/v1/websites/:id", Kind::Api, api::websites::change),
    route(Method::Delete, "/api/v1/websites/:id", Kind::Api, api::websites::delete),
    route(Method::Get, "/api/v1/websites/:id/uptime", Kind::Api, api::history::uptime),
    route(Method::Get, "/api/v1/websites/:id/latency", Kind::Api, api::history::latency),
    route(Method::Get, "/reports", Kind::Page, pages::reports::show),
    route(Method::Get, "/reports.csv", Kind::Page, pages::reports::csv),
    route(Method::Get, "/reports/websites/:id", Kind::Page, pages::report::show),
    route(Method::Post, "/reports/schedules", Kind::Page, pages::report_form::add),
    route(Method::Post, "/reports/schedules/:id/delete", Kind::Page, pages::report_form::delete),
    route(Method::Get, "/api/v1/reports", Kind::Api, api::reports::group),
    route(Method::Get, "/api/v1/reports.csv", Kind::Api, api::reports::group),
    route(Method::Get, "/api/v1/websites/:id/report", Kind::Api, api::reports::one),
    route(Method::Get, "/api/v1/websites/:id/report.csv", Kind::Api, api::reports::one),
    route(Method::Get, "/api/v1/jobs", Kind::Api, api::jobs::list),
    route(Method::Post, "/api/v1/jobs", Kind::Api, api::jobs::add),
    route(Method::Get, "/api/v1/jobs/:id", Kind::Api, api::jobs::show),
    route(Method::Put, "/api/v1/jobs/:id", Kind::Api, api::jobs::replace),
    route(Method::Delete, "/api/v1/jobs/:id", Kind::Api, api::jobs::delete),
    route(Method::Get, "/api/v1/jobs/:id/pings", Kind::Api, api::jobs::pings),
    route(Method::Post, "/api/v1/jobs/:id/ping-url", Kind::Api, api::jobs::rotate),
    route(Method::Post, "/website", Kind::Api, api::ancestor::add),
    route(Method::Get, "/website", Kind::Api, api::ancestor::list),
    route(Method::Get, "/status/:id", Kind::Api, api::ancestor::status),
    route(Method::Delete, "/website/:id", Kind::Api, api::ancestor::delete),
    route(Method::Get, "/ping/:id", Kind::Open, ping::plain),
    route(Method::Post, "/ping/:id", Kind::Open, ping::plain),
    route(Method::Get, "/ping/:id/:word", Kind::Open, ping::with_word),
    route(Method::Post, "/ping/:id/:word", Kind::Open, ping::with_word),
    route(Method::Get, "/badge/:id/:file", Kind::Open, badge::show),
    route(Method::Get, "/healthz", Kind::Open, api::health::alive),
    route(Method::Get, "/readyz", Kind::Open, api::health::ready),
    route(Method::Get, "/static/:file", Kind::Open, assets::serve),
];

/// What a path leads to.
pub enum Found {
    /// A route.
    Route(&'static Route, Params),
    /// The path exists with other methods: value of `Allow`.
    OtherMethod(String),
    /// Nothing.
    Nothing,
}

/// Finds the route of a request.
#[must_use]
pub fn find(method: Method, path: &str) -> Found {
    let mut others = Vec::new();
    for route in ROUTES {
        let Some(params) = matches(route.pattern, path) else { continue };
        if route.method == method {
            return Found::Route(route, params);
        }
        others.push(match route.method {
            Method::Get => "GET, HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        });
    }
    if others.is_empty() { Found::Nothing } else { Found::OtherMethod(others.join(", ")) }
}

/// Segments are compared as they came: no decoding, no dots, no parameters, so that a path is one route or none (T115).
fn matches(pattern: &'static str, path: &str) -> Option<Params> {
    let mut params = Params::default();
    let (mut wanted, mut found) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), found.next()) {
            (None, None) => return Some(params),
            (Some(name), Some(value)) if name.starts_with(':') => {
                let is_plain = value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
                if value.is_empty() || !is_plain {
                    return None;
                }
                params.0.push((&name[1..], value.to_owned()));
            }
            (Some(name), Some(value)) if name == value => {}
            (Some(_), Some(_)) | (None, Some(_)) | (Some(_), None) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t115_a_path_is_one_route_or_none() {
        for odd in ["//", "/websites/../", "/websites/new/", "/websites/a%2fb", "/website/x;y", "/api/v1/../admin", ""]
        {
            assert!(matches!(find(Method::Get, odd), Found::Nothing), "{odd}");
        }
        assert!(matches!(find(Method::Get, "/websites/new"), Found::Route(r, _) if r.pattern == "/websites/new"));
        assert!(matches!(find(Method::Put, "/signin"), Found::OtherMethod(a) if a == "GET, HEAD, POST"));
    }
}
