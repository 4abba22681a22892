//! Redis: whether it is there, fit, and keeps what it is given.

use probe::doctor::Finding;

use super::WITHIN;
use crate::config::Config;
use crate::operator::capacity::bytes_words;
use crate::queue::RedisInfo;

const AREA: &str = "redis";

pub(super) async fn examine(config: &Config) -> Vec<Finding> {
    let Some(url) = &config.redis_url else { return vec![Finding::ok(AREA, "not used: REDIS_URL is not set")] };
    let asked = tokio::time::timeout(WITHIN, RedisInfo::ask(url.expose(), config.ca_file.as_deref())).await;
    let why = match asked {
        Ok(Ok(info)) => {
            let version = info.version.clone().unwrap_or_else(|| "it".to_owned());
            return vec![Finding::ok(AREA, format!("{version} answers")), settings(&info)];
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", WITHIN.as_secs()),
    };
    let remedy = "REDIS_URL: is Redis (7.0 or newer, or Valkey) running, are its name, user and password right, and with rediss:// \
                  its authority known (CA_FILE)?";
    vec![Finding::fail(AREA, why, remedy)]
}

fn settings(info: &RedisInfo) -> Finding {
    let Some(policy) = &info.policy else {
        let remedy = "in redis-cli: maxmemory-policy has to be noeviction, and appendonly yes";
        return Finding::warn(AREA, "the hub's user may not ask how it is set (INFO)", remedy);
    };
    if policy != "noeviction" {
        let remedy =
            "set maxmemory-policy to noeviction: otherwise checks and results are thrown away when memory is full";
        return Finding::fail(AREA, format!("its maxmemory-policy is {policy}"), remedy);
    }
    if let Some((used, most)) = info.memory
        && most > 0
        && used > most / 10 * 9
    {
        let said = format!("{} of {} are used", bytes_words(used), bytes_words(most));
        return Finding::fail(AREA, said, "set maxmemory higher, or see why nobody takes results in");
    }
    if info.append_works == Some(false) {
        let remedy = "Redis cannot write its file: is its disk full?";
        return Finding::fail(AREA, "the last write to its file failed", remedy);
    }
    match info.appends {
        Some(true) => Finding::ok(AREA, "noeviction; every change is written down"),
        Some(false) | None => {
            let remedy = "set appendonly to yes: otherwise results that wait are lost when Redis is restarted";
            Finding::warn(AREA, "noeviction; what waits is in memory only", remedy)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use probe::doctor::State;

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
            (good.clone(), State::Ok),
            (RedisInfo { appends: Some(false), ..good.clone() }, State::Warn),
            (RedisInfo { policy: None, ..good.clone() }, State::Warn),
            (RedisInfo { policy: Some("allkeys-lru".to_owned()), ..good.clone() }, State::Fail),
            (RedisInfo { append_works: Some(false), ..good.clone() }, State::Fail),
            (RedisInfo { memory: Some((95, 100)), ..good.clone() }, State::Fail),
            (RedisInfo { memory: Some((50, 100)), ..good.clone() }, State::Ok),
        ] {
            let finding = settings(&info);
            assert_eq!(finding.state, level, "{info:?}");
            assert_eq!(finding.remedy.is_empty(), level == State::Ok, "{info:?}");
        }
    }
}
