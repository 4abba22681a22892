//! What this machine has: settings, directory, key, addresses.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use probe::doctor::{Finding, State};
use rustix::fs::{Access, access};

use crate::config::Config;
use crate::model;

pub(super) fn settings(config: &Config) -> Finding {
    let area = "settings";
    let database = if config.database_url.is_some() { "Postgres" } else { "SQLite" };
    let queue = if config.redis_url.is_some() { "Redis" } else { "queue and probe in this process" };
    Finding::ok(area, format!("Read: {database}, {queue}; history is kept for {} days", config.retention.days))
}

pub(super) fn state(config: &Config) -> Finding {
    let area = "state";
    let directory = config.state_directory.as_path();
    let shown = directory.display();
    let metadata = match fs::metadata(directory) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Finding::warn(
                area,
                format!("{shown} is not there (yet)"),
                "the hub makes it when it starts. If it has run before, STATE_DIRECTORY names another one here",
            );
        }
        Err(error) => {
            let remedy = "run this as the hub's user, e.g. with: sudo -u betteruptime";
            return Finding::fail(area, format!("{shown}: {error}"), remedy);
        }
    };
    if !metadata.is_dir() {
        return Finding::fail(area, format!("{shown} is no directory"), "give a directory in STATE_DIRECTORY");
    }
    if access(directory, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let remedy = "give it to the hub's user (chown), or run this as that user";
        return Finding::fail(area, format!("{shown} cannot be written by this user"), remedy);
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let remedy = format!("chmod 700 {shown} (the hub does so when it starts)");
        return Finding::fail(area, format!("{shown} is open to other users, mode {mode:04o}"), remedy);
    }
    Finding::ok(area, format!("{shown}, mode {mode:04o}"))
}

pub(super) fn key(config: &Config) -> Finding {
    let area = "key";
    // Its length was looked at with the other settings.
    if let Some(key) = &config.jwt_secret_key {
        return Finding::ok(area, format!("{} bytes, from JWT_SECRET_KEY", key.expose().len()));
    }
    // The one before counts for a while; where it cannot be read, the hub does not start.
    let old = config.state_directory.join("jwt-secret-key.old");
    if old.exists() {
        let of_old = key_file(area, &old);
        if of_old.state != State::Ok {
            return of_old;
        }
    }
    key_file(area, &config.state_directory.join("jwt-secret-key"))
}

fn key_file(area: &'static str, path: &Path) -> Finding {
    let shown = path.display();
    let remedy = "remove it, and the hub makes a new one when it starts; everybody signs in again then";
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Finding::ok(area, format!("{shown} is made when the hub starts"));
        }
        Err(error) => return Finding::fail(area, format!("{shown}: {error}"), remedy),
    };
    if metadata.permissions().mode() & 0o077 != 0 {
        let remedy = format!("chmod 600 {shown}, or remove it to sign everybody out");
        return Finding::fail(area, format!("{shown} can be read by other users"), remedy);
    }
    match fs::read_to_string(path) {
        Ok(text) if text.trim().len() >= 32 => {
            Finding::ok(area, format!("{} bytes, in the state directory", text.trim().len()))
        }
        Ok(text) => Finding::fail(area, format!("{shown} has {} bytes, fewer than 32", text.trim().len()), remedy),
        Err(error) => Finding::fail(area, format!("{shown}: {error}"), remedy),
    }
}

pub(super) fn address(config: &Config) -> Finding {
    let area = "address";
    let Some(url) = &config.public_url else {
        let listen = config.listen;
        return if listen.ip().is_loopback() {
            Finding::ok(area, format!("PUBLIC_URL is not set; the hub listens at {listen}, for this machine alone"))
        } else {
            let remedy = "set PUBLIC_URL to how browsers reach the hub: links in alerts begin with it";
            Finding::warn(area, format!("PUBLIC_URL is not set, and the hub listens at {listen}"), remedy)
        };
    };
    let host = model::host_of(url).unwrap_or_default();
    let is_local = host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(is_loopback);
    if is_local && !config.listen.ip().is_loopback() {
        let remedy = "set it to the name that other machines know: links in alerts begin with it";
        return Finding::warn(area, format!("{url} is this machine's name for itself"), remedy);
    }
    if !is_local && !config.is_https() {
        let remedy =
            "give it TLS, by a proxy before it or TLS_CERT_FILE and TLS_KEY_FILE: passwords and sessions travel openly";
        return Finding::warn(area, format!("{url} is not encrypted"), remedy);
    }
    Finding::ok(area, format!("browsers reach it at {url}"))
}

fn is_loopback(ip: std::net::IpAddr) -> bool {
    ip.is_loopback()
}
