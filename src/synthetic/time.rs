//! Instants as transcripts write them.

use std::io::Write;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::event::UnixMillis;

/// Appends `2026-11-20T23:59:59.800Z`.
pub(super) fn write(out: &mut Vec<u8>, at: UnixMillis) -> std::io::Result<()> {
    let time = civil(at);
    write!(
        out,
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        time.year(),
        time.month(),
        time.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.millisecond()
    )
}

/// The UTC day, `2026-11-20`.
pub(super) fn day(at: UnixMillis) -> String {
    let time = civil(at);
    format!("{:04}-{:02}-{:02}", time.year(), time.month(), time.day())
}

/// An instant so many milliseconds away.
pub(super) fn after(at: UnixMillis, millis: u64) -> UnixMillis {
    UnixMillis(at.0.saturating_add_unsigned(millis))
}

pub(super) fn before(at: UnixMillis, millis: u64) -> UnixMillis {
    UnixMillis(at.0.saturating_sub_unsigned(millis))
}

fn civil(at: UnixMillis) -> DateTime {
    // What lies outside of jiff's years, 9999 BC to AD 9999, is nobody's transcript.
    TimeZone::UTC.to_datetime(Timestamp::from_millisecond(at.0).unwrap_or(Timestamp::UNIX_EPOCH))
}
