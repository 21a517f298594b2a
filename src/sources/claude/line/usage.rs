//! The numbers of a `usage` object: tokens, cache split and server tools, whatever types they are written in. Says no to
//! numbers that no response can have; never guesses a missing one from another, except a missing total from its parts.

use serde::de::MapAccess;

use super::json::{self, Members, Objects, Scalar, Text};
use crate::event::{TokenCounts, UsageFlags, WebUse};

/// More than any model can read or write in one response; a field above it poisons the whole record.
const MOST_IN_ONE_FIELD: u64 = 100_000_000;

/// What a count is kept in everywhere. A number beyond it is no count at all: the field is zero, the rest is used.
const LARGEST_COUNT: u64 = i64::MAX.unsigned_abs();

/// `message.usage` as it is written.
#[derive(Default)]
pub(super) struct UsageObject<'a> {
    pub(super) tier: Text<'a>,
    pub(super) speed: Text<'a>,
    pub(super) geo: Text<'a>,
    pub(super) iterations: Vec<json::Object<Iteration<'a>>>,
    input: Count,
    output: Count,
    cache_write: Count,
    cache_read: Count,
    split: Option<CacheSplit>,
    web: Option<ServerTools>,
}

/// One entry of `usage.iterations`: a call to a model inside the response, with numbers of its own.
#[derive(Default)]
pub(super) struct Iteration<'a> {
    pub(super) kind: Text<'a>,
    pub(super) model: Text<'a>,
    pub(super) usage: UsageObject<'a>,
}

/// What a `usage` object amounts to.
#[derive(Debug, PartialEq)]
pub(super) struct Numbers {
    pub(super) tokens: TokenCounts,
    pub(super) has_split: bool,
    pub(super) web: Option<WebUse>,
    pub(super) flags: UsageFlags,
}

impl Numbers {
    /// Nothing was used, so nothing is to be counted.
    pub(super) fn is_nothing(&self) -> bool {
        self.tokens.total() == 0 && self.web.is_none_or(|web| web == WebUse::default())
    }
}

impl UsageObject<'_> {
    /// The numbers, or `None` if one of them is implausible.
    pub(super) fn numbers(&self) -> Option<Numbers> {
        let mut flags = UsageFlags::default();
        let mut number = |count: Count| count.value(&mut flags);
        let (input, output, cache_read) = (number(self.input)?, number(self.output)?, number(self.cache_read)?);
        let stated_write = number(self.cache_write)?;
        let split = match self.split {
            Some(CacheSplit { five_minutes, one_hour }) => Some((number(five_minutes)?, number(one_hour)?)),
            None => None,
        };
        let web = match self.web {
            Some(ServerTools { searches, fetches }) => {
                Some(WebUse { searches: number(searches)?, fetches: number(fetches)? })
            }
            None => None,
        };
        let in_split = split.map_or(0, |(five_minutes, one_hour)| five_minutes + one_hour);
        let cache_write = if self.cache_write == Count::Missing { in_split } else { stated_write };

        let ((five_minutes, one_hour), has_split) = match split {
            Some(stated) if in_split == cache_write => (stated, cache_write > 0),
            _ if cache_write == 0 && in_split == 0 => ((0, 0), false),
            Some((_, one_hour)) if in_split > 0 => {
                flags = flags.with(UsageFlags::SPLIT_MISMATCH);
                let one_hour = one_hour.min(cache_write);
                ((cache_write - one_hour, one_hour), false)
            }
            _ => {
                flags = flags.with(UsageFlags::SPLIT_MISSING);
                ((cache_write, 0), false)
            }
        };
        let tokens = TokenCounts { input, output, cache_write_5m: five_minutes, cache_write_1h: one_hour, cache_read };
        Some(Numbers { tokens, has_split, web, flags })
    }
}

impl<'de> Members<'de> for UsageObject<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, members: &mut A) -> Result<(), A::Error> {
        match name {
            "input_tokens" => self.input = Count::read(members)?,
            "output_tokens" => self.output = Count::read(members)?,
            "cache_creation_input_tokens" => self.cache_write = Count::read(members)?,
            "cache_read_input_tokens" => self.cache_read = Count::read(members)?,
            "cache_creation" => json::object(&mut self.split, members)?,
            "server_tool_use" => json::object(&mut self.web, members)?,
            "service_tier" => self.tier = json::text(members)?,
            "speed" => self.speed = json::text(members)?,
            "inference_geo" => self.geo = json::text(members)?,
            "iterations" => self.iterations = members.next_value::<Objects<Iteration<'de>>>()?.0,
            _ => json::skip(members)?,
        }
        Ok(())
    }
}

