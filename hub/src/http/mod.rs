//! Client -> front (hyper: limits, deadlines, one clean request) -> UNIX socket -> app (tiny_http workers: routes,
//! API, pages). CASES 2.1 shows why tiny_http never sees bytes from outside.

pub mod access;
pub mod api;
mod app;
pub mod assets;
pub mod audit;
pub mod badge;
mod compress;
mod conditional;
pub mod error;
mod events;
mod front;
mod idempotent;
mod limit;
pub mod login;
mod looks;
pub mod metrics;
pub mod openapi;
pub mod pages;
pub mod password;
pub mod ping;
mod relay;
mod request;
mod response;
pub mod route;
pub mod status;
mod throttle;

pub use app::{App, HttpSettings, close, start};
pub use error::HttpError;
pub use front::{FrontConfig, Listening};
pub use request::{Form, Method, Request};
pub use response::Response;
