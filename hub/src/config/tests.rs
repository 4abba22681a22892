use super::*;
use std::collections::HashMap;
fn with(values: &[(&str, &str)]) -> Result<Config, FieldErrors> {
    let environment = values.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    Config::from_sources(&Sources { environment, ..Sources::default() })
}

const KEY: &str = "q8Zr0pV2mXw9Lk4TnB7yHf3CsJ6dGa1E";

#[test]
fn no_environment_at_all_is_fine() {
    let config = with(&[]).unwrap();
    assert!(config.is_embedded());
    assert_eq!(config.listen.to_string(), "127.0.0.1:3001");
}

#[test]
fn a_flag_is_stronger_than_the_environment_whichever_name_it_has() {
    let sources = |flags: &[(&'static str, &str)]| Sources {
        flags: flags.iter().map(|(n, v)| (*n, (*v).to_owned())).collect(),
        environment: HashMap::from([("PORT".to_owned(), "8080".to_owned())]),
        file: HashMap::from([("LISTEN".to_owned(), "0.0.0.0:1".to_owned())]),
    };
    assert_eq!(Config::from_sources(&sources(&[])).unwrap().listen.to_string(), "0.0.0.0:8080");
    let flag = sources(&[("LISTEN", "127.0.0.1:4000")]);
    assert_eq!(Config::from_sources(&flag).unwrap().listen.to_string(), "127.0.0.1:4000");
}

#[test]
fn all_problems_are_reported_at_once() {
    let errors = with(&[
        ("LISTEN", "here"),
        ("SIGNUPS", "maybe"),
        ("REDIS_URL", "redis://h"),
        ("CONCURRENCY", "0"),
        ("HOST_CHECKS_PER_S", "0.5"),
        ("API_REQUESTS_PER_S", "0"),
        ("RETENTION_DAYS", "1"),
        ("CANARIES", "x,1.1.1.1:443,y"),
        ("RUST_LOG", "hub=loud"),
        ("TRUSTED_PROXIES", "127.0.0.1/32, nginx"),
    ]);
    let fields: Vec<_> = errors.unwrap_err().0.iter().map(|e| e.field).collect();
    let wrong = [
        "LISTEN",
        "SIGNUPS",
        "CONCURRENCY",
        "HOST_CHECKS_PER_S",
        "API_REQUESTS_PER_S",
        "RETENTION_DAYS",
        "CANARIES",
        "CANARIES",
        "RUST_LOG",
        "TRUSTED_PROXIES",
        "DATABASE_URL",
        "JWT_SECRET_KEY",
    ];
    assert_eq!(fields, wrong);
}

#[test]
fn t133_a_weak_key_stops_the_start() {
    for weak in ["short", &KEY[..31], &"a".repeat(40), "please-change-me-please-change-me-1234"] {
        assert!(with(&[("JWT_SECRET_KEY", weak)]).is_err(), "{weak}");
    }
    assert!(with(&[("JWT_SECRET_KEY", KEY)]).is_ok());
}

#[test]
fn secrets_are_masked_and_never_quoted_in_errors() {
    let config = with(&[("DATABASE_URL", "postgres://u:hunter2@h/d"), ("JWT_SECRET_KEY", KEY)]).unwrap();
    let shown = format!("{}{config:?}", config.show());
    assert!(!shown.contains("hunter2") && !shown.contains(KEY), "{shown}");
    let errors = with(&[("DATABASE_URL", "mysql://u:hunter2@h/d")]).unwrap_err().to_string();
    assert!(!errors.contains("hunter2") && errors.contains("mysql"), "{errors}");
}

#[test]
fn the_address_of_a_dead_mans_switch_is_a_secret() {
    let url = "https://hc-ping.com/hunter2";
    let config = with(&[("DEAD_MAN_URL", url)]).unwrap();
    assert_eq!(config.dead_man_url, Some(Secret::new(url)));
    let shown = format!("{}{config:?}", config.show());
    assert!(!shown.contains("hunter2") && shown.contains("DEAD_MAN_URL"), "{shown}");
    for wrong in ["hunter2", "ftp://h/hunter2", "https://u:hunter2@h/", "http://"] {
        let errors = with(&[("DEAD_MAN_URL", wrong)]).unwrap_err().to_string();
        assert!(errors.contains("DEAD_MAN_URL") && !errors.contains("hunter2"), "{errors}");
    }
}

#[test]
fn t278_a_secret_may_come_from_a_file_but_not_from_both() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{KEY}\n")).unwrap();
    let path = file.path().to_str().unwrap();
    assert_eq!(with(&[("JWT_SECRET_KEY_FILE", path)]).unwrap().jwt_secret_key, Some(Secret::new(KEY)));
    assert!(with(&[("JWT_SECRET_KEY_FILE", path), ("JWT_SECRET_KEY", KEY)]).is_err());
}

#[test]
fn metrics_are_never_told_to_whoever_asks() {
    let field = |values: &[(&str, &str)]| {
        with(values).unwrap_err().0.iter().map(|e| (e.field, e.found.clone())).collect::<Vec<_>>()
    };
    let config = with(&[("METRICS_LISTEN", "127.0.0.1:9464")]).unwrap();
    assert_eq!(config.metrics_listen.map(|listen| listen.to_string()).as_deref(), Some("127.0.0.1:9464"));
    assert!(with(&[("METRICS_LISTEN", "[::1]:9464")]).is_ok());
    let token = ("METRICS_TOKEN", "wL4nQ7xT2vB9kR5mZ8pH");
    let config = with(&[("METRICS_LISTEN", "0.0.0.0:9464"), token]).unwrap();
    assert!(!format!("{config:?} {}", config.show()).contains(token.1));
    for open in ["0.0.0.0:9464", "10.0.0.7:9464", "[::]:9464"] {
        assert_eq!(field(&[("METRICS_LISTEN", open)]), [("METRICS_LISTEN", open.to_owned())]);
    }
    assert_eq!(field(&[("METRICS_LISTEN", "9464")]), [("METRICS_LISTEN", "9464".to_owned())]);
    for weak in ["short", "with a space in the middle", "wL4nQ7xT2vB9kR5"] {
        assert_eq!(field(&[("METRICS_TOKEN", weak)]), [("METRICS_TOKEN", String::new())], "not repeated");
    }
}
