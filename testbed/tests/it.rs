//! The test support tested: what it says happened must have happened.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set itself up has failed")]

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use testbed::fault_proxy::{Cut, Fault, FaultProxy};
use testbed::measure::{threads, wait_for};
use testbed::name_server::{Answer, NameServer};
use testbed::server::Server;
use testbed::{gzip, namespace, test_name};

/// Says back what it hears.
fn echo() -> Server {
    Server::start(|_, mut stream| {
        let mut buffer = [0u8; 1024];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            if !stream.say(&buffer[..count]) {
                return;
            }
        }
    })
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream
}

fn ask(stream: &mut TcpStream, text: &str) -> std::io::Result<String> {
    stream.write_all(text.as_bytes())?;
    let mut answer = vec![0u8; text.len()];
    stream.read_exact(&mut answer)?;
    Ok(String::from_utf8(answer).unwrap())
}

#[test]
fn a_proxy_passes_and_counts() {
    let server = echo();
    let proxy = FaultProxy::start(server.address);
    let mut stream = connect(proxy.address);
    assert_eq!(ask(&mut stream, "hello").unwrap(), "hello");
    assert_eq!((proxy.connections(), proxy.bytes_up(), proxy.bytes_down()), (1, 5, 5));
}

#[test]
fn a_proxy_delays_and_throttles() {
    let server = echo();
    let proxy = FaultProxy::start(server.address);
    let mut stream = connect(proxy.address);
    proxy.set(Fault::Delay { up: Duration::from_millis(60), down: Duration::from_millis(60) });
    let started = Instant::now();
    ask(&mut stream, "hello").unwrap();
    assert!(started.elapsed() >= Duration::from_millis(120));
    proxy.set(Fault::Throttle { bytes_per_s: 100 });
    let started = Instant::now();
    ask(&mut stream, &"x".repeat(30)).unwrap();
    assert!(started.elapsed() >= Duration::from_millis(290), "{:?}", started.elapsed());
}

#[test]
fn a_proxy_cuts_by_fin_and_by_reset_now_or_later() {
    let server = echo();
    let proxy = FaultProxy::start(server.address);
    let mut stream = connect(proxy.address);
    ask(&mut stream, "hello").unwrap();
    proxy.cut(Cut::Fin);
    assert_eq!(stream.read(&mut [0u8; 1]).unwrap(), 0);
    let mut stream = connect(proxy.address);
    ask(&mut stream, "hello").unwrap();
    proxy.cut(Cut::Rst);
    assert_eq!(ask(&mut stream, "hello").unwrap_err().kind(), ErrorKind::ConnectionReset);
    proxy.set(Fault::CutDown { after: 3, how: Cut::Fin });
    let mut stream = connect(proxy.address);
    stream.write_all(b"hello").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hel");
    proxy.set(Fault::CutUp { after: 2, how: Cut::Rst });
    let mut stream = connect(proxy.address);
    assert!(ask(&mut stream, "hello").is_err());
    proxy.set(Fault::Pass);
    assert_eq!(ask(&mut connect(proxy.address), "hello").unwrap(), "hello");
}

#[test]
fn a_proxy_swallows_and_refuses_and_opens_again() {
    let server = echo();
    let proxy = FaultProxy::start(server.address);
    proxy.set(Fault::BlackHole);
    let mut stream = connect(proxy.address);
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert_eq!(ask(&mut stream, "hello").unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(server.connections(), 0);
    proxy.set(Fault::Refuse);
    assert_eq!(TcpStream::connect(proxy.address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    proxy.set(Fault::Pass);
    assert_eq!(ask(&mut connect(proxy.address), "hello").unwrap(), "hello");
}

#[test]
fn everything_ends_with_its_value() {
    let before = threads();
    {
        let server = Server::start(|_, mut stream| stream.hold());
        let proxy = FaultProxy::start(server.address);
        let names = NameServer::start(|_| Answer::Later(Duration::from_secs(60), Box::new(Answer::Silence)));
        let _open = (connect(server.address), connect(proxy.address), connect(names.address));
        wait_for("both connections", Duration::from_secs(5), || (server.open() == 2).then_some(()));
    }
    wait_for("all threads to end", Duration::from_secs(5), || (threads() == before).then_some(()));
}

#[test]
fn a_namespace_has_machines_of_its_own_and_no_way_out() {
    namespace::run(test_name!(), |network| {
        for address in ["93.184.216.34", "2606:4700::5"] {
            let address: IpAddr = address.parse().unwrap();
            network.elsewhere(address);
            let _server = Server::at((address, 80).into(), None, |_, mut stream| stream.hold());
            let stream = connect((address, 80).into());
            assert_ne!(stream.local_addr().unwrap().ip(), address, "it is another machine's");
        }
        assert_eq!(TcpStream::connect("192.0.2.1:80").unwrap_err().kind(), ErrorKind::NetworkUnreachable);
        network.count_syns();
        let dropped: IpAddr = "93.184.216.34".parse().unwrap();
        network.drop_to(dropped);
        let refused = TcpStream::connect_timeout(&(dropped, 80).into(), Duration::from_millis(100));
        assert!(matches!(refused.unwrap_err().kind(), ErrorKind::TimedOut | ErrorKind::PermissionDenied));
        assert!(network.syns() >= 1);
    });
}

#[test]
fn what_is_called_gzip_is_gzip() {
    let unpack = |bytes: &[u8]| {
        let mut child = Command::new("gzip").arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let bytes = bytes.to_vec();
        let writing = std::thread::spawn(move || input.write_all(&bytes));
        let output = child.wait_with_output().unwrap();
        writing.join().unwrap().unwrap();
        (output.status.success(), output.stdout)
    };
    assert_eq!(unpack(&gzip::stored(b"hello")), (true, b"hello".to_vec()));
    assert_eq!(unpack(&gzip::stored(&[b'y'; 70_000])), (true, vec![b'y'; 70_000]));
    // Its checksum is wrong.
    let (good, out) = unpack(&gzip::bomb(1_000));
    assert!(!good && out == vec![b'x'; 258_001], "{}", out.len());
}
