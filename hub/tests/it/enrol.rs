//! Enrolment on a real Redis 7.0: what a worker's user may do, and that hub and worker need no more than they are given.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hub::model::enrolment::{HUB_RULES, Place, sha256_hex};
use redis::{RedisResult, Value};
use serde_json::json;

use crate::client::{call, encoded, form_page, page, token};
use crate::process::{Hub, KEY, Target, probe};
use crate::services::{database, free_port, wait_until};

/// A redis-server whose users are in a file: nobody, an administrator, and the hub with its documented rights.
struct Guarded {
    child: Child,
    port: u16,
    directory: tempfile::TempDir,
}

impl Guarded {
    fn start() -> Self {
        let (directory, port) = (tempfile::tempdir().unwrap(), free_port());
        let users = format!(
            "user default off resetpass resetkeys resetchannels -@all ~betteruptime:* +@stream +multi +exec +unlink\nuser admin on >admin ~* &* +@all\nuser bu-hub on #{} {HUB_RULES}\n",
            sha256_hex("hub")
        );
        std::fs::write(directory.path().join("users.acl"), users).unwrap();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--aclfile", "users.acl"])
            // What is refused here is to be refused for want of the right.
            .args(["--enable-debug-command", "yes"])
            .current_dir(directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server; install it, or run ./test.sh, which does");
        wait_until("redis-server to listen", Duration::from_secs(10), || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Self { child, port, directory }
    }

    fn url(&self, user: &str, password: &str) -> String {
        format!("redis://{user}:{password}@127.0.0.1:{}", self.port)
    }

    fn admin(&self) -> redis::Connection {
        redis::Client::open(self.url("admin", "admin")).unwrap().get_connection().unwrap()
    }

    /// A worker's user with the password `probe`.
    fn user(&self, region: &str, worker: &str) -> redis::Connection {
        let place = Place { region: region.parse().unwrap(), worker: worker.parse().unwrap() };
        let mut command = redis::cmd("ACL");
        command.arg("SETUSER").arg(place.user()).arg(place.rules(&sha256_hex("probe")));
        command.query::<Value>(&mut self.admin()).unwrap();
        redis::Client::open(self.url(&place.user(), "probe")).unwrap().get_connection().unwrap()
    }

    /// What this user was refused, by what: from Redis' own log.
    fn refused(&self, user: &str) -> Vec<String> {
        let log: Vec<BTreeMap<String, Value>> = redis::cmd("ACL").arg("LOG").query(&mut self.admin()).unwrap();
        let text = |entry: &BTreeMap<String, Value>, name: &str| {
            redis::from_redis_value_ref::<String>(&entry[name]).unwrap_or_default()
        };
        let mut refused: Vec<String> =
            log.iter().filter(|e| text(e, "username") == user).map(|e| text(e, "object")).collect();
        refused.sort();
        refused
    }

    fn says(&self, words: &[&str]) -> Value {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query(&mut self.admin()).unwrap()
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Commands that a worker's user is refused, on the keys it does reach and on the server.
const FORBIDDEN: &str = "\
XADD betteruptime:website:eu * a 1
XDEL betteruptime:website:eu 1-0
XTRIM betteruptime:website:eu MAXLEN 0
XSETID betteruptime:website:eu 9-0
XLEN betteruptime:website:eu
XRANGE betteruptime:website:eu - +
XREVRANGE betteruptime:website:eu + -
XREAD STREAMS betteruptime:website:eu 0
XPENDING betteruptime:website:eu eu
XCLAIM betteruptime:website:eu eu w 0 1-0
XINFO STREAM betteruptime:website:eu
XINFO GROUPS betteruptime:website:eu
XINFO CONSUMERS betteruptime:website:eu eu
XGROUP CREATE betteruptime:website:eu other 0
XGROUP CREATECONSUMER betteruptime:website:eu eu other
XGROUP DELCONSUMER betteruptime:website:eu eu w1
XGROUP SETID betteruptime:website:eu eu 0
XGROUP DESTROY betteruptime:website:eu eu
DEL betteruptime:website:eu
UNLINK betteruptime:website:eu
EXPIRE betteruptime:website:eu 1
RENAME betteruptime:website:eu betteruptime:tick:eu:w1
COPY betteruptime:website:eu betteruptime:tick:eu:w1
MOVE betteruptime:website:eu 1
DUMP betteruptime:website:eu
TYPE betteruptime:website:eu
EXISTS betteruptime:website:eu
OBJECT ENCODING betteruptime:website:eu
MEMORY USAGE betteruptime:website:eu
SET betteruptime:website:eu 1
GET betteruptime:website:eu
XREADGROUP GROUP hub w1 STREAMS betteruptime:tick:eu:w1 >
XREAD STREAMS betteruptime:tick:eu:w1 0
XRANGE betteruptime:tick:eu:w1 - +
XLEN betteruptime:tick:eu:w1
XACK betteruptime:tick:eu:w1 hub 1-0
XAUTOCLAIM betteruptime:tick:eu:w1 hub w1 0 0
XDEL betteruptime:tick:eu:w1 1-0
XTRIM betteruptime:tick:eu:w1 MAXLEN 0
DEL betteruptime:tick:eu:w1
SET betteruptime:tick:eu:w1 1
KEYS *
SCAN 0
RANDOMKEY
DBSIZE
INFO
TIME
LASTSAVE
COMMAND COUNT
CONFIG GET maxmemory
CONFIG SET maxmemory 1
FLUSHALL
FLUSHDB
SELECT 1
SWAPDB 0 1
SAVE
BGSAVE
BGREWRITEAOF
SHUTDOWN NOSAVE
DEBUG SLEEP 0
MONITOR
REPLICAOF 127.0.0.1 1
PSYNC ? -1
MIGRATE 127.0.0.1 1 k 0 1
CLUSTER INFO
CLIENT LIST
CLIENT ID
CLIENT INFO
CLIENT KILL 127.0.0.1:1
CLIENT PAUSE 1
CLIENT UNPAUSE
ACL LIST
ACL USERS
ACL WHOAMI
ACL GETUSER admin
ACL SETUSER bu-probe-eu-w1 +@all
ACL DELUSER admin
ACL LOG
ACL SAVE
ACL LOAD
EVAL return(1) 0
EVALSHA 0000000000000000000000000000000000000000 0
SCRIPT FLUSH
FUNCTION LIST
FCALL f 0
MODULE LIST
PUBLISH c m
SUBSCRIBE c
PSUBSCRIBE *
MULTI
WATCH betteruptime:website:eu
SLOWLOG GET
LATENCY LATEST
MEMORY STATS
WAIT 0 1";

/// Keys that are others', with the commands that the user may use on its own.
const FOREIGN: &str = "\
XREADGROUP GROUP eu-west w1 STREAMS betteruptime:website:eu-west >
XAUTOCLAIM betteruptime:website:eu-west eu-west w1 0 0
XACK betteruptime:website:eu-west eu-west 1-0
XREADGROUP GROUP USA w1 STREAMS betteruptime:website:USA >
XREADGROUP GROUP EU w1 STREAMS betteruptime:website:EU >
XREADGROUP GROUP eu w1 STREAMS betteruptime:website:eu betteruptime:website:eu-west > >
XADD betteruptime:tick:eu:w2 * a 1
XADD betteruptime:tick:eu:w10 * a 1
XADD betteruptime:tick:eu-west:w1 * a 1
XADD betteruptime:tick:eu * a 1
XADD betteruptime:tick:* * a 1
XADD betteruptime:website:eu-west * a 1
XADD betteruptime * a 1
XACK somebody eu 1-0";

const ALLOWED: &str = "\
PING
CLIENT SETNAME probe
XADD betteruptime:tick:eu:w1 * a 1
XADD betteruptime:tick:eu:w1 NOMKSTREAM * a 1
XREADGROUP GROUP eu w1 COUNT 1 STREAMS betteruptime:website:eu >
XREADGROUP GROUP eu w1 COUNT 1 STREAMS betteruptime:website:eu 0
XACK betteruptime:website:eu eu 1-0
XAUTOCLAIM betteruptime:website:eu eu w1 30000 0 COUNT 10
HELLO 2";

fn says(connection: &mut redis::Connection, line: &str) -> RedisResult<Value> {
    let mut words = line.split(' ');
    let mut command = redis::cmd(words.next().unwrap());
    words.for_each(|word| {
        command.arg(word);
    });
    command.query(connection)
}

#[test]
fn t229_t231_a_workers_user_reaches_two_keys_and_nothing_else() {
    let redis = Guarded::start();
    for region in ["eu", "eu-west", "USA", "EU"] {
        redis.says(&["XGROUP", "CREATE", &format!("betteruptime:website:{region}"), region, "0", "MKSTREAM"]);
        redis.says(&["XADD", &format!("betteruptime:website:{region}"), "*", "v", "1"]);
    }
    redis.says(&["XADD", "betteruptime:tick:eu:w2", "*", "v", "1"]);
    let before = redis.says(&["XRANGE", "betteruptime:website:eu-west", "-", "+"]);
    let mut worker = redis.user("eu", "w1");
    for line in ALLOWED.lines() {
        let said = says(&mut worker, line);
        assert!(said.is_ok(), "{line}: {said:?}");
        println!("allowed  {line}");
    }
    let (forbidden, foreign) = (FORBIDDEN.lines().count(), FOREIGN.lines().count());
    assert!(forbidden >= 37 && foreign >= 6, "{forbidden} {foreign}");
    for line in FORBIDDEN.lines().chain(FOREIGN.lines()) {
        let error = says(&mut worker, line).expect_err(line);
        assert_eq!(error.code(), Some("NOPERM"), "{line}: {error}");
        println!("NOPERM   {line}");
    }
    println!("{forbidden} forbidden calls and {foreign} on foreign keys: all refused");
    assert_eq!(redis.says(&["XRANGE", "betteruptime:website:eu-west", "-", "+"]), before);
    // The other way round: the longer name does not reach the shorter.
    let mut west = redis.user("eu-west", "w1");
    assert!(says(&mut west, "XREADGROUP GROUP eu-west w1 STREAMS betteruptime:website:eu-west >").is_ok());
    for line in ["XREADGROUP GROUP eu w1 STREAMS betteruptime:website:eu >", "XADD betteruptime:tick:eu:w1 * a 1"] {
        assert_eq!(says(&mut west, line).expect_err(line).code(), Some("NOPERM"), "{line}");
    }
}

#[test]
fn operations_names_the_rights_that_are_tested() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/OPERATIONS.md")).unwrap();
    assert!(text.contains(&format!("user bu-hub on #<sha256> {HUB_RULES}\n")), "docs/OPERATIONS.md: {HUB_RULES}");
    let place = Place { region: "REGION".parse().unwrap(), worker: "WORKER".parse().unwrap() };
    assert!(text.contains(&place.line("<sha256>")), "docs/OPERATIONS.md: {}", place.line("<sha256>"));
}

/// Runs a command of one of our programs; exit code, standard output, standard error.
fn run(program: &str, directory: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> (i32, String, String) {
    let program = Path::new(env!("CARGO_BIN_EXE_betteruptime-hub")).with_file_name(program);
    let output = Command::new(program)
        .env_clear()
        .envs(environment.iter().copied())
        .current_dir(directory)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

fn setting<'a>(file: &'a str, name: &str) -> &'a str {
    let line = file.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("{name} in {file}"))
}

#[test]
fn t228_a_worker_joins_works_with_exactly_its_rights_and_is_cut_off_when_revoked() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (redis, database_url) = (Guarded::start(), runtime.block_on(database()));
    let (hub_url, admin_url) = (redis.url("bu-hub", "hub"), redis.url("admin", "admin"));
    let environment = [
        ("DATABASE_URL", database_url.as_str()),
        ("REDIS_URL", hub_url.as_str()),
        ("JWT_SECRET_KEY", KEY),
        ("REDIS_ADMIN_URL", admin_url.as_str()),
    ];
    let hub = Hub::start(directory.path(), &environment);
    let (base, target) = (hub.url(""), Target::start());
    let ann = token(&base, "ann", "correct horse");
    let command = |arguments: &[&str]| run("betteruptime-hub", directory.path(), &environment, arguments);

    // The command: a file for nobody else, no password on the screen, nothing overwritten.
    let (code, out, err) = command(&["probe", "enrol", "eu", "w1"]);
    assert_eq!(code, 0, "{err}");
    let file = directory.path().join("betteruptime-probe-eu-w1.env");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let settings = std::fs::read_to_string(&file).unwrap();
    let url = setting(&settings, "REDIS_URL");
    let password = url.split(['/', ':', '@']).find(|part| part.len() == 64).unwrap();
    assert!(!out.contains(password) && !err.contains(password) && out.is_empty(), "{out}{err}");
    // Redis is plain here: there is no authority to take along.
    assert!(!err.contains("CA_FILE"), "{err}");
    for part in ["ACL file", "systemctl enable", "--redis-url"] {
        assert!(err.contains(part), "{part} in {err}");
    }
    let users = std::fs::read_to_string(redis.directory.path().join("users.acl")).unwrap();
    assert!(users.contains("bu-probe-eu-w1") && !users.contains(password), "only its hash is with Redis, and saved");
    let (code, _, err) = command(&["probe", "enrol", "eu", "w1"]);
    assert!(code == 1 && err.contains("not overwritten"), "{err}");
    let (code, _, err) = command(&["probe", "enrol", "eu", "w1", "--out", "other.env"]);
    assert!(code == 1 && err.contains("there is a user bu-probe-eu-w1 already (worker w1 of region eu)"), "{err}");
    assert!(!directory.path().join("other.env").exists());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), settings);
    let (code, _, err) = command(&["probe", "enrol", "e_u", "w1"]);
    assert!(code == 2 && err.contains("region"), "{err}");
    // Without an administrator: the lines, with the hash alone.
    let without = &environment[..3];
    let (code, out, err) =
        run("betteruptime-hub", directory.path(), without, &["probe", "enrol", "eu", "w9", "--out", "-"]);
    let password = setting(&out, "REDIS_URL").split(['/', ':', '@']).find(|part| part.len() == 64).unwrap();
    assert!(
        code == 0 && err.contains(&sha256_hex(password)) && err.contains("ACL SETUSER bu-probe-eu-w9 reset on"),
        "{out}{err}"
    );

    // doctor finds nothing to mend, once the hub has opened the region.
    let worker_env = |url: &str| -> Vec<(String, String)> {
        [
            ("REDIS_URL", url),
            ("CONSUMER_GROUP_REGION_ID", "eu"),
            ("WORKER_ID", "w1"),
            ("CANARIES", "off"),
            ("ALLOW_PRIVATE", "127.0.0.0/8"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    };
    let mut worker = probe(directory.path(), url, "eu", "w1");
    wait_until("the region to report", Duration::from_secs(30), || hub.process.log().contains("A region reports"));
    let id = call("POST", &hub.url("/website"), Some(&ann), Some(&json!({"url": target.url("/")}))).1["id"].clone();
    let ticks = |region: &str| {
        let (_, shown) = call("GET", &hub.url(&format!("/status/{}", id.as_str().unwrap())), Some(&ann), None);
        let ticks = shown["ticks"].as_array().cloned().unwrap_or_default();
        ticks.iter().filter(|tick| tick["regionId"] == region && tick["status"] == "Up").count()
    };
    wait_until("a tick", Duration::from_secs(20), || ticks("eu") >= 1);
    assert_eq!(redis.refused("bu-probe-eu-w1"), Vec::<String>::new(), "the worker asks for nothing beyond its rights");
    // The library tells its name; Redis refuses that, and nothing else is asked for.
    let refused: Vec<String> = redis.refused("bu-hub").into_iter().filter(|what| what != "client|setinfo").collect();
    assert_eq!(refused, Vec::<String>::new(), "the hub asks for nothing beyond its rights");
    let env = worker_env(url);
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let (_, report, _) = run("betteruptime-probe", directory.path(), &env, &["doctor", "--json"]);
    for line in report.lines().filter(|line| line.contains("\"rights\"") || line.contains("\"redis\"")) {
        assert!(!line.contains("\"fail\"") && !line.contains("more than a probe needs"), "{line}");
    }
    assert!(report.contains("XREADGROUP, XAUTOCLAIM, XACK, XADD"), "{report}");

    // The page: a second region, its settings once.
    let fields =
        |region: &str| encoded(&[("region", region), ("worker", "w1"), ("redis_url", &redis.url("x", "hunter2"))]);
    let (status, once) = form_page(&base, "/probes/enrol", &ann, &fields("eu-west"));
    assert!(status == 200 && once.contains("REDIS_URL=redis://bu-probe-eu-west-w1:"), "{status} {once}");
    assert!(!once.contains("hunter2"));
    let (status, again) = form_page(&base, "/probes/enrol", &ann, &fields("eu-west"));
    assert!(status == 409 && again.contains("There is a user bu-probe-eu-west-w1 already"), "{again}");
    let (status, wrong) =
        form_page(&base, "/probes/enrol", &ann, &encoded(&[("region", "e u"), ("worker", ""), ("redis_url", "x")]));
    assert!(
        status == 422 && ["region-error", "worker-error", "redis_url-error"].iter().all(|e| wrong.contains(e)),
        "{wrong}"
    );
    let (_, shown) = page(&base, "/probes", &ann);
    for part in ["eu-west", "never reported", "reports", "own user", "Revoke its access"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    // eu / west-w1 would have the name of eu-west / w1: it is refused, and revoking it touches nobody.
    let clash = encoded(&[("region", "eu"), ("worker", "west-w1"), ("redis_url", &redis.url("x", "x"))]);
    assert_eq!(form_page(&base, "/probes/enrol", &ann, &clash).0, 409);
    assert_eq!(form_page(&base, "/probes/revoke", &ann, &encoded(&[("region", "eu"), ("worker", "west-w1")])).0, 404);
    let (code, list, _) = command(&["probe", "list"]);
    let row = list.lines().find(|line| line.starts_with("eu ")).unwrap_or_else(|| panic!("{list}"));
    assert!(code == 0 && ["w1", "reports", "own user"].iter().all(|part| row.contains(part)), "{list}");
    let (_, json, _) = command(&["probe", "list", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json[0]["region"], &json[0]["access"], &json[1]["state"]),
        (&json!("eu"), &json!("own user"), &json!("never reported"))
    );

    // Revoked: cut off at once, said so, no hot loop, and its stream is gone.
    let (code, out, err) = command(&["probe", "revoke", "eu-west", "w1"]);
    assert!(code == 0 && out.contains("connections ended: 0"), "{out}{err}");
    let lines = worker.log().lines().count();
    let (status, said) = form_page(&base, "/probes/revoke", &ann, &encoded(&[("region", "eu"), ("worker", "w1")]));
    assert!(
        status == 200 && said.contains("has no access any more") && !said.contains("connections ended: 0."),
        "{said}"
    );
    // Its reader has waited for the hub to open the region, said so, and says no more for a minute. Its reporter finds
    // out with the next sign of life, of which there is one every 10 s.
    wait_until("the worker to say why it has stopped", Duration::from_secs(30), || {
        let log = worker.log();
        log.lines().skip(lines).any(|line| line.contains("cannot be written to") || line.contains("cannot be read"))
    });
    let (began, hits) = (std::time::Instant::now(), target.hits());
    let first = worker.log().lines().count();
    wait_until("five seconds", Duration::from_secs(10), || began.elapsed() >= Duration::from_secs(5));
    let more = worker.log().lines().count() - first;
    assert!(more <= 12, "{more} lines in 5 s:\n{}", worker.log());
    assert_eq!(target.hits(), hits, "a worker without access checks nothing");
    println!("after the revocation, in the worker's log:");
    worker.log().lines().skip(lines).for_each(|line| println!("  {line}"));
    let (code, _, err) = command(&["probe", "revoke", "eu", "w1"]);
    assert!(code == 1 && err.contains("has no user of its own"), "{err}");
    wait_until("its stream to be gone", Duration::from_secs(10), || {
        redis.says(&["EXISTS", "betteruptime:tick:eu:w1"]) == Value::Int(0)
    });
    assert!(worker.terminate().is_some());
    assert!(!hub.process.log().contains(password) && !hub.process.log().contains("hunter2"));
}

#[test]
fn where_nothing_is_to_be_enrolled_it_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[]);
    let ann = token(&hub.url(""), "ann", "correct horse");
    wait_until("the hub's own worker", Duration::from_secs(10), || {
        page(&hub.url(""), "/probes", &ann).1.contains("LOCAL")
    });
    let (status, shown) = page(&hub.url(""), "/probes", &ann);
    assert!(status == 200 && shown.contains("nothing to enrol") && !shown.contains("/probes/enrol"), "{shown}");
    assert_eq!(form_page(&hub.url(""), "/probes/enrol", &ann, "region=a&worker=b&redis_url=redis://c").0, 404);
    for arguments in [&["probe", "enrol", "eu", "w1"][..], &["probe", "revoke", "eu", "w1"]] {
        let (code, _, err) = run("betteruptime-hub", directory.path(), &[], arguments);
        assert!(code == 1 && err.contains("no probe is enrolled here") && err.contains("REDIS_URL"), "{err}");
    }
    let (code, list, err) = run("betteruptime-hub", directory.path(), &[], &["probe", "list"]);
    assert!(code == 0 && list.contains("LOCAL") && list.contains("reports"), "{list}{err}");
}
