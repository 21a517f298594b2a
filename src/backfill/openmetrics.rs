//! A file of OpenMetrics 1.0 with a time at every sample, family by family, as the specification wants it.
//! See <https://prometheus.io/docs/specs/om/open_metrics_spec/>.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::{BackfillError, History, Progress, Report};
use crate::event::UnixMillis;
use crate::platform;
use crate::sinks::series::{FAMILIES, Family, Point, SESSIONS};

/// Writes the file beside its place and moves it there when it is whole.
pub fn write_file(
    history: &History<'_>,
    labels: &BTreeMap<String, String>,
    path: &Path,
    progress: Progress<'_>,
) -> Result<Report, BackfillError> {
    let failed = |source| BackfillError::File { path: path.to_owned(), source };
    let mut name = path.as_os_str().to_owned();
    name.push(".unfinished");
    let unfinished = Path::new(&name);
    if let Err(error) = std::fs::remove_file(unfinished)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(failed(error));
    }
    let file = platform::create_private_file(unfinished).map_err(failed)?;
    let mut out = BufWriter::new(file);
    let mut written = 0;
    let families: Vec<Family> = FAMILIES.into_iter().chain([SESSIONS]).collect();
    for (place, family) in families.iter().enumerate() {
        let mut head = head(*family);
        let mut seen = BTreeMap::<Vec<u8>, UnixMillis>::new();
        let share = |done: f64| (f64::from(u32::try_from(place).unwrap_or(0)) + done) / 7.0;
        history.walk(&mut |done, at| progress(share(done), at), |at, points| {
            for point in points.iter().filter(|point| point.family == *family) {
                out.write_all(std::mem::take(&mut head).as_bytes()).map_err(failed)?;
                let series = series(point, labels);
                // No sample twice: a series may begin where another step ends.
                if seen.insert(series.clone().into_bytes(), at).is_none_or(|last| last < at) {
                    let seconds = at.0.div_euclid(1_000);
                    writeln!(out, "{series} {} {seconds}", point.value).map_err(failed)?;
                    written += 1;
                }
            }
            Ok(())
        })?;
    }
    out.write_all(b"# EOF\n").and_then(|()| out.flush()).map_err(failed)?;
    out.get_ref().sync_all().map_err(failed)?;
    std::fs::rename(unfinished, path).map_err(failed)?;
    Ok(Report { written, refused: 0 })
}

/// The three lines before a family's samples.
fn head(family: Family) -> String {
    let name = family.name.trim_end_matches("_total");
    let mut head = format!("# HELP {name} {}\n# TYPE {name} counter\n", family.help);
    if !family.unit.is_empty() {
        head.extend(["# UNIT ", name, " ", family.unit, "\n"]);
    }
    head
}

/// A series with its labels, values escaped.
pub(super) fn series(point: &Point, labels: &BTreeMap<String, String>) -> String {
    let mut text = format!("{}{{", point.family.name);
    let own = point.labels.iter().map(|(name, value)| (*name, &**value));
    let all = own.chain(labels.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    for (place, (name, value)) in all.filter(|(_, value)| !value.is_empty()).enumerate() {
        let comma = if place > 0 { "," } else { "" };
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        write!(text, "{comma}{name}=\"{value}\"").unwrap_or_default();
    }
    text.push('}');
    text
}
