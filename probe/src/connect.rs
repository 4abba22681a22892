//! A connection to Redis whose other end is known before the first byte: no check may go there (T091).

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use redis::{
    Client, Connection, ConnectionAddr, ErrorKind, IntoConnectionInfo, RedisError, RedisResult, TlsCertificates, Value,
};

use crate::engine::OwnEndpoints;

/// Addresses of one name that are tried at most.
const MAX_TRIED: usize = 16;
/// Characters of an error in a log line.
const MAX_SAID: usize = 160;

/// A client that says nothing beside what it is asked to: the library would tell its name at every connection, which a
/// user with the rights of a probe may not, and Redis notes that.
///
/// # Errors
/// `url` is not one of Redis.
pub(crate) fn client(url: &str) -> RedisResult<Client> {
    let info = url.into_connection_info()?;
    let settings = info.redis_settings().clone().set_skip_set_lib_name();
    Client::open(info.set_redis_settings(settings))
}

/// Clients to be tried in this order: with `rediss://`, who trusts the authorities of `ca_file` alone comes before who
/// trusts the system's. The library takes either, and who signed Redis' certificate is not told beforehand.
///
/// # Errors
/// `url` is not one of Redis, or the file cannot be read.
pub(crate) fn clients(url: &str, ca_file: Option<&str>) -> RedisResult<Vec<Client>> {
    let mut clients = vec![client(url)?];
    if let (Some(path), true) = (ca_file, url.starts_with("rediss:")) {
        let roots = TlsCertificates { client_tls: None, root_cert: Some(std::fs::read(path)?) };
        let info = clients[0].get_connection_info().clone();
        clients.insert(0, Client::build_with_tls(info, roots)?);
    }
    Ok(clients)
}

/// Whether the other end's certificate is not to be trusted: another client may trust it.
pub(crate) fn is_distrust(error: &RedisError) -> bool {
    error.to_string().contains("invalid peer certificate")
}

/// Asks the server who it is (a user may always do that), which also makes TLS shake hands.
///
/// # Errors
/// The connection fails, or the server is older than what a worker needs (T227).
pub(crate) fn greet(connection: &mut Connection) -> RedisResult<()> {
    match redis::cmd("HELLO").query::<HashMap<String, Value>>(connection) {
        Ok(fields) => match too_old(fields.get("version")) {
            Some(version) => {
                let detail = format!("it is {version}; 7.0 or newer is needed, or Valkey: update it");
                Err(RedisError::from((ErrorKind::InvalidClientConfig, "Redis is too old", detail)))
            }
            None => Ok(()),
        },
        Err(error) if error.is_io_error() || error.is_connection_dropped() => Err(error),
        // What stands between may not know it.
        Err(_) => Ok(()),
    }
}

/// The version, when it is below 7.
fn too_old(version: Option<&Value>) -> Option<String> {
    let version = redis::from_redis_value_ref::<String>(version?).ok()?;
    let major = version.split('.').next()?.parse::<u32>().ok()?;
    (major < 7).then(|| version.chars().filter(char::is_ascii_graphic).take(20).collect())
}

/// Host and port of a Redis that is reached over the network.
pub(crate) fn endpoint(address: &ConnectionAddr) -> Option<(&str, u16)> {
    match address {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => Some((host, *port)),
        ConnectionAddr::Unix(_) | _ => None,
    }
}

