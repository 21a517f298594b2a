//! What the overview needs of the history, read once per change of it: reloads of a page cost the database nothing.

use std::sync::Arc;

use anyhow::Context;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan};
use tokio::sync::Mutex;

use crate::event::{Tally, UnixMillis};
use crate::store::{DayRow, Readers};

/// How many days the overview shows, today included.
pub const DAYS: i32 = 30;

/// How many projects it shows.
const PROJECTS: usize = 8;

/// The last [`DAYS`] days.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Oldest first, without gaps.
    pub days: Vec<DayRow>,
    /// The most voluminous first.
    pub projects: Vec<(Arc<str>, Tally)>,
}

/// Keeps the newest [`History`].
#[derive(Default)]
pub struct HistoryCache {
    kept: Mutex<Option<(u64, Date, Arc<History>)>>,
}

impl HistoryCache {
    /// The history at `revision`, up to `today`. Whoever asks at the same time waits for the same read.
    pub async fn get(
        &self,
        readers: &Readers,
        zone: &TimeZone,
        revision: u64,
        today: Date,
    ) -> anyhow::Result<Arc<History>> {
        let mut kept = self.kept.lock().await;
        if let Some((at, day, history)) = &*kept
            && (*at, *day) == (revision, today)
        {
            return Ok(Arc::clone(history));
        }
        let (readers, zone) = (readers.clone(), zone.clone());
        let read = tokio::task::spawn_blocking(move || read(&readers, &zone, today));
        let history = Arc::new(read.await.context("reading the history for a page")??);
        *kept = Some((revision, today, Arc::clone(&history)));
        Ok(history)
    }
}

fn read(readers: &Readers, zone: &TimeZone, today: Date) -> anyhow::Result<History> {
    let from = today.saturating_sub((DAYS - 1).days());
    let days = readers.days(from, today, zone).context("reading the days for a page")?;
    let (start, end) = (midnight(from, zone)?, midnight(today.saturating_add(Span::new().days(1)), zone)?);
    let projects = readers.projects(start, end, PROJECTS).context("reading the projects for a page")?;
    Ok(History { days, projects })
}

fn midnight(date: Date, zone: &TimeZone) -> anyhow::Result<UnixMillis> {
    let start = date.to_zoned(zone.clone()).with_context(|| format!("finding the start of {date}"))?;
    Ok(UnixMillis(start.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::clock::Clock;
    use crate::pricing::PriceTable;
    use crate::store::{OpenOptions, Store};

    #[tokio::test]
    async fn the_history_is_read_once_for_each_revision_and_day() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("monitor.db");
        let options = OpenOptions {
            path: path.clone(),
            backups: directory.path().join("backups"),
            clock: Clock::fixed(UnixMillis(0)),
        };
        drop(Store::open(&options, Arc::new(PriceTable::builtin())).unwrap());
        let (readers, cache, zone) = (Readers::new(&path), HistoryCache::default(), TimeZone::UTC);
        let (today, tomorrow) = (date(2026, 11, 23), date(2026, 11, 24));

        let first = cache.get(&readers, &zone, 1, today).await.unwrap();
        let days: Vec<Date> = first.days.iter().map(|day| day.date).collect();
        assert_eq!((days.len(), days[0], days[29]), (30, date(2026, 10, 25), today));

        // Without a database nothing can be read any more, so what still comes is what was kept.
        readers.forget();
        std::fs::remove_file(&path).unwrap();
        let again = cache.get(&readers, &zone, 1, today).await.unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        assert!(cache.get(&readers, &zone, 2, today).await.is_err(), "something has changed");
        assert!(cache.get(&readers, &zone, 1, tomorrow).await.is_err(), "another day has begun");
        assert!(cache.get(&readers, &zone, 1, today).await.is_ok(), "a failure costs nothing that was known");
    }
}
