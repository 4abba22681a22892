//! What can be said on the hub's command line.

use std::collections::HashMap;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use hub::command::dead_letters::Which;
use hub::model::{LetterFilter, LetterId, RegionId, WebsiteId, WorkerId};

/// BetterUptime's hub: schedules checks, decides up or down, serves the pages.
///
/// Started without anything, it keeps its data in ./data, checks from this machine, and prints where to sign up.
#[derive(Parser)]
#[command(name = "betteruptime-hub", version)]
pub(crate) struct Cli {
    /// Address and port to listen on (LISTEN, default 127.0.0.1:3001).
    #[arg(long, global = true)]
    pub(crate) listen: Option<String>,
    /// How browsers reach the hub, e.g. `https://status.example.com` (PUBLIC_URL).
    #[arg(long, global = true)]
    pub(crate) public_url: Option<String>,
    /// Where SQLite file, secrets and sockets live (STATE_DIRECTORY, default ./data).
    #[arg(long, global = true)]
    pub(crate) state_directory: Option<String>,
    /// Who may make an account: first, open or closed (SIGNUPS).
    #[arg(long, global = true)]
    pub(crate) signups: Option<String>,
    /// text or json (LOG_FORMAT).
    #[arg(long, global = true)]
    pub(crate) log_format: Option<String>,
    /// File of NAME=value lines (CONFIG_FILE).
    #[arg(long, global = true)]
    pub(crate) config: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the hub (the default).
    Serve,
    /// Bring the database to this version's schema.
    Migrate {
        /// Change nothing, and say what would be done: which migrations, which tables they lock and for how long, how much room
        /// they take. Ends with 1 when it would fail.
        #[arg(long)]
        dry_run: bool,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Accounts.
    #[command(subcommand)]
    User(UserCommand),
    /// What sessions and links are signed with.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Workers elsewhere: let them in, shut them out, see them.
    #[command(subcommand)]
    Probe(ProbeCommand),
    /// Messages between hub and workers that were tried and given up.
    #[command(subcommand)]
    DeadLetters(DeadLettersCommand),
    /// Count a website's verdicts again from its stored ticks, by today's rules, and show where they differ from what was
    /// decided then. Ends with 0 when all agree, with 1 when not.
    Replay {
        /// Its id, as in the address of its page.
        website: WebsiteId,
        /// From when on, e.g. 2026-11-26T08:00:00Z (default: a day before the end).
        #[arg(long)]
        from: Option<jiff::Timestamp>,
        /// Until when (default: now).
        #[arg(long)]
        to: Option<jiff::Timestamp>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Copy the data of a hub without Postgres, which may be running, into a new directory: one that can take the place of
    /// `STATE_DIRECTORY`.
    Backup {
        /// The directory, e.g. /var/backups/betteruptime-2026-11-27.
        directory: PathBuf,
    },
    /// What is stored of a website: ticks, and the blocks in which days that have passed are packed.
    #[command(subcommand)]
    History(HistoryCommand),
    /// Show how an account differs from a file that says what it watches (websites, jobs, channels, maintenance windows, as YAML).
    /// Changes nothing. Ends with 1 when something is wrong with the file.
    Plan {
        #[command(flatten)]
        of: FileArgs,
        /// End with 2 when the account is not as the file says.
        #[arg(long)]
        check: bool,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make an account be as a file says, all of it or nothing. A hub that runs goes by it at once.
    Apply {
        #[command(flatten)]
        of: FileArgs,
        /// Tell what was done as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write an account as a file, for `plan` and `apply`. Secrets are not in it: it names variables for them.
    Export {
        /// Which account; may be left out where there is one.
        #[arg(long)]
        account: Option<String>,
        /// What the file is to call itself, where several files keep parts of an account.
        #[arg(long)]
        name: Option<String>,
    },
    /// Turn what another program watches into a file for `plan` and `apply`; what could not be carried is told on standard error.
    Import {
        /// Whose file it is.
        source: SourceArg,
        /// Uptime Kuma: its backup (JSON) or its database (kuma.db). Gatus: its configuration (YAML).
        file: PathBuf,
        /// Apply it at once, instead of writing it to standard output.
        #[arg(long)]
        apply: bool,
        /// With --apply, to which account; may be left out where there is one.
        #[arg(long)]
        account: Option<String>,
        /// Write the secrets that are in it to this file, as NAME=value lines, which `plan` and `apply` take by --secrets.
        #[arg(long)]
        secrets_out: Option<PathBuf>,
    },
    /// Look at everything a hub needs (settings, directory, database, Redis, room on disk, ...) and say what is wrong and what
    /// helps. Writes nothing. Ends with 0 when nothing is wrong, with 1 when something is, with 2 when the settings are.
    Doctor {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show what a hub shows, with nothing to set up: made-up websites on this machine that misbehave, three regions, and ninety
    /// days of history, in a directory that is removed at the end (or in --state-directory).
    Demo {
        /// Nothing happens any more once the history is there, so that pages stay as they are.
        #[arg(long)]
        still: bool,
        /// When the history ends, e.g. 2026-11-26T08:00:00Z; with --still (default: now).
        #[arg(long)]
        now: Option<jiff::Timestamp>,
    },
    /// Ask a running hub whether it is alive; for containers.
    Healthcheck,
    /// Settings.
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum SourceArg {
    Kuma,
    Gatus,
}

#[derive(clap::Args)]
pub(crate) struct FileArgs {
    /// The file; - for standard input.
    pub(crate) file: PathBuf,
    /// Which account; may be left out where there is one.
    #[arg(long)]
    pub(crate) account: Option<String>,
    /// Remove what the file had before and has no more.
    #[arg(long)]
    pub(crate) prune: bool,
    /// A file of NAME=value lines, for secrets that are not in the environment.
    #[arg(long)]
    pub(crate) secrets: Option<PathBuf>,
}

impl From<FileArgs> for hub::command::manifest::Asked {
    fn from(args: FileArgs) -> Self {
        Self { file: args.file, account: args.account, prune: args.prune, secrets: args.secrets }
    }
}

#[derive(Subcommand)]
pub(crate) enum HistoryCommand {
    /// Show which blocks there are, and which of them are damaged. Ends with 1 when one is.
    Show {
        #[command(flatten)]
        of: HistoryArgs,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write all ticks of the time, packed or not, oldest first, one JSON object a line. Ends with 1 when some are missing, for
    /// their block is damaged.
    Export(HistoryArgs),
}

#[derive(clap::Args)]
pub(crate) struct HistoryArgs {
    /// Its id, as in the address of its page.
    pub(crate) website: WebsiteId,
    /// From when on, e.g. 2026-11-26T08:00:00Z (default: a day before the end).
    #[arg(long)]
    pub(crate) from: Option<jiff::Timestamp>,
    /// Until when (default: now).
    #[arg(long)]
    pub(crate) to: Option<jiff::Timestamp>,
}

impl From<HistoryArgs> for hub::command::history::Asked {
    fn from(args: HistoryArgs) -> Self {
        Self { website_id: args.website, from: args.from, to: args.to }
    }
}

#[derive(Subcommand)]
pub(crate) enum UserCommand {
    /// Make an account; the password is read from standard input.
    Create {
        /// Its name.
        username: String,
    },
    /// Give an account a new password, read from standard input, and end its sessions.
    ResetPassword {
        /// Its name.
        username: String,
    },
    /// Switch the second factor of an account off, for who has lost device and recovery codes, and end its sessions.
    ResetFactor {
        /// Its name.
        username: String,
    },
}

#[derive(Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a new key; what the present one signed is accepted for seven more days.
    Rotate,
}

#[derive(Subcommand)]
pub(crate) enum ProbeCommand {
    /// Make a worker's user in Redis, with the rights of that worker alone, and write its settings to a file. Where
    /// `REDIS_ADMIN_URL` is not set, it says what to do in redis-cli instead.
    Enrol {
        /// Its region, e.g. INDIA.
        region: RegionId,
        /// Its name in the region, e.g. pi-1.
        worker: WorkerId,
        /// Redis as the worker reaches it (default: as the hub does, REDIS_URL); user and password are left out.
        #[arg(long)]
        redis_url: Option<String>,
        /// Where to write the settings (default betteruptime-probe-REGION-WORKER.env); - shows them, password included.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// End a worker's access: its user goes, its connections are closed at once.
    Revoke {
        /// Its region.
        region: RegionId,
        /// Its name in the region.
        worker: WorkerId,
    },
    /// Show who is enrolled and who reports.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
pub(crate) enum DeadLettersCommand {
    /// List them, newest first.
    List {
        /// As JSON, with what each holds; secrets are masked.
        #[arg(long)]
        json: bool,
        /// How many at most.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
        #[command(flatten)]
        filter: FilterArgs,
    },
    /// Show all that is kept of one; secrets are masked.
    Show {
        /// Its id.
        id: LetterId,
    },
    /// Have a running hub try them again: results are stored, the websites of checks are checked now.
    Replay(WhichArgs),
    /// Delete them.
    Discard(WhichArgs),
}

#[derive(clap::Args)]
pub(crate) struct FilterArgs {
    /// Only of this kind of reason, e.g. `not_understood`.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) kind: String,
    /// Only of this stream, e.g. `betteruptime:tick:INDIA:pi-1`.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) stream: String,
}

#[derive(clap::Args)]
pub(crate) struct WhichArgs {
    /// The id of one.
    #[arg(required_unless_present = "all", conflicts_with_all = ["all", "kind", "stream"])]
    pub(crate) id: Option<LetterId>,
    /// All there are, or all that --kind and --stream name.
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

impl WhichArgs {
    pub(crate) fn which(&self) -> Which {
        self.id.map_or_else(|| Which::All(LetterFilter::new(&self.filter.kind, &self.filter.stream)), Which::One)
    }
}

#[derive(Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the effective values, secrets masked.
    Show,
}

impl Cli {
    pub(crate) fn flags(&self) -> HashMap<&'static str, String> {
        let pairs = [
            ("LISTEN", &self.listen),
            ("PUBLIC_URL", &self.public_url),
            ("STATE_DIRECTORY", &self.state_directory),
            ("SIGNUPS", &self.signups),
            ("LOG_FORMAT", &self.log_format),
            ("CONFIG_FILE", &self.config),
        ];
        pairs.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect()
    }
}
