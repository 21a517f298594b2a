//! Which format a scraper gets, and the older text format made out of the newer one.

use warp::http::header::{self, HeaderMap};

use crate::accept::weighted;

/// A format that can be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// Prometheus text 0.0.4: what everything understands, and what is served when in doubt.
    Text,
    OpenMetrics0,
    OpenMetrics1,
}

impl Format {
    /// The best format that `Accept` names, by its weight; of two that are as welcome the newer one.
    pub fn negotiate(headers: &HeaderMap) -> Self {
        let offers = weighted(headers, header::ACCEPT).filter_map(|(range, weight)| Some((weight, Self::of(range)?)));
        let acceptable = offers.filter(|(weight, _)| *weight > 0);
        acceptable.max().map_or(Self::Text, |(_, format)| format)
    }

    /// The format that a media range asks for.
    fn of(range: &str) -> Option<Self> {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next()?.to_ascii_lowercase();
        let version = parts.find_map(|part| Some(part.strip_prefix("version=")?.trim_matches('"')));
        match (name.as_str(), version) {
            ("application/openmetrics-text", None | Some("1.0.0")) => Some(Self::OpenMetrics1),
            ("application/openmetrics-text", Some("0.0.1")) => Some(Self::OpenMetrics0),
            ("text/plain", None | Some("0.0.4")) | ("text/*" | "*/*", _) => Some(Self::Text),
            _ => None,
        }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics0 => "application/openmetrics-text; version=0.0.1; charset=utf-8",
            Self::OpenMetrics1 => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Text 0.0.4 out of the newer format. There `HELP` and `TYPE` name the sample instead of the family, an info is
/// a gauge, and neither units nor an end are announced.
pub fn to_text(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut help = None;
    for line in open_metrics.lines() {
        let words = line.strip_prefix("# ").and_then(|rest| rest.split_once(' '));
        match words {
            // The help comes first and has to wait: only the type tells what the sample is called.
            Some(("HELP", rest)) => help = rest.split_once(' '),
            Some(("TYPE", rest)) => {
                let (family, kind) = rest.split_once(' ').unwrap_or((rest, "unknown"));
                let (suffix, kind) = match kind {
                    "counter" => ("_total", "counter"),
                    "info" => ("_info", "gauge"),
                    "unknown" => ("", "untyped"),
                    other => ("", other),
                };
                if let Some((_, words)) = help.take() {
                    text.extend(["# HELP ", family, suffix, " ", words, "\n"]);
                }
                text.extend(["# TYPE ", family, suffix, " ", kind, "\n"]);
            }
            Some(_) => {}
            None if line == "# EOF" => {}
            None => text.extend([line, "\n"]),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use warp::http::HeaderValue;

    use super::*;

    fn accept(value: &'static str) -> HeaderMap {
        [(header::ACCEPT, HeaderValue::from_static(value))].into_iter().collect()
    }

    #[test]
    fn formats() {
        fn check(said: &'static str, expected: Format) {
            assert_eq!(Format::negotiate(&accept(said)), expected, "{said}");
        }
        assert_eq!(Format::negotiate(&HeaderMap::new()), Format::Text);
        check("*/*", Format::Text);
        check("", Format::Text);
        check("nonsense;q=x;;,", Format::Text);
        check("text/html,application/xhtml+xml,*/*;q=0.8", Format::Text);
        check("text/plain", Format::Text);
        check("text/plain;version=0.0.4", Format::Text);
        check("application/openmetrics-text", Format::OpenMetrics1);
        check("application/openmetrics-text; version=1.0.0; charset=utf-8", Format::OpenMetrics1);
        check("APPLICATION/OpenMetrics-Text;version=\"1.0.0\"", Format::OpenMetrics1);
        check("application/openmetrics-text;version=0.0.1", Format::OpenMetrics0);
        check("application/openmetrics-text;version=2.0.0", Format::Text);
        check("application/openmetrics-text;q=0, text/plain;q=0.1", Format::Text);
        check("application/openmetrics-text;q=0.2, text/plain;q=0.9", Format::Text);
        check("text/plain, application/openmetrics-text", Format::OpenMetrics1);
        // Prometheus 2.42.
        check(
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            Format::OpenMetrics1,
        );
        // Prometheus 3.
        check(
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
             application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
             text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            Format::OpenMetrics1,
        );
        // A scraper that wants protobuf first takes text as well.
        check(
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,\
             text/plain;version=0.0.4;q=0.3",
            Format::Text,
        );
    }

    #[test]
    fn the_older_format() {
        let open_metrics = "\
# HELP tokens_used What was used.
# TYPE tokens_used counter
# UNIT tokens_used used
tokens_used_total{model=\"# TYPE x counter\"} 1
# HELP build Which one.
# TYPE build info
build_info{version=\"1\"} 1
# HELP up Whether it is.
# TYPE up gauge
up 1
# TYPE odd unknown
odd 3
# EOF
";
        let text = "\
# HELP tokens_used_total What was used.
# TYPE tokens_used_total counter
tokens_used_total{model=\"# TYPE x counter\"} 1
# HELP build_info Which one.
# TYPE build_info gauge
build_info{version=\"1\"} 1
# HELP up Whether it is.
# TYPE up gauge
up 1
# TYPE odd untyped
odd 3
";
        assert_eq!(to_text(open_metrics), text);
    }
}
