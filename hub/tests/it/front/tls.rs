//! The front's own TLS: its headers and cookie, and a certificate that is replaced while it runs.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use testbed::pki::{Authority, Identity};

use crate::process::Hub;
use crate::services::{free_port, wait_until};

type Tls = StreamOwned<ClientConnection, TcpStream>;

fn connect(address: SocketAddr, root: &Authority) -> Tls {
    let mut roots = RootCertStore::empty();
    roots.add(root.der()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = ClientConnection::new(Arc::new(config), ServerName::try_from("127.0.0.1").unwrap()).unwrap();
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    StreamOwned::new(client, stream)
}

/// Asks on a connection that stays open; the answer's head.
fn ask(tls: &mut Tls, request: &str) -> String {
    tls.write_all(request.as_bytes()).unwrap();
    let (mut answer, mut piece) = (Vec::new(), [0; 4_096]);
    loop {
        let length = tls.read(&mut piece).unwrap();
        answer.extend_from_slice(&piece[..length]);
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let wanted = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if length == 0 || wanted.is_none_or(|wanted: usize| body.len() >= wanted) {
            return head.to_owned();
        }
    }
}

const ALIVE: &str = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";

/// The certificate a new connection is shown.
fn shown(address: SocketAddr, root: &Authority) -> CertificateDer<'static> {
    let mut tls = connect(address, root);
    assert!(ask(&mut tls, ALIVE).starts_with("HTTP/1.1 200"));
    tls.conn.peer_certificates().unwrap()[0].clone().into_owned()
}

fn write(directory: &Path, certificate: Option<&Identity>, key: Option<&Identity>) {
    // As those do who renew certificates: a new file in the place of the old one.
    let put = |name: &str, text: &str| {
        std::fs::write(directory.join("new"), text).unwrap();
        std::fs::rename(directory.join("new"), directory.join(name)).unwrap();
    };
    if let Some(identity) = certificate {
        put("cert.pem", &identity.pem().0);
    }
    if let Some(identity) = key {
        put("key.pem", &identity.pem().1);
    }
}

#[test]
fn a_certificate_is_replaced_under_open_connections_and_a_broken_one_is_not_used() {
    let directory = tempfile::tempdir().unwrap();
    let root = Authority::root("Tests");
    let (first, second, third) = (root.issue(&["127.0.0.1"]), root.issue(&["127.0.0.1"]), root.issue(&["127.0.0.1"]));
    write(directory.path(), Some(&first), Some(&first));
    let listen = format!("127.0.0.1:{}", free_port());
    let file = |name: &str| directory.path().join(name).display().to_string();
    let (certificate, key) = (file("cert.pem"), file("key.pem"));
    let hub =
        Hub::start(directory.path(), &[("LISTEN", &listen), ("TLS_CERT_FILE", &certificate), ("TLS_KEY_FILE", &key)]);
    assert_eq!(shown(hub.address, &root), first.chain[0]);
    let mut open = connect(hub.address, &root);
    let head = ask(&mut open, ALIVE).to_lowercase();
    assert!(head.contains("strict-transport-security: max-age=31536000"), "{head}");

    write(directory.path(), Some(&second), Some(&second));
    wait_until("the new certificate", Duration::from_secs(30), || {
        // One connection is never idle for so long that it is closed.
        assert!(ask(&mut open, ALIVE).starts_with("HTTP/1.1 200"), "the open connection goes on");
        shown(hub.address, &root) == second.chain[0]
    });

    // Of the third only the certificate: it fits not the key that is there.
    write(directory.path(), Some(&third), None);
    let logged = |text: &str| hub.process.log().matches(text).count();
    wait_until("a word of it", Duration::from_secs(30), || logged("The new certificate cannot be used") == 1);
    assert_eq!(shown(hub.address, &root), second.chain[0]);
    std::fs::write(directory.path().join("key.pem"), "no key at all").unwrap();
    wait_until("a word of that", Duration::from_secs(30), || logged("The new certificate cannot be used") == 2);
    assert_eq!(shown(hub.address, &root), second.chain[0]);
    write(directory.path(), None, Some(&third));
    wait_until("the third certificate", Duration::from_secs(30), || shown(hub.address, &root) == third.chain[0]);
    assert_eq!(logged("The certificate was read anew"), 2);
}

#[test]
fn t136_t144_over_tls_the_cookie_is_secure_and_browsers_are_told_to_stay() {
    let directory = tempfile::tempdir().unwrap();
    let root = Authority::root("Tests");
    let identity = root.issue(&["127.0.0.1"]);
    write(directory.path(), Some(&identity), Some(&identity));
    let listen = format!("127.0.0.1:{}", free_port());
    let file = |name: &str| directory.path().join(name).display().to_string();
    let (certificate, key) = (file("cert.pem"), file("key.pem"));
    let hub =
        Hub::start(directory.path(), &[("LISTEN", &listen), ("TLS_CERT_FILE", &certificate), ("TLS_KEY_FILE", &key)]);
    let form = "username=ann&password=correct+horse";
    let post = |scheme: &str| {
        format!(
            "POST /signup HTTP/1.1\r\nHost: {listen}\r\nOrigin: {scheme}://{listen}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        )
    };
    let refused = ask(&mut connect(hub.address, &root), &post("http"));
    assert!(refused.starts_with("HTTP/1.1 403"), "a plain page is none of ours: {refused}");
    let head = ask(&mut connect(hub.address, &root), &post("https"));
    let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap_or_else(|| panic!("{head}"));
    assert!(cookie.starts_with("__Host-betteruptime_session=") && cookie.len() < 4_096, "{cookie}");
    for wanted in ["; Path=/", "; HttpOnly", "; SameSite=Lax", "; Secure"] {
        assert!(cookie.contains(wanted), "{cookie}");
    }
    assert!(!cookie.to_lowercase().contains("domain"), "{cookie}");
    for target in ["/", "/nowhere", "/api/v1/websites", "/healthz"] {
        let head = ask(&mut connect(hub.address, &root), &format!("GET {target} HTTP/1.1\r\nHost: {listen}\r\n\r\n"));
        assert!(head.contains("strict-transport-security: max-age="), "{target}: {head}");
    }
    // Plain HTTP on the port of TLS is no request.
    let mut plain = TcpStream::connect(hub.address).unwrap();
    plain.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    plain.write_all(ALIVE.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP/1.1 200"));
}
