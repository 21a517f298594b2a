//! Exemplars beside the buckets of a histogram: the newest response of each size, by its session. Only the newer format
//! has them (<https://prometheus.io/docs/specs/om/open_metrics_spec/#exemplars>).

use std::fmt::Write as _;

use super::labels::label_value;
use crate::hub::{RequestSizes, SIZES, SizeExemplar};

/// Most characters that names and values of an exemplar's labels may have together.
const LONGEST: usize = 128;

const NAME: &str = "session_id";

/// The exposition with exemplars at the buckets of `family`, which come in the order of `sizes`.
pub fn added(rendered: &str, family: &str, sizes: &[RequestSizes; 2]) -> String {
    let buckets = format!("{family}_bucket{{");
    let Some(start) = rendered.find(&buckets).filter(|_| sizes.iter().any(has_exemplars)) else {
        return rendered.to_owned();
    };
    let (before, mut rest) = rendered.split_at(start);
    let mut text = String::with_capacity(rendered.len() + 2 * SIZES * 80);
    text.push_str(before);
    let mut exemplars = sizes.iter().flat_map(|sizes| &sizes.exemplars);
    while let Some((line, after)) = rest.split_once('\n') {
        if line.starts_with(&buckets) {
            text.push_str(line);
            if let Some(Some(exemplar)) = exemplars.next() {
                add(&mut text, exemplar);
            }
            text.push('\n');
        } else if line.starts_with(family) {
            // The sum and the count of the next direction.
            text.extend([line, "\n"]);
        } else {
            break;
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

fn has_exemplars(sizes: &RequestSizes) -> bool {
    sizes.exemplars.iter().any(Option::is_some)
}

fn add(text: &mut String, exemplar: &SizeExemplar) {
    let session = label_value(&exemplar.session);
    if NAME.len() + session.chars().count() > LONGEST {
        return;
    }
    let value = session.replace('\\', "\\\\").replace('"', "\\\"");
    let (seconds, millis) = (exemplar.at.0.div_euclid(1000), exemplar.at.0.rem_euclid(1000));
    write!(text, " # {{{NAME}=\"{value}\"}} {}.0 {seconds}.{millis:03}", exemplar.tokens)
        .expect("writing to a string cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::UnixMillis;

    #[test]
    fn each_bucket_gets_its_own() {
        let mut sizes = [RequestSizes::default(), RequestSizes::default()];
        let exemplar =
            |session: &str, tokens| SizeExemplar { session: session.into(), tokens, at: UnixMillis(1_795_438_800_007) };
        sizes[0].exemplars[1] = Some(exemplar("a\"b\\\n", 150));
        sizes[1].exemplars[0] = Some(exemplar("second", 7));
        sizes[1].exemplars[2] = Some(exemplar(&"x".repeat(500), 400));
        let bucket = |n| format!("size_bucket{{n=\"{n}\"}} 1\n");
        let buckets: String = (0..SIZES).map(bucket).collect();
        let rendered = format!("before 1\n{buckets}size_sum 1\n{buckets}after{{x=\"size_bucket{{\"}} 1\n# EOF\n");
        let text = added(&rendered, "size", &sizes);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "before 1");
        assert_eq!(lines[1], "size_bucket{n=\"0\"} 1");
        assert_eq!(lines[2], r#"size_bucket{n="1"} 1 # {session_id="a\"b\\"} 150.0 1795438800.007"#);
        assert_eq!(lines[2 + SIZES], r#"size_bucket{n="0"} 1 # {session_id="second"} 7.0 1795438800.007"#);
        assert_eq!(text.matches(" # {").count(), 2, "a name too long for the format is left out");
        assert_eq!(lines.len(), rendered.lines().count());
        assert_eq!(added(&rendered, "size", &[RequestSizes::default(), RequestSizes::default()]), rendered);
    }
}
