//! Sums by time: buckets that the caller has cut, and the hours of the week.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::cut::cut;
use super::filter::Resolved;
use super::groups::{Dimension, folded};
use super::{Costs, Filter, Span, tally};
use crate::event::{Tally, UnixMillis};
use crate::store::StoreError;
use crate::store::read::Readers;
use crate::store::rollups::dim;

/// The most buckets of one question: ten years of days or a year of hours, and then some.
const BUCKETS: usize = 20_000;

/// What a trend tells apart beside time. The less it is, the faster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    Nothing,
    /// What each kind of token costs.
    Costs,
    By(Dimension),
}

/// One bucket of a trend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    pub from: UnixMillis,
    pub to: UnixMillis,
    pub tally: Tally,
    /// With [`Split::Costs`].
    pub costs: Option<Costs>,
    /// With [`Split::By`]. The name is empty where there is none.
    pub groups: BTreeMap<Arc<str>, Tally>,
}

/// An hour of the week, and what fell into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeekRow {
    /// 1 is Monday, 7 is Sunday.
    pub weekday: i8,
    /// 0 to 23.
    pub hour: i8,
    pub tally: Tally,
}

impl Readers {
    /// The sums between each bound and the next: one bucket fewer than there are bounds. Bounds have to be in order; cut
    /// them in the zone of whoever asks, then days of 23 and 25 hours come by themselves.
    pub fn trend(&self, bounds: &[UnixMillis], filter: &Filter, split: Split) -> Result<Vec<Bucket>, StoreError> {
        if bounds.len() > BUCKETS || !bounds.is_sorted() {
            return Err(StoreError::Range(format!("{} bounds of a trend, or not in order", bounds.len())));
        }
        self.ask(|db, words| {
            let costs = (split == Split::Costs).then(Costs::default);
            let frames =
                bounds.windows(2).map(|pair| Bucket { from: pair[0], to: pair[1], costs, ..Bucket::default() });
            let mut buckets: Vec<Bucket> = frames.collect();
            let Some(filter) = Resolved::of(db, filter)? else { return Ok(buckets) };
            let instants: Vec<i64> = bounds.iter().map(|bound| bound.0).collect();
            let by = match split {
                Split::Nothing => vec![],
                Split::Costs => vec![dim::CARD],
                Split::By(dimension) => vec![dimension.place()],
            };
            let cells = cut(db, words, &instants, &filter, &by)?;
            for (bucket, cells) in buckets.iter_mut().zip(&cells) {
                for (key, parts) in cells {
                    let tally = tally(parts)?;
                    bucket.tally.add(&tally);
                    if let Split::By(dimension) = split {
                        let name = dimension.name(db, words, key[dimension.place()])?.unwrap_or_else(|| "".into());
                        bucket.groups.entry(name).or_default().add(&tally);
                    }
                }
                if let Some(costs) = &mut bucket.costs {
                    for sums in folded(db, words, cells, dim::CARD)?.values() {
                        costs.add(&sums.costs);
                    }
                }
            }
            Ok(buckets)
        })
    }

    /// The sums by hour of the week as clocks in `zone` show it: 168 rows, Monday midnight first.
    pub fn week(&self, span: Span, filter: &Filter, zone: &TimeZone) -> Result<Vec<WeekRow>, StoreError> {
        let clock = (1..=7_i8).flat_map(|weekday| (0..24_i8).map(move |hour| (weekday, hour)));
        let mut week: Vec<WeekRow> =
            clock.map(|(weekday, hour)| WeekRow { weekday, hour, tally: Tally::default() }).collect();
        let Some(span) = self.ask(|db, _| super::walk::occupied(db, span))? else { return Ok(week) };
        let bounds = hours(span, zone)?;
        let mut rest = &bounds[..];
        while rest.len() > 1 {
            let taken = rest.len().min(BUCKETS);
            for bucket in self.trend(&rest[..taken], filter, Split::Nothing)? {
                let local = zone.to_datetime(timestamp(bucket.from)?);
                let place = i16::from(local.weekday().to_monday_zero_offset()) * 24 + i16::from(local.hour());
                if let Some(row) = usize::try_from(place).ok().and_then(|place| week.get_mut(place)) {
                    row.tally.add(&bucket.tally);
                }
            }
            rest = &rest[taken - 1..];
        }
        Ok(week)
    }
}

fn timestamp(at: UnixMillis) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(at.0).map_err(|error| StoreError::Range(error.to_string()))
}

/// Every instant of a span at which an hour begins on a clock in `zone`, the clock is changed, or the span begins or
/// ends.
fn hours(span: Span, zone: &TimeZone) -> Result<Vec<UnixMillis>, StoreError> {
    const HOUR: i64 = 3_600_000;
    let mut bounds = vec![span.from];
    let mut at = span.from.0;
    while at < span.to.0 {
        let now = timestamp(UnixMillis(at))?;
        let offset = i64::from(zone.to_offset(now).seconds()) * 1_000;
        let until = zone.following(now).next().map_or(i64::MAX, |change| change.timestamp().as_millisecond());
        let end = until.min(span.to.0);
        while at < end {
            at = end.min(at + HOUR - (at + offset).rem_euclid(HOUR));
            bounds.push(UnixMillis(at));
        }
    }
    Ok(bounds)
}
