//! The house's metrics about itself: reading, storing, watching, serving, and the process.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Unit;

use super::families::{Families, Labels};
use crate::event::UnixMillis;
use crate::hub::{Hub, Snapshot};
use crate::status::{ProcessSample, SkipReason, SourceStatus, SourceTotals};
use crate::version;

type ReadTotals = fn(&SourceTotals) -> u64;
type ReadStatus = fn(&SourceStatus) -> &AtomicU64;

/// The metrics that stand under our own prefix.
pub struct Own {
    pub hub: Hub,
    pub snapshot: Arc<Snapshot>,
    /// None while usage is withheld.
    pub overflow: Option<Overflow>,
}

/// Label values that share a series because there are too many.
#[derive(Clone, Copy, Debug)]
pub struct Overflow {
    pub models: u64,
    pub projects: Option<u64>,
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Own").field("revision", &self.snapshot.revision).finish_non_exhaustive()
    }
}

impl Collector for Own {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = Families(encoder);
        self.house(&mut families)?;
        self.ingest(&mut families)?;
        self.watch(&mut families)?;
        self.store(&mut families)?;
        self.overflow(&mut families)
    }
}

impl Own {
    fn house(&self, families: &mut Families<'_>) -> fmt::Result {
        let build = [
            ("version", version::VERSION),
            ("revision", version::REVISION),
            ("os", std::env::consts::OS),
            ("arch", std::env::consts::ARCH),
        ];
        families.info("build", "Which build this is", &build)?;
        let ready = u64::from(self.snapshot.ready);
        families.gauge("ready", "1 once everything that was on disk at the start is counted", Some(ready))?;
        let help = "1 once the first catch-up is stored; until then usage families are withheld";
        families.gauge("catchup_complete", help, Some(ready))?;
        let native = u64::from(self.hub.house().native_telemetry.load(Relaxed));
        let help = "1 where Claude Code's own telemetry is switched on in the environment of this program";
        families.gauge("native_telemetry_detected", help, Some(native))?;
        let troubles = self.snapshot.troubles.len() as u64;
        families.gauge("troubles", "Things that need somebody; /api/v1/health names them", Some(troubles))
    }

    fn ingest(&self, families: &mut Families<'_>) -> fmt::Result {
        let plain: [(&str, &str, ReadTotals); 9] = [
            ("ingest_lines", "Complete lines read", |totals| totals.tally.lines),
            ("ingest_claims", "Claims about responses read; several may be about the same one", |totals| {
                totals.tally.claims
            }),
            ("ingest_events", "Responses that were new", |totals| totals.new_responses),
            ("ingest_duplicates", "Claims that said nothing new", |totals| totals.duplicates),
            ("ingest_corrections", "Claims that changed a known response", |totals| totals.corrections),
            ("ingest_below_retention", "Claims older than what retention removes", |totals| totals.below_retention),
            ("ingest_api_errors", "Failed requests that transcripts note", |totals| totals.tally.api_errors),
            ("ingest_unknown_iterations", "Iterations of an unknown type, not counted", |totals| {
                totals.tally.unknown_iterations
            }),
            ("ingest_estimated_times", "Lines whose time had to be estimated", |totals| totals.tally.estimated_times),
        ];
        let sources = &self.snapshot.ingest.by_source;
        for (name, help, read) in plain {
            families.counters(
                name,
                help,
                None,
                sources.iter().map(|(source, totals)| ([("source", source.as_str())], read(totals))),
            )?;
        }
        let bytes = sources.iter().map(|(source, totals)| ([("source", source.as_str())], totals.tally.bytes));
        families.counters("ingest_read", "Bytes of complete lines read", Some(&Unit::Bytes), bytes)?;
        let errors = sources.iter().flat_map(|(source, totals)| {
            SkipReason::ALL.map(|reason| {
                ([("source", source.as_str()), ("reason", reason.name())], totals.tally.skipped[reason as usize])
            })
        });
        families.counters("ingest_parse_errors", "Lines that were not taken as they stood", None, errors)?;
        let partial = self.snapshot.ready.then_some(self.snapshot.unfinished);
        let help = "Responses whose last known line did not say that they were complete";
        families.gauge("ingest_partial_events", help, partial)?;
        let ingest = &self.snapshot.ingest;
        families.counter("ingest_commits", "Transactions that stored something", &ingest.commits)?;
        let help = "When something was last stored";
        families.gauge("ingest_last_success_timestamp_seconds", help, ingest.last_commit_at.map(seconds))?;
        let help = "Time from writing a line to having it stored";
        families.histogram("ingest_lag_seconds", help, &ingest.lag_seconds)
    }

