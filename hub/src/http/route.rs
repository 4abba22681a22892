//! One table of all routes.

use super::access::Needs::{self, Nothing, Operator, Owner, Person, Read, Write};
use super::access::Subject::{Channels, Incidents, Maintenance, Reports, StatusPages, Websites};
use super::{App, HttpError, Method, Request, Response, api, assets, badge, pages, ping, status};

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

    /// The id of a member in the path.
    ///
    /// # Errors
    /// Not found: what is no id names nothing.
    pub fn member_id(&self) -> Result<crate::model::AccountId, HttpError> {
        self.get("id").parse().map_err(|_| HttpError::NotFound)
    }

    /// The id of an invitation in the path.
    ///
    /// # Errors
    /// Not found: what is no id names nothing.
    pub fn invitation_id(&self) -> Result<crate::model::InvitationId, HttpError> {
        self.get("id").parse().map_err(|_| HttpError::NotFound)
    }

    /// The name of a session in the path.
    ///
    /// # Errors
    /// Not found: what is no name names nothing.
    pub fn session_key(&self) -> Result<crate::model::SessionKey, HttpError> {
        crate::model::SessionKey::named(self.get("name")).ok_or(HttpError::NotFound)
    }

    /// The id of a key in the path.
    ///
    /// # Errors
    /// Not found: what is no id names nothing.
    pub fn api_key_id(&self) -> Result<crate::model::api_key::ApiKeyId, HttpError> {
        self.get("id").parse().map_err(|_| HttpError::NotFound)
    }

    /// The id of a status page in the path.
    ///
    /// # Errors
    /// Not found: what is no id names nothing.
    pub fn status_page_id(&self) -> Result<crate::model::status_page::StatusPageId, HttpError> {
        self.get("id").parse().map_err(|_| HttpError::NotFound)
    }

    /// The id of what was published on one in the path.
    ///
    /// # Errors
    /// Not found: what is no id names nothing.
    pub fn status_post_id(&self) -> Result<crate::model::status_page::StatusPostId, HttpError> {
        self.get("id").parse().map_err(|_| HttpError::NotFound)
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
    /// What it asks of whoever asks it.
    pub needs: Needs,
    /// Handler.
    pub handler: Handler,
}

const fn route(method: Method, pattern: &'static str, kind: Kind, needs: Needs, handler: Handler) -> Route {
    Route { method, pattern, kind, needs, handler }
}

