//! Samples that are pushed: to remote write, or as lines to VictoriaMetrics.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use hyper::Uri;

use super::openmetrics::series;
use super::{BackfillError, History, PATIENCE, Progress, REQUEST, Report};
use crate::clock::Clock;
use crate::event::UnixMillis;
use crate::plugin::{BuildError, Outcome, Setup};
use crate::sinks::http::{self, Client, SendError, Tls};
use crate::sinks::remote_write::message::Series;
use crate::sinks::remote_write::{Target, verdict};
use crate::sinks::series::Point;

/// So many samples go into one request.
const BATCH: usize = 5_000;

/// Who takes samples.
pub enum Receiver {
    RemoteWrite(Box<Target>),
    Victoria(Box<Client>, Uri),
}

impl Receiver {
    /// VictoriaMetrics at a URL; without a path, the usual one is meant.
    pub fn victoria(url: &str, setup: &Setup) -> Result<Self, BuildError> {
        let plain = http::url("url", url)?;
        let path = if plain.path() == "/" { "/api/v1/import/prometheus" } else { "" };
        let url = http::url("url", &format!("{}{path}", url.trim_end_matches('/')))?;
        Ok(Self::Victoria(Box::new(Client::new(&url, &Tls::default(), setup)?), url))
    }
}

/// Pushes samples and waits for a receiver that is away.
pub struct Pusher<'a> {
    pub receiver: Receiver,
    /// Of every series.
    pub labels: BTreeMap<String, String>,
    pub instance: String,
    pub clock: Clock,
    /// Told up to which instant everything has arrived.
    pub arrived: &'a mut dyn FnMut(UnixMillis),
}

impl Pusher<'_> {
    /// Pushes the history.
    pub fn run(&mut self, history: &History<'_>, progress: Progress<'_>) -> Result<Report, BackfillError> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(anyhow::Error::from)?;
        let mut report = Report::default();
        let mut waiting: Vec<(UnixMillis, Point)> = Vec::new();
        history.walk(progress, |at, points| {
            waiting.extend(points.into_iter().map(|point| (at, point)));
            if waiting.len() >= BATCH {
                self.send(&runtime, &std::mem::take(&mut waiting), &mut report)?;
                (self.arrived)(at);
            }
            Ok(())
        })?;
        self.send(&runtime, &waiting, &mut report)?;
        (self.arrived)(history.plan().until);
        Ok(report)
    }

    fn send(
        &self,
        runtime: &tokio::runtime::Runtime,
        samples: &[(UnixMillis, Point)],
        report: &mut Report,
    ) -> Result<(), BackfillError> {
        let count = samples.len() as u64;
        if count == 0 {
            return Ok(());
        }
        let outcome = runtime.block_on(persist(async || self.try_once(samples).await));
        match outcome {
            Outcome::Acked => report.written += count,
            Outcome::Partial { why, .. } => {
                if report.refused == 0 {
                    tracing::warn!("the receiver does not want all of it: {why}");
                }
                report.refused += count;
            }
            Outcome::Retry { why, .. }
            | Outcome::Reject { why }
            | Outcome::TooLarge { why }
            | Outcome::Refused { why } => return Err(BackfillError::Refused { why }),
        }
        Ok(())
    }

    async fn try_once(&self, samples: &[(UnixMillis, Point)]) -> Outcome {
        let answer = match &self.receiver {
            Receiver::RemoteWrite(target) => {
                let mut series = Series::default();
                for (at, point) in samples {
                    series.push(target.labels(point, &self.instance), point.value, at.0);
                }
                target.send(&series.into_request(Vec::new())).await
            }
            Receiver::Victoria(client, url) => {
                let mut lines = String::new();
                for (at, point) in samples {
                    writeln!(lines, "{} {} {}", series(point, &self.labels), point.value, at.0).unwrap_or_default();
                }
                let headers = http::headers("text/plain");
                client.post(url, headers, lines.into()).await.map_err(SendError::outcome)
            }
        };
        match answer {
            Ok(answer) => verdict(&answer, self.clock.now()),
            Err(outcome) => outcome,
        }
    }
}

/// Tries again what may be tried again, with growing pauses, as long as there is patience.
pub(super) async fn persist(mut once: impl AsyncFnMut() -> Outcome) -> Outcome {
    let started = Instant::now();
    let mut pause = Duration::from_millis(200);
    loop {
        let outcome = match tokio::time::timeout(REQUEST, once()).await {
            Ok(outcome) => outcome,
            Err(_) => Outcome::retry(format!("no answer within {REQUEST:?}")),
        };
        let Outcome::Retry { after, why } = &outcome else { return outcome };
        let wait = after.unwrap_or_default().max(pause);
        if started.elapsed() + wait > PATIENCE {
            return outcome;
        }
        tracing::info!("waiting {wait:?} for the receiver: {why}");
        tokio::time::sleep(wait).await;
        pause = (pause * 2).min(Duration::from_secs(15));
    }
}