    fn watch(&self, families: &mut Families<'_>) -> fmt::Result {
        let modes = self.sources().flat_map(|(source, status)| {
            let polling = status.polling.load(Relaxed);
            [("native", !polling), ("poll", polling)]
                .map(|(mode, is)| ([("source", source), ("mode", mode)], u64::from(is)))
        });
        families.gauges("watch_mode", "1 for the way in which changes in files are noticed", modes)?;
        let counters: [(&str, &str, ReadStatus); 6] = [
            ("watch_events", "File events received", |status| &status.watch_events),
            ("watch_errors", "Errors of the file watcher", |status| &status.watch_errors),
            ("watch_overflows", "Times the system dropped file events", |status| &status.watch_overflows),
            ("watch_rescans", "Full scans of the directories", |status| &status.rescans),
            ("watch_missed", "Changes that a scan found and no event had named", |status| &status.reconcile_found),
            ("io_errors", "Files that could not be read at some try", |status| &status.io_errors),
        ];
        for (name, help, read) in counters {
            families.counters(name, help, None, self.read(read))?;
        }
        let gauges: [(&str, &str, ReadStatus); 4] = [
            ("tracked_files", "Files that are followed", |status| &status.files),
            ("missing_files", "Files that were read once and are gone", |status| &status.missing_files),
            ("catchup_bytes", "Bytes that the first catch-up has to read", |status| &status.catchup_bytes),
            ("catchup_processed_bytes", "Bytes that it has read", |status| &status.catchup_done_bytes),
        ];
        for (name, help, read) in gauges {
            families.gauges(name, help, self.read(read))?;
        }
        Ok(())
    }

    fn store(&self, families: &mut Families<'_>) -> fmt::Result {
        let store = &self.snapshot.store;
        families.gauge("db_size_bytes", "Size of the database", Some(store.size_bytes))?;
        families.gauge("db_responses", "Responses in the database", Some(store.responses))?;
        families.counter("db_busy", "Times the database was locked by somebody else", &store.busy)?;
        families.histogram("db_commit_seconds", "How long transactions took", &self.snapshot.ingest.commit_seconds)?;
        families.counter(
            "repriced_events",
            "Responses that were given another price later",
            &self.snapshot.repriced,
        )?;
        let checked = store.price_table_at.map(seconds);
        families.gauge("price_table_timestamp_seconds", "When the prices were last checked at their sources", checked)
    }

    fn overflow(&self, families: &mut Families<'_>) -> fmt::Result {
        let overflow = self.overflow.into_iter().flat_map(|Overflow { models, projects }| {
            let projects = projects.map(|count| ([("label", "project")], count));
            std::iter::once(([("label", "model")], models)).chain(projects)
        });
        families.counters(
            "label_overflow",
            "Label values that share a series because there are too many",
            None,
            overflow,
        )
    }

    fn sources(&self) -> impl Iterator<Item = (&'static str, &SourceStatus)> {
        self.hub.statuses().iter().map(|(source, status)| (*source, &**status))
    }

    fn read(&self, read: ReadStatus) -> impl Iterator<Item = (Labels<'static, 1>, u64)> {
        self.sources().map(move |(source, status)| ([("source", source)], read(status).load(Relaxed)))
    }
}

/// The process, under the names that every exporter has.
#[derive(Debug)]
pub struct Process(pub Option<ProcessSample>);

impl Collector for Process {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(ProcessSample { start_seconds, cpu_seconds, resident_bytes, open_fds, max_fds }) = self.0 else {
            return Ok(());
        };
        let mut families = Families(encoder);
        if let Some(cpu) = cpu_seconds {
            families.counter("process_cpu_seconds", "User and system time of the process", &cpu)?;
        }
        families.gauge("process_resident_memory_bytes", "Memory that the process occupies", resident_bytes)?;
        families.gauge("process_open_fds", "Open file descriptors", open_fds)?;
        families.gauge("process_max_fds", "Most file descriptors the process may open", max_fds)?;
        families.gauge("process_start_time_seconds", "When the process began to serve", Some(start_seconds))
    }
}

/// An instant as Prometheus has them.
#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are exact in a double")]
pub fn seconds(at: UnixMillis) -> f64 {
    at.0 as f64 / 1000.0
}
