//! What things are and the rules over them. No I/O, no clock: instants and inputs are arguments.

mod account;
mod agent;
mod alert;
pub mod alert_retry;
pub mod api_key;
pub mod audit;
pub mod backoff;
mod board;
pub mod capacity;
pub mod cause;
pub mod certificate;
mod channel;
mod channel_input;
mod confirm;
mod content_input;
pub mod courtesy;
pub mod enrolment;
mod field;
mod find;
pub mod flapping;
pub mod histogram;
mod host;
pub mod hub_time;
mod id;
pub mod import;
mod incident;
pub mod incident_cause;
pub mod incident_change;
pub mod incident_course;
pub mod incident_words;
mod input;
pub mod issuer;
pub mod job;
pub mod keeping;
mod kept_letter;
pub mod late;
mod live;
pub mod look;
pub mod maintenance;
mod maintenance_input;
pub mod manifest;
pub mod masked;
pub mod message;
pub mod mute;
pub mod operator;
mod options;
mod options_input;
pub mod rate;
pub mod recent;
pub mod recount;
pub mod region;
pub mod regional;
pub mod report;
pub mod retention;
mod role;
pub mod roll_up;
pub mod scope;
pub mod sealed;
pub mod shares;
pub mod slots;
mod standing;
mod state;
mod status_codes;
pub mod status_page;
mod tags;
mod team;
pub mod totp;
pub mod upgrade;
pub mod uptime;
pub mod url;
pub mod verdict;
mod website;

pub use account::{Account, AccountId, MadeBy, Origin, Session, SessionKey, SessionLine};
pub use agent::agent_words;
pub use alert::{Alert, AlertCursor, AlertEvent, AlertId, AlertReplay, AlertState, AlertTry, TryResult};
pub use alert_retry::AfterTry;
pub use board::{BoardCursor, BoardFilter, BoardOrder, BoardPart, BoardPlace, STANDINGS};
pub use channel::{Channel, ChannelDraft, ChannelId, ChannelKind, ChannelSettings, MAX_CHANNELS, MailSecurity};
pub use channel_input::{ChannelContext, ChannelInput};
pub use confirm::Confirm;
pub use content_input::{ContentInput, ContentKind, ROWS as CONTENT_ROWS, json_text};
pub use field::{FieldError, FieldErrors};
pub use find::{AlertFilter, RoundCursor, TickCursor, TransitionCursor, WebsiteFilter};
pub use host::{TargetRules, host_of, unicode as unicode_host};
pub use incident::{
    ClosedAs, Evidence, Incident, IncidentCursor, IncidentEvent, IncidentEventKind, IncidentFilter, IncidentId,
    IncidentKind, IncidentLine, IncidentWebsite, MutedBy, SeenCertificate, TakenOn,
};
pub use incident_change::{Change, What};
pub use incident_course::{Course, Mutes};
pub use input::SettingsInput;
pub use job::{Job, JobInput, JobPlan, JobSchedule, KeptPing, Ping, PingId, PingKind};
pub use keeping::{Keeping, KeepingChange, KeepingInput};
pub use kept_letter::{
    KeptLetter, LetterCursor, LetterFilter, LetterId, Replay, Subject, explain, kind_words as letter_kind_words,
};
pub use live::{LiveEvent, LiveKey, LiveWhat};
pub use maintenance::{Maintenance, MaintenanceId, MaintenancePlan, PastMaintenance, Rule, Scope, Span};
pub use maintenance_input::MaintenanceInput;
pub use message::{AboutIncident, HeldBack, HeldIncident, Message};
pub use options::{Options, is_shown_header};
pub use options_input::{HIDDEN, Kept, OptionsInput, Retype, SignIn};
pub use region::{Region, Worker};
pub use role::Role;
pub use standing::{Counted, Standing};
pub use state::{BoardRow, Notice, RecentTick, RegionState, StoredTick, Transition, Uptime, WebsiteState};
pub use status_codes::accept_text;
pub use tags::{NoTag, Tag, Ties, tags_of};
pub use team::{Invitation, InvitationId, InvitationKey, MOST_TEAMS, Member, Membership, Offer, team_name};
pub use website::{INTERVALS_OFFERED_S, Website, WebsiteCursor, WebsiteKind, WebsiteName, WebsiteSettings};

pub use probe::wire::{
    Blame, Certificate, Check, CheckKind, Class, DeadLetter, DeadReason, Delays, Failure, Heartbeat, IpFamily, Method,
    NetworkState, Note, Outcome, Phase, Phases, RegionId, Report, SecretText, Tick, UtcMs, WebsiteId, WorkerId,
};
