//! `backfill`: the history to a file, or to a receiver, with progress, and from where it stopped.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use indicatif::{ProgressBar, ProgressStyle};

use super::args::BackfillArgs;
use super::output::{grouped, print};
use crate::app::{AppError, configured_sinks};
use crate::backfill::{Destination, History, Pusher, Range, Receiver, Report, Resume, send_logs, write_file};
use crate::clock::Clock;
use crate::config::Settings;
use crate::event::UnixMillis;
use crate::hub::{Hub, Snapshot, Statuses};
use crate::plugin::{Setup, SinkFactory};
use crate::sinks::remote_write::{Config, Target};
use crate::store::Readers;

/// What the command works with.
struct Desk<'a> {
    settings: &'a Settings,
    clock: &'a Clock,
    more: &'static [SinkFactory],
    args: &'a BackfillArgs,
    readers: Readers,
    from: Option<UnixMillis>,
    until: UnixMillis,
    step: i64,
}

pub(super) fn run(
    settings: &Settings,
    clock: &Clock,
    more: &'static [SinkFactory],
    args: &BackfillArgs,
) -> Result<(), AppError> {
    let readers = Readers::new(&settings.database);
    let instant = |text: &Option<String>| text.as_deref().map(|text| instant(text, settings)).transpose();
    let from = instant(&args.from)?;
    let until = instant(&args.until)?.unwrap_or(clock.now()).min(clock.now());
    let desk = Desk { settings, clock, more, args, readers, from, until, step: step(&args.step)? };
    let report = match args.to {
        Destination::OpenMetrics => desk.file()?,
        Destination::RemoteWrite | Destination::Victoria => desk.push()?,
        Destination::Otlp => desk.logs()?,
    };
    let what = if args.to == Destination::Otlp { "records" } else { "samples" };
    let refused = match report.refused {
        0 => String::new(),
        count => format!("; the receiver refused some or all of {} others", grouped(count)),
    };
    print(&format!("{} {what} written{refused}\n", grouped(report.written)))
        .map_err(|error| AppError::Other(error.into()))
}

impl Desk<'_> {
    fn target(&self) -> anyhow::Result<&str> {
        self.args.target.as_deref().with_context(|| format!("--to {} needs to know where to", self.args.to.name()))
    }

    fn history(&self, from: Option<UnixMillis>) -> anyhow::Result<Option<History<'_>>> {
        Ok(History::new(&self.readers, from, self.until, self.step, self.settings.enable_cost)?)
    }

    fn file(&self) -> anyhow::Result<Report> {
        let path = PathBuf::from(self.target()?);
        let Some(history) = self.history(self.from)? else { return Ok(nothing()) };
        let labels = self.labels(&self.settings.listen.to_string())?;
        with_bar(|progress| Ok(write_file(&history, &labels, &path, progress)?))
    }

    fn push(&self) -> anyhow::Result<Report> {
        let url = self.target()?;
        let instance = self.readers.instance()?.context("this history has no name yet; run `ingest` once")?;
        let labels = self.labels(&instance)?;
        let setup = self.setup();
        let receiver = match self.args.to {
            Destination::Victoria => Receiver::victoria(url, &setup)?,
            _ => Receiver::RemoteWrite(Box::new(self.remote_write(url, &setup)?)),
        };
        let resume = Resume::new(&self.settings.database, &format!("{} {url} {labels:?}", self.args.to.name()));
        let from = self.going_on(&resume);
        let Some(history) = self.history(from)? else { return Ok(nothing()) };
        let mut arrived = |at: UnixMillis| resume.set(at.0);
        let clock = self.clock.clone();
        let mut pusher = Pusher { receiver, labels, instance, clock, arrived: &mut arrived };
        with_bar(|progress| Ok(pusher.run(&history, progress)?)).context(AGAIN)
    }

    /// Where to begin: as the user says, else where the last push stopped.
    fn going_on(&self, resume: &Resume) -> Option<UnixMillis> {
        let from = self.from.or_else(|| resume.position().map(UnixMillis));
        if let (None, Some(at)) = (self.from, from) {
            let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
            tracing::info!("going on at {at}, where the last push stopped; --from begins elsewhere");
        }
        from
    }

    /// The sink of the configuration that writes to this URL, with its labels and secrets, or a plain one.
    fn remote_write(&self, url: &str, setup: &Setup) -> anyhow::Result<Target> {
        let same = |table: &toml::Table| table.get("url").and_then(toml::Value::as_str) == Some(url);
        let mut config = Config { url: url.to_owned(), ..Config::default() };
        for sink in configured_sinks(self.settings, self.clock, self.more)? {
            if sink.factory.kind == "remote_write" && same(&sink.table) {
                config = sink.table.clone().try_into()?;
            }
        }
        config.labels.extend(pairs(&self.args.labels)?);
        Ok(Target::new(&config, setup)?)
    }

    fn logs(&self) -> anyhow::Result<Report> {
        let name = self.args.target.as_deref().unwrap_or("otlp");
        let sinks = configured_sinks(self.settings, self.clock, self.more)?;
        let sink = sinks.into_iter().find(|sink| sink.setup.name == name && sink.factory.kind == "otlp");
        let sink = sink.with_context(|| {
            format!("there is no sink {name} of type otlp: add [sinks.{name}], or set OTEL_EXPORTER_OTLP_ENDPOINT")
        })?;
        let parts = sink.build()?(&Hub::new(Snapshot::default(), Statuses::default()));
        let mut logs = parts.deliveries.into_iter().find(|part| part.part == Some("logs"));
        let Some(logs) = &mut logs else { bail!("the sink {name} sends no logs") };
        let resume = Resume::new(&self.settings.database, &format!("otlp {name} {}", logs.delivery.target()));
        let range = Range {
            from: self.from,
            until: self.until,
            after: if self.from.is_some() { 0 } else { resume.position().unwrap_or(0).unsigned_abs() },
        };
        let mut arrived = |revision: u64| resume.set(i64::try_from(revision).unwrap_or(i64::MAX));
        with_bar(|progress| {
            Ok(send_logs(&self.readers, &mut *logs.delivery, range, self.clock, &mut arrived, progress)?)
        })
        .context(AGAIN)
    }

    fn labels(&self, instance: &str) -> anyhow::Result<BTreeMap<String, String>> {
        let mut labels = BTreeMap::from([
            ("job".to_owned(), env!("CARGO_PKG_NAME").to_owned()),
            ("instance".to_owned(), instance.to_owned()),
        ]);
        labels.extend(pairs(&self.args.labels)?);
        Ok(labels)
    }

    fn setup(&self) -> Setup {
        let base = self.settings.file.as_deref().and_then(Path::parent).map(Path::to_owned).unwrap_or_default();
        Setup { base, ..Setup::new("backfill", self.clock.clone()) }
    }
}

