//! What Redis says of itself, for whoever asks whether it is fit.

use std::collections::HashMap;
use std::time::Duration;

use redis::RedisError;

use super::is_answer;
use super::reach::Way;

const WAIT: Duration = Duration::from_secs(4);

/// As INFO tells it. What is not told, since this user may not ask or the server has no such line, is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RedisInfo {
    /// "Redis 7.0.15", "Valkey 8.0.1".
    pub version: Option<String>,
    /// What it does when its memory is full.
    pub policy: Option<String>,
    /// It writes down every change as it happens.
    pub appends: Option<bool>,
    /// The last write of that succeeded.
    pub append_works: Option<bool>,
    /// Bytes it uses, and may use; 0: as much as there is.
    pub memory: Option<(u64, u64)>,
}

impl RedisInfo {
    /// Asks. A server that is older than 7.0 is an error that says so.
    ///
    /// # Errors
    /// The URL is not understood, or Redis is away, too old, or refused.
    pub async fn ask(url: &str, ca_file: Option<&str>) -> Result<Self, RedisError> {
        let mut link = Way::new(url, ca_file)?.connect(WAIT).await?;
        match redis::cmd("INFO").query_async::<String>(&mut link.connection).await {
            Ok(info) => Ok(Self::parse(&info)),
            // This user may do less than INFO; what it needs it may.
            Err(error) if is_answer(&error) => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    fn parse(info: &str) -> Self {
        let lines: HashMap<&str, &str> = info.lines().filter_map(|line| line.trim_end().split_once(':')).collect();
        let text = |name: &str| lines.get(name).map(|value| shown(value));
        let yes = |name: &str, yes: &str| lines.get(name).map(|value| *value == yes);
        let bytes = |name: &str| lines.get(name).and_then(|value| value.parse().ok());
        let named = |name: &str, key: &str| text(key).map(|version| format!("{name} {version}"));
        Self {
            version: named("Valkey", "valkey_version").or_else(|| named("Redis", "redis_version")),
            policy: text("maxmemory_policy"),
            appends: yes("aof_enabled", "1"),
            append_works: yes("aof_last_write_status", "ok"),
            memory: bytes("used_memory").zip(bytes("maxmemory")),
        }
    }
}

/// It is another program's word.
fn shown(value: &str) -> String {
    value.chars().filter(char::is_ascii_graphic).take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_known_and_nothing_else() {
        let info = "# Server\r\nredis_version:7.0.15\r\n# Memory\r\nused_memory:1000\r\nmaxmemory:0\r\n\
                    maxmemory_policy:noeviction\r\n# Persistence\r\naof_enabled:1\r\naof_last_write_status:err\r\n";
        let found = RedisInfo::parse(info);
        assert_eq!(found.version.as_deref(), Some("Redis 7.0.15"));
        assert_eq!((found.policy.as_deref(), found.memory), (Some("noeviction"), Some((1_000, 0))));
        assert_eq!((found.appends, found.append_works), (Some(true), Some(false)));
        let valkey = RedisInfo::parse("redis_version:7.2.4\r\nvalkey_version:8.0.1\u{1b}[2J\r\n");
        assert_eq!(valkey.version.as_deref(), Some("Valkey 8.0.1[2J"));
        assert_eq!(RedisInfo::parse("nonsense"), RedisInfo::default());
    }
}
