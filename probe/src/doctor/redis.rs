//! The way to Redis: name, port, TLS, sign-in, version; then, on the same connection, rights and time.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use redis::{Client, Connection, ConnectionAddr, ErrorKind, RedisError, Value};

use super::{Finding, State, Teller, clock, rights};
use crate::clock as time;
use crate::config::Config;
use crate::connect;
use crate::engine::AddressKind;

const AREA: &str = "redis";
/// For all addresses of the name together.
const CONNECT: Duration = Duration::from_secs(4);
/// For TLS and sign-in, and for each command after it.
const ANSWER: Duration = Duration::from_secs(3);
const URL_REMEDY: &str = "write REDIS_URL like redis://user:password@host:6379, or rediss:// for TLS; a password with \
                          special characters must be percent-encoded";

/// Goes as far as it gets.
pub(super) fn all(config: &Config, teller: &Teller) {
    let Ok(clients) = connect::clients(config.redis_url.expose(), config.ca_file.as_deref()) else {
        return teller.tell(Finding::fail(AREA, "REDIS_URL is not understood.", URL_REMEDY));
    };
    let Some(client) = clients.first() else { return };
    let address = client.get_connection_info().addr().clone();
    let Some((host, port)) = connect::endpoint(&address) else {
        return teller.tell(Finding::fail(AREA, "REDIS_URL names no host.", URL_REMEDY));
    };
    let tls = matches!(address, ConnectionAddr::TcpTls { .. });
    let Some(addresses) = look_up(host, port, teller) else { return };
    if !reach(&addresses, tls, teller) {
        return;
    }
    let began = Instant::now();
    let mut signed_in = sign_in(client);
    for other in clients.iter().skip(1) {
        if signed_in.as_ref().err().is_some_and(connect::is_distrust)
            && let Ok(connection) = sign_in(other)
        {
            signed_in = Ok(connection);
        }
    }
    let mut connection = match signed_in {
        Ok(connection) => connection,
        Err(error) => return teller.tell(refused(&error, tls)),
    };
    let secured = if tls { "TLS and sign-in" } else { "Sign-in" };
    teller.tell(Finding::ok(AREA, format!("{secured} took {} ms.", began.elapsed().as_millis())));
    let server = version(&mut connection);
    let answers = server.state != State::Fail;
    teller.tell(server);
    if answers {
        teller.tell_all(rights::all(&mut connection, config, client.get_connection_info().redis_settings().username()));
        teller.tell_all(compare_clocks(&mut connection));
    }
}

fn look_up(host: &str, port: u16, teller: &Teller) -> Option<Vec<SocketAddr>> {
    let began = Instant::now();
    match (host, port).to_socket_addrs().map(Vec::from_iter) {
        Ok(addresses) if !addresses.is_empty() => {
            if addresses.iter().all(|address| address.ip().to_string() != host) {
                let (count, took) = (addresses.len(), began.elapsed().as_millis());
                teller.tell(Finding::ok(AREA, format!("{host} was looked up in {took} ms ({count} addresses).")));
            }
            Some(addresses)
        }
        Ok(_) => {
            teller.tell(Finding::fail(AREA, format!("{host} has no address."), "correct the host in REDIS_URL"));
            None
        }
        Err(error) => {
            let remedy = "correct the host in REDIS_URL, or see the lines about dns";
            teller.tell(Finding::fail(AREA, format!("{host} cannot be looked up: {error}."), remedy));
            None
        }
    }
}

/// Whether any address takes a connection.
fn reach(addresses: &[SocketAddr], tls: bool, teller: &Teller) -> bool {
    let share = CONNECT / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let mut failed: Vec<Finding> = Vec::new();
    for address in addresses {
        let began = Instant::now();
        match TcpStream::connect_timeout(address, share.max(Duration::from_millis(200))) {
            Ok(_) => {
                let found = format!("{address} takes connections, in {} ms.", began.elapsed().as_millis());
                // One of several addresses costs time only.
                let others = failed.drain(..).map(|finding| Finding { state: State::Warn, ..finding });
                teller.tell_all(others);
                teller.tell(Finding::ok(AREA, found));
                if !tls && AddressKind::of(address.ip()) == AddressKind::Public {
                    let found = "The way there is public and not encrypted: password and checks can be read on it.";
                    teller.tell(Finding::warn(AREA, found, "use rediss://, or a tunnel such as WireGuard"));
                }
                return true;
            }
            Err(error) => failed.push(unreachable(*address, &error)),
        }
    }
    teller.tell_all(failed);
    false
}

fn unreachable(address: SocketAddr, error: &io::Error) -> Finding {
    use io::ErrorKind as Kind;
    #[expect(clippy::wildcard_enum_match_arm, reason = "std's list is open")]
    let (found, remedy) = match error.kind() {
        Kind::ConnectionRefused => (
            format!("{address} refuses connections: nothing listens there."),
            "start Redis, correct the port in REDIS_URL, or let Redis listen there (bind, port in redis.conf)",
        ),
        Kind::TimedOut | Kind::WouldBlock => (
            format!("{address} does not answer."),
            "let this machine through a firewall on the way or on that host, or correct the host in REDIS_URL",
        ),
        Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown => {
            (format!("{address} cannot be reached: {error}."), "there is no route; see the line about egress")
        }
        _ => (format!("{address} cannot be connected to: {error}."), "see the lines about limits and egress"),
    };
    Finding::fail(AREA, found, remedy)
}