/// What helps after a push that failed half way.
const AGAIN: &str = "stopped; what has arrived is remembered, and the same command goes on from there";

fn nothing() -> Report {
    tracing::info!("nothing was used in that time");
    Report::default()
}

/// Shows how far it is, where somebody is looking.
fn with_bar(work: impl FnOnce(&mut dyn FnMut(f64, UnixMillis)) -> anyhow::Result<Report>) -> anyhow::Result<Report> {
    let bar = if std::io::stderr().is_terminal() { ProgressBar::new(1_000) } else { ProgressBar::hidden() };
    let style = ProgressStyle::with_template("writing history {wide_bar} {percent}% {msg} {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let report = work(&mut |done, at| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1000")]
        bar.set_position((done * 1_000.0) as u64);
        let day = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
        bar.set_message(day.strftime("%F").to_string());
    });
    bar.finish_and_clear();
    report
}

fn pairs(said: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    let pair = |text: &String| {
        let (name, value) = text.split_once('=').with_context(|| format!("--label {text}: expected name=value"))?;
        let start = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && !name.starts_with("__");
        if !start || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            bail!("--label {text}: this is no name of a label");
        }
        Ok((name.to_owned(), value.to_owned()))
    };
    said.iter().map(pair).collect()
}

/// A date in the user's zone, or an instant.
fn instant(text: &str, settings: &Settings) -> anyhow::Result<UnixMillis> {
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Ok(UnixMillis(instant.as_millisecond()));
    }
    let day: jiff::civil::Date = text.parse().map_err(|_| {
        anyhow!("{text:?} is no time; expected a date like 2026-01-31 or an instant like 2026-01-31T08:00:00Z")
    })?;
    Ok(UnixMillis(day.to_zoned(settings.time_zone.clone())?.timestamp().as_millisecond()))
}

/// Milliseconds of `15m`, `1h`, `1d`.
fn step(text: &str) -> anyhow::Result<i64> {
    const QUARTER: i64 = 900_000;
    let wrong = || anyhow!("--step {text}: expected a multiple of 15m up to 1d, such as 15m, 1h or 6h");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let unit = match unit {
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    let step = number.parse::<i64>().ok().and_then(|number| number.checked_mul(unit)).ok_or_else(wrong)?;
    if (QUARTER..=86_400_000).contains(&step) && step % QUARTER == 0 { Ok(step) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_whole_quarters_of_an_hour() {
        let check = |text: &str, expected: Option<i64>| assert_eq!(step(text).ok(), expected, "{text}");
        check("15m", Some(900_000));
        check("1h", Some(3_600_000));
        check("1d", Some(86_400_000));
        for wrong in ["", "h", "10m", "0h", "-1h", "2d", "1w", "1.5h", "é"] {
            check(wrong, None);
        }
    }

    #[test]
    fn labels_have_names_that_prometheus_takes() {
        assert_eq!(pairs(&["job=a=b".to_owned()]).unwrap()["job"], "a=b");
        for wrong in ["job", "=x", "1=x", "__name__=x", "a-b=x"] {
            assert!(pairs(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
