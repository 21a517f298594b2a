//! The command line: what can be typed and what it means. It does nothing itself.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::backfill::Destination;
use crate::config::{ColorChoice, Flags, ListenAddr, LogLevel};

const EXIT_CODES: &str = "\
Exit codes:
  0   done
  1   failed
  2   the command line could not be understood
  3   nothing found, or not healthy
  78  the configuration or the database cannot be used

Every setting can also stand in the configuration file, many in the environment. A flag wins
over the environment, the environment over the file; `config show` tells where each value is from.";

const EXAMPLES: &str = "\
Examples:
  claude-token-monitor                             count, and serve http://127.0.0.1:51888
  claude-token-monitor --demo                      the same with made-up numbers
  claude-token-monitor ingest                      read everything once and say what was found
  claude-token-monitor doctor                      find out why numbers are missing
  claude-token-monitor pricing show claude-opus-5  what a model costs";

/// A command line that was understood.
#[derive(Clone, Debug)]
pub struct Cli {
    pub global: GlobalArgs,
    pub command: Command,
}

/// Counts every Claude Code response exactly once, keeps the history, and serves it to Prometheus, a web page and an API
#[derive(Debug, Parser)]
#[command(name = "claude-token-monitor", version)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
struct Typed {
    #[command(flatten)]
    global: GlobalArgs,

    #[command(flatten, next_help_heading = "Options of serve, which runs when no command is given")]
    serve: ServeArgs,

    #[command(subcommand)]
    command: Option<Command>,
}

/// Flags that every command has.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct GlobalArgs {
    /// Configuration file [default: ~/.config/claude-token-monitor/config.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Directory that holds Claude Code's projects/; can be repeated [default: ~/.config/claude and ~/.claude]
    #[arg(long = "data-dir", global = true, value_name = "DIR")]
    pub data_dirs: Vec<PathBuf>,

    /// Where the history is kept [default: ~/.local/share/claude-token-monitor/monitor.db]
    #[arg(long, global = true, value_name = "FILE")]
    pub database: Option<PathBuf>,

    /// How much is logged [default: info]
    #[arg(long, global = true, value_name = "LEVEL", value_parser = names(&LogLevel::ALL))]
    pub log_level: Option<LogLevel>,

    /// When output is coloured; `NO_COLOR` in the environment means never [default: auto]
    #[arg(long, global = true, value_name = "WHEN", value_parser = names(&ColorChoice::ALL))]
    pub color: Option<ColorChoice>,

    /// Show results and errors only
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

/// What `serve` can be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct ServeArgs {
    /// Address and port to serve on [default: 127.0.0.1:51888]
    #[arg(long, value_name = "ADDRESS:PORT", alias = "web.listen-address")]
    pub listen: Option<ListenAddr>,

    /// Show made-up numbers; nothing of yours is read or written
    #[arg(long)]
    pub demo: bool,

    /// Look for changes every few seconds instead of being told of them
    #[arg(long)]
    pub no_watch: bool,

    /// Address that people use, where that is a proxy's, such as `https://monitor.example.org`
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,

    /// Let other machines in without a password; something in front takes care of it
    #[arg(long)]
    pub allow_open: bool,

    /// Certificate chain in a PEM file; with it the server speaks HTTPS
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// Private key of the certificate, in a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
}

impl ServeArgs {
    /// What was said after the command goes before what was said ahead of it.
    fn over(self, earlier: Self) -> Self {
        Self {
            listen: self.listen.or(earlier.listen),
            demo: self.demo || earlier.demo,
            no_watch: self.no_watch || earlier.no_watch,
            public_url: self.public_url.or(earlier.public_url),
            allow_open: self.allow_open || earlier.allow_open,
            tls_cert: self.tls_cert.or(earlier.tls_cert),
            tls_key: self.tls_key.or(earlier.tls_key),
        }
    }
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Count as transcripts grow, and serve pages, API and metrics until stopped (the default)
    Serve(ServeArgs),

    /// Read everything there is, once, and say what was found
    Ingest,

    /// Check directories, transcripts, database and prices, and say what is wrong
    Doctor(DoctorArgs),

    /// Look after the database
    #[command(subcommand)]
    Db(DbCommand),

    /// Show prices, and price the history anew
    #[command(subcommand)]
    Pricing(PricingCommand),