fn sign_in(client: &Client) -> Result<Connection, RedisError> {
    let mut connection = client.get_connection_with_timeout(ANSWER)?;
    connection.set_read_timeout(Some(ANSWER))?;
    connection.set_write_timeout(Some(ANSWER))?;
    match redis::cmd("PING").query::<Value>(&mut connection) {
        // A user that may not even PING is signed in all the same.
        Err(error) if error.code() != Some("NOPERM") => Err(error),
        Ok(_) | Err(_) => Ok(connection),
    }
}

/// Why a connection that was taken is of no use.
fn refused(error: &RedisError, tls: bool) -> Finding {
    let said = said(error);
    if error.kind() == ErrorKind::AuthenticationFailed || error.code() == Some("WRONGPASS") {
        return Finding::fail(
            AREA,
            "Redis refuses the user or the password.",
            "correct them in REDIS_URL (redis://user:password@host; without a user: redis://:password@host)",
        );
    }
    match error.code() {
        Some("NOAUTH") => {
            Finding::fail(AREA, "Redis asks for a password, and REDIS_URL has none.", "write redis://:password@host")
        }
        Some("DENIED") => Finding::fail(
            AREA,
            "Redis is in protected mode: it takes connections from its own machine only.",
            "give it a password or an ACL user (see redis.conf)",
        ),
        Some("LOADING") => Finding::fail(AREA, "Redis is still loading its data.", "wait; the probe does so by itself"),
        Some(_) => Finding::fail(AREA, format!("Redis refuses: {said}."), "see its log, and the database in REDIS_URL"),
        None if error.is_timeout() => Finding::fail(
            AREA,
            format!("It takes connections and says nothing for {} s.", ANSWER.as_secs()),
            if tls {
                "is TLS on at that port? If not, use redis://; or Redis is stuck, see its log"
            } else {
                "is that port one for TLS? Then use rediss://; or it is not Redis, or is stuck"
            },
        ),
        None if tls => Finding::fail(
            AREA,
            format!("TLS fails: {said}."),
            "the name in REDIS_URL must be one of its certificate, whose root must be in this system's store \
             (ca-certificates), or in CA_FILE; a port without TLS needs redis://",
        ),
        None => Finding::fail(
            AREA,
            format!("It is not understood: {said}."),
            "is that port one for TLS? Then use rediss://; or it is not Redis",
        ),
    }
}

/// What a server or a library says, of a length for one line.
pub(super) fn said(error: &RedisError) -> String {
    let text = error.detail().map_or_else(|| error.to_string(), str::to_owned);
    let text: String = text.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).take(160).collect();
    text.trim_end_matches('.').to_owned()
}

fn version(connection: &mut Connection) -> Finding {
    let fields: HashMap<String, Value> = match redis::cmd("HELLO").query(connection) {
        Ok(fields) => fields,
        Err(error) if error.is_io_error() => return refused(&error, false),
        Err(error) => {
            let found = format!("Its version is not told: {}.", said(&error));
            return Finding::warn(AREA, found, "it must be 7.0 or newer; allow +hello to let this be checked");
        }
    };
    let text = |name: &str| fields.get(name).and_then(|value| redis::from_redis_value_ref::<String>(value).ok());
    judge_version(
        &text("server").unwrap_or_else(|| "redis".to_owned()),
        &text("version").unwrap_or_default(),
        &text("role").unwrap_or_default(),
    )
}

fn judge_version(server: &str, version: &str, role: &str) -> Finding {
    let found = format!("It is {server} {version}, {role}.");
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    match (major, role) {
        (_, "replica" | "slave") => {
            Finding::fail(AREA, found, "nothing can be written to a replica; name its master in REDIS_URL")
        }
        (Some(..=6), _) => Finding::fail(AREA, found, "7.0 or newer is needed; update it"),
        (Some(_), _) => Finding::ok(AREA, found),
        (None, _) => Finding::warn(AREA, found, "it must be Redis 7.0 or newer, or Valkey"),
    }
}

/// Nothing when the connection is gone.
fn compare_clocks(connection: &mut Connection) -> Option<Finding> {
    let began = Instant::now();
    match redis::cmd("TIME").query::<(i64, i64)>(connection) {
        Ok((seconds, micros)) => {
            let round_trip = began.elapsed();
            // Asked half the round trip ago, as far as one can tell.
            let half = i64::from(time::millis(round_trip / 2));
            let theirs = seconds.saturating_mul(1_000).saturating_add(micros / 1_000);
            let offset_ms = time::wall().saturating_sub(half).saturating_sub(theirs);
            Some(clock::against_redis(offset_ms, u64::from(time::millis(round_trip))))
        }
        Err(error) if error.is_io_error() => None,
        Err(_) => Some(clock::not_told()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_judged_by_its_version_and_role() {
        for (version, role, state) in [
            ("7.0.15", "master", State::Ok),
            ("8.1.0", "master", State::Ok),
            ("6.2.14", "master", State::Fail),
            ("7.2.0", "replica", State::Fail),
            ("", "master", State::Warn),
        ] {
            assert_eq!(judge_version("redis", version, role).state, state, "{version} {role}");
        }
    }
}