/// All routes. The ancestor's sign-up and sign-in share their paths with the forms; the media type tells them apart.
pub static ROUTES: &[Route] = &[
    route(Method::Get, "/", Kind::Page, Nothing, pages::dashboard::show),
    route(Method::Get, "/websites/fragment", Kind::Page, Read(Websites), pages::dashboard::fragment),
    route(Method::Get, "/signup", Kind::Page, Nothing, pages::account::sign_up_form),
    route(Method::Post, "/signup", Kind::Page, Nothing, pages::account::sign_up),
    route(Method::Get, "/signin", Kind::Page, Nothing, pages::account::sign_in_form),
    route(Method::Post, "/signin", Kind::Page, Nothing, pages::account::sign_in),
    route(Method::Get, "/signin/code", Kind::Page, Nothing, pages::factor::code_form),
    route(Method::Post, "/signin/code", Kind::Page, Nothing, pages::factor::code),
    route(Method::Post, "/signout", Kind::Page, Nothing, pages::account::sign_out),
    route(Method::Get, "/websites/new", Kind::Page, Write(Websites), pages::website_save::new),
    route(Method::Post, "/websites/new", Kind::Page, Write(Websites), pages::website_save::create),
    route(Method::Post, "/websites/bulk", Kind::Page, Write(Websites), pages::dashboard_bulk::change),
    route(Method::Get, "/jobs/new", Kind::Page, Write(Websites), pages::job_form::new),
    route(Method::Post, "/jobs/new", Kind::Page, Write(Websites), pages::job_form::create),
    route(Method::Post, "/websites/:id/ping-url", Kind::Page, Write(Websites), pages::job_form::rotate),
    route(Method::Get, "/websites/:id", Kind::Page, Read(Websites), pages::website::show),
    route(Method::Get, "/websites/:id/fragment", Kind::Page, Read(Websites), pages::website::fragment),
    route(Method::Get, "/websites/:id/edit", Kind::Page, Write(Websites), pages::website_save::edit),
    route(Method::Post, "/websites/:id/edit", Kind::Page, Write(Websites), pages::website_save::save),
    route(Method::Post, "/websites/:id/check", Kind::Page, Write(Websites), pages::website::check_now),
    route(Method::Post, "/websites/:id/pause", Kind::Page, Write(Websites), pages::website::pause),
    route(Method::Post, "/websites/:id/resume", Kind::Page, Write(Websites), pages::website::resume),
    route(Method::Get, "/websites/:id/delete", Kind::Page, Write(Websites), pages::website::confirm_delete),
    route(Method::Post, "/websites/:id/delete", Kind::Page, Write(Websites), pages::website::delete),
    route(Method::Get, "/incidents", Kind::Page, Read(Incidents), pages::incidents::show),
    route(Method::Get, "/incidents/:id", Kind::Page, Read(Incidents), pages::incident::show),
    route(Method::Get, "/incidents/:id/fragment", Kind::Page, Read(Incidents), pages::incident::fragment),
    route(Method::Post, "/incidents/:id/acknowledge", Kind::Page, Write(Incidents), pages::incident::acknowledge),
    route(Method::Post, "/incidents/:id/notes", Kind::Page, Write(Incidents), pages::incident::note),
    route(Method::Get, "/acknowledge/:token", Kind::Page, Nothing, pages::acknowledge::show),
    route(Method::Post, "/acknowledge/:token", Kind::Page, Nothing, pages::acknowledge::acknowledge),
    route(Method::Get, "/channels", Kind::Page, Read(Channels), pages::channels::show),
    route(Method::Get, "/channels/new", Kind::Page, Write(Channels), pages::channel_form::new),
    route(Method::Post, "/channels/new", Kind::Page, Write(Channels), pages::channel_form::create),
    route(Method::Get, "/channels/:id", Kind::Page, Read(Channels), pages::channel::show),
    route(Method::Get, "/channels/:id/edit", Kind::Page, Write(Channels), pages::channel_form::edit),
    route(Method::Post, "/channels/:id/edit", Kind::Page, Write(Channels), pages::channel_form::save),
    route(Method::Post, "/channels/:id/test", Kind::Page, Write(Channels), pages::channel::test),
    route(Method::Post, "/channels/:id/on", Kind::Page, Write(Channels), pages::channel::switch_on),
    route(Method::Post, "/channels/:id/off", Kind::Page, Write(Channels), pages::channel::switch_off),
    route(Method::Get, "/channels/:id/delete", Kind::Page, Write(Channels), pages::channel::confirm_delete),
    route(Method::Post, "/channels/:id/delete", Kind::Page, Write(Channels), pages::channel::delete),
    route(Method::Post, "/alerts/:id/replay", Kind::Page, Write(Channels), pages::channel::replay),
    route(Method::Get, "/maintenance", Kind::Page, Read(Maintenance), pages::maintenance::show),
    route(Method::Get, "/maintenance/new", Kind::Page, Write(Maintenance), pages::maintenance::new),
    route(Method::Post, "/maintenance/new", Kind::Page, Write(Maintenance), pages::maintenance::create),
    route(Method::Get, "/maintenance/:id/edit", Kind::Page, Write(Maintenance), pages::maintenance::edit),
    route(Method::Post, "/maintenance/:id/edit", Kind::Page, Write(Maintenance), pages::maintenance::save),
    route(Method::Post, "/maintenance/:id/end", Kind::Page, Write(Maintenance), pages::maintenance::end),
    route(Method::Get, "/maintenance/:id/delete", Kind::Page, Write(Maintenance), pages::maintenance::confirm_delete),
    route(Method::Post, "/maintenance/:id/delete", Kind::Page, Write(Maintenance), pages::maintenance::delete),
    route(Method::Get, "/status-pages", Kind::Page, Read(StatusPages), pages::status_pages::show),
    route(Method::Get, "/status-pages/new", Kind::Page, Write(StatusPages), pages::status_pages::new),
    route(Method::Post, "/status-pages/new", Kind::Page, Write(StatusPages), pages::status_pages::create),
    route(Method::Get, "/status-pages/:id", Kind::Page, Read(StatusPages), pages::status_pages::one),
    route(Method::Get, "/status-pages/:id/edit", Kind::Page, Write(StatusPages), pages::status_pages::edit),
    route(Method::Post, "/status-pages/:id/edit", Kind::Page, Write(StatusPages), pages::status_pages::save),
    route(Method::Get, "/status-pages/:id/preview", Kind::Page, Read(StatusPages), pages::status_pages::preview),
    route(
        Method::Get,
        "/status-pages/:id/preview/:file",
        Kind::Page,
        Read(StatusPages),
        pages::status_pages::preview_file,
    ),
    route(Method::Post, "/status-pages/:id/link", Kind::Page, Write(StatusPages), pages::status_pages::new_link),
    route(Method::Post, "/status-pages/:id/logo", Kind::Page, Write(StatusPages), pages::status_pages::logo),
    route(Method::Get, "/status-pages/:id/delete", Kind::Page, Write(StatusPages), pages::status_pages::confirm_delete),
    route(Method::Post, "/status-pages/:id/delete", Kind::Page, Write(StatusPages), pages::status_pages::delete),
    route(Method::Get, "/status-pages/:id/publish", Kind::Page, Write(StatusPages), pages::status_publish::show),
    route(Method::Post, "/status-pages/:id/posts", Kind::Page, Write(StatusPages), pages::status_publish::publish),
    route(Method::Get, "/status-posts/:id", Kind::Page, Read(StatusPages), pages::status_posts::show),
    route(Method::Post, "/status-posts/:id/updates", Kind::Page, Write(StatusPages), pages::status_posts::update),
    route(Method::Get, "/status-posts/:id/delete", Kind::Page, Write(StatusPages), pages::status_posts::confirm_delete),
    route(Method::Post, "/status-posts/:id/delete", Kind::Page, Write(StatusPages), pages::status_posts::delete),
    route(Method::Get, "/settings", Kind::Page, Person, pages::settings::show),
    route(Method::Post, "/settings/password", Kind::Page, Person, pages::settings::change_password),
    route(Method::Get, "/settings/factor", Kind::Page, Person, pages::factor::show),
    route(Method::Post, "/settings/factor/begin", Kind::Page, Person, pages::factor::begin),
    route(Method::Post, "/settings/factor/confirm", Kind::Page, Person, pages::factor::confirm),
    route(Method::Post, "/settings/factor/codes", Kind::Page, Person, pages::factor::codes),
    route(Method::Post, "/settings/factor/off", Kind::Page, Person, pages::factor::off),
    route(Method::Post, "/settings/sessions/end", Kind::Page, Person, pages::settings::end_others),
    route(Method::Post, "/settings/sessions/:name/end", Kind::Page, Person, pages::settings::end_session),
    route(Method::Post, "/settings/keys", Kind::Page, Person, pages::keys::add),
    route(Method::Post, "/settings/keys/:id/revoke", Kind::Page, Person, pages::keys::revoke),
    route(Method::Get, "/settings/audit", Kind::Page, Owner, pages::audit::show),
    route(Method::Get, "/settings/audit.csv", Kind::Page, Owner, pages::audit::csv),
    route(Method::Get, "/audit", Kind::Page, Operator, pages::audit::show_installation),
    route(Method::Get, "/audit.csv", Kind::Page, Operator, pages::audit::csv_installation),
    route(Method::Get, "/settings/delete", Kind::Page, Person, pages::team_end::confirm_account),
    route(Method::Post, "/settings/delete", Kind::Page, Person, pages::team_end::delete_account),
    route(Method::Get, "/team", Kind::Page, Person, pages::team::show),
    route(Method::Post, "/team/switch", Kind::Page, Person, pages::team::switch),
    route(Method::Post, "/team/new", Kind::Page, Person, pages::team::create),
    route(Method::Post, "/team/leave", Kind::Page, Person, pages::team::leave),
    route(Method::Post, "/team/name", Kind::Page, Owner, pages::team::rename),
    route(Method::Post, "/team/invitations", Kind::Page, Owner, pages::team::invite),
    route(Method::Post, "/team/invitations/:id/revoke", Kind::Page, Owner, pages::team::revoke),
    route(Method::Post, "/team/members/:id/role", Kind::Page, Owner, pages::team::set_role),
    route(Method::Post, "/team/members/:id/remove", Kind::Page, Owner, pages::team::remove),
    route(Method::Get, "/team/delete", Kind::Page, Owner, pages::team_end::confirm_team),
    route(Method::Post, "/team/delete", Kind::Page, Owner, pages::team_end::delete_team),
    route(Method::Get, "/join/:token", Kind::Page, Nothing, pages::join::show),
    route(Method::Post, "/join/:token", Kind::Page, Nothing, pages::join::join),
    route(Method::Get, "/probes", Kind::Page, Operator, pages::probes::show),
    route(Method::Post, "/probes/enrol", Kind::Page, Operator, pages::probes::enrol),
    route(Method::Post, "/probes/revoke", Kind::Page, Operator, pages::probes::revoke),
    route(Method::Get, "/capacity", Kind::Page, Operator, pages::capacity::show),
    route(Method::Get, "/dead-letters", Kind::Page, Operator, pages::dead_letters::show),
    route(Method::Get, "/dead-letters/replay", Kind::Page, Operator, pages::dead_letters::confirm_replay),
    route(Method::Post, "/dead-letters/replay", Kind::Page, Operator, pages::dead_letters::replay_all),
    route(Method::Get, "/dead-letters/discard", Kind::Page, Operator, pages::dead_letters::confirm_discard),
    route(Method::Post, "/dead-letters/discard", Kind::Page, Operator, pages::dead_letters::discard_all),
    route(Method::Post, "/dead-letters/:id/replay", Kind::Page, Operator, pages::dead_letters::replay),
    route(Method::Post, "/dead-letters/:id/discard", Kind::Page, Operator, pages::dead_letters::discard),
    route(Method::Get, "/api/v1/capacity", Kind::Api, Operator, api::capacity::show),
    route(Method::Get, "/api/v1/dead-letters", Kind::Api, Operator, api::dead_letters::list),
    route(Method::Post, "/api/v1/dead-letters/:id/replay", Kind::Api, Operator, api::dead_letters::replay),
    route(Method::Delete, "/api/v1/dead-letters/:id", Kind::Api, Operator, api::dead_letters::discard),
    route(Method::Get, "/api/v1/incidents", Kind::Api, Read(Incidents), api::incidents::list),
    route(Method::Get, "/api/v1/incidents/:id", Kind::Api, Read(Incidents), api::incidents::one),
    route(Method::Post, "/api/v1/incidents/:id/acknowledge", Kind::Api, Write(Incidents), api::incidents::acknowledge),
    route(Method::Post, "/api/v1/incidents/:id/notes", Kind::Api, Write(Incidents), api::incidents::note),
    route(Method::Get, "/api/v1/channels", Kind::Api, Read(Channels), api::channels::list),
    route(Method::Post, "/api/v1/channels", Kind::Api, Write(Channels), api::channels::create),
    route(Method::Get, "/api/v1/channels/:id", Kind::Api, Read(Channels), api::channels::one),
    route(Method::Patch, "/api/v1/channels/:id", Kind::Api, Write(Channels), api::channels::change),
    route(Method::Delete, "/api/v1/channels/:id", Kind::Api, Write(Channels), api::channels::delete),
    route(Method::Post, "/api/v1/channels/:id/test", Kind::Api, Write(Channels), api::channels::test),
    route(Method::Get, "/api/v1/channels/:id/alerts", Kind::Api, Read(Channels), api::alerts::list),
    route(Method::Get, "/api/v1/alerts", Kind::Api, Read(Channels), api::alerts::given_up),
    route(Method::Post, "/api/v1/alerts/:id/replay", Kind::Api, Write(Channels), api::alerts::replay),
    route(Method::Get, "/api/v1/maintenance", Kind::Api, Read(Maintenance), api::maintenance::list),
    route(Method::Post, "/api/v1/maintenance", Kind::Api, Write(Maintenance), api::maintenance::add),
    route(Method::Get, "/api/v1/maintenance/:id", Kind::Api, Read(Maintenance), api::maintenance::show),
    route(Method::Patch, "/api/v1/maintenance/:id", Kind::Api, Write(Maintenance), api::maintenance::change),
    route(Method::Put, "/api/v1/maintenance/:id", Kind::Api, Write(Maintenance), api::maintenance::replace),
    route(Method::Delete, "/api/v1/maintenance/:id", Kind::Api, Write(Maintenance), api::maintenance::delete),
    route(Method::Post, "/api/v1/maintenance/:id/end", Kind::Api, Write(Maintenance), api::maintenance::end),
    route(Method::Get, "/api/v1/status-pages", Kind::Api, Read(StatusPages), api::status_pages::list),
    route(Method::Post, "/api/v1/status-pages", Kind::Api, Write(StatusPages), api::status_pages::add),
    route(Method::Get, "/api/v1/status-pages/:id", Kind::Api, Read(StatusPages), api::status_pages::show),
    route(Method::Patch, "/api/v1/status-pages/:id", Kind::Api, Write(StatusPages), api::status_pages::change),
    route(Method::Delete, "/api/v1/status-pages/:id", Kind::Api, Write(StatusPages), api::status_pages::delete),
    route(Method::Post, "/api/v1/status-pages/:id/link", Kind::Api, Write(StatusPages), api::status_pages::link),
    route(Method::Get, "/api/v1/status-pages/:id/posts", Kind::Api, Read(StatusPages), api::status_posts::list),
    route(Method::Post, "/api/v1/status-pages/:id/posts", Kind::Api, Write(StatusPages), api::status_posts::publish),
    route(Method::Get, "/api/v1/status-posts/:id", Kind::Api, Read(StatusPages), api::status_posts::show),
    route(Method::Post, "/api/v1/status-posts/:id/updates", Kind::Api, Write(StatusPages), api::status_posts::update),
    route(Method::Delete, "/api/v1/status-posts/:id", Kind::Api, Write(StatusPages), api::status_posts::delete),
    route(Method::Get, "/api/v1/sessions", Kind::Api, Person, api::sessions::list),
    route(Method::Delete, "/api/v1/sessions", Kind::Api, Person, api::sessions::end_others),
    route(Method::Delete, "/api/v1/sessions/:name", Kind::Api, Person, api::sessions::end),
    route(Method::Put, "/api/v1/password", Kind::Api, Person, api::sessions::change_password),
    route(Method::Get, "/api/v1/keys", Kind::Api, Person, api::keys::list),
    route(Method::Post, "/api/v1/keys", Kind::Api, Person, api::keys::add),
    route(Method::Delete, "/api/v1/keys/:id", Kind::Api, Person, api::keys::revoke),
    route(Method::Get, "/api/v1/audit", Kind::Api, Owner, api::audit::list),
    route(Method::Get, "/api/v1/audit.csv", Kind::Api, Owner, api::audit::csv),
    route(Method::Get, "/api/v1/installation/audit", Kind::Api, Operator, api::audit::installation),
    route(Method::Delete, "/api/v1/account", Kind::Api, Person, api::teams::delete_account),
    route(Method::Get, "/api/v1/teams", Kind::Api, Person, api::teams::list),
    route(Method::Post, "/api/v1/teams", Kind::Api, Person, api::teams::create),
    route(Method::Put, "/api/v1/team", Kind::Api, Person, api::teams::switch),
    route(Method::Patch, "/api/v1/team", Kind::Api, Owner, api::teams::rename),
    route(Method::Delete, "/api/v1/team", Kind::Api, Owner, api::teams::delete),
    route(Method::Post, "/api/v1/team/leave", Kind::Api, Person, api::teams::leave),
    route(Method::Get, "/api/v1/members", Kind::Api, Person, api::teams::members),
    route(Method::Patch, "/api/v1/members/:id", Kind::Api, Owner, api::teams::set_role),
    route(Method::Delete, "/api/v1/members/:id", Kind::Api, Owner, api::teams::remove),
    route(Method::Get, "/api/v1/invitations", Kind::Api, Owner, api::teams::invitations),
    route(Method::Post, "/api/v1/invitations", Kind::Api, Owner, api::teams::invite),
    route(Method::Post, "/api/v1/invitations/accept", Kind::Api, Person, api::teams::accept),
    route(Method::Delete, "/api/v1/invitations/:id", Kind::Api, Owner, api::teams::revoke),
    route(Method::Get, "/api/v1/websites", Kind::Api, Read(Websites), api::websites::list),
    route(Method::Post, "/api/v1/websites", Kind::Api, Write(Websites), api::websites::add),
    route(Method::Post, "/api/v1/websites/bulk", Kind::Api, Write(Websites), api::bulk::change),
    route(Method::Get, "/api/v1/websites/:id", Kind::Api, Read(Websites), api::websites::show),
    route(Method::Patch, "/api/v1/websites/:id", Kind::Api, Write(Websites), api::websites::change),
    route(Method::Delete, "/api/v1/websites/:id", Kind::Api, Write(Websites), api::websites::delete),
    route(Method::Post, "/api/v1/websites/:id/check", Kind::Api, Write(Websites), api::check::ask),
    route(Method::Get, "/api/v1/websites/:id/check", Kind::Api, Read(Websites), api::check::show),
    route(Method::Get, "/api/v1/websites/:id/uptime", Kind::Api, Read(Websites), api::history::uptime),
    route(Method::Get, "/api/v1/websites/:id/latency", Kind::Api, Read(Websites), api::history::latency),
    route(Method::Get, "/api/v1/websites/:id/ticks", Kind::Api, Read(Websites), api::ticks::ticks),
    route(Method::Get, "/api/v1/websites/:id/rounds", Kind::Api, Read(Websites), api::ticks::rounds),
    route(Method::Get, "/api/v1/websites/:id/transitions", Kind::Api, Read(Websites), api::ticks::transitions),
    route(Method::Get, "/api/v1/regions", Kind::Api, Read(Websites), api::regions::list),
    route(Method::Get, "/api/v1/workers", Kind::Api, Operator, api::regions::workers),
    route(Method::Get, "/api/v1/tags", Kind::Api, Read(Websites), api::regions::tags),
    route(Method::Get, "/reports", Kind::Page, Read(Reports), pages::reports::show),
    route(Method::Get, "/reports.csv", Kind::Page, Read(Reports), pages::reports::csv),
    route(Method::Get, "/reports/websites/:id", Kind::Page, Read(Reports), pages::report::show),
    route(Method::Post, "/reports/schedules", Kind::Page, Write(Reports), pages::report_form::add),
    route(Method::Post, "/reports/schedules/:id/delete", Kind::Page, Write(Reports), pages::report_form::delete),
    route(Method::Get, "/api/v1/reports", Kind::Api, Read(Reports), api::reports::group),
    route(Method::Get, "/api/v1/reports.csv", Kind::Api, Read(Reports), api::reports::group),
    route(Method::Get, "/api/v1/websites/:id/report", Kind::Api, Read(Reports), api::reports::one),
    route(Method::Get, "/api/v1/websites/:id/report.csv", Kind::Api, Read(Reports), api::reports::one),
    route(Method::Get, "/api/v1/jobs", Kind::Api, Read(Websites), api::jobs::list),
    route(Method::Post, "/api/v1/jobs", Kind::Api, Write(Websites), api::jobs::add),
    route(Method::Get, "/api/v1/jobs/:id", Kind::Api, Read(Websites), api::jobs::show),
    route(Method::Patch, "/api/v1/jobs/:id", Kind::Api, Write(Websites), api::jobs::change),
    route(Method::Put, "/api/v1/jobs/:id", Kind::Api, Write(Websites), api::jobs::replace),
    route(Method::Delete, "/api/v1/jobs/:id", Kind::Api, Write(Websites), api::jobs::delete),
    route(Method::Get, "/api/v1/jobs/:id/pings", Kind::Api, Read(Websites), api::jobs::pings),
    route(Method::Post, "/api/v1/jobs/:id/ping-url", Kind::Api, Write(Websites), api::jobs::rotate),
    route(Method::Get, "/api/v1/events", Kind::Api, Read(Websites), api::events::listen),
    route(Method::Post, "/website", Kind::Api, Write(Websites), api::ancestor::add),
    route(Method::Get, "/website", Kind::Api, Read(Websites), api::ancestor::list),
    route(Method::Get, "/status/:id", Kind::Api, Read(Websites), api::ancestor::status),
    route(Method::Delete, "/website/:id", Kind::Api, Write(Websites), api::ancestor::delete),
    route(Method::Get, "/ping/:id", Kind::Open, Nothing, ping::plain),
    route(Method::Post, "/ping/:id", Kind::Open, Nothing, ping::plain),
    route(Method::Get, "/ping/:id/:word", Kind::Open, Nothing, ping::with_word),
    route(Method::Post, "/ping/:id/:word", Kind::Open, Nothing, ping::with_word),
    route(Method::Get, "/badge/:id/:file", Kind::Open, Nothing, badge::show),
    route(Method::Get, "/s/:slug", Kind::Open, Nothing, status::show),
    route(Method::Get, "/s/:slug/:file", Kind::Open, Nothing, status::file),
    route(Method::Post, "/s/:slug/unlock", Kind::Open, Nothing, status::unlock),
    route(Method::Post, "/s/:slug/subscribe", Kind::Open, Nothing, status::subscribe),
    route(Method::Get, "/subscription/confirm/:token", Kind::Open, Nothing, status::confirm_form),
    route(Method::Post, "/subscription/confirm/:token", Kind::Open, Nothing, status::confirm),
    route(Method::Get, "/subscription/end/:token", Kind::Open, Nothing, status::end_form),
    route(Method::Post, "/subscription/end/:token", Kind::Open, Nothing, status::end),
    route(Method::Get, "/api/v1/openapi.json", Kind::Open, Nothing, api::document::show),
    route(Method::Get, "/design", Kind::Page, Nothing, pages::design::show),
    route(Method::Get, "/docs", Kind::Page, Nothing, pages::docs::show),
    route(Method::Get, "/healthz", Kind::Open, Nothing, api::health::alive),
    route(Method::Get, "/readyz", Kind::Open, Nothing, api::health::ready),
    route(Method::Get, "/static/:file", Kind::Open, Nothing, assets::serve),
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

/// Whether programs ask there, the ancestor's clients among them: they are told of trouble as programs are.
#[must_use]
pub fn is_for_programs(path: &str) -> bool {
    path == "/website" || ["/api/", "/website/", "/status/"].iter().any(|start| path.starts_with(start))
}

/// Finds the route of a request.
#[must_use]
pub fn find(method: Method, path: &str) -> Found {
    // What is written out is no value of another pattern: `/websites/new` is nobody's id, whatever the method.
    let found = || ROUTES.iter().filter_map(|route| Some((route, matches(route.pattern, path)?)));
    let fewest = found().map(|(_, params)| params.0.len()).min().unwrap_or_default();
    let mut others = Vec::new();
    for (route, params) in found().filter(|(_, params)| params.0.len() == fewest) {
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
        assert!(matches!(find(Method::Patch, "/api/v1/websites/bulk"), Found::OtherMethod(a) if a == "POST"));
    }
}
