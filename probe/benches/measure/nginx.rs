//! An nginx of our own: one worker, plain and TLS 1.3, no log, no session tickets, every connection for one request.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Failed;
use crate::authority::Authority;

/// Ends with the value.
pub(crate) struct Nginx {
    child: Child,
    pub(crate) http: SocketAddr,
    pub(crate) https: SocketAddr,
    _directory: tempfile::TempDir,
}

impl Nginx {
    pub(crate) fn start(authority: &Authority) -> Result<Self, Failed> {
        let directory = tempfile::tempdir()?;
        let prefix = directory.path();
        fs::write(prefix.join("leaf.pem"), &authority.leaf_pem)?;
        fs::write(prefix.join("key.pem"), &authority.key_pem)?;
        let (http, https) = (free()?, free()?);
        let body = "0123456789abcdef".repeat(64);
        let p = prefix.display();
        let config = format!(
            "daemon off; worker_processes 1; pid {p}/pid; error_log {p}/error.log crit;
             events {{ worker_connections 8192; }}
             http {{
               access_log off; server_tokens off; keepalive_timeout 0; default_type text/plain;
               client_body_temp_path {p}/a; proxy_temp_path {p}/b; fastcgi_temp_path {p}/c; uwsgi_temp_path {p}/d;
               scgi_temp_path {p}/e;
               server {{ listen {http} backlog=4096; location / {{ return 200 {body}; }} }}
               server {{
                 listen {https} ssl backlog=4096; ssl_certificate {p}/leaf.pem; ssl_certificate_key {p}/key.pem;
                 ssl_protocols TLSv1.3; ssl_session_tickets off; ssl_session_cache off;
                 location / {{ return 200 {body}; }}
               }}
             }}"
        );
        fs::write(prefix.join("nginx.conf"), config)?;
        let child = Command::new("nginx")
            .args(["-p".as_ref(), prefix.as_os_str(), "-c".as_ref(), prefix.join("nginx.conf").as_os_str()])
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("nginx ({error}); install it: apt-get install nginx-light"))?;
        let nginx = Self { child, http, https, _directory: directory };
        listening(https)?;
        Ok(nginx)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its worker goes with a master that is asked, not with one that is killed.
        let _ = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// A loopback address nobody listens on.
pub(crate) fn free() -> Result<SocketAddr, Failed> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Waits until somebody listens.
pub(crate) fn listening(address: SocketAddr) -> Result<(), Failed> {
    let started = Instant::now();
    while TcpStream::connect(address).is_err() {
        if started.elapsed() > Duration::from_secs(10) {
            return Err(format!("nobody listens on {address}").into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
