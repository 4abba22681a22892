//! The second factor as a person meets it: set up on a page, asked for between password and dashboard, lost and recovered.

use std::process::Command;
use std::time::SystemTime;

use hub::model::totp::FactorSecret;
use serde_json::{Value, json};

use crate::client::{call, encoded, form, form_page, page, token};
use crate::process::{Hub, KEY};
use crate::services::database;

const PASSWORD: &str = "correct horse";

/// A device that shows codes, `off` steps from now.
struct Device(FactorSecret);

impl Device {
    /// Reads the secret as an app does from the picture.
    fn from_page(text: &str) -> Self {
        let letters = text.split("secret=").nth(1).and_then(|rest| rest.split('&').next()).expect("a secret");
        let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
        for letter in letters.bytes() {
            let value = if letter.is_ascii_uppercase() { letter - b'A' } else { letter - b'2' + 26 };
            (held, bits) = ((held << 5) | u32::from(value), bits + 5);
            if bits >= 8 {
                bits -= 8;
                bytes.push(u8::try_from((held >> bits) & 0xff).unwrap());
            }
        }
        Self(FactorSecret(bytes.try_into().expect("twenty bytes")))
    }

    fn code(&self, off: i64) -> String {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        format!("{:06}", self.0.code(i64::try_from(now / 30).unwrap() + off))
    }

    /// None of now.
    fn wrong(&self) -> String {
        let near: Vec<String> = (-3..=3).map(|off| self.code(off)).collect();
        (0..).map(|n| format!("{n:06}")).find(|code| !near.contains(code)).unwrap()
    }
}

fn sign_in(base: &str, code: Option<&str>) -> (u16, Value) {
    let mut account = json!({"username": "ann", "password": PASSWORD});
    if let Some(code) = code {
        account["code"] = json!(code);
    }
    call("POST", &format!("{base}/signin"), None, Some(&account))
}

fn is_in(base: &str, token: &str) -> bool {
    call("GET", &format!("{base}/website"), Some(token), None).0 == 200
}

/// Posts a form as a browser does which has these cookies: status, where it is sent, the cookies it is given.
fn post(base: &str, path: &str, cookie: &str, body: &str) -> (u16, String, Vec<String>) {
    let config = ureq::Agent::config_builder().max_redirects(0).http_status_as_error(false).proxy(None).build();
    let agent: ureq::Agent = config.into();
    let answer = agent
        .post(format!("{base}{path}"))
        .header("cookie", cookie)
        .header("origin", base)
        .header("content-type", "application/x-www-form-urlencoded")
        .send(body)
        .unwrap_or_else(|e| panic!("POST {path}: {e}"));
    let header = |value: &ureq::http::HeaderValue| value.to_str().unwrap().to_owned();
    let to = answer.headers().get("location").map(header).unwrap_or_default();
    (answer.status().as_u16(), to, answer.headers().get_all("set-cookie").iter().map(header).collect())
}

/// Sets it up; the device, and the recovery codes.
fn set_up(base: &str, ann: &str) -> (Device, Vec<String>) {
    let password = encoded(&[("present_password", PASSWORD)]);
    let (status, text) = form_page(base, "/settings/factor/begin", ann, &password);
    assert_eq!(status, 200, "{text}");
    let device = Device::from_page(&text);
    let (status, text) = form_page(base, "/settings/factor/confirm", ann, &encoded(&[("code", &device.code(-1))]));
    assert_eq!(status, 200, "{text}");
    let list = text.split("<pre").nth(1).and_then(|rest| rest.split("</pre>").next()).expect("a list");
    let codes = list.split('>').nth(1).unwrap().split_whitespace().map(str::to_owned).collect();
    (device, codes)
}

#[test]
fn a_code_is_asked_for_and_a_lost_device_locks_nobody_out_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[]);
    a_code_is_asked_for(&hub.url(""), &hub.url(""));
    let program = env!("CARGO_BIN_EXE_betteruptime-hub");
    let reset = |name: &str| {
        let mut command = Command::new(program);
        let done = command.args(["user", "reset-factor", name]).env_clear().current_dir(directory.path()).output();
        let done = done.unwrap();
        (done.status.success(), String::from_utf8_lossy(&done.stdout).into_owned())
    };
    // Beside the hub that runs.
    assert_eq!(reset("ann"), (true, "The second factor of ann is off; its sessions have ended.\n".to_owned()));
    assert!(reset("ann").1.contains("has no second factor"));
    assert!(!reset("nobody").0);
    assert_eq!(sign_in(&hub.url(""), None).0, 200);
}

#[test]
fn a_code_is_asked_for_and_a_lost_device_locks_nobody_out_on_two_hubs() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let url = runtime.block_on(database());
    let environment = [("DATABASE_URL", url.as_str()), ("JWT_SECRET_KEY", KEY)];
    let hubs = (Hub::start(one.path(), &environment), Hub::start(two.path(), &environment));
    a_code_is_asked_for(&hubs.0.url(""), &hubs.1.url(""));
}

