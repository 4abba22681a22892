//! A route in words, by its pattern alone: one that is added tomorrow is told, too.

/// What is done by a route, and to what kind of thing: "paused" and "website".
#[must_use]
pub fn what(method: &str, pattern: &str) -> (String, String) {
    let bare = ["/api/v1/", "/"].iter().find_map(|start| pattern.strip_prefix(start)).unwrap_or(pattern);
    let bare = ["settings/", "reports/"].iter().find_map(|start| bare.strip_prefix(start)).unwrap_or(bare);
    // On a team's page, what is about a part of it.
    let within =
        bare.strip_prefix("team/").filter(|rest| rest.starts_with("members/") || rest.starts_with("invitations"));
    let mut parts = within.unwrap_or(bare).split('/');
    let first = parts.next().unwrap_or_default();
    let fixed = match first {
        "signin" => Some(("signed in", "session")),
        "signout" => Some(("signed out", "session")),
        "signup" => Some(("signed up", "account")),
        "acknowledge" => Some(("acknowledged", "incident")),
        "join" => Some(("followed", "invitation")),
        // Of the settings: oneself.
        "delete" => Some(("deleted", "account")),
        "password" => Some(("changed", "password")),
        _ => None,
    };
    if let Some((action, kind)) = fixed {
        return (action.to_owned(), kind.to_owned());
    }
    let word = first.replace('-', " ");
    let kind = match word.as_str() {
        // As many of them as there are one.
        "maintenance" | "status" | "settings" => word,
        _ => word.strip_suffix('s').unwrap_or(&word).to_owned(),
    };
    let verb = parts.rfind(|part| !part.starts_with(':'));
    let action = match (verb, method) {
        (Some(verb), _) => verb_words(verb),
        (None, "DELETE") if kind == "session" => "ended".to_owned(),
        (None, "DELETE") => "deleted".to_owned(),
        (None, "PUT" | "PATCH") => "changed".to_owned(),
        (None, _) => "added".to_owned(),
    };
    (action, kind)
}

/// Whether a kind is a person's own: what one does about it is no team's to see, whichever one looks at.
#[must_use]
pub fn is_own(kind: &str) -> bool {
    matches!(kind, "session" | "password" | "factor" | "account")
}

fn verb_words(verb: &str) -> String {
    let words = match verb {
        "new" => "added",
        "edit" => "changed",
        "delete" => "deleted",
        "pause" => "paused",
        "resume" => "resumed",
        "check" => "checked at once",
        "on" => "switched on",
        "off" => "switched off",
        "test" => "tested",
        "replay" => "tried again",
        "discard" => "discarded",
        "end" => "ended",
        "acknowledge" => "acknowledged",
        "notes" => "noted",
        "ping-url" => "given a new address",
        "enrol" => "enrolled",
        "revoke" => "revoked",
        "role" => "given another role",
        "remove" => "removed",
        "leave" => "left",
        "name" => "renamed",
        "accept" => "followed",
        "begin" => "begun",
        "confirm" => "switched on",
        "codes" => "given new recovery codes",
        "posts" | "updates" => "published",
        "link" => "given a new link",
        "logo" => "given another logo",
        other => return other.replace('-', " "),
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::what;

    #[test]
    fn routes_in_words() {
        for (method, pattern, action, kind) in [
            ("POST", "/websites/new", "added", "website"),
            ("POST", "/websites/:id/edit", "changed", "website"),
            ("POST", "/websites/:id/ping-url", "given a new address", "website"),
            ("DELETE", "/website/:id", "deleted", "website"),
            ("PATCH", "/api/v1/channels/:id", "changed", "channel"),
            ("POST", "/api/v1/channels", "added", "channel"),
            ("POST", "/api/v1/dead-letters/:id/replay", "tried again", "dead letter"),
            ("POST", "/reports/schedules/:id/delete", "deleted", "schedule"),
            ("POST", "/settings/sessions/:name/end", "ended", "session"),
            ("DELETE", "/api/v1/sessions", "ended", "session"),
            ("POST", "/settings/password", "changed", "password"),
            ("PUT", "/api/v1/password", "changed", "password"),
            ("POST", "/settings/keys/:id/revoke", "revoked", "key"),
            ("POST", "/signin", "signed in", "session"),
            ("POST", "/signin/code", "signed in", "session"),
            ("POST", "/settings/factor/confirm", "switched on", "factor"),
            ("POST", "/settings/factor/off", "switched off", "factor"),
            ("POST", "/settings/delete", "deleted", "account"),
            ("DELETE", "/api/v1/account", "deleted", "account"),
            ("POST", "/team/new", "added", "team"),
            ("POST", "/team/name", "renamed", "team"),
            ("POST", "/team/leave", "left", "team"),
            ("POST", "/team/delete", "deleted", "team"),
            ("POST", "/team/members/:id/role", "given another role", "member"),
            ("POST", "/team/members/:id/remove", "removed", "member"),
            ("PATCH", "/api/v1/members/:id", "changed", "member"),
            ("POST", "/team/invitations", "added", "invitation"),
            ("POST", "/team/invitations/:id/revoke", "revoked", "invitation"),
            ("POST", "/join/:token", "followed", "invitation"),
            ("POST", "/api/v1/invitations/accept", "followed", "invitation"),
            ("POST", "/acknowledge/:token", "acknowledged", "incident"),
            ("PUT", "/api/v1/maintenance/:id", "changed", "maintenance"),
            ("POST", "/api/v1/status-pages", "added", "status page"),
        ] {
            assert_eq!(what(method, pattern), (action.to_owned(), kind.to_owned()), "{method} {pattern}");
        }
    }
}
