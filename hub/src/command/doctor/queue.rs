//! Redis: whether it is there, fit, and keeps what it is given.

use super::{Finding, WITHIN};
use crate::config::Config;
use crate::operator::capacity::bytes_words;
use crate::queue::RedisInfo;

const SETTINGS: &str = "redis_settings";

pub(super) async fn examine(config: &Config, found: &mut Vec<Finding>) {
    let check = "redis";
    let Some(url) = &config.redis_url else {
        found.push(Finding::skipped(check, "not used: REDIS_URL is not set"));
        found.push(Finding::skipped(SETTINGS, "not used"));
        return;
    };
    let asked = tokio::time::timeout(WITHIN, RedisInfo::ask(url.expose(), config.ca_file.as_deref())).await;
    let why = match asked {
        Ok(Ok(info)) => {
            let version = info.version.clone().unwrap_or_else(|| "it".to_owned());
            found.push(Finding::fine(check, format!("{version} answers")));
            found.push(settings(&info));
            return;
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", WITHIN.as_secs()),
    };
    let remedy = "REDIS_URL: is Redis (7.0 or newer, or Valkey) running, are its name, user and password right, and with rediss:// \
                  its authority known (CA_FILE)?";
    found.push(Finding::wrong(check, why, remedy));
    found.push(Finding::skipped(SETTINGS, "needs Redis"));
}

fn settings(info: &RedisInfo) -> Finding {
    let Some(policy) = &info.policy else {
        let remedy = "In redis-cli: maxmemory-policy has to be noeviction, and appendonly yes.";
        return Finding::note(SETTINGS, "the hub's user may not ask how it is set (INFO)", remedy);
    };
    if policy != "noeviction" {
        let remedy =
            "Set maxmemory-policy to noeviction: otherwise checks and results are thrown away when memory is full.";
        return Finding::wrong(SETTINGS, format!("maxmemory-policy is {policy}"), remedy);
    }
    if let Some((used, most)) = info.memory
        && most > 0
        && used > most / 10 * 9
    {
        let said = format!("{} of {} are used", bytes_words(used), bytes_words(most));
        return Finding::wrong(SETTINGS, said, "Set maxmemory higher, or see why nobody takes results in.");
    }
    if info.append_works == Some(false) {
        let remedy = "Redis cannot write its file: is its disk full?";
        return Finding::wrong(SETTINGS, "the last write to its file failed", remedy);
    }
    match info.appends {
        Some(true) => Finding::fine(SETTINGS, "noeviction; every change is written down"),
        Some(false) | None => {
            let remedy = "Set appendonly to yes: otherwise results that wait are lost when Redis is restarted.";
            Finding::note(SETTINGS, "noeviction; what waits is in memory only", remedy)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn redis_must_throw_nothing_away() {
        let good = RedisInfo {
            version: Some("Redis 7.0.15".to_owned()),
            policy: Some("noeviction".to_owned()),
            appends: Some(true),
            append_works: Some(true),
            memory: Some((1_000, 0)),
        };
        for (info, level) in [
            (good.clone(), Level::Fine),
            (RedisInfo { appends: Some(false), ..good.clone() }, Level::Note),
            (RedisInfo { policy: None, ..good.clone() }, Level::Note),
            (RedisInfo { policy: Some("allkeys-lru".to_owned()), ..good.clone() }, Level::Wrong),
            (RedisInfo { append_works: Some(false), ..good.clone() }, Level::Wrong),
            (RedisInfo { memory: Some((95, 100)), ..good.clone() }, Level::Wrong),
            (RedisInfo { memory: Some((50, 100)), ..good.clone() }, Level::Fine),
        ] {
            let finding = settings(&info);
            assert_eq!(finding.level, level, "{info:?}");
            assert_eq!(finding.remedy.is_empty(), level == Level::Fine, "{info:?}");
        }
    }
}