    /// Make what a login needs: the password's hash, tokens for programs
    #[command(subcommand)]
    Auth(AuthCommand),
    /// See how deliveries are doing, and pause, resume or repeat them
    #[command(subcommand)]
    Sinks(SinksCommand),

    /// Write the whole history where a dashboard can see it
    Backfill(BackfillArgs),

    /// Ask a running server whether it is ready; for containers and scripts
    Healthcheck(HealthcheckArgs),

    /// Show settings and where they come from
    #[command(subcommand)]
    Config(ConfigCommand),

    /// Have it started at every login: by systemd on Linux, by launchd on macOS
    #[command(subcommand)]
    Service(ServiceCommand),

    /// Print completions for a shell
    Completions { shell: clap_complete::Shell },

    /// Write manual pages
    Manual {
        /// Where to, as files for section 1
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
}

/// What `doctor` can be told.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct DoctorArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,

    /// Print the directories that transcripts are read from, one a line, and nothing else
    #[arg(long)]
    pub print_claude_dir: bool,
}

/// What can be done with the database.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum DbCommand {
    /// Check every page and every sum
    Check,

    /// Write a verified copy; safe while a server runs
    Backup {
        /// The copy's name [default: a new file in the backup directory]
        path: Option<PathBuf>,
    },

    /// Remove single responses that are older than the retention allows; daily sums stay
    Prune {
        /// Say what would be removed, and remove nothing
        #[arg(long)]
        dry_run: bool,

        /// Remove what is older than this many days [default: `retention_days` of the configuration]
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
        older_than: Option<u32>,
    },

    /// Print where the database is
    Path,

    /// Take note that the database was damaged and restored, so that health is good again
    Acknowledge,
}

/// What can be done with prices.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum PricingCommand {
    /// List all prices in US dollars per million tokens
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },

    /// Show what one model costs, in any form of its id
    Show {
        model: String,

        /// Print JSON
        #[arg(long)]
        json: bool,
    },

    /// Price the history by today's table
    Reprice {
        /// Say what would change, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
}

/// What can be made for a login.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum AuthCommand {
    /// Ask for a new password, or read it from standard input, and print its hash for `MONITOR_PASSWORD_HASH`
    Hash,

    /// Print a token that a program can show as `Authorization: Bearer TOKEN`
    Token {
        /// How long it is good, in minutes
        #[arg(long, value_name = "MINUTES", default_value_t = 1440, value_parser = clap::value_parser!(u32).range(1..=527_040))]
        ttl: u32,
    },
}

/// What can be done with sinks.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum SinksCommand {
    /// List all sinks with what they have sent and what waits
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },

    /// Send again from somewhere, or say what to send to a target that has changed
    Replay {
        id: String,

        /// `now`, `beginning`, a date, or a revision
        #[arg(long, value_name = "START")]
        from: String,
    },

    /// List what a receiver has refused for good, newest first
    DeadLetters {
        /// Only of this sink
        id: Option<String>,

        /// At most so many
        #[arg(long, default_value_t = 100)]
        limit: usize,

        /// Print JSON
        #[arg(long)]
        json: bool,
    },

    /// Send nothing until `resume`; what comes meanwhile is kept
    Pause { id: String },

    /// Go on, and try at once what waits for its next try
    Resume { id: String },
}

/// What `backfill` can be told.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct BackfillArgs {
    /// In which form: a file for `promtool tsdb create-blocks-from openmetrics`, or a push
    #[arg(long, value_name = "FORM", value_parser = names(&Destination::ALL))]
    pub to: Destination,

    /// The file or the URL; for otlp the name of a sink of the configuration [default: otlp]
    #[arg(value_name = "FILE|URL|SINK")]
    pub target: Option<String>,

    /// First day, or instant (2026-01-31T08:00:00Z) [default: the beginning, or where the last push stopped]
    #[arg(long, value_name = "DATE")]
    pub from: Option<String>,

    /// Day or instant to stop before [default: now]
    #[arg(long, value_name = "DATE")]
    pub until: Option<String>,

    /// Time between samples: a multiple of 15m
    #[arg(long, value_name = "TIME", default_value = "1h")]
    pub step: String,

    /// A label of every series, as `name=value`; can be repeated [default: job=claude-token-monitor, and for a file
    /// instance=the address of serve, for a push the name of this history]
    #[arg(long = "label", value_name = "NAME=VALUE")]
    pub labels: Vec<String>,
}

