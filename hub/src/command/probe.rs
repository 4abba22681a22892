//! `probe enrol | revoke | list`.

use std::fs;
use std::io::{IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::json;

use super::{record, record_beside, table};
use crate::clock;
use crate::config::Config;
use crate::enrolment::{self, RedisAccess, saved_words};
use crate::model::enrolment::{Access, KnownProbe, Place, bare_redis_url, known_probes};
use crate::model::job;
use crate::queue::acl::Admin;
use crate::run;

/// Where nothing is to be enrolled.
pub const NOT_NEEDED: &str = "no probe is enrolled here: the hub has no REDIS_URL, so it checks from its own machine. To watch \
    from elsewhere give it DATABASE_URL (Postgres) and REDIS_URL; docs/OPERATIONS.md says how";

fn access(config: &Config) -> anyhow::Result<RedisAccess> {
    run::redis_access(config).context(NOT_NEEDED)
}

/// `probe enrol`: makes the worker's user in Redis, or says how, and writes its settings to `out` (`-`: to standard
/// output), which must not exist.
///
/// # Errors
/// There is such a user or file already, or Redis is away.
pub async fn enrol(
    config: &Config,
    place: &Place,
    redis_url: Option<&str>,
    out: Option<PathBuf>,
) -> anyhow::Result<()> {
    if job::is_reserved(&place.region) {
        anyhow::bail!("region {}: {}", place.region, job::RESERVED);
    }
    let redis = access(config)?;
    let bare = match redis_url {
        Some(url) => bare_redis_url(url).map_err(|remedy| anyhow::anyhow!("--redis-url: {remedy}"))?,
        None => bare_redis_url(redis.hub_url.expose()).map_err(|remedy| anyhow::anyhow!("--redis-url: {remedy}"))?,
    };
    let ticket = enrolment::ticket(place, &bare)?;
    let Place { region, worker } = place;
    let file = out.unwrap_or_else(|| format!("betteruptime-probe-{region}-{worker}.env").into());
    let is_shown = file.as_os_str() == "-";
    // First, so that no user is made whose password is nowhere.
    if !is_shown {
        write_new(&file, ticket.env_file.expose())?;
    }
    let made = match &redis.admin_url {
        Some(admin) => enrolment::enrol(&redis, admin, place, &ticket).await.map(Some),
        None => Ok(None),
    };
    let saved = made.inspect_err(|_| {
        if !is_shown {
            let _ = fs::remove_file(&file);
        }
    });
    let saved = saved.context("REDIS_ADMIN_URL")?;
    if saved.is_some() {
        record_beside(config, "probe enrol", "enrolled", "probe", &place.user()).await;
    }
    if is_shown {
        print!("{}", ticket.env_file.expose());
        if !std::io::stdout().is_terminal() {
            std::io::stdout().flush()?;
        }
    }
    // Beside standard output, which may be the file.
    match saved {
        Some(saved) => eprintln!("Redis knows the user {} now. {}", place.user(), saved_words(&saved)),
        None => eprintln!(
            "REDIS_ADMIN_URL is not set, so make the user yourself. In redis-cli, as an administrator:\n\n  {}\n\nthen ACL \
             SAVE, or this line in the ACL file or the configuration:\n\n  {}\n",
            place.command(&ticket.password_sha256),
            place.line(&ticket.password_sha256)
        ),
    }
    if redis_url.is_none() && redis.is_local() {
        eprintln!(
            "The hub reaches Redis at {}: from another machine that leads nowhere. Change REDIS_URL in the file, or revoke and \
             enrol with --redis-url.",
            bare.host_str().unwrap_or_default()
        );
    }
    if !is_shown {
        let authority = config.ca_file.as_deref().map(Path::new).filter(|_| bare.scheme() == "rediss");
        eprintln!("{}", next_steps(&file, authority));
    }
    Ok(())
}

/// With the authority that signed Redis' certificate, where it is one of theirs.
fn next_steps(file: &Path, authority: Option<&Path>) -> String {
    let shown = file.display();
    let name = file.file_name().map_or_else(|| shown.to_string(), |name| name.to_string_lossy().into_owned());
    let (bring, take) = match authority {
        None => (String::new(), String::new()),
        Some(authority) => (
            format!(" {}", authority.display()),
            format!(
                "  sudo install -D -m 644 {} /etc/betteruptime/ca.pem\n  echo CA_FILE=/etc/betteruptime/ca.pem | sudo tee -a \
                 /etc/betteruptime/probe.env\n",
                authority.file_name().unwrap_or_default().to_string_lossy()
            ),
        ),
    };
    format!(
        "Its settings are in {shown}, with its password; nobody else can read it.\n\nNext (sudo scp, if it is root's):\n  scp \
         {shown}{bring} THE-MACHINE:\n  ssh THE-MACHINE\n  sudo install -D -m 600 {name} /etc/betteruptime/probe.env && rm \
         {name}\n{take}  sudo betteruptime-probe doctor --config /etc/betteruptime/probe.env\n  sudo systemctl enable --now \
         betteruptime-probe\nThen remove {shown} here."
    )
}

fn write_new(file: &Path, text: &str) -> anyhow::Result<()> {
    let shown = file.display();
    let mut opened = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .with_context(|| format!("{shown} cannot be made; what is there is not overwritten"))?;
    opened.write_all(text.as_bytes()).and_then(|()| opened.sync_all()).with_context(|| format!("{shown}"))
}

/// `probe revoke`: ends a worker's access at once.
///
/// # Errors
/// It has none of its own, or Redis is away.
pub async fn revoke(config: &Config, place: &Place) -> anyhow::Result<()> {
    let redis = access(config)?;
    let user = place.user();
    let Some(admin) = &redis.admin_url else {
        println!(
            "REDIS_ADMIN_URL is not set, so do it yourself. In redis-cli, as an administrator:\n\n  ACL SETUSER {user} off\n  \
             CLIENT KILL USER {user}\n  ACL DELUSER {user}\n  ACL SAVE\n"
        );
        return Ok(());
    };
    let store = run::open_store_beside(config).await?;
    let revoked = enrolment::revoke(&store, &redis, admin, place).await?;
    record(&store, "probe revoke", "revoked", "probe", &user).await;
    store.close().await;
    println!("The user {user} is gone; connections ended: {}. {}", revoked.connections, saved_words(&revoked.saved));
    match revoked.reports_left {
        Some(0) => println!("All it had reported was taken in; its stream is gone too."),
        Some(left) => {
            println!("Reports not taken in yet: {left}. A hub that runs does it; its stream stays until then.")
        }
        None => println!("Its stream could not be looked at; a hub that runs takes in what is left there."),
    }
    Ok(())
}

/// `probe list`: who is enrolled and who was heard of.
///
/// # Errors
/// The database or Redis are away.
pub async fn list(config: &Config, json: bool) -> anyhow::Result<()> {
    let store = run::open_store_beside(config).await?;
    let regions = store.regions().await?;
    store.close().await;
    let enrolled = match run::redis_access(config).and_then(|redis| redis.admin_url) {
        Some(admin) => {
            let admin = Admin::new(admin.expose(), config.ca_file.as_deref())?;
            Some(admin.users().await.context("REDIS_ADMIN_URL")?)
        }
        None => None,
    };
    let (probes, now) = (known_probes(&regions, enrolled.as_deref()), clock::now());
    if json {
        let shown: Vec<_> = probes.iter().map(|probe| as_json(probe, now)).collect();
        println!("{}", serde_json::to_string_pretty(&shown)?);
        return Ok(());
    }
    if probes.is_empty() {
        println!("No worker was heard of yet, and none is known to be enrolled.");
        return Ok(());
    }
    let rows = probes.iter().map(|probe| {
        let seen = probe.seen.as_ref();
        let of = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        vec![
            probe.place.region.to_string(),
            probe.place.worker.to_string(),
            probe.state(now).to_owned(),
            of(seen.map(|worker| utc(worker.seen_at))),
            of(seen.map(|worker| worker.version.clone())),
            of(seen.map(|worker| worker.network.to_string().replace('_', " "))),
            of(seen.map(|worker| worker.excused.to_string())),
            of(probe.access.map(|access| access.words().to_owned())),
        ]
    });
    let heads = ["REGION", "WORKER", "STATE", "LAST SEEN (UTC)", "VERSION", "NETWORK", "EXCUSED", "ACCESS"];
    print!("{}", table(&heads, rows));
    Ok(())
}

fn utc(at: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(at);
    at.map_or_else(|_| String::new(), |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

fn as_json(probe: &KnownProbe, now: i64) -> serde_json::Value {
    let seen = probe.seen.as_ref();
    json!({
        "region": probe.place.region,
        "worker": probe.place.worker,
        "state": probe.state(now),
        "seen_at": seen.map(|worker| jiff::Timestamp::from_millisecond(worker.seen_at).map_or_else(|_| String::new(), |t| format!("{t:.3}"))),
        "version": seen.map(|worker| &worker.version),
        "concurrency": seen.map(|worker| worker.concurrency),
        "network": seen.map(|worker| worker.network),
        "excused": seen.map(|worker| worker.excused),
        "clock_offset_ms": seen.map(|worker| worker.clock_offset_ms),
        "access": probe.access.map(Access::words),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_take_an_authority_of_ones_own_along() {
        let file = Path::new("betteruptime-probe-EU-a.env");
        let plain = next_steps(file, None);
        assert!(
            plain.contains("scp betteruptime-probe-EU-a.env THE-MACHINE:") && !plain.contains("CA_FILE"),
            "{plain}"
        );
        let with = next_steps(file, Some(Path::new("/etc/betteruptime/redis-ca.pem")));
        for part in [
            "scp betteruptime-probe-EU-a.env /etc/betteruptime/redis-ca.pem THE-MACHINE:",
            "install -D -m 644 redis-ca.pem /etc/betteruptime/ca.pem",
            "CA_FILE=/etc/betteruptime/ca.pem | sudo tee -a /etc/betteruptime/probe.env",
        ] {
            assert!(with.contains(part), "{part} in {with}");
        }
        assert!(with.find("doctor") < with.find("systemctl enable"), "tried before it is started: {with}");
    }
}
