//! Mail: a connection of ours (judged address, one per mail), SMTP over it by `lettre`.

use lettre::Address;
use lettre::address::Envelope;
use lettre::message::Mailbox;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, AsyncTokioStream, Certificate, CertificateStore, TlsParameters,
};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use url::Host;

use super::Answered;
use super::connect::{Client, Trouble};
use super::request::of_trouble;
use crate::model::alert_retry::Answer;
use crate::model::message::{MailHead, words};
use crate::model::{ChannelSettings, MailSecurity};

/// For the good-bye of a server that has taken a mail.
const GOOD_BYE: Duration = Duration::from_secs(1);
/// So much a mail server may say in one exchange, certificates included: `lettre` reads a line to its end, however long it is.
const SAYS_BYTES: usize = 256 * 1_024;
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
    let Ok(peer) = stream.peer_addr() else {
        return not_sent(of_trouble(&Trouble::Connect("it was cut off".to_owned())));
    };
    let opened = match security {
        MailSecurity::Tls => match client.secure(&host, stream).await {
            Ok(stream) => AsyncSmtpConnection::connect_with_transport(bounded(stream, peer), &hello).await,
            Err(trouble) => return not_sent(of_trouble(&trouble)),
        },
        MailSecurity::Starttls | MailSecurity::None => {
            AsyncSmtpConnection::connect_with_transport(bounded(stream, peer), &hello).await
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
        let refused = hand_over(&mut connection, &envelope, mail.as_bytes()).await?;
        Ok::<_, SmtpError>(Ok((connection, refused)))
    };
    match sent.await {
        Ok(Ok((connection, refused))) => {
            let said = match refused.first() {
                None => "The mail server took it.".to_owned(),
                Some((to, error)) => {
                    let more =
                        if refused.len() > 1 { format!(" and {} more", refused.len() - 1) } else { String::new() };
                    let words = words::line(&error.to_string(), REASON);
                    format!("The mail server took it, but not for {to}{more}: {words}")
                }
            };
            (Answered { answer: Answer::Taken, said }, Some(connection))
        }
        Ok(Err(why)) => not_sent(refused(why)),
        Err(error) => not_sent(of_smtp(&error)),
    }
}

/// As `lettre` sends a mail, but that one mailbox that is gone does not keep it from the others. Returns who was refused.
async fn hand_over(
    connection: &mut AsyncSmtpConnection,
    envelope: &Envelope,
    mail: &[u8],
) -> Result<Vec<(Address, SmtpError)>, SmtpError> {
    let is_ascii = |address: &Address| -> bool { AsRef::<str>::as_ref(address).is_ascii() };
    if !(mail.is_ascii() && envelope.from().into_iter().chain(envelope.to()).all(is_ascii)) {
        // What else has to be asked for then, it knows.
        connection.send(envelope, mail).await?;
        return Ok(Vec::new());
    }
    connection.command(Mail::new(envelope.from().cloned(), Vec::new())).await?;
    let mut refused = Vec::new();
    for to in envelope.to() {
        match connection.command(Rcpt::new(to.clone(), Vec::new())).await {
            Ok(_) => {}
            Err(error) if error.is_permanent() => refused.push((to.clone(), error)),
            Err(error) => return Err(error),
        }
    }
    if refused.len() == envelope.to().len()
        && let Some((_, error)) = refused.pop()
    {
        return Err(error);
    }
    connection.command(Data).await?;
    connection.message(mail).await?;
    Ok(refused)
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

/// A connection of which no more is read than [`SAYS_BYTES`] and what arrives with them.
struct Bounded<S> {
    stream: S,
    peer: SocketAddr,
    left: usize,
}

fn bounded<S>(stream: S, peer: SocketAddr) -> Box<Bounded<S>> {
    Box::new(Bounded { stream, peer, left: SAYS_BYTES })
}

impl<S> fmt::Debug for Bounded<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bounded")
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> AsyncTokioStream for Bounded<S> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.left == 0 {
            return Poll::Ready(Err(io::Error::other("it says more than a mail server has to say")));
        }
        let before = buf.filled().len();
        let done = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.left = self.left.saturating_sub(buf.filled().len() - before);
        done
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn of_a_server_that_talks_without_end_little_is_read() {
        let mut talks = bounded(tokio::io::repeat(b'2'), SocketAddr::from(([127, 0, 0, 1], 25)));
        let mut heard = Vec::new();
        talks.read_to_end(&mut heard).await.unwrap_err();
        assert!((SAYS_BYTES..2 * SAYS_BYTES).contains(&heard.len()), "{}", heard.len());
    }
}
