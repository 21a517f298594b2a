//! Query parameters: declared once, for reading and for the API's own document. Whatever was not declared, stands twice or
//! cannot be is refused by name, since a mistyped filter must not look as if it had been applied.

use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use crate::event::UnixMillis;
use crate::web::error::ApiError;

/// Something that an endpoint may be asked with.
#[derive(Debug)]
pub struct Parameter {
    pub name: &'static str,
    /// One sentence for people.
    pub about: &'static str,
    pub kind: Kind,
    pub example: &'static str,
}

/// What a parameter's value may be.
#[derive(Debug)]
pub enum Kind {
    Integer {
        min: u32,
        max: u32,
        /// Without one it may be missing.
        default: Option<u32>,
    },
    /// One of these words; the first is the default.
    Choice(&'static [&'static str]),
    /// Names as the transcripts write them. Given several times, any of them will do; `all` is all.
    Names,
    /// A name of something.
    Text,
    /// A day (`2026-01-31`) or an instant with its offset (`2026-01-31T12:00:00Z`).
    Moment,
    /// A name of the IANA time zone database.
    Zone,
    /// What an earlier answer gave to go on from.
    Cursor,
    /// Where in the history to begin: `now`, `beginning`, a day or a revision. It has to be said.
    Start,
}

/// How many names one question may hold.
pub const MOST_NAMES: usize = 50;

/// The first and the last year that anything here can be asked about.
const YEARS: std::ops::RangeInclusive<i16> = 1970..=2199;

/// A day as a pattern. The 29th of February needs a leap year.
macro_rules! day {
    () => {
        "((19[7-9][0-9]|2[01][0-9]{2})-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)\
         |02-(0[1-9]|1[0-9]|2[0-8]))\
         |(19[79][26]|198[048]|20[02468][048]|20[13579][26]|21(0[48]|[2468][048]|[13579][26]))-02-29)"
    };
}

/// What [`Kind::Moment`] may be, for the document: exactly what is read.
pub const MOMENT: &str = concat!(
    "^",
    day!(),
    r"(T([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9]))?$"
);

/// What [`Kind::Start`] may be.
pub const START: &str = concat!("^(now|beginning|[0-9]{1,15}|", day!(), ")$");

/// What [`Kind::Cursor`] may be.
pub const CURSOR: &str = "^-?[0-9]{1,15}_[0-9]{1,15}$";

impl Kind {
    /// What is allowed, for whoever sent something else.
    fn allowed(&self) -> Json {
        match self {
            Self::Integer { min, max, .. } => json!(format!("a whole number from {min} to {max}")),
            Self::Choice(words) => json!(words),
            Self::Names => json!(format!("a name; up to {MOST_NAMES} of them, each as a parameter of its own")),
            Self::Text => json!("a name"),
            Self::Moment => json!(format!(
                "a day such as 2026-01-31 or an instant such as 2026-01-31T12:00:00Z, from {} to {}",
                YEARS.start(),
                YEARS.end()
            )),
            Self::Zone => json!("a name of the IANA time zone database, such as Europe/Berlin or UTC"),
            Self::Cursor => json!("the next_cursor of an earlier answer"),
            Self::Start => json!("now, beginning, a day such as 2026-01-31, or a revision"),
        }
    }

    /// It cannot be left out.
    pub fn is_required(&self) -> bool {
        matches!(self, Self::Start)
    }

    fn read(&self, text: &str) -> Option<Value> {
        match self {
            Self::Integer { min, max, .. } => {
                // `parse` would take a plus sign.
                let digits = text.bytes().all(|byte| byte.is_ascii_digit());
                let number = text.parse().ok().filter(|number| digits && (min..=max).contains(&number));
                number.map(Value::Integer)
            }
            Self::Choice(words) => words.iter().find(|word| **word == text).map(|word| Value::Word(word)),
            Self::Names => Some(Value::Names(if text == "all" { Vec::new() } else { vec![text.into()] })),
            Self::Text => Some(Value::Text(text.to_owned())),
            Self::Moment => moment(text).map(Value::Moment),
            Self::Zone => zone(text).map(Value::Zone),
            Self::Cursor => Cursor::read(text).map(Value::Cursor),
            Self::Start => is_start(text).then(|| Value::Text(text.to_owned())),
        }
    }
}

/// A day or an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    Day(Date),
    Instant(UnixMillis),
}

/// A place in a list that is ordered by time: the last row that was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub at: i64,
    pub revision: u64,
}

impl Cursor {
    fn read(text: &str) -> Option<Self> {
        let (at, revision) = text.split_once('_')?;
        let plain = |text: &str| (1..=15).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if !plain(at.strip_prefix('-').unwrap_or(at)) || !plain(revision) {
            return None;
        }
        Some(Self { at: at.parse().ok()?, revision: revision.parse().ok()? })
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}_{}", self.at, self.revision)
    }
}

