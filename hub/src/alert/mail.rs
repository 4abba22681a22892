//! Mail: a connection of ours (judged address, one per mail), SMTP over it by `lettre`.

use lettre::Address;
use lettre::address::Envelope;
use lettre::message::Mailbox;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, AsyncTokioStream, Certificate, CertificateStore, TlsParameters,
};
use lettre::transport::smtp::extension::ClientId;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use url::Host;

use super::Answered;
use super::connect::{Client, Trouble};
use super::request::of_trouble;
use crate::model::alert_retry::Answer;
use crate::model::message::{MailHead, words};
use crate::model::{ChannelSettings, MailSecurity};

/// For the good-bye of a server that has taken a mail.
const GOOD_BYE: Duration = Duration::from_secs(1);
/// Characters of a server's words that are kept.
const REASON: usize = 300;

/// Sends a mail as it was kept. What only its settings know is who signs in, and who gets it.
pub(super) async fn send(client: &Client, head: &MailHead, settings: &ChannelSettings, mail: &str) -> Answered {
    match tokio::time::timeout(client.timeout(), exchange(client, head, settings, mail)).await {
        Ok((answered, connection)) => {
            if let Some(mut connection) = connection {
                // It has the mail; whether it says good-bye is its own business.
                let _ = tokio::time::timeout(GOOD_BYE, connection.quit()).await;
            }
            answered
        }
        Err(_) => of_trouble(&Trouble::Timeout(client.timeout().as_secs())),
    }
}

/// What came of it; and the connection, where the mail was taken.
async fn exchange(
    client: &Client,
    head: &MailHead,
    settings: &ChannelSettings,
    mail: &str,
) -> (Answered, Option<AsyncSmtpConnection>) {
    let not_sent = |answered: Answered| (answered, None);
    let ChannelSettings::Email { server, port, security, username, password, from, to } = settings else {
        return not_sent(refused("The channel is no mail channel."));
    };
    let Ok(host) = Host::parse(server) else { return not_sent(refused("The name of the mail server is none.")) };
    let Some(envelope) = envelope(from, to) else {
        return not_sent(refused("An address of the channel is no mail address."));
    };
    let stream = match client.connect(&host, *port).await {
        Ok(stream) => stream,
        Err(trouble) => return not_sent(of_trouble(&trouble)),
    };
    let hello = ClientId::Domain(head.domain.clone());
    let opened = match security {
        MailSecurity::Tls => match client.secure(&host, stream).await {
            Ok(stream) => AsyncSmtpConnection::connect_with_transport(Box::new(Secured(stream)), &hello).await,
            Err(trouble) => return not_sent(of_trouble(&trouble)),
        },
        MailSecurity::Starttls | MailSecurity::None => {
            AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello).await
        }
    };
    let sent = async {
        let mut connection = opened?;
        if *security == MailSecurity::Starttls {
            if !connection.can_starttls() {
                return Ok(Err("The mail server offers no STARTTLS, so nothing was sent: choose another protection."));
            }
            connection.starttls(tls(client, server)?, &hello).await?;
        }
        if !username.is_empty() {
            let credentials = Credentials::new(username.clone(), password.expose().to_owned());
            connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await?;
        }
        connection.send(&envelope, mail.as_bytes()).await?;
        Ok::<_, SmtpError>(Ok(connection))
    };
    match sent.await {
        Ok(Ok(connection)) => {
            (Answered { answer: Answer::Taken, said: "The mail server took it.".to_owned() }, Some(connection))
        }
        Ok(Err(why)) => not_sent(refused(why)),
        Err(error) => not_sent(of_smtp(&error)),
    }
}

fn refused(said: &str) -> Answered {
    Answered { answer: Answer::Refused, said: said.to_owned() }
}

fn envelope(from: &str, to: &[String]) -> Option<Envelope> {
    let from = from.parse::<Mailbox>().ok()?.email;
    let to: Vec<Address> = to.iter().map(|one| one.parse()).collect::<Result<_, _>>().ok()?;
    Envelope::new(Some(from), to).ok()
}

fn tls(client: &Client, server: &str) -> Result<TlsParameters, SmtpError> {
    let mut builder = TlsParameters::builder(server.to_owned()).certificate_store(CertificateStore::WebpkiRoots);
    for root in client.extra_roots() {
        builder = builder.add_root_certificate(Certificate::from_der(root.to_vec())?);
    }
    builder.build()
}

/// A server that says no for good (5xx) is taken at its word after three tries, since people mend mailboxes; one that says
/// not now (4xx, greylisting) has a day (T273).
fn of_smtp(error: &SmtpError) -> Answered {
    let words = words::line(&error.to_string(), REASON);
    if error.is_permanent() {
        return Answered { answer: Answer::Refused, said: format!("The mail server refused it: {words}") };
    }
    let later = Answer::Later { after_ms: None };
    if error.is_transient() {
        return Answered { answer: later, said: format!("The mail server wants it later: {words}") };
    }
    if error.is_tls() {
        return Answered { answer: later, said: format!("No TLS with the mail server: {words}") };
    }
    Answered { answer: later, said: format!("The exchange with the mail server failed: {words}") }
}

/// TLS from the start, over our connection.
struct Secured(TlsStream<TcpStream>);

impl fmt::Debug for Secured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secured")
    }
}

impl AsyncTokioStream for Secured {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().0.peer_addr()
    }
}

impl AsyncRead for Secured {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
