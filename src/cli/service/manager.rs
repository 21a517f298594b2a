//! The programs that start services: systemd's user manager and launchd, and what they are told.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, bail};

use super::{NAME, Service, launchd, systemd};
use crate::config::Vars;

/// What starts services here, and where it looks for ours.
pub(super) struct Manager {
    kind: Kind,
    home: PathBuf,
    file: PathBuf,
}

#[derive(Clone, Copy)]
enum Kind {
    Systemd,
    Launchd,
}

impl Manager {
    pub(super) fn of_this_system(vars: &dyn Vars) -> anyhow::Result<Self> {
        let home = vars.home().filter(|home| home.is_absolute()).context("there is no home directory")?;
        if cfg!(target_os = "linux") {
            let config = vars.var("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
            let config = config.unwrap_or_else(|| home.join(".config"));
            let file = config.join("systemd/user").join(format!("{NAME}.service"));
            Ok(Self { kind: Kind::Systemd, home, file })
        } else if cfg!(target_os = "macos") {
            let file = home.join("Library/LaunchAgents").join(format!("{NAME}.plist"));
            Ok(Self { kind: Kind::Launchd, home, file })
        } else {
            bail!(
                "`service` knows systemd on Linux and launchd on macOS; elsewhere have the system start \
                 `claude-token-monitor serve` at the login (on Windows with the Task Scheduler)"
            )
        }
    }

    /// The file that describes the service.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    pub(super) fn render(&self, service: &Service) -> anyhow::Result<String> {
        match self.kind {
            Kind::Systemd => systemd::unit(service),
            Kind::Launchd => launchd::agent(service, &self.home.join("Library/Logs").join(format!("{NAME}.log"))),
        }
    }

    /// Makes sure that somebody is there to start services, before anything is written.
    pub(super) fn probe(&self) -> anyhow::Result<()> {
        match self.kind {
            Kind::Systemd => systemctl(&["show-environment"]),
            Kind::Launchd => launchctl(&["print", &domain()]),
        }
        .map(drop)
    }

    /// Puts the description where it is looked for, in the place of an older one.
    pub(super) fn write(&self, text: &str) -> anyhow::Result<()> {
        let directory = self.file.parent().context("a file in no directory")?;
        std::fs::create_dir_all(directory)
            .and_then(|()| std::fs::write(&self.file, text))
            .with_context(|| format!("writing {}", self.file.display()))
    }

    /// Has it started now and at every login; a service that runs is started anew.
    pub(super) fn start(&self) -> anyhow::Result<()> {
        match self.kind {
            Kind::Systemd => {
                systemctl(&["daemon-reload"])?;
                systemctl(&["enable", NAME])?;
                // Whatever failed before was another file's fault.
                systemctl(&["reset-failed", NAME]).ok();
                systemctl(&["restart", NAME])?;
            }
            Kind::Launchd => {
                boot_out().ok();
                let file = self.file.to_str().context("the home's name is not UTF-8")?;
                launchctl(&["bootstrap", &domain(), file])?;
            }
        }
        Ok(())
    }

    /// Has it stopped, and not started again.
    pub(super) fn stop(&self) -> anyhow::Result<()> {
        match self.kind {
            Kind::Systemd => systemctl(&["disable", "--now", NAME]).map(drop),
            Kind::Launchd => {
                // It is not there if it was stopped by hand.
                boot_out().ok();
                Ok(())
            }
        }
    }

    /// After the file has gone.
    pub(super) fn forget(&self) -> anyhow::Result<()> {
        match self.kind {
            Kind::Systemd => systemctl(&["daemon-reload"]).map(drop),
            Kind::Launchd => Ok(()),
        }
    }

    /// How the service is doing in words, and whether it runs.
    pub(super) fn state(&self) -> anyhow::Result<(String, bool)> {
        match self.kind {
            Kind::Systemd => {
                // Both say no by their exit code and why on their output.
                let word = |question: &str| -> anyhow::Result<String> {
                    let answer = output("systemctl", &["--user", question, NAME])?;
                    let words = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
                    if words.is_empty() {
                        bail!(failure("systemctl", &answer));
                    }
                    Ok(words)
                };
                let (enabled, active) = (word("is-enabled")?, word("is-active")?);
                let runs = active == "active";
                Ok((format!("{enabled}, {active}; its log: journalctl --user -u {NAME}"), runs))
            }
            Kind::Launchd => {
                let answer = output("launchctl", &["print", &format!("{}/{NAME}", domain())])?;
                let runs = String::from_utf8_lossy(&answer.stdout).contains("state = running");
                let words = match (answer.status.success(), runs) {
                    (_, true) => "running",
                    (true, false) => "loaded, not running",
                    (false, false) => "not loaded",
                };
                Ok((words.to_owned(), runs))
            }
        }
    }

    /// What to know after it was installed.
    pub(super) fn advice(&self) -> String {
        match self.kind {
            Kind::Systemd => format!(
                "It runs now, and from the login to the logout; `loginctl enable-linger` has it run from the start of \
                 the machine.\nIts log: journalctl --user -u {NAME}\n"
            ),
            Kind::Launchd => format!(
                "It runs now and at every login.\nIts log: {}\n",
                self.home.join("Library/Logs").join(format!("{NAME}.log")).display()
            ),
        }
    }
}

/// Has launchd forget the service.
fn boot_out() -> anyhow::Result<Output> {
    launchctl(&["bootout", &format!("{}/{NAME}", domain())])
}

fn systemctl(args: &[&str]) -> anyhow::Result<Output> {
    let args: Vec<&str> = ["--user"].iter().chain(args).copied().collect();
    succeeded("systemctl", &args)
}

fn launchctl(args: &[&str]) -> anyhow::Result<Output> {
    succeeded("launchctl", args)
}

/// Where launchd keeps what belongs to a user who is logged in.
fn domain() -> String {
    #[cfg(unix)]
    return format!("gui/{}", rustix::process::getuid().as_raw());
    #[cfg(not(unix))]
    return "gui/0".to_owned();
}

fn succeeded(program: &str, args: &[&str]) -> anyhow::Result<Output> {
    let answer = output(program, args)?;
    if !answer.status.success() {
        bail!("`{program} {}` failed: {}", args.join(" "), failure(program, &answer));
    }
    Ok(answer)
}

fn output(program: &str, args: &[&str]) -> anyhow::Result<Output> {
    Command::new(program).args(args).output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => anyhow::anyhow!(
            "there is no `{program}` here, so this system starts services by something else; have that run \
             `claude-token-monitor serve` (cron: `@reboot`)"
        ),
        _ => anyhow::anyhow!("`{program}` cannot be run: {error}"),
    })
}

/// Why a program that has ended says that it failed.
fn failure(program: &str, answer: &Output) -> String {
    let words = String::from_utf8_lossy(&answer.stderr);
    let words = super::super::output::clean(words.trim());
    if words.is_empty() { format!("{program} ended with {}", answer.status) } else { words }
}