#[derive(Clone, Debug)]
enum Value {
    Integer(u32),
    Word(&'static str),
    Names(Vec<Arc<str>>),
    Text(String),
    Moment(Moment),
    Zone(TimeZone),
    Cursor(Cursor),
}

/// What a request asked with.
#[derive(Clone, Debug, Default)]
pub struct Asked(Vec<(&'static str, Value)>);

impl Asked {
    /// Reads a raw query string. An empty value is none: forms send those.
    pub fn read(query: &str, declared: &[&[&'static Parameter]]) -> Result<Self, ApiError> {
        let declared = || declared.iter().copied().flatten();
        let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        let unknown: Vec<_> =
            pairs.iter().map(|(name, _)| &**name).filter(|name| !declared().any(|one| one.name == *name)).collect();
        if !unknown.is_empty() {
            let known: Vec<_> = declared().map(|parameter| parameter.name).collect();
            let message = format!("unknown query parameter: {}", unknown.join(", "));
            return Err(ApiError::bad_request("unknown_parameter", message)
                .with("parameter", unknown[0])
                .with("parameters", unknown)
                .with("allowed", known));
        }
        let mut asked = Self::default();
        for parameter in declared() {
            let given = || pairs.iter().filter(|(name, _)| *name == parameter.name);
            if matches!(parameter.kind, Kind::Names) && given().count() > MOST_NAMES {
                let why = format!("more than {MOST_NAMES} names");
                return Err(ApiError::parameter(parameter.name, why, parameter.kind.allowed()));
            }
            for (_, text) in given().filter(|(_, text)| !text.is_empty()) {
                asked.take(parameter, text)?;
            }
            if parameter.kind.is_required() && !asked.has(parameter) {
                return Err(ApiError::parameter(parameter.name, "it is missing", parameter.kind.allowed()));
            }
        }
        Ok(asked)
    }

    fn take(&mut self, parameter: &Parameter, text: &str) -> Result<(), ApiError> {
        let Parameter { name, kind, .. } = parameter;
        let refused = |why: String| ApiError::parameter(name, why, kind.allowed());
        let value = kind.read(text).ok_or_else(|| refused(format!("`{}` cannot be", shortened(text))))?;
        match (self.0.iter_mut().find(|(known, _)| known == name), value) {
            (None, value) => self.0.push((*name, value)),
            (Some((_, Value::Names(names))), Value::Names(more)) => {
                // One `all` among names is all of them.
                if names.is_empty() || more.is_empty() {
                    names.clear();
                } else {
                    names.extend(more);
                }
            }
            (Some(_), _) => return Err(refused("given more than once".to_owned())),
        }
        Ok(())
    }

    fn get(&self, parameter: &Parameter) -> Option<&Value> {
        self.0.iter().find(|(name, _)| *name == parameter.name).map(|(_, value)| value)
    }

    /// Whether anything was said.
    pub fn has(&self, parameter: &Parameter) -> bool {
        self.get(parameter).is_some()
    }

    /// The number, or the declared default.
    pub fn integer(&self, parameter: &Parameter) -> Option<u32> {
        match (self.get(parameter), &parameter.kind) {
            (Some(Value::Integer(number)), _) => Some(*number),
            (_, Kind::Integer { default, .. }) => *default,
            _ => None,
        }
    }

    /// The word that was chosen; the first one if none was.
    pub fn word(&self, parameter: &Parameter) -> &'static str {
        match (self.get(parameter), &parameter.kind) {
            (Some(Value::Word(word)), _) => word,
            (_, Kind::Choice([first, ..])) => first,
            _ => "",
        }
    }

    /// The names; none is all.
    pub fn names(&self, parameter: &Parameter) -> Vec<Arc<str>> {
        match self.get(parameter) {
            Some(Value::Names(names)) => names.clone(),
            _ => Vec::new(),
        }
    }

    pub fn text(&self, parameter: &Parameter) -> Option<&str> {
        match self.get(parameter) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub fn moment(&self, parameter: &Parameter) -> Option<Moment> {
        match self.get(parameter) {
            Some(Value::Moment(moment)) => Some(*moment),
            _ => None,
        }
    }

    pub fn zone(&self, parameter: &Parameter) -> Option<TimeZone> {
        match self.get(parameter) {
            Some(Value::Zone(zone)) => Some(zone.clone()),
            _ => None,
        }
    }

    pub fn cursor(&self, parameter: &Parameter) -> Option<Cursor> {
        match self.get(parameter) {
            Some(Value::Cursor(cursor)) => Some(*cursor),
            _ => None,
        }
    }
}

/// Enough of a value to recognise it.
fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(60).collect()
}

fn moment(text: &str) -> Option<Moment> {
    // A plus sign that was not encoded arrives as a space.
    let text = text.replace(' ', "+");
    if !is_moment(&text) || !YEARS.contains(&text.get(..4)?.parse().ok()?) {
        return None;
    }
    if text.len() == "2026-01-31".len() {
        return text.parse().ok().map(Moment::Day);
    }
    let instant: jiff::Timestamp = text.parse().ok()?;
    Some(Moment::Instant(UnixMillis(instant.as_millisecond())))
}

/// Whether a text has one of the two forms that everybody writes, out of the many that ISO 8601 has. Its numbers may still
/// make no sense.
fn is_moment(text: &str) -> bool {
    let form: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let Some(time) = form.strip_prefix("0000-00-00") else { return false };
    let Some(rest) = time.strip_prefix("T00:00:00") else { return time.is_empty() };
    let offset = match rest.strip_prefix('.') {
        None => rest,
        Some(fraction) => {
            let offset = fraction.trim_start_matches('0');
            if !(1..=9).contains(&(fraction.len() - offset.len())) {
                return false;
            }
            offset
        }
    };
    let hours = || text.get(text.len() - 5..text.len() - 3).and_then(|hours| hours.parse().ok());
    offset == "Z" || (matches!(offset, "+00:00" | "-00:00") && hours().is_some_and(|hours: u8| hours < 24))
}

fn is_start(text: &str) -> bool {
    let is_revision = (1..=15).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_revision || matches!(text, "now" | "beginning") || matches!(moment(text), Some(Moment::Day(_)))
}

fn zone(text: &str) -> Option<TimeZone> {
    let name = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte));
    if name { TimeZone::get(text).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::{CURSOR as CURSOR_PATTERN, START as START_PATTERN, *};

    static LIMIT: Parameter = Parameter {
        name: "limit",
        about: "",
        kind: Kind::Integer { min: 1, max: 100, default: Some(50) },
        example: "",
    };
    static PERIOD: Parameter =
        Parameter { name: "period", about: "", kind: Kind::Choice(&["daily", "hourly"]), example: "" };
    static MODEL: Parameter = Parameter { name: "model", about: "", kind: Kind::Names, example: "" };
    static START: Parameter = Parameter { name: "start_date", about: "", kind: Kind::Moment, example: "" };
    static TZ: Parameter = Parameter { name: "tz", about: "", kind: Kind::Zone, example: "" };
    static CURSOR: Parameter = Parameter { name: "cursor", about: "", kind: Kind::Cursor, example: "" };
    static QUERY: Parameter = Parameter { name: "q", about: "", kind: Kind::Text, example: "" };
    static DECLARED: [&Parameter; 7] = [&LIMIT, &PERIOD, &MODEL, &START, &TZ, &CURSOR, &QUERY];

    fn read(query: &str) -> Result<Asked, ApiError> {
        Asked::read(query, &[&DECLARED])
    }

    #[test]
    fn what_is_not_said_is_the_default() {
        for query in ["", "&", "limit=&period=&model=&start_date=&tz=&cursor="] {
            let asked = read(query).unwrap();
            assert_eq!((asked.integer(&LIMIT), asked.word(&PERIOD)), (Some(50), "daily"));
            assert_eq!((asked.names(&MODEL), asked.moment(&START), asked.cursor(&CURSOR)), (vec![], None, None));
            assert!(asked.zone(&TZ).is_none() && asked.text(&QUERY).is_none() && !asked.has(&LIMIT));
        }
    }

    #[test]
    fn what_is_said_is_read() {
        let asked = read("limit=7&period=hourly&model=a%2Fb+c&model=%3Cd%3E&q=x%26y&cursor=-5_9").unwrap();
        assert_eq!((asked.integer(&LIMIT), asked.word(&PERIOD)), (Some(7), "hourly"));
        assert_eq!(asked.names(&MODEL), ["a/b c".into(), "<d>".into()]);
        assert_eq!(asked.text(&QUERY), Some("x&y"));
        assert_eq!(asked.cursor(&CURSOR), Some(Cursor { at: -5, revision: 9 }));
        assert_eq!(asked.cursor(&CURSOR).unwrap().to_string(), "-5_9");
        for query in ["model=all", "model=x&model=all", "model=all&model=x"] {
            assert!(read(query).unwrap().names(&MODEL).is_empty(), "{query}");
        }
    }

    #[test]
    fn moments_and_zones() {
        let check = |text: &str, expected: Moment| {
            assert_eq!(read(&format!("start_date={text}")).unwrap().moment(&START), Some(expected), "{text}");
        };
        check("2026-01-31", Moment::Day(date(2026, 1, 31)));
        let instant = Moment::Instant(UnixMillis(1_769_860_800_000));
        for text in ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000Z", "2026-01-31T13:00:00%2B01:00"] {
            check(text, instant);
        }
        check("2026-01-31T13:00:00+01:00", instant);
        check("2026-02-01T11:59:00%2B23:59", instant);
        check("2024-02-29", Moment::Day(date(2024, 2, 29)));
        check("1970-01-01T00:00:00%2B01:00", Moment::Instant(UnixMillis(-3_600_000)));
        for zone in ["Europe/Berlin", "UTC", "Asia/Kathmandu", "Etc/GMT%2B5"] {
            assert!(read(&format!("tz={zone}")).unwrap().zone(&TZ).is_some(), "{zone}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let check = |query: &str, code: &str, parameter: &str| {
            let error = read(query).expect_err(query);
            assert_eq!((error.status.as_u16(), error.code), (400, code), "{query}");
            assert_eq!(error.details["parameter"], parameter, "{query}");
            assert!(!error.details["allowed"].is_null(), "{query}");
        };
        check("limt=7", "unknown_parameter", "limt");
        check("limit=7&days&x=", "unknown_parameter", "days");
        check("=7", "unknown_parameter", "");
    }

    #[test]
    fn values_that_cannot_be() {
        let check = |query: &str, parameter: &str| {
            let error = read(query).expect_err(query);
            assert_eq!((error.status.as_u16(), error.code), (400, "invalid_parameter"), "{query}");
            assert_eq!(error.details["parameter"], parameter, "{query}");
            assert!(error.message.starts_with(&format!("{parameter}: ")), "{}", error.message);
        };
        for value in ["0", "101", "-1", "+5", "5.0", "five", "99999999999999999999", "%35%00"] {
            check(&format!("limit={value}"), "limit");
        }
        check("limit=5&limit=5", "limit");
        check("period=Daily", "period");
        for value in [
            "2026-02-30",
            "20260131",
            "2026-1-31",
            "1969-12-31",
            "2200-01-01",
            "yesterday",
            "2026-01-31T12:00",
            "2026-01-31T12:00:00",
            "2026-01-31T12:00:00Z[UTC]",
            "-009999-01-01T00:00:00Z",
            "2026-01-31T12:00Z",
            "2026-01-31t12:00:00z",
            "2026-01-31T24:00:00Z",
            "2026-01-31T12:00:00,5Z",
            "2026-01-31T12:00:00.Z",
            "2026-01-31T12:00:00.1234567890Z",
            "2026-01-31T12:00:00%2B24:00",
            "2026-01-31T12:00:00%2B01",
            "2026-02-29",
            "2100-02-29",
        ] {
            check(&format!("start_date={value}"), "start_date");
        }
        for value in ["Mars/Olympus", "../etc/passwd", "/etc/localtime", "EST5EDT,M3.2.0,M11.1.0", "%00"] {
            check(&format!("tz={value}"), "tz");
        }
        for value in ["5", "_", "5_", "a_b", "1_-2", "5_99999999999999999999", "--5_1", "-_1", "1_1_1"] {
            check(&format!("cursor={value}"), "cursor");
        }
        let many = "model=x&".repeat(MOST_NAMES + 1);
        check(&many, "model");
    }

    #[test]
    fn a_start_has_to_be_said() {
        static FROM: Parameter = Parameter { name: "from", about: "", kind: Kind::Start, example: "" };
        for text in ["now", "beginning", "0", "4321", "2026-01-31"] {
            assert_eq!(Asked::read(&format!("from={text}"), &[&[&FROM]]).unwrap().text(&FROM), Some(text));
        }
        for query in ["", "from=", "from=Now", "from=-1", "from=2026-02-30", "from=2026-01-31T12:00:00Z", "from=%201"] {
            let error = Asked::read(query, &[&[&FROM]]).expect_err(query);
            assert_eq!((error.code, &error.details["parameter"]), ("invalid_parameter", &json!("from")), "{query}");
        }
    }

    proptest! {
        #[test]
        fn what_the_document_says_of_moments_is_read(text in MOMENT.trim_matches(['^', '$'])) {
            prop_assert!(moment(&text).is_some(), "{}", text);
        }

        #[test]
        fn what_the_document_says_of_starts_is_read(text in START_PATTERN.trim_matches(['^', '$'])) {
            prop_assert!(is_start(&text), "{}", text);
        }

        #[test]
        fn what_the_document_says_of_cursors_is_read(text in CURSOR_PATTERN.trim_matches(['^', '$'])) {
            prop_assert!(Cursor::read(&text).is_some(), "{}", text);
        }

        #[test]
        fn no_query_is_too_strange(query in ".{0,200}", name in "limit|period|model|start_date|tz|cursor|q") {
            for query in [query.clone(), format!("{name}={query}")] {
                if let Err(error) = read(&query) {
                    prop_assert_eq!(error.status.as_u16(), 400);
                    prop_assert!(error.message.chars().count() < 1_000);
                }
            }
        }
    }
}