impl<'de> Members<'de> for Iteration<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, members: &mut A) -> Result<(), A::Error> {
        match name {
            "type" => self.kind = json::text(members)?,
            "model" => self.model = json::text(members)?,
            // An iteration has none of its own; without this, nesting them would nest calls.
            "iterations" => json::skip(members)?,
            _ => self.usage.member(name, members)?,
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Default)]
struct CacheSplit {
    five_minutes: Count,
    one_hour: Count,
}

impl<'de> Members<'de> for CacheSplit {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, members: &mut A) -> Result<(), A::Error> {
        match name {
            "ephemeral_5m_input_tokens" => self.five_minutes = Count::read(members)?,
            "ephemeral_1h_input_tokens" => self.one_hour = Count::read(members)?,
            _ => json::skip(members)?,
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Default)]
struct ServerTools {
    searches: Count,
    fetches: Count,
}

impl<'de> Members<'de> for ServerTools {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, members: &mut A) -> Result<(), A::Error> {
        match name {
            "web_search_requests" => self.searches = Count::read(members)?,
            "web_fetch_requests" => self.fetches = Count::read(members)?,
            _ => json::skip(members)?,
        }
        Ok(())
    }
}

/// A field that should hold a natural number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Count {
    /// Not there, or null.
    #[default]
    Missing,
    Plain(u64),
    /// Negative, fractional, beyond every count or of a wrong type; what is left of it.
    Odd(u64),
    /// More than [`MOST_IN_ONE_FIELD`].
    Implausible,
}

