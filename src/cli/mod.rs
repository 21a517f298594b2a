//! The command line: one file a command. Errors leave here as one sentence and an exit code.

pub mod args;
mod auth;
mod backfill;
pub mod config_cmd;
mod db;
mod demo;
mod doctor;
mod generate;
mod health;
mod logging;
mod output;
mod pricing;
mod progress;
mod request;
mod serve;
mod service;
mod sinks;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::app::AppError;
use crate::clock::Clock;
use crate::config::{ConfigError, Flags, Settings, SystemVars};
use crate::plugin::SinkFactory;
use crate::store::{StoreError, backup_path};
use args::{Cli, Command, ConfigCommand, DbCommand, DoctorArgs, HealthcheckArgs, PricingCommand};

/// Something went wrong.
const FAILED: u8 = 1;
/// What was asked about is not there, or not well.
const NOT_WELL: u8 = 3;
/// The configuration or the database cannot be used (`EX_CONFIG` of sysexits.h).
const UNUSABLE: u8 = 78;

/// Reads the command line, does what it says, and gives the program's exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    run_with(args, &[])
}

/// The same with sinks of one's own beside those that are compiled in; see `examples/custom_sink.rs`.
pub fn run_with(args: impl IntoIterator<Item = OsString>, more: &'static [SinkFactory]) -> ExitCode {
    let cli = match Cli::read(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to standard output, misuse to standard error; a reader that is gone is no error.
            error.print().ok();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(FAILED));
        }
    };
    match execute(&cli, more) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(NOT_WELL),
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(error.exit_code())
        }
    }
}

#[expect(clippy::print_stderr, reason = "the one place where errors reach the user")]
fn complain(words: &str) {
    eprintln!("error: {words}");
}

/// What ends a command.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    LogFile(#[from] logging::LogFileError),
    #[error(transparent)]
    App(#[from] AppError),
    #[error("{0}")]
    Output(#[from] std::io::Error),
}

impl CliError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_)
            | Self::LogFile(_)
            | Self::App(
                AppError::Prices(_)
                | AppError::Plugin { .. }
                | AppError::UnknownPlugin { .. }
                | AppError::Settings(_)
                | AppError::Setting { .. }
                | AppError::Name(_)
                | AppError::Tls(_)
                | AppError::Open(_)
                | AppError::Store(
                    StoreError::Newer { .. }
                    | StoreError::Foreign { .. }
                    | StoreError::Locked { .. }
                    | StoreError::Unusable { .. }
                    | StoreError::Corrupt { .. },
                ),
            ) => UNUSABLE,
            Self::App(_) | Self::Output(_) => FAILED,
        }
    }
}

/// `false`: done, and the answer is no.
fn execute(cli: &Cli, more: &'static [SinkFactory]) -> Result<bool, CliError> {
    let clock = Clock::system();
    let load = || -> Result<Settings, CliError> {
        let (settings, _) = Settings::load(&cli.flags(), &SystemVars)?;
        let _to_standard_error = logging::start(&settings, cli.global.quiet, false)?;
        Ok(settings)
    };
    let counting = |run: &dyn Fn(&Settings) -> Result<(), AppError>| -> Result<(), CliError> {
        let (settings, _) = Settings::load(&cli.flags(), &SystemVars)?;
        let logs = logging::start(&settings, cli.global.quiet, true)?;
        run(&settings).inspect_err(|error| logs.fatal(&error.to_string())).map_err(CliError::App)
    };
    match &cli.command {
        Command::Serve(args) if args.demo => counting(&|settings| serve::run_demo(settings, &clock, more))?,
        Command::Serve(_) => counting(&|settings| serve::run(settings, &clock, more))?,
        Command::Ingest => counting(&|settings| serve::ingest(settings, &clock))?,
        Command::Doctor(DoctorArgs { print_claude_dir: true, .. }) => return Ok(doctor::print_directories(&load()?)?),
        Command::Doctor(DoctorArgs { json, .. }) => return Ok(doctor::run(&load()?, *json)?),
        Command::Db(command) => db_command(&load()?, &clock, command)?,
        Command::Pricing(PricingCommand::List { json }) => pricing::list(&load()?, *json)?,
        Command::Pricing(PricingCommand::Show { model, json }) => return Ok(pricing::show(&load()?, model, *json)?),
        Command::Pricing(PricingCommand::Reprice { dry_run }) => pricing::reprice(&load()?, &clock, *dry_run)?,
        Command::Auth(command) => auth::run(command, &clock, load)?,
        Command::Healthcheck(HealthcheckArgs { url }) => {
            let settings = load()?;
            return Ok(health::run(settings.listen, settings.tls.is_some(), url.as_deref())?);
        }
        Command::Backfill(args) => backfill::run(&load()?, &clock, more, args)?,
        Command::Sinks(command) => return Ok(sinks::run(&load()?, &clock, more, command)?),
        // Has to work when the configuration does not.
        Command::Config(command) => return config_command(command, &cli.flags()),
        Command::Service(command) => return Ok(service::run(command, cli)?),
        Command::Completions { shell } => generate::completions(*shell)?,
        Command::Manual { directory } => generate::manual(directory)?,
    }
    Ok(true)
}

fn config_command(command: &ConfigCommand, flags: &Flags) -> Result<bool, CliError> {
    let mut text = Vec::new();
    config_cmd::run(command, flags, &SystemVars, &mut text).map_err(|error| match error.downcast::<ConfigError>() {
        Ok(error) => CliError::Config(error),
        Err(error) => CliError::App(AppError::Other(error)),
    })?;
    output::print(&String::from_utf8_lossy(&text))?;
    Ok(true)
}

fn db_command(settings: &Settings, clock: &Clock, command: &DbCommand) -> Result<(), AppError> {
    match command {
        DbCommand::Check => db::check(settings),
        DbCommand::Backup { path } => {
            let to = path.clone().unwrap_or_else(|| backup_path(&settings.backup.directory, clock.now()));
            db::backup(settings, &to)
        }
        DbCommand::Prune { dry_run, older_than } => match older_than.unwrap_or(settings.retention_days) {
            0 => Err(AppError::Other(anyhow::anyhow!(
                "retention_days is 0, which keeps everything; name a number of days with --older-than"
            ))),
            days => db::prune(settings, clock, days, *dry_run),
        },
        DbCommand::Path => db::path(settings),
        DbCommand::Acknowledge => db::acknowledge(settings, clock),
    }
}
