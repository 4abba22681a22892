//! The hub's command line: parse, set up logging, call, turn the result into an exit code.

mod arguments;

use std::path::PathBuf;
use std::process::ExitCode;

use arguments::{
    Cli, Command, ConfigCommand, DeadLettersCommand, HistoryCommand, KeyCommand, ProbeCommand, SourceArg, UserCommand,
};
use clap::Parser as _;
use hub::command;
use hub::command::dead_letters;
use hub::command::demo::Asked as AskedDemo;
use hub::command::manifest::{AskedImport, Ended, Source};
use hub::command::replay::Asked;
use hub::config::{Config, LogFormat, Sources};
use hub::model::LetterFilter;
use hub::model::enrolment::Place;

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
            eprintln!("\n{}.", hub::config::ALL_SETTINGS);
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
        Command::Migrate { dry_run: false, json } => runtime.block_on(command::migrate::migrate(&config, json)),
        Command::Migrate { dry_run: true, json } => match runtime.block_on(command::migrate::foretell(&config, json)) {
            Ok(true) => Ok(()),
            Ok(false) => return ExitCode::FAILURE,
            Err(error) => Err(error),
        },
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
