//! The probe's command line.

use std::process::ExitCode;

use lexopt::Arg::{Long, Short, Value};
use probe::{check_command, config, doctor, logger, run};

const HELP: &str = "\
BetterUptime's probe: times HTTP(S) requests for a hub.

Usage: betteruptime-probe [run] [--config FILE]
       betteruptime-probe check <url> [options]   (check --help lists them)
       betteruptime-probe doctor [--config FILE] [--json]
       betteruptime-probe config show

Settings (environment, or NAME=value lines of FILE):
  REDIS_URL                 redis://user:password@host:6379, or rediss:// for TLS; or REDIS_URL_FILE
  CONSUMER_GROUP_REGION_ID  the region it watches from, e.g. INDIA
  WORKER_ID                 its name in the region (default: the host's name up to its first dot)
  CONCURRENCY               checks run at once, 1 to 2000 (default 50)
  ALLOW_PRIVATE             private networks it may reach, e.g. 192.168.1.0/24,10.0.0.0/8
  CANARIES                  who tells whether the probe's own network works, e.g. 1.1.1.1:443,9.9.9.9:443, or off
  CA_FILE                   certificate authorities to trust besides Mozilla's (PEM)
  SPOOL_DIRECTORY           where results wait that cannot be sent and do not fit in memory (default: memory only)
  SPOOL_MIB                 what they may take there (default 64)
  METRICS_LISTEN            where this machine's Prometheus finds /metrics and /probe, e.g. 127.0.0.1:9465 (default: nowhere)
  RUST_LOG                  off, error, warn, info (default), debug or trace

doctor tries everything a probe needs, changes nothing, and says what to do. Redis' ACL LOG shows what its user was
refused: three commands, when it may do no more than a probe needs.

Exit codes: 0 fine, 1 failed (check: down), 2 wrong usage or settings.
";

fn main() -> ExitCode {
    match parse() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("betteruptime-probe: {error}\n\n{HELP}");
            ExitCode::from(2)
        }
    }
}

fn parse() -> Result<ExitCode, lexopt::Error> {
    let mut parser = lexopt::Parser::from_env();
    if std::env::args_os().nth(1).is_some_and(|word| word == "check") {
        parser.next()?;
        return check_command::run(parser);
    }
    let (mut words, mut json, mut file) = (Vec::new(), false, None);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("json") => json = true,
            Value(word) => words.push(word.to_string_lossy().into_owned()),
            Long("config") => file = Some(parser.value()?.to_string_lossy().into_owned()),
            Long("help") | Short('h') => {
                print!("{HELP}");
                return Ok(ExitCode::SUCCESS);
            }
            Long("version") | Short('V') => {
                println!("betteruptime-probe {}", env!("CARGO_PKG_VERSION"));
                return Ok(ExitCode::SUCCESS);
            }
            other => return Err(other.unexpected()),
        }
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["check", ..] => Err("check comes first: betteruptime-probe check https://example.com".into()),
        ["doctor"] => Ok(doctor::run(file.as_deref(), json)),
        [] | ["run"] => Ok(with_config(file.as_deref(), |config| match run::run(config) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("betteruptime-probe: {error}");
                ExitCode::FAILURE
            }
        })),
        ["config", "show"] => Ok(with_config(file.as_deref(), |config| {
            print!("{}", config.show());
            ExitCode::SUCCESS
        })),
        [other, ..] => Err(format!("\"{other}\" is not a command").into()),
    }
}

fn with_config(file: Option<&str>, act: impl FnOnce(&config::Config) -> ExitCode) -> ExitCode {
    match config::Config::load(file) {
        Ok(config) => {
            logger::init(config.log);
            act(&config)
        }
        Err(problems) => {
            eprintln!("The probe cannot start with these settings:\n");
            for problem in problems {
                eprintln!("  {problem}");
            }
            ExitCode::from(2)
        }
    }
}
