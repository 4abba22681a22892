//! The hub's command line: parse, set up logging, call, turn the result into an exit code.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use hub::command;
use hub::command::dead_letters::{self, Which};
use hub::command::demo::Asked as AskedDemo;
use hub::command::manifest::{AskedImport, Ended, Source};
use hub::command::replay::Asked;
use hub::config::{Config, LogFormat, Sources};
use hub::model::enrolment::Place;
use hub::model::{LetterFilter, LetterId, RegionId, WebsiteId, WorkerId};

/// BetterUptime's hub: schedules checks, decides up or down, serves the pages.
///
/// Started without anything, it keeps its data in ./data, checks from this machine, and prints where to sign up.
#[derive(Parser)]
#[command(name = "betteruptime-hub", version)]
struct Cli {
    /// Address and port to listen on (LISTEN, default 127.0.0.1:3001).
    #[arg(long, global = true)]
    listen: Option<String>,
    /// How browsers reach the hub, e.g. `https://status.example.com` (PUBLIC_URL).
    #[arg(long, global = true)]
    public_url: Option<String>,
    /// Where SQLite file, secrets and sockets live (STATE_DIRECTORY, default ./data).
    #[arg(long, global = true)]
    state_directory: Option<String>,
    /// Who may make an account: first, open or closed (SIGNUPS).
    #[arg(long, global = true)]
    signups: Option<String>,
    /// text or json (LOG_FORMAT).
    #[arg(long, global = true)]
    log_format: Option<String>,
    /// File of NAME=value lines (CONFIG_FILE).
    #[arg(long, global = true)]
    config: Option<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the hub (the default).
    Serve,
    /// Bring the database to this version's schema.
    Migrate {
        /// Only say what would be done.
        #[arg(long)]
        dry_run: bool,
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
enum SourceArg {
    Kuma,
    Gatus,
}

#[derive(clap::Args)]
struct FileArgs {
    /// The file; - for standard input.
    file: PathBuf,
    /// Which account; may be left out where there is one.
    #[arg(long)]
    account: Option<String>,
    /// Remove what the file had before and has no more.
    #[arg(long)]
    prune: bool,
    /// A file of NAME=value lines, for secrets that are not in the environment.
    #[arg(long)]
    secrets: Option<PathBuf>,
}

impl From<FileArgs> for hub::command::manifest::Asked {
    fn from(args: FileArgs) -> Self {
        Self { file: args.file, account: args.account, prune: args.prune, secrets: args.secrets }
    }
}

#[derive(Subcommand)]
enum HistoryCommand {
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
struct HistoryArgs {
    /// Its id, as in the address of its page.
    website: WebsiteId,
    /// From when on, e.g. 2026-11-26T08:00:00Z (default: a day before the end).
    #[arg(long)]
    from: Option<jiff::Timestamp>,
    /// Until when (default: now).
    #[arg(long)]
    to: Option<jiff::Timestamp>,
}

impl From<HistoryArgs> for hub::command::history::Asked {
    fn from(args: HistoryArgs) -> Self {
        Self { website_id: args.website, from: args.from, to: args.to }
    }
}

#[derive(Subcommand)]
enum UserCommand {
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
enum KeyCommand {
    /// Make a new key; what the present one signed is accepted for seven more days.
    Rotate,
}

#[derive(Subcommand)]
enum ProbeCommand {
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
enum DeadLettersCommand {
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
struct FilterArgs {
    /// Only of this kind of reason, e.g. `not_understood`.
    #[arg(long, default_value = "", hide_default_value = true)]
    kind: String,
    /// Only of this stream, e.g. `betteruptime:tick:INDIA:pi-1`.
    #[arg(long, default_value = "", hide_default_value = true)]
    stream: String,
}

#[derive(clap::Args)]
struct WhichArgs {
    /// The id of one.
    #[arg(required_unless_present = "all", conflicts_with_all = ["all", "kind", "stream"])]
    id: Option<LetterId>,
    /// All there are, or all that --kind and --stream name.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    filter: FilterArgs,
}

impl WhichArgs {
    fn which(&self) -> Which {
        self.id.map_or_else(|| Which::All(LetterFilter::new(&self.filter.kind, &self.filter.stream)), Which::One)
    }
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Print the effective values, secrets masked.
    Show,
}

impl Cli {
    fn flags(&self) -> HashMap<&'static str, String> {
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

fn main() -> ExitCode {
    let cli = Cli::parse();
    let config = match Sources::gather(cli.flags()).and_then(|sources| Config::from_sources(&sources)) {
        Ok(config) => config,
        Err(errors) => {
            if let Some(Command::Doctor { json }) = cli.command {
                command::doctor::unreadable(&errors, json);
                return ExitCode::from(2);
            }
            eprintln!("The hub cannot start with these settings:\n");
            for error in &errors.0 {
                eprintln!("  {error}");
            }
            eprintln!("\n.env.example lists every setting.");
            return ExitCode::from(2);
        }
    };
    set_up_logging(&config);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("The hub cannot start its threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => runtime.block_on(hub::run::run(config)),
        Command::Migrate { dry_run } => runtime.block_on(command::migrate(&config, dry_run)),
        Command::User(UserCommand::Create { username }) => runtime.block_on(command::create_user(&config, &username)),
        Command::User(UserCommand::ResetPassword { username }) => {
            runtime.block_on(command::reset_password(&config, &username))
        }
        Command::User(UserCommand::ResetFactor { username }) => {
            runtime.block_on(command::reset_factor(&config, &username))
        }
        Command::Key(KeyCommand::Rotate) => runtime.block_on(command::key::rotate(&config)),
        Command::Probe(ProbeCommand::Enrol { region, worker, redis_url, out }) => {
            let place = Place { region, worker };
            runtime.block_on(command::probe::enrol(&config, &place, redis_url.as_deref(), out))
        }
        Command::Probe(ProbeCommand::Revoke { region, worker }) => {
            runtime.block_on(command::probe::revoke(&config, &Place { region, worker }))
        }
        Command::Probe(ProbeCommand::List { json }) => runtime.block_on(command::probe::list(&config, json)),
        Command::DeadLetters(DeadLettersCommand::List { json, limit, filter }) => {
            let filter = LetterFilter::new(&filter.kind, &filter.stream);
            runtime.block_on(dead_letters::list(&config, &filter, limit, json))
        }
        Command::DeadLetters(DeadLettersCommand::Show { id }) => runtime.block_on(dead_letters::show(&config, id)),
        Command::DeadLetters(DeadLettersCommand::Replay(which)) => {
            runtime.block_on(dead_letters::replay(&config, &which.which()))
        }
        Command::DeadLetters(DeadLettersCommand::Discard(which)) => {
            runtime.block_on(dead_letters::discard(&config, &which.which()))
        }
        Command::Replay { website, from, to, json } => {
            let asked = Asked { website_id: website, from, to, json };
            match runtime.block_on(command::replay::replay(&config, &asked)) {
                Ok(true) => Ok(()),
                // It was told; there is nothing more to say.
                Ok(false) => return ExitCode::FAILURE,
                Err(error) => Err(error),
            }
        }
        Command::Backup { directory } => runtime.block_on(command::backup::back_up(&config, &directory)),
        Command::History(HistoryCommand::Show { of, json }) => {
            match runtime.block_on(command::history::show(&config, &of.into(), json)) {
                Ok(true) => Ok(()),
                Ok(false) => return ExitCode::FAILURE,
                Err(error) => Err(error),
            }
        }
        Command::History(HistoryCommand::Export(of)) => {
            match runtime.block_on(command::history::export(&config, &of.into())) {
                Ok(true) => Ok(()),
                Ok(false) => return ExitCode::FAILURE,
                Err(error) => Err(error),
            }
        }
        Command::Plan { of, check, json } => {
            let asked = of.into();
            match runtime.block_on(command::manifest::plan(&config, &asked, check, json)) {
                Ok(Ended::Fine) => Ok(()),
                Ok(Ended::Failed) => return ExitCode::FAILURE,
                Ok(Ended::Drift) => return ExitCode::from(2),
                Err(error) => Err(error),
            }
        }
        Command::Apply { of, json } => {
            let asked = of.into();
            match runtime.block_on(command::manifest::apply(&config, &asked, json)) {
                Ok(Ended::Fine) => Ok(()),
                Ok(Ended::Failed | Ended::Drift) => return ExitCode::FAILURE,
                Err(error) => Err(error),
            }
        }
        Command::Import { source, file, apply, account, secrets_out } => {
            let source = match source {
                SourceArg::Kuma => Source::Kuma,
                SourceArg::Gatus => Source::Gatus,
            };
            let asked = AskedImport { source, file, account, apply, secrets_out };
            match runtime.block_on(command::manifest::import(&config, &asked)) {
                Ok(Ended::Fine) => Ok(()),
                Ok(Ended::Failed | Ended::Drift) => return ExitCode::FAILURE,
                Err(error) => Err(error),
            }
        }
        Command::Export { account, name } => {
            runtime.block_on(command::manifest::export(&config, account.as_deref(), name.as_deref()))
        }
        Command::Doctor { json } => {
            let is_fine = runtime.block_on(command::doctor::examine(&config, json));
            runtime.shutdown_background();
            return if is_fine { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        Command::Demo { still, now } => {
            // What STATE_DIRECTORY names is a hub's: a demo goes there only if it is told to on its own command line.
            let directory = cli.state_directory.map(PathBuf::from);
            runtime.block_on(command::demo::demo(config, &AskedDemo { now, still, directory }))
        }
        Command::Healthcheck => runtime.block_on(command::healthcheck(&config)),
        Command::Config(ConfigCommand::Show) => {
            print!("{}", config.show());
            Ok(())
        }
    };
    // Blocking threads that are still at work must not keep the process: everything that matters was awaited.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("betteruptime-hub: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn set_up_logging(config: &Config) {
    use std::io::IsTerminal;
    // Checked with the other settings.
    // At trace the HTTP library of the embedded probe writes whole addresses, whose queries may be secrets (T077).
    let quiet = "ureq=info,ureq_proto=info";
    let filter = tracing_subscriber::EnvFilter::new(format!("{},{quiet}", config.log_filter));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    match config.log_format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}