/// What `healthcheck` can be told.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct HealthcheckArgs {
    /// What to ask [default: /-/ready at the address that serve would listen on]
    #[arg(long)]
    pub url: Option<String>,
}

/// What can be done with settings.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum ConfigCommand {
    /// Show every setting, its value and where it comes from
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },

    /// Print where the configuration file is, or would be
    Path,

    /// Write a configuration file with every setting and its default, all commented out
    Init,
}

/// What can be done with the background service.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum ServiceCommand {
    /// Write its description with what is said here, and start it now and at every login
    Install(InstallArgs),

    /// Say whether it is installed and runs
    Status,

    /// Stop it and remove its description; the history stays
    Uninstall {
        /// Say what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
}

/// What `service install` can be told: besides this everything that `serve` can.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct InstallArgs {
    #[command(flatten)]
    pub serve: ServeArgs,

    /// A directory that it may write to besides that of the history, for a sink; can be repeated
    #[arg(long = "allow-write", value_name = "DIR")]
    pub writable: Vec<PathBuf>,

    /// Print the description, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// The command line as a whole, for whoever describes it.
pub(super) fn declaration() -> clap::Command {
    Typed::command()
}

impl Cli {
    /// Reads a command line, the program's name first. The error prints itself and knows its exit code.
    pub fn read<I>(args: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator,
        I::Item: Into<OsString> + Clone,
    {
        let Typed { global, serve, command } = Typed::try_parse_from(args)?;
        let command = match command {
            None => Command::Serve(serve),
            Some(Command::Serve(later)) => Command::Serve(later.over(serve)),
            Some(other) if serve == ServeArgs::default() => other,
            Some(_) => {
                let message = "--listen, --demo, --no-watch, --public-url, --allow-open, --tls-cert and --tls-key are \
                               for `serve`, not for this command";
                return Err(Typed::command().error(ErrorKind::ArgumentConflict, message));
            }
        };
        Ok(Self { global, command })
    }

    /// What the command line says about settings.
    pub fn flags(&self) -> Flags {
        let GlobalArgs { config, data_dirs, database, log_level, color, quiet: _ } = self.global.clone();
        let serve = match &self.command {
            Command::Serve(serve) | Command::Service(ServiceCommand::Install(InstallArgs { serve, .. })) => {
                serve.clone()
            }
            _ => ServeArgs::default(),
        };
        let watch = serve.no_watch.then_some(false);
        Flags {
            config,
            listen: serve.listen,
            data_dirs,
            database,
            log_level,
            color,
            watch,
            public_url: serve.public_url,
            allow_open: serve.allow_open.then_some(true),
            tls_cert: serve.tls_cert,
            tls_key: serve.tls_key,
        }
    }
}

/// One of a fixed set of names.
fn names<T: Copy + Send + Sync + 'static>(all: &'static [(&'static str, T)]) -> impl TypedValueParser<Value = T> {
    let parser = PossibleValuesParser::new(all.iter().map(|(name, _)| *name));
    parser.try_map(move |typed| {
        all.iter().find(|(name, _)| *name == typed).map(|(_, value)| *value).ok_or("not one of the names")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Cli, clap::Error> {
        Cli::read(format!("claude-token-monitor {line}").split_whitespace())
    }

    fn check(line: &str, expected: &Command) {
        assert_eq!(&read(line).map_err(|error| error.to_string()).expect(line).command, expected, "{line}");
    }

    fn refused(line: &str, word: &str) {
        let error = read(line).expect_err(line);
        assert_eq!(error.exit_code(), 2, "{line}");
        assert!(error.to_string().contains(word), "{line}: {error}");
    }

    #[test]
    fn clap_finds_no_contradiction() {
        Typed::command().debug_assert();
    }

    #[test]
    fn serve_is_what_runs_without_a_command() {
        let serve = |listen: Option<&str>, demo, no_watch| {
            let listen = listen.map(|text| text.parse().unwrap());
            Command::Serve(ServeArgs { listen, demo, no_watch, ..ServeArgs::default() })
        };
        let other = "0.0.0.0:9100";
        check("", &serve(None, false, false));
        check("serve", &serve(None, false, false));
        check("--demo", &serve(None, true, false));
        check("--listen 0.0.0.0:9100 --no-watch", &serve(Some(other), false, true));
        check("serve --web.listen-address=0.0.0.0:9100", &serve(Some(other), false, false));
        check("--web.listen-address=0.0.0.0:9100", &serve(Some(other), false, false));
        check("--demo serve --listen 0.0.0.0:9100", &serve(Some(other), true, false));
        check("--listen 127.0.0.1:1 serve --listen 0.0.0.0:9100", &serve(Some(other), false, false));
        check("--listen localhost:51888", &serve(Some("127.0.0.1:51888"), false, false));
    }

    #[test]
    fn the_other_commands() {
        check("ingest", &Command::Ingest);
        check("doctor --json", &Command::Doctor(DoctorArgs { json: true, print_claude_dir: false }));
        check("db backup /b/copy.db", &Command::Db(DbCommand::Backup { path: Some("/b/copy.db".into()) }));
        check("db prune --older-than 90", &Command::Db(DbCommand::Prune { dry_run: false, older_than: Some(90) }));
        check("db acknowledge", &Command::Db(DbCommand::Acknowledge));
        check(
            "pricing show claude-opus-5 --json",
            &Command::Pricing(PricingCommand::Show { model: "claude-opus-5".into(), json: true }),
        );
        check("pricing reprice --dry-run", &Command::Pricing(PricingCommand::Reprice { dry_run: true }));
        check("auth hash", &Command::Auth(AuthCommand::Hash));
        check("auth token", &Command::Auth(AuthCommand::Token { ttl: 1440 }));
        check("auth token --ttl 5", &Command::Auth(AuthCommand::Token { ttl: 5 }));
        let from = "2026-01-31".to_owned();
        check("sinks replay hook --from 2026-01-31", &Command::Sinks(SinksCommand::Replay { id: "hook".into(), from }));
        check(
            "sinks dead-letters --limit 5",
            &Command::Sinks(SinksCommand::DeadLetters { id: None, limit: 5, json: false }),
        );
        check("healthcheck", &Command::Healthcheck(HealthcheckArgs { url: None }));
        check("config show --json", &Command::Config(ConfigCommand::Show { json: true }));
        check("completions fish", &Command::Completions { shell: clap_complete::Shell::Fish });
        check("manual /tmp/man", &Command::Manual { directory: "/tmp/man".into() });
        check("service status", &Command::Service(ServiceCommand::Status));
        let serve = ServeArgs { no_watch: true, ..ServeArgs::default() };
        let install = InstallArgs { serve, writable: vec!["/a".into(), "/b".into()], dry_run: true };
        check(
            "service install --no-watch --allow-write /a --allow-write /b --dry-run",
            &Command::Service(ServiceCommand::Install(install)),
        );
    }

    #[test]
    fn global_flags_stand_before_and_after_the_command() {
        for line in [
            "--database /d --data-dir /a --data-dir /b -q ingest",
            "ingest --data-dir /a --data-dir /b --database /d -q",
        ] {
            let cli = read(line).expect(line);
            let flags = cli.flags();
            assert_eq!(flags.data_dirs, [PathBuf::from("/a"), PathBuf::from("/b")]);
            assert_eq!(flags.database, Some("/d".into()));
            assert!(cli.global.quiet);
        }
        let flags = read("--log-level debug --color never --no-watch").expect("valid").flags();
        assert_eq!(
            (flags.log_level, flags.color, flags.watch),
            (Some(LogLevel::Debug), Some(ColorChoice::Never), Some(false))
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        refused("--demo ingest", "for `serve`");
        refused("ingest --listen 127.0.0.1:1", "--listen");
        refused("--tls-cert a.crt", "--tls-key");
        refused("auth token --ttl 0", "0");
        refused("--allow-open ingest", "for `serve`");
        refused("--listen 51888", "an address and a port");
        refused("--listen :51888", "an address and a port");
        refused("--log-level loud", "possible values: off, error, warn, info, debug, trace");
        refused("db prune --older-than 0", "0");
        refused("db", "prune");
        refused("doctr", "doctor");
        refused("pricing show", "MODEL");
    }

    #[test]
    fn the_long_help_names_the_exit_codes() {
        let help = Typed::command().render_long_help().to_string();
        for line in ["0   done", "1   failed", "2   the command line", "3   nothing found", "78  the configuration"] {
            assert!(help.contains(line), "{line}");
        }
        assert!(!help.contains("web.listen-address"));
    }
}