impl Count {
    fn read<'de, A: MapAccess<'de>>(members: &mut A) -> Result<Self, A::Error> {
        Ok(match members.next_value::<Scalar<'de>>()? {
            Scalar::Null => Self::Missing,
            Scalar::Unsigned(value) => Self::of_integer(value),
            Scalar::Float(value) => Self::of_float(value),
            Scalar::Text(text) => Self::of_text(text.trim()),
            Scalar::Negative | Scalar::Bool(_) | Scalar::Composite => Self::Odd(0),
        })
    }

    fn of_integer(value: u64) -> Self {
        if value > LARGEST_COUNT {
            Self::Odd(0)
        } else if value > MOST_IN_ONE_FIELD {
            Self::Implausible
        } else {
            Self::Plain(value)
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 10^8 every conversion is exact"
    )]
    fn of_float(value: f64) -> Self {
        if value > LARGEST_COUNT as f64 {
            Self::Odd(0)
        } else if value > MOST_IN_ONE_FIELD as f64 {
            Self::Implausible
        } else if value < 0.0 {
            Self::Odd(0)
        } else if value.fract() == 0.0 {
            Self::Plain(value as u64)
        } else {
            Self::Odd(value as u64)
        }
    }

    fn of_text(text: &str) -> Self {
        // Rust also reads "inf" and "nan" as numbers; here they are just words.
        let numeric = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
        match text.parse::<u64>() {
            Ok(value) => Self::of_integer(value),
            Err(_) if numeric => text.parse().map_or(Self::Odd(0), Self::of_float),
            Err(_) => Self::Odd(0),
        }
    }

    fn value(self, flags: &mut UsageFlags) -> Option<u64> {
        match self {
            Self::Missing => Some(0),
            Self::Plain(value) => Some(value),
            Self::Odd(value) => {
                *flags = flags.with(UsageFlags::ODD_NUMBER);
                Some(value)
            }
            Self::Implausible => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `[input, output, 5m writes, 1h writes, reads]`, has a split, flags.
    type Expected = ([u64; 5], bool, UsageFlags);

    const PLAIN: UsageFlags = UsageFlags(0);

    fn check(json: &str, expected: Option<Expected>) {
        let object: json::Object<UsageObject<'_>> = serde_json::from_str(json).unwrap();
        let numbers = object.0.unwrap().numbers();
        let found = numbers.map(|Numbers { tokens, has_split, web: _, flags }| {
            let TokenCounts { input, output, cache_write_5m, cache_write_1h, cache_read } = tokens;
            ([input, output, cache_write_5m, cache_write_1h, cache_read], has_split, flags)
        });
        assert_eq!(found, expected, "{json}");
    }

    #[test]
    fn every_way_of_writing_a_number() {
        let odd = UsageFlags::ODD_NUMBER;
        for (value, input, flags) in [
            ("12", 12, PLAIN),
            ("12.0", 12, PLAIN),
            ("1e3", 1000, PLAIN),
            ("\"12\"", 12, PLAIN),
            ("\" 12 \"", 12, PLAIN),
            ("\"1e3\"", 1000, PLAIN),
            ("\"12.0\"", 12, PLAIN),
            ("null", 0, PLAIN),
            ("-0", 0, PLAIN),
            ("100000000", 100_000_000, PLAIN),
            ("12.9", 12, odd),
            ("\"12.9\"", 12, odd),
            ("-5", 0, odd),
            ("-5.5", 0, odd),
            ("\"-5\"", 0, odd),
            ("-1e30", 0, odd),
            ("\"many\"", 0, odd),
            ("\"\"", 0, odd),
            ("\"nan\"", 0, odd),
            ("\"infinity\"", 0, odd),
            ("true", 0, odd),
            ("9223372036854775808", 0, odd),
            ("18446744073709551616", 0, odd),
            ("99999999999999999999999999", 0, odd),
            ("1e30", 0, odd),
            ("\"1e30\"", 0, odd),
            ("\"1e999\"", 0, odd),
            ("\"99999999999999999999999999\"", 0, odd),
            ("{\"value\":5}", 0, odd),
            ("[5]", 0, odd),
        ] {
            check(&format!("{{\"input_tokens\":{value}}}"), Some(([input, 0, 0, 0, 0], false, flags)));
        }
    }

    #[test]
    fn implausible_numbers_poison_the_record() {
        for value in ["100000001", "9223372036854775807", "1e12", "\"1e12\""] {
            for field in ["input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"] {
                check(&format!("{{\"{field}\":{value}}}"), None);
            }
            check(&format!("{{\"cache_creation\":{{\"ephemeral_1h_input_tokens\":{value}}}}}"), None);
            check(&format!("{{\"server_tool_use\":{{\"web_search_requests\":{value}}}}}"), None);
        }
    }

    #[test]
    fn the_last_of_duplicate_keys_counts() {
        check(r#"{"input_tokens":1,"input_tokens":2}"#, Some(([2, 0, 0, 0, 0], false, PLAIN)));
        check(r#"{"input_tokens":-1,"input_tokens":2}"#, Some(([2, 0, 0, 0, 0], false, PLAIN)));
    }

    #[test]
    fn cache_writes_are_split_as_stated() {
        let split = |total: &str, five: &str, hour: &str| {
            format!(
                r#"{{"cache_creation_input_tokens":{total},"cache_creation":{{"ephemeral_5m_input_tokens":{five},"ephemeral_1h_input_tokens":{hour}}}}}"#
            )
        };
        let writes = |five, hour, has_split, flags| Some(([0, 0, five, hour, 0], has_split, flags));
        check(&split("100", "30", "70"), writes(30, 70, true, PLAIN));
        check(&split("0", "0", "0"), writes(0, 0, false, PLAIN));
        // The total is missing: the parts are all there is.
        check(&split("null", "30", "70"), writes(30, 70, true, PLAIN));
        // The parts do not add up: the dearer part is kept as far as the total allows.
        check(&split("100", "30", "50"), writes(50, 50, false, UsageFlags::SPLIT_MISMATCH));
        check(&split("100", "0", "500"), writes(0, 100, false, UsageFlags::SPLIT_MISMATCH));
        check(&split("0", "5", "5"), writes(0, 0, false, UsageFlags::SPLIT_MISMATCH));
        // No parts, or zeroed ones: all of it is five-minute writes.
        check(&split("100", "0", "0"), writes(100, 0, false, UsageFlags::SPLIT_MISSING));
        check(r#"{"cache_creation_input_tokens":100}"#, writes(100, 0, false, UsageFlags::SPLIT_MISSING));
        check(
            r#"{"cache_creation_input_tokens":100,"cache_creation":null}"#,
            writes(100, 0, false, UsageFlags::SPLIT_MISSING),
        );
        check(
            r#"{"cache_creation_input_tokens":100,"cache_creation":{"ephemeral_1h_input_tokens":100}}"#,
            writes(0, 100, true, PLAIN),
        );
    }
}
