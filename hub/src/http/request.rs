//! A request as handlers see it: complete, bounded (the front saw to that), parsed once.

use std::cell::OnceCell;
use std::net::IpAddr;

use super::audit::Notes;
use super::login::Caller;
use crate::model::{FieldError, FieldErrors};

/// Methods the application answers; the front refuses all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET; HEAD is answered as GET with the body left out by the front.
    Get,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// PATCH.
    Patch,
    /// DELETE.
    Delete,
}

impl Method {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Whether it may change state, and therefore needs the Origin check (D22).
    #[must_use]
    pub fn is_unsafe(self) -> bool {
        match self {
            Self::Get => false,
            Self::Post | Self::Put | Self::Patch | Self::Delete => true,
        }
    }
}

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// Path, percent-decoded by segment when matched by the router; starts with `/`.
    pub path: String,
    /// Query, decoded, in order.
    pub query: Vec<(String, String)>,
    /// Headers, names in lower case, in order.
    pub headers: Vec<(String, String)>,
    /// Body, at most 64 KiB (P8).
    pub body: Vec<u8>,
    /// The client's address, as the front saw it.
    pub client: IpAddr,
    /// Who asks, once that was found out (`login::signed_in`).
    pub(super) caller: OnceCell<Caller>,
    /// What the log of who did what is to say beside what the table of routes says.
    pub notes: Notes,
    /// For logs and for people who report an error.
    pub request_id: String,
}

impl Request {
    /// First header of that name (lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// First query parameter of that name.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Cookie of that name.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let all = self.headers.iter().filter(|(n, _)| n == "cookie");
        all.flat_map(|(_, v)| v.split(';'))
            .filter_map(|c| c.trim().split_once('='))
            .find(|(n, _)| *n == name)
            .map(|c| c.1)
    }

    /// The media type of the body, lower case, without parameters.
    #[must_use]
    pub fn media_type(&self) -> String {
        let value = self.header("content-type").unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// The body as an HTML form (`application/x-www-form-urlencoded`). A wrong media type gives an empty form.
    #[must_use]
    pub fn form(&self) -> Form {
        if self.media_type() != "application/x-www-form-urlencoded" {
            return Form::default();
        }
        Form(url::form_urlencoded::parse(&self.body).into_owned().collect())
    }
}

/// Decoded fields of a form, in order.
#[derive(Debug, Clone, Default)]
pub struct Form(pub Vec<(String, String)>);

impl Form {
    /// First value of a field; empty when absent.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str())
    }

    /// All values of a field: checkboxes.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect()
    }

    /// A value that must be there.
    pub fn required(&self, name: &'static str, errors: &mut FieldErrors, remedy: &str) -> &str {
        let value = self.get(name);
        if value.is_empty() {
            errors.push(FieldError::new(name, "", remedy));
        }
        value
    }
}
