//! `service`: starts the program at every login, by what the system has for that. It needs no root: the service is its
//! user's, as the transcripts are.

mod launchd;
mod manager;
mod systemd;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::args::{Cli, InstallArgs, ServiceCommand};
use super::output::print;
use crate::app::AppError;
use crate::config::{LogLevel, Origin, Origins, Settings, SystemVars, Vars};
use crate::platform::create_private_dir;
use manager::Manager;

/// What the service is called, to its manager.
const NAME: &str = "claude-token-monitor";

/// What a file for the service manager is made of.
#[derive(Debug, Default)]
struct Service {
    binary: PathBuf,
    arguments: Vec<String>,
    /// Settings that stand in the environment of whoever installs it: a service would not see them.
    environment: Vec<(String, String)>,
    /// Where it has to write.
    writable: Vec<PathBuf>,
}

/// Does what was asked. `false`: the service does not run.
pub(super) fn run(command: &ServiceCommand, cli: &Cli) -> Result<bool, AppError> {
    let manager = Manager::of_this_system(&SystemVars)?;
    match command {
        ServiceCommand::Install(args) => {
            let (settings, origins) = Settings::load(&cli.flags(), &SystemVars)?;
            install(&manager, args, &Service::new(cli, args, &settings, &origins)?)?;
            Ok(true)
        }
        ServiceCommand::Status => Ok(status(&manager)?),
        ServiceCommand::Uninstall { dry_run } => {
            uninstall(&manager, *dry_run)?;
            Ok(true)
        }
    }
}

impl Service {
    fn new(cli: &Cli, args: &InstallArgs, settings: &Settings, origins: &Origins) -> anyhow::Result<Self> {
        let binary = std::env::current_exe().context("finding out where this program is")?;
        let directories = [settings.database.parent(), settings.log_file.as_deref().and_then(Path::parent)];
        let mut writable = Vec::new();
        for directory in directories.into_iter().flatten().chain([settings.backup.directory.as_path()]) {
            writable.push(absolute(directory)?);
        }
        for directory in &args.writable {
            writable.push(absolute(directory)?);
        }
        // Whoever may write to a directory may write below it.
        let all = writable.clone();
        writable.retain(|inner| !all.iter().any(|outer| outer != inner && inner.starts_with(outer)));
        writable.sort();
        writable.dedup();
        let arguments = arguments(cli, args, settings, origins)?;
        Ok(Self { binary, arguments, environment: environment(origins)?, writable })
    }
}

/// What was typed, so that the service does what `serve` would have done here; with every path made absolute, since it
/// starts elsewhere.
fn arguments(cli: &Cli, args: &InstallArgs, settings: &Settings, origins: &Origins) -> anyhow::Result<Vec<String>> {
    let mut line = vec!["serve".to_owned()];
    let mut path = |flag: &str, path: &Path| -> anyhow::Result<()> {
        let path = absolute(path)?;
        let text = path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?;
        line.extend([flag.to_owned(), text.to_owned()]);
        Ok(())
    };
    if let (Some(_), Some(file)) = (&cli.global.config, &settings.file) {
        path("--config", file)?;
    }
    if said_here(origins, "data_dirs") {
        settings.data_dirs.iter().try_for_each(|directory| path("--data-dir", directory))?;
    }
    path("--database", &settings.database)?;
    if let (Some(_), Some(tls)) = (&args.serve.tls_cert, &settings.tls) {
        path("--tls-cert", &tls.certificate)?;
        path("--tls-key", &tls.key)?;
    }
    let level = cli.global.log_level.and_then(|level| LogLevel::ALL.iter().find(|(_, one)| *one == level));
    let values = [
        ("--listen", args.serve.listen.map(|listen| listen.0.to_string())),
        ("--public-url", args.serve.public_url.clone()),
        ("--log-level", level.map(|(name, _)| (*name).to_owned())),
    ];
    for (flag, value) in values {
        line.extend(value.map(|value| [flag.to_owned(), value]).into_iter().flatten());
    }
    let flags = [
        ("--no-watch", args.serve.no_watch),
        ("--allow-open", args.serve.allow_open),
        ("--demo", args.serve.demo),
        ("--quiet", cli.global.quiet),
    ];
    line.extend(flags.iter().filter(|(_, is_set)| *is_set).map(|(flag, _)| (*flag).to_owned()));
    Ok(line)
}

/// Whether a setting was made on the command line or in the environment.
fn said_here(origins: &Origins, key: &str) -> bool {
    origins.get(key).is_some_and(|setting| matches!(setting.origin, Origin::Flag(_) | Origin::Environment(_)))
}

/// Settings of the environment, apart from those that are arguments. A secret is not copied into a file that others may
/// read, and the service would be open without it, so that is an error.
fn environment(origins: &Origins) -> anyhow::Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for setting in origins.iter() {
        let Origin::Environment(name) = setting.origin else { continue };
        if ["data_dirs", "database", "color"].contains(&setting.key.as_str()) {
            continue;
        }
        if setting.value == "***" {
            bail!(
                "{name} is set here, and a service does not see it: put the secret into a file for you alone and name \
                 that in the configuration ({}_file), then unset {name}",
                setting.key
            );
        }
        found.push(name_and_value(name)?);
    }
    for name in ["XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
        if SystemVars.var(name).is_some_and(|value| !value.is_empty()) {
            found.push(name_and_value(name)?);
        }
    }
    Ok(found)
}

fn name_and_value(name: &str) -> anyhow::Result<(String, String)> {
    let value = SystemVars.var(name).unwrap_or_default();
    let value = value.into_string().map_err(|value| anyhow::anyhow!("{name}: {} is not UTF-8", value.display()))?;
    Ok((name.to_owned(), value))
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("finding out where {} is", path.display()))
}

fn install(manager: &Manager, args: &InstallArgs, service: &Service) -> anyhow::Result<()> {
    let text = manager.render(service)?;
    if args.dry_run {
        return Ok(print(&text)?);
    }
    manager.probe()?;
    for directory in &service.writable {
        create_private_dir(directory).with_context(|| format!("creating {}", directory.display()))?;
    }
    let file = manager.file();
    manager.write(&text)?;
    manager.start()?;
    Ok(print(&format!("wrote {}\n{}", file.display(), manager.advice()))?)
}

/// Prints how the service is doing. `false`: it does not run.
fn status(manager: &Manager) -> anyhow::Result<bool> {
    let file = manager.file();
    if !file.exists() {
        print(&format!("not installed: there is no {}\n", file.display()))?;
        return Ok(false);
    }
    let (state, runs) = manager.state()?;
    print(&format!("installed in {}\n{state}\n", file.display()))?;
    Ok(runs)
}

fn uninstall(manager: &Manager, dry_run: bool) -> anyhow::Result<()> {
    let file = manager.file();
    if !file.exists() {
        bail!("not installed: there is no {}", file.display());
    }
    if dry_run {
        return Ok(print(&format!("would stop the service and remove {}\n", file.display()))?);
    }
    manager.stop()?;
    std::fs::remove_file(file).with_context(|| format!("removing {}", file.display()))?;
    manager.forget()?;
    Ok(print(&format!("removed {}; the history stays\n", file.display()))?)
}