/// What went wrong, of a length for one line: that of a pipeline names each of its commands. And what to do, where that
/// is known.
pub(crate) fn said(error: &RedisError) -> String {
    let text = error.to_string();
    if error.kind() == ErrorKind::AuthenticationFailed || text.contains("WRONGPASS") || text.contains("NOAUTH") {
        return "Redis does not know this user, or not with this password: correct REDIS_URL, or enrol the worker again \
                if it was revoked (betteruptime-hub probe enrol)"
            .to_owned();
    }
    match text.char_indices().nth(MAX_SAID) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// Whether a connection that was there is not any more, and nothing was said: the next try tells why.
pub(crate) fn is_cut(error: &RedisError) -> bool {
    error.is_connection_dropped()
}

/// Connects, and learns where to. `wait` is asked before each address how long its handshake may take, and each command
/// of setting up.
///
/// # Errors
/// The name cannot be looked up, or none of its first 16 addresses takes the connection: what the last one said.
pub(crate) fn connect(client: &Client, own: &OwnEndpoints, wait: impl Fn() -> Duration) -> RedisResult<Connection> {
    connect_by(client, own, wait, |host, port| Ok((host, port).to_socket_addrs()?.collect()))
}

fn connect_by(
    client: &Client,
    own: &OwnEndpoints,
    wait: impl Fn() -> Duration,
    look_up: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>>,
) -> RedisResult<Connection> {
    let info = client.get_connection_info();
    let Some((host, port)) = endpoint(info.addr()) else {
        return client.get_connection_with_timeout(wait());
    };
    let addresses = look_up(host, port)?;
    own.learn(addresses.iter().copied());
    if let ConnectionAddr::TcpTls { .. } = info.addr() {
        // TLS needs the name, which the library looks up itself: what it found was there before, or is there now.
        let connection = client.get_connection_with_timeout(wait())?;
        own.learn(look_up(host, port).unwrap_or_default());
        return Ok(connection);
    }
    let mut refused = RedisError::from(io::Error::new(io::ErrorKind::NotFound, "the host of REDIS_URL has no address"));
    for address in addresses.into_iter().take(MAX_TRIED) {
        // Once more: of very many addresses the first may be forgotten.
        own.learn([address]);
        let there = ConnectionAddr::Tcp(number(address), address.port());
        match Client::open(info.clone().set_addr(there))?.get_connection_with_timeout(wait()) {
            Err(error) if error.is_io_error() => refused = error,
            // What Redis itself says would be the same elsewhere.
            result => return result,
        }
    }
    Err(refused)
}

/// An address without its port, with its zone when it has one.
fn number(address: SocketAddr) -> String {
    match address {
        SocketAddr::V6(six) if six.scope_id() != 0 => format!("{}%{}", six.ip(), six.scope_id()),
        SocketAddr::V4(_) | SocketAddr::V6(_) => address.ip().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::net::TcpListener;

    use super::*;

    const WAIT: Duration = Duration::from_secs(5);

    fn listener(address: &str) -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind((address, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    #[test]
    fn t091_what_was_looked_up_is_what_is_connected_to() {
        let (redis, there) = listener("127.0.0.1");
        let asked = Cell::new(0);
        let own = OwnEndpoints::default();
        // A name that means something else each time, and nothing to the system.
        let client = client("redis://redis.invalid:1").unwrap();
        let connection = connect_by(
            &client,
            &own,
            || WAIT,
            |host, port| {
                assert_eq!((host, port), ("redis.invalid", 1));
                asked.set(asked.get() + 1);
                Ok(vec![there])
            },
        );
        assert!(connection.is_ok(), "{:?}", connection.err());
        redis.accept().unwrap();
        assert_eq!(asked.get(), 1);
        assert!(own.contains(there));
    }

    #[test]
    fn the_next_address_is_tried_and_each_is_known() {
        let (closed, nobody) = listener("127.0.0.1");
        drop(closed);
        let (redis, there) = listener("127.0.0.1");
        let own = OwnEndpoints::default();
        let client = client("redis://redis.invalid").unwrap();
        connect_by(&client, &own, || WAIT, |_, _| Ok(vec![nobody, there])).unwrap();
        redis.accept().unwrap();
        assert!(own.contains(nobody) && own.contains(there));
        // Of more than are remembered, the one that is used is.
        let many = (0..200).map(|n| SocketAddr::from(([192, 0, 2, n], 9)));
        let own = OwnEndpoints::default();
        connect_by(&client, &own, || WAIT, |_, _| Ok([there].into_iter().chain(many.clone()).collect())).unwrap();
        assert!(own.contains(there));
    }

    #[test]
    fn no_address_is_an_error_and_so_is_the_last_of_too_many() {
        let (closed, nobody) = listener("127.0.0.1");
        drop(closed);
        let own = OwnEndpoints::default();
        let client = client("redis://redis.invalid").unwrap();
        let error = connect_by(&client, &own, || WAIT, |_, _| Ok(Vec::new())).err().unwrap();
        assert!(error.to_string().contains("has no address"), "{error}");
        let waits = Cell::new(0);
        let wait = || {
            waits.set(waits.get() + 1);
            WAIT
        };
        assert!(connect_by(&client, &own, wait, |_, _| Ok(vec![nobody; 100])).is_err());
        assert_eq!(waits.get(), 16);
    }

    #[test]
    fn t091_with_tls_what_the_name_means_afterwards_is_known_as_well() {
        let (redis, there) = listener("127.0.0.1");
        let asked = Cell::new(0);
        let own = OwnEndpoints::default();
        // The handshake begins with the first command, which there is none of.
        let client = client(&format!("rediss://{there}")).unwrap();
        let other = |n: u8| SocketAddr::from(([192, 0, 2, n], 6379));
        let connection = connect_by(
            &client,
            &own,
            || WAIT,
            |_, _| {
                asked.set(asked.get() + 1);
                Ok(vec![other(asked.get())])
            },
        );
        assert!(connection.is_ok(), "{:?}", connection.err());
        redis.accept().unwrap();
        assert!(own.contains(other(1)) && own.contains(other(2)));
    }

    #[test]
    fn a_zone_stays_with_its_address() {
        let zoned = std::net::SocketAddrV6::new("fe80::1".parse().unwrap(), 6379, 0, 3);
        assert_eq!(number(zoned.into()), "fe80::1%3");
        assert_eq!(number("[2001:db8::1]:6379".parse().unwrap()), "2001:db8::1");
    }
}
