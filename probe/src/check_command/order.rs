//! The arguments of `check`: what to ask and what to expect.

use lexopt::Arg::{Long, Short, Value};
use lexopt::ValueExt;
use url::Url;

use crate::wire::{Content, Expectations, HeaderField, IpFamily, Method, RequestOptions, SecretText, Target};

/// Shown by `check --help`.
pub(super) const HELP: &str = "\
Checks a website once, from here, and shows what came of it.

Usage: betteruptime-probe check <url> [options]

What to ask:
  -X, --method M              GET (default), HEAD, POST, PUT, PATCH, DELETE, OPTIONS
  -H, --header 'Name: value'  a header field; may be given more than once
      --body TEXT             a body, for POST, PUT, PATCH, DELETE
      --user-agent TEXT       instead of the product's name
      --redirects N           redirects followed at most (default 5)
      --timeout-ms N          budget of the whole check (default 10000)
  -4, -6                      IPv4 or IPv6 only
      --insecure              take any certificate
      --ca FILE               trust these authorities too (PEM)
      --public-only           refuse private addresses, as a probe does by default

What to expect:
      --status LIST           such as 200-299,301 (default 200-299)
      --contains TEXT         in the body; may be given more than once, like those below
      --lacks TEXT            not in the body
      --matches PATTERN       a regular expression
      --json-equals /PTR=VAL  a JSON pointer and the value there
      --header-equals 'Name: value'
      --slow-ms N             slower is degraded
      --certificate-days N    fewer days left is degraded
      --require-https         the answer must come over https

      --json                  the tick, for programs

Exit codes: 0 up or degraded, 1 down or unknown, 2 wrong usage.
";

/// What was ordered.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) target: Target,
    pub(super) json: bool,
    pub(super) public_only: bool,
    pub(super) ca_file: Option<String>,
}

/// Reads the arguments after `check`. `None`: help was asked for.
///
/// # Errors
/// What was found and what would work.
pub(super) fn parse(mut parser: lexopt::Parser) -> Result<Option<Order>, lexopt::Error> {
    let mut url = None;
    let mut order = Order { target: Target::get(""), json: false, public_only: false, ca_file: None };
    let mut request = RequestOptions::default();
    let mut expect = Expectations::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Value(text) if url.is_none() => url = Some(text.string()?),
            Short('h') | Long("help") => return Ok(None),
            Short('X') | Long("method") => request.method = method(&parser.value()?.string()?)?,
            Short('H') | Long("header") => {
                let (name, value) = field(&parser.value()?.string()?)?;
                request.headers.push(HeaderField { name, value: SecretText::new(value) });
            }
            Long("body") => request.body = Some(SecretText::new(parser.value()?.string()?)),
            Long("user-agent") => request.user_agent = Some(parser.value()?.string()?),
            Long("redirects") => request.max_redirects = parser.value()?.parse()?,
            Long("timeout-ms") => order.target.timeout_ms = parser.value()?.parse()?,
            Short('4') => request.ip_family = IpFamily::V4,
            Short('6') => request.ip_family = IpFamily::V6,
            Long("insecure") => request.insecure_tls = true,
            Long("ca") => order.ca_file = Some(parser.value()?.string()?),
            Long("public-only") => order.public_only = true,
            Long("status") => expect.accept = parser.value()?.string()?.parse()?,
            Long("contains") => expect.content.push(Content::Contains(parser.value()?.string()?)),
            Long("lacks") => expect.content.push(Content::Lacks(parser.value()?.string()?)),
            Long("matches") => expect.content.push(Content::Matches(parser.value()?.string()?)),
            Long("json-equals") => expect.content.push(json_equals(&parser.value()?.string()?)?),
            Long("header-equals") => {
                let (name, value) = field(&parser.value()?.string()?)?;
                expect.content.push(Content::HeaderEquals { name, value });
            }
            Long("slow-ms") => expect.slow_ms = Some(parser.value()?.parse()?),
            Long("certificate-days") => expect.certificate_days = Some(parser.value()?.parse()?),
            Long("require-https") => expect.require_https = true,
            Long("json") => order.json = true,
            other => return Err(other.unexpected()),
        }
    }
    let url = url.ok_or("check takes one address, such as https://example.com/")?;
    order.target.url = parse_url(&url)?.into();
    (order.target.request, order.target.expect) = (request, expect);
    match order.target.problems().first() {
        None => Ok(Some(order)),
        Some(problem) => Err(format!("{} is \"{}\"; {}", problem.field, problem.found, problem.remedy).into()),
    }
}