fn a_code_is_asked_for(base: &str, other_hub: &str) {
    let ann = token(base, "ann", PASSWORD);
    let (_, other) = sign_in(base, None);
    let other = other["token"].as_str().unwrap().to_owned();

    // Begun by who knows the password; until its first code nobody is asked for one.
    let (status, text) = form_page(base, "/settings/factor/begin", &ann, &encoded(&[("present_password", "wrong")]));
    assert!(status == 422 && text.contains("present-error") && !text.contains("secret="), "{text}");
    let password = encoded(&[("present_password", PASSWORD)]);
    let begun = form_page(base, "/settings/factor/begin", &ann, &password).1;
    assert!(begun.contains("<svg class=\"qr\"") && begun.contains("otpauth://totp/BetterUptime:ann?"), "{begun}");
    assert!(!page(base, "/settings/factor", &ann).1.contains("secret="), "it is shown once");
    assert_eq!(sign_in(base, None).0, 200);
    let first = Device::from_page(&begun);
    let (status, text) = form_page(base, "/settings/factor/confirm", &ann, &encoded(&[("code", &first.wrong())]));
    assert!(status == 422 && text.contains("code-error"), "{text}");

    // Begun anew: the first secret is nothing any more.
    let (device, codes) = set_up(base, &ann);
    assert_eq!(codes.len(), 10, "{codes:?}");
    assert!(is_in(base, &ann) && !is_in(other_hub, &other), "whoever was in without a code is out");
    let (status, text) = page(base, "/settings/factor", &ann);
    assert!(status == 200 && text.contains("10 are left") && !text.contains(&codes[0]), "{text}");

    // A program: what is missing is said to who knows the password, and to nobody else.
    let (status, answer) = sign_in(base, None);
    assert_eq!((status, &answer["errors"][0]["field"]), (422, &json!("code")), "{answer}");
    let wrong = json!({"username": "ann", "password": "guess", "code": device.code(0)});
    assert_eq!(call("POST", &format!("{base}/signin"), None, Some(&wrong)).0, 400);
    let (status, answer) = sign_in(base, Some(&device.wrong()));
    assert_eq!((status, &answer["errors"][0]["field"]), (422, &json!("code")), "{answer}");
    assert_eq!(sign_in(base, Some(&first.code(0))).0, 422);
    let used = device.code(0);
    let (status, answer) = sign_in(base, Some(&used));
    assert_eq!(status, 200, "{answer}");
    assert!(is_in(other_hub, answer["token"].as_str().unwrap()));
    assert_eq!(sign_in(other_hub, Some(&used)).0, 422, "a code that was looked at over a shoulder");

    // A browser: the password alone opens nothing.
    let credentials = encoded(&[("username", "ann"), ("password", PASSWORD)]);
    let (status, to, cookies) = post(base, "/signin?next=/settings", "", &credentials);
    assert_eq!((status, to.as_str()), (303, "/signin/code?next=/settings"));
    let ticket = cookies.iter().find(|cookie| cookie.starts_with("betteruptime_ticket=")).expect("a ticket");
    assert!(ticket.contains("HttpOnly") && cookies.len() == 1, "{cookies:?}");
    let ticket = ticket.split(';').next().unwrap().to_owned();
    let as_token = ticket.replace("betteruptime_ticket=", "");
    assert!(!is_in(base, &as_token), "a ticket is no token");
    assert_eq!(form(base, "/settings/sessions/end", &as_token, ""), 303);
    let code = |hub: &str, typed: &str| {
        post(hub, "/signin/code?next=/settings", &ticket, &encoded(&[("code", typed), ("recovery_code", "")]))
    };
    let recover = |hub: &str, typed: &str| {
        post(hub, "/signin/code", &ticket, &encoded(&[("code", ""), ("recovery_code", typed)]))
    };
    assert_eq!(code(base, &used).0, 422);
    let (status, to, cookies) = code(other_hub, &device.code(1));
    assert_eq!((status, to.as_str()), (303, "/settings"));
    let session = cookies.iter().find_map(|cookie| cookie.strip_prefix("betteruptime_session=")).expect("a session");
    assert!(is_in(base, session.split(';').next().unwrap()), "{cookies:?}");
    assert_eq!(post(base, "/signin/code", "", "code=123456").1, "/signin", "without a first step");
    assert_eq!(post(base, "/signin/code", "betteruptime_ticket=forged", "code=123456").1, "/signin");

    // A recovery code: once, whatever hub.
    let typed = codes[0].to_uppercase().replace('-', " ");
    assert_eq!((recover(base, &typed).0, recover(other_hub, &typed).0), (303, 422));
    assert!(page(base, "/settings/factor", &ann).1.contains("9 are left"));

    // Guessing ends soon; a recovery code is taken all the same.
    let wrong = device.wrong();
    let tries: Vec<u16> = (0..12).map(|n| code(if n % 2 == 0 { base } else { other_hub }, &wrong).0).collect();
    assert!(tries.ends_with(&[429; 2]), "{tries:?}");
    assert_eq!(recover(base, &codes[1]).0, 303);
}
