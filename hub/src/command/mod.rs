//! The commands beside `serve`: short, they end with a line for people or an error.

pub mod backup;
pub mod dead_letters;
pub mod demo;
pub mod doctor;
pub mod history;
pub mod key;
pub mod manifest;
pub mod migrate;
pub mod probe;
pub mod replay;

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::clock;
use crate::config::Config;
use crate::http::password;
use crate::model::MadeBy;
use crate::model::audit::Deed;
use crate::run;
use crate::store::{Conflict, Store, StoreError};

/// Makes an account, whatever `SIGNUPS` says: who can run this owns the installation.
///
/// # Errors
/// Name or password are not acceptable, or the name is taken.
pub async fn create_user(config: &Config, username: &str) -> anyhow::Result<()> {
    let password = read_password()?;
    password::check_username(username)?;
    password::check_password(&password)?;
    let hash = password::hash_blocking(&password)?;
    let store = run::open_store_beside(config).await?;
    match store.create_account(username, &hash, MadeBy::Owner, clock::now()).await {
        Ok(account) => {
            println!("Account {} was made.", account.username);
            record(&store, "user create", "added", "account", &account.username).await;
        }
        Err(StoreError::Conflict(Conflict::UsernameTaken)) => bail!("the name \"{username}\" is taken"),
        Err(error) => return Err(error.into()),
    }
    store.close().await;
    Ok(())
}

/// Sets a new password and ends the account's sessions.
///
/// # Errors
/// No such account, or the password is not acceptable.
pub async fn reset_password(config: &Config, username: &str) -> anyhow::Result<()> {
    let password = read_password()?;
    password::check_password(&password)?;
    let hash = password::hash_blocking(&password)?;
    let store = run::open_store_beside(config).await?;
    let Some((account, _)) = store.credentials(username).await? else { bail!("there is no account \"{username}\"") };
    store.set_password_hash(account.account_id, &hash).await?;
    store.end_sessions_of(account.account_id).await?;
    println!(
        "The password of {} was changed; its sessions have ended. Keys it made for programs go on: whoever signs in \
         sees them on /settings.",
        account.username
    );
    record(&store, "user reset-password", "changed", "password", &account.username).await;
    store.close().await;
    Ok(())
}

/// Switches an account's second factor off, for who has lost device and recovery codes; its sessions end.
///
/// # Errors
/// No such account.
pub async fn reset_factor(config: &Config, username: &str) -> anyhow::Result<()> {
    let store = run::open_store_beside(config).await?;
    let Some((account, _)) = store.credentials(username).await? else { bail!("there is no account \"{username}\"") };
    if store.end_factor(account.account_id).await? {
        store.end_sessions_of(account.account_id).await?;
        println!("The second factor of {} is off; its sessions have ended.", account.username);
        record(&store, "user reset-factor", "switched off", "factor", &account.username).await;
    } else {
        println!("{} has no second factor.", account.username);
    }
    store.close().await;
    Ok(())
}

/// Who is signed in to the machine, as far as that is known.
pub(crate) fn operator_name() -> String {
    let name = |variable| std::env::var(variable).ok().filter(|name| !name.is_empty());
    name("SUDO_USER").or_else(|| name("USER")).or_else(|| name("LOGNAME")).unwrap_or_default()
}

/// Writes what a command did to the log of the installation. It is done by then: where that cannot be written, it is said.
pub(crate) async fn record(store: &Store, command: &str, action: &str, kind: &str, object: &str) {
    let by = operator_name();
    if let Err(error) = store.write_audit(Deed::of_command(command, &by, action, kind, object), clock::now()).await {
        eprintln!("It is done, and could not be written to the audit log: {error}");
    }
}

/// The same, where nothing else needs the database.
pub(crate) async fn record_beside(config: &Config, command: &str, action: &str, kind: &str, object: &str) {
    match run::open_store_beside(config).await {
        Ok(store) => {
            record(&store, command, action, kind, object).await;
            store.close().await;
        }
        Err(error) => eprintln!("It is done, and could not be written to the audit log: {error:#}"),
    }
}

/// Rows under headings, in columns as wide as what is in them; the last is not filled up.
fn table(heads: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut lines = vec![heads.iter().map(|head| (*head).to_owned()).collect::<Vec<_>>()];
    lines.extend(rows);
    let width =
        |n: usize| lines.iter().filter_map(|line| line.get(n)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let mut shown = String::new();
        for (cell, width) in line.iter().zip(&widths) {
            let _ = write!(shown, "{cell:<width$}  ");
        }
        text += shown.trim_end();
        text.push('\n');
    }
    text
}

fn read_password() -> anyhow::Result<String> {
    use std::io::IsTerminal;
    if std::io::stdin().is_terminal() {
        eprint!("Password (it is shown while you type; pipe it in to avoid that): ");
    }
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).context("the password could not be read from standard input")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Asks the hub at `LISTEN` for `/healthz`. Plain std: it runs every few seconds in a container.
///
/// # Errors
/// It does not answer 200 within 3 s.
#[allow(clippy::unused_async, reason = "commands share one shape")]
pub async fn healthcheck(config: &Config) -> anyhow::Result<()> {
    if config.tls.is_some() {
        bail!("healthcheck does not speak TLS yet; ask https://.../healthz with another client");
    }
    let ip = if config.listen.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { config.listen.ip() };
    let address = SocketAddr::new(ip, config.listen.port());
    let wait = Duration::from_secs(3);
    let mut stream =
        TcpStream::connect_timeout(&address, wait).with_context(|| format!("no hub answers at {address}"))?;
    stream.set_read_timeout(Some(wait))?;
    write!(stream, "GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(1_024).read_to_end(&mut answer)?;
    if !answer.starts_with(b"HTTP/1.1 200") {
        bail!("the hub at {address} is not well: {}", String::from_utf8_lossy(&answer).lines().next().unwrap_or(""));
    }
    println!("alive");
    Ok(())
}