fn method(text: &str) -> Result<Method, String> {
    text.to_ascii_uppercase().parse().map_err(|_| {
        let all: Vec<&str> = Method::ALL.iter().map(|method| method.as_str()).collect();
        format!("\"{}\" is not a method; give one of {}", quoted(text), all.join(", "))
    })
}

fn field(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or_else(|| "a header field is written 'Name: value'".to_owned())?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// `/status=ok`: a value that is not JSON is a text, so that quotes need no quoting.
fn json_equals(text: &str) -> Result<Content, String> {
    let (pointer, value) = text.split_once('=').ok_or_else(|| "write it like /status=ok or /count=3".to_owned())?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    Ok(Content::JsonEquals { pointer: pointer.to_owned(), value })
}

/// Reads a URL as people type it: the scheme may be missing.
fn parse_url(text: &str) -> Result<Url, String> {
    let typed = quoted(text);
    let example = "write it like https://example.com/";
    let text = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let mut url = Url::parse(&text).map_err(|e| format!("\"{typed}\" is not a URL ({e}); {example}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("\"{}\" URLs cannot be checked, only http and https; {example}", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("the URL holds credentials, which are not sent; {example}"));
    }
    url.set_fragment(None);
    Ok(url)
}

fn quoted(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_default).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_may_lack_its_scheme_but_not_be_nonsense() {
        assert_eq!(parse_url("example.com").unwrap().as_str(), "https://example.com/");
        for bad in ["", "ftp://example.com", "http://u:p@example.com", "http://example.com:65536/", "http://"] {
            assert!(parse_url(bad).is_err(), "{bad}");
        }
    }

    fn order(arguments: &[&str]) -> Result<Order, String> {
        let parsed = parse(lexopt::Parser::from_args(arguments)).map_err(|e| e.to_string())?;
        parsed.ok_or_else(|| "help".to_owned())
    }

    #[test]
    fn everything_a_website_may_ask_can_be_asked_by_hand() {
        let order = order(&[
            "example.com",
            "-X",
            "post",
            "-H",
            "X-Key: a:b",
            "--body",
            "{}",
            "--redirects",
            "0",
            "-4",
            "--insecure",
            "--status",
            "200-204, 301",
            "--contains",
            "ok",
            "--json-equals",
            "/a=1",
            "--json-equals",
            "/b=yes",
            "--header-equals",
            "Server: x",
            "--slow-ms",
            "500",
            "--json",
        ]);
        let Order { target, json, .. } = order.unwrap();
        assert_eq!((target.url.as_str(), target.request.method, json), ("https://example.com/", Method::Post, true));
        assert_eq!(target.request.headers[0].value.expose(), "a:b");
        assert_eq!(target.expect.accept.0, [(200, 204), (301, 301)]);
        let values = [serde_json::json!(1), serde_json::json!("yes")];
        for (content, expected) in target.expect.content[1..3].iter().zip(values) {
            assert!(matches!(content, Content::JsonEquals { value, .. } if *value == expected), "{content:?}");
        }
    }

    #[test]
    fn what_cannot_be_asked_is_told() {
        for (arguments, part) in [
            (&[][..], "one address"),
            (&["a.example", "b.example"], "b.example"),
            (&["a.example", "-X", "DANCE"], "GET, HEAD"),
            (&["a.example", "-H", "x"], "Name: value"),
            (&["a.example", "--matches", "("], "regular expression"),
            (&["a.example", "--status", "20"], "200-299"),
            (&["a.example", "--body", "x"], "POST"),
            (&["a.example", "--dance"], "--dance"),
        ] {
            let error = order(arguments).unwrap_err();
            assert!(error.contains(part), "{arguments:?}: {error}");
        }
    }
}
