//! Mail: a server of theirs, who signs in there, who it is from and to.

use ::url::Url;
use lettre::Address;
use lettre::message::Mailbox;

use super::super::{ChannelSettings, FieldError, FieldErrors, MailSecurity, TargetRules};
use super::receiver::is_inside;
use super::{ChannelInput, is_unprintable, number};

/// Most mail addresses of one channel.
const MAX_TO: usize = 20;
/// Ports of mail servers, where strangers may name one.
const MAIL_PORTS: [u16; 4] = [25, 465, 587, 2525];

/// The port that mail servers usually have for it.
fn usual_port(security: MailSecurity) -> u16 {
    match security {
        MailSecurity::Tls => 465,
        MailSecurity::Starttls => 587,
        MailSecurity::None => 25,
    }
}

impl ChannelInput {
    /// Lets a port that stands as it is stored follow the protection, where that is another one now and the port was the
    /// usual one of the former. A form sends all of its fields, also those that nobody touched.
    pub fn follow_protection(&mut self, stored: &ChannelSettings) {
        let ChannelSettings::Email { port, security: before, .. } = stored else { return };
        let Ok(security) = self.security.trim().parse::<MailSecurity>() else { return };
        let is_untouched = self.port.trim().parse() == Ok(*port);
        if security != *before && is_untouched && *port == usual_port(*before) {
            self.port = usual_port(security).to_string();
        }
    }

    pub(super) fn mail(
        &self,
        stored: Option<&ChannelSettings>,
        rules: &TargetRules,
        errors: &mut FieldErrors,
    ) -> Option<ChannelSettings> {
        let security = match self.security.trim() {
            "" => MailSecurity::Starttls,
            text => text.parse().unwrap_or_else(|_| {
                errors.push(FieldError::new("security", text, "Choose one of the list."));
                MailSecurity::Starttls
            }),
        };
        let remedy = "Give a port from 1 to 65535, or nothing for the usual one.";
        let port = number("port", &self.port, 1, 65_535, remedy, errors).unwrap_or(usual_port(security).into());
        let port = u16::try_from(port).unwrap_or_default();
        if rules.is_shared && !MAIL_PORTS.contains(&port) {
            errors.push(FieldError::new("port", &port.to_string(), "Mail servers listen on 25, 465, 587 or 2525."));
        }
        let server = mail_server(&self.server, rules, errors);
        let (from, to) = (self.from(errors), self.to(errors));
        let username = self.username.trim().to_owned();
        // Only to the place it was given for: who took over a session could have it sent to himself.
        let kept = match stored {
            Some(ChannelSettings::Email { server: s, port: p, security: y, username: u, password, .. })
                if Some(s) == server.as_ref() && *p == port && *y == security && *u == username =>
            {
                Some(password)
            }
            _ => None,
        };
        let password = match kept {
            Some(kept) if self.password.expose().is_empty() => kept.clone(),
            Some(_) | None => self.password.clone(),
        };
        if username.chars().any(is_unprintable) || username.len() > 255 {
            errors.push(FieldError::new("username", &username, "Give the name on one line."));
        }
        if password.expose().chars().any(char::is_control) || password.expose().len() > 1_000 {
            errors.push(FieldError::new("password", "", "A password has no line breaks, and 1000 bytes at most."));
        }
        match (username.is_empty(), password.expose().is_empty()) {
            (false, true) => {
                let remedy = match stored {
                    None => "Give the password of this user name.",
                    Some(_) => "Type the password again: server or user name are others now, or none was kept.",
                };
                errors.push(FieldError::new("password", "", remedy));
            }
            (true, false) => errors.push(FieldError::new("username", "", "Give the user name of this password.")),
            (true, true) | (false, false) => {}
        }
        if security == MailSecurity::None && !username.is_empty() {
            let remedy =
                "A password does not go over an unprotected connection: choose TLS or STARTTLS, or no user name.";
            errors.push(FieldError::new("security", security.as_str(), remedy));
        }
        Some(ChannelSettings::Email { server: server?, port, security, username, password, from: from?, to: to? })
    }

    fn from(&self, errors: &mut FieldErrors) -> Option<String> {
        let typed = self.from.trim();
        let mailbox = Some(typed).filter(|typed| !typed.chars().any(is_unprintable) && typed.len() <= 320);
        let mailbox = mailbox.and_then(|typed| typed.parse::<Mailbox>().ok());
        if mailbox.is_none() {
            let remedy = "Give the address it is sent from: alerts@example.com, or Alerts <alerts@example.com>.";
            errors.push(FieldError::new("from", typed, remedy));
        }
        Some(mailbox?.to_string())
    }

    fn to(&self, errors: &mut FieldErrors) -> Option<Vec<String>> {
        let typed: Vec<&str> = self.to.split([',', ';', '\n', '\r']).map(str::trim).filter(|t| !t.is_empty()).collect();
        if typed.is_empty() || typed.len() > MAX_TO {
            let found = if typed.is_empty() { String::new() } else { format!("{} addresses", typed.len()) };
            errors.push(FieldError::new("to", &found, format!("Give 1 to {MAX_TO} mail addresses, by commas.")));
            return None;
        }
        let mut to: Vec<String> = Vec::with_capacity(typed.len());
        for one in typed {
            let address = Some(one).filter(|one| !one.chars().any(is_unprintable) && one.len() <= 254);
            match address.and_then(|one| one.parse::<Address>().ok()) {
                Some(address) if to.contains(&address.to_string()) => {}
                Some(address) => to.push(address.to_string()),
                None => errors.push(FieldError::new("to", one, "Give it as name@example.com.")),
            }
        }
        Some(to)
    }
}

/// Name or address of a mail server, lower case.
fn mail_server(typed: &str, rules: &TargetRules, errors: &mut FieldErrors) -> Option<String> {
    let typed = typed.trim();
    let url = Url::parse(&format!("smtp://{typed}")).ok();
    // A scheme that is none of the web's leaves names as they are: they are read once more as a website's.
    let url = url.filter(|_| !typed.contains(['/', '@', '?', '#', ' ', '\\']) && typed.len() <= 255);
    let url = url.and_then(|_| Url::parse(&format!("http://{typed}/")).ok()).filter(|url| url.port().is_none());
    let host = url.as_ref().and_then(Url::host_str).map(|host| host.trim_end_matches('.').to_owned());
    let found = url.zip(host).filter(|(_, host)| !host.is_empty() && !typed.ends_with(':'));
    let Some((url, host)): Option<(Url, String)> = found else {
        errors.push(FieldError::new(
            "server",
            typed,
            "Give the name of the mail server, for example smtp.example.com.",
        ));
        return None;
    };
    if rules.refuse(url.as_str()) || is_inside(&url, rules) {
        errors.push(FieldError::new("server", &host, "This leads into our own network; give a public mail server."));
        return None;
    }
    Some(host)
}
