//! The members of a transcript line that matter, by their names. Message content is not among them.

use serde::de::MapAccess;

use super::json::{self, Members, Scalar, Text};
use super::time;
use super::usage::UsageObject;
use crate::event::UnixMillis;

/// A line: an object with its own members, or one that wraps the line of a sub-agent.
#[derive(Default)]
pub(super) struct Envelope<'a> {
    pub(super) kind: Text<'a>,
    /// `totalCostUSD` of a `cost-state` line.
    pub(super) total_cost_usd: Option<f64>,
    pub(super) line: Line<'a>,
    /// Apart, since it is rare and as large as all the rest.
    wrapped: Option<Box<Wrapper<'a>>>,
}

/// What lines of transcripts and the lines that progress reports wrap have in common.
#[derive(Default)]
pub(super) struct Line<'a> {
    pub(super) uuid: Text<'a>,
    pub(super) session: Text<'a>,
    pub(super) agent: Text<'a>,
    pub(super) request: Text<'a>,
    pub(super) at: Option<UnixMillis>,
    pub(super) cwd: Text<'a>,
    pub(super) branch: Text<'a>,
    pub(super) sidechain: Option<bool>,
    pub(super) is_api_error: bool,
    pub(super) message: Option<Message<'a>>,
}

#[derive(Default)]
pub(super) struct Message<'a> {
    pub(super) id: Text<'a>,
    pub(super) model: Text<'a>,
    pub(super) has_stop_reason: bool,
    pub(super) usage: Option<UsageObject<'a>>,
}

/// `data` of a `progress` line.
#[derive(Default)]
struct Wrapper<'a> {
    agent: Text<'a>,
    line: Option<Line<'a>>,
}

impl<'a> Envelope<'a> {
    /// Tells a line of a transcript from an object inside one: the remains of a broken line hold both.
    pub(super) fn is_record(&self) -> bool {
        let Line { uuid, session, at, .. } = &self.line;
        uuid.is_some() || session.is_some() || at.is_some() || self.line.has_usage()
    }

    /// The line that states a usage: this one, or the one it wraps with this one's members where it has none.
    pub(super) fn with_usage(self) -> Option<Line<'a>> {
        let outer = self.line;
        if outer.has_usage() {
            return Some(outer);
        }
        let Wrapper { agent, line } = *self.wrapped?;
        let inner = line.filter(Line::has_usage)?;
        let agent = inner.agent.or(agent).or(outer.agent);
        Some(Line {
            session: inner.session.or(outer.session),
            request: inner.request.or(outer.request),
            at: inner.at.or(outer.at),
            cwd: inner.cwd.or(outer.cwd),
            branch: inner.branch.or(outer.branch),
            // The progress of an agent is a side chain, even where the wrapped line does not say so.
            sidechain: inner.sidechain.or(if agent.is_some() { Some(true) } else { outer.sidechain }),
            agent,
            // The wrapper's uuid is another one on every report, and so no identity of what it wraps.
            uuid: inner.uuid,
            is_api_error: inner.is_api_error,
            message: inner.message,
        })
    }
}

impl Line<'_> {
    fn has_usage(&self) -> bool {
        self.message.as_ref().is_some_and(|message| message.usage.is_some())
    }
}

impl<'de> Members<'de> for Envelope<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, members: &mut A) -> Result<(), A::Error> {
        match name {
            "type" => self.kind = json::text(members)?,
            "totalCostUSD" => {
                self.total_cost_usd = match members.next_value::<Scalar<'de>>()? {
                    #[expect(clippy::cast_precision_loss, reason = "no session costs 2^53 dollars")]
                    Scalar::Unsigned(usd) => Some(usd as f64),
                    Scalar::Float(usd) => Some(usd),
                    Scalar::Text(usd) => usd.parse().ok(),
                    _ => None,
                }
                .filter(|usd: &f64| usd.is_finite() && *usd >= 0.0);
            }
            "data" => {
                let mut wrapped = None;
                json::object(&mut wrapped, members)?;
                self.wrapped = wrapped.map(Box::new);
            }
            _ => self.line.member(name, members)?,
        }
        Ok(())
    }
}

impl<'de> Members<'de> for Line<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, members: &mut A) -> Result<(), A::Error> {
        match name {
            "message" => json::object(&mut self.message, members)?,
            "uuid" => self.uuid = json::text(members)?,
            "sessionId" => self.session = json::text(members)?,
            "agentId" => self.agent = json::text(members)?,
            "requestId" => self.request = json::text(members)?,
            "timestamp" => self.at = time::read(&members.next_value()?),
            "cwd" => self.cwd = json::text(members)?,
            "gitBranch" => self.branch = json::text(members)?,
            "isSidechain" => self.sidechain = members.next_value::<Scalar<'de>>()?.flag(),
            "isApiErrorMessage" => self.is_api_error = members.next_value::<Scalar<'de>>()?.flag() == Some(true),
            _ => json::skip(members)?,
        }
        Ok(())
    }
}

impl<'de> Members<'de> for Message<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, members: &mut A) -> Result<(), A::Error> {
        match name {
            "id" => self.id = json::text(members)?,
            "model" => self.model = json::text(members)?,
            "stop_reason" => self.has_stop_reason = !members.next_value::<Scalar<'de>>()?.is_null(),
            "usage" => json::object(&mut self.usage, members)?,
            _ => json::skip(members)?,
        }
        Ok(())
    }
}

impl<'de> Members<'de> for Wrapper<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, members: &mut A) -> Result<(), A::Error> {
        match name {
            "agentId" => self.agent = json::text(members)?,
            "message" => json::object(&mut self.line, members)?,
            _ => json::skip(members)?,
        }
        Ok(())
    }
}
