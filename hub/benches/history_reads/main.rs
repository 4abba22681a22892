//! What pages cost to read over a million, ten million and a hundred million ticks, beside the table that comes to mind first.
//!
//! `cargo bench -p hub --bench history_reads -- grow URL [ticks]` fills databases `history_1m`, `history_10m` and `history_100m`
//! of a server and keeps them: days of 1,000 websites of one account that five regions look at every 1, 5 or 30 minutes (50,
//! 400, 550 of them) and of 300 small accounts with one each; counted, packed and dropped by what a hub does it with, the last
//! day left raw. It goes on where it was ended. `-- naive URL [days]` makes the rival's table in three sizes, `-- read URL` measures
//! and prints the table. URL is that of a database of the server in which others may be made.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a measurement may fail by panicking"
)]

mod day;
mod fill;
#[path = "../history/made.rs"]
mod made;
mod naive;
mod read;
mod timing;

/// What fills the databases, largest last: name, and ticks at least.
const SIZES: [(&str, i64); 3] = [("history_1m", 1_000_000), ("history_10m", 10_000_000), ("history_100m", 100_000_000)];

fn main() {
    let given: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = given.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    match words[..] {
        ["grow", url] => runtime.block_on(fill::grow(url, SIZES[2].1)),
        ["grow", url, ticks] => runtime.block_on(fill::grow(url, ticks.parse().expect("a number of ticks"))),
        ["naive", url] => runtime.block_on(naive::grow(url, 93)),
        ["naive", url, days] => runtime.block_on(naive::grow(url, days.parse().expect("a number of days"))),
        ["read", url] => runtime.block_on(read::measure(url)),
        _ => println!("Nothing to do: -- grow URL [ticks], -- naive URL [days] or -- read URL."),
    }
}

/// The URL of another database of the same server.
fn beside(url: &str, name: &str) -> String {
    let (server, _) = url.rsplit_once('/').expect("a database in the URL");
    format!("{server}/{name}")
}
