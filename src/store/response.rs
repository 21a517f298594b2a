//! One row of `response`: the columns, and the way from a claim to them and back.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

use super::dictionary::Dictionary;
use super::{StoreError, count, int};
use crate::event::{
    Event, GroupId, Owner, QuerySource, RecordKey, ResponseKind, Tally, TokenCounts, UnixMillis, Usage, UsageFlags,
    UsageRecord, Variant, WebUse,
};
use crate::merge::prompt_of;

/// Bits of the `flags` column above those of [`UsageFlags`].
mod bit {
    pub(super) const SIDECHAIN: i64 = 1 << 16;
    pub(super) const AWAY: i64 = 1 << 17;
    pub(super) const FINISHED: i64 = 1 << 18;
    pub(super) const HAS_SPLIT: i64 = 1 << 19;
    pub(super) const ADVISOR: i64 = 1 << 20;
    pub(super) const COMPACTION: i64 = 1 << 21;
    /// The row is derived from several rows of `variant`.
    pub(super) const SEVERAL: i64 = 1 << 22;
    pub(super) const ANCHORED: i64 = 1 << 23;
    pub(super) const BY_PROMPT: i64 = 1 << 24;
}

/// A stored response: the claim as merged so far, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) revision: u64,
    pub(super) id: GroupId,
    pub(super) source: i64,
    pub(super) record: UsageRecord,
    pub(super) card: Option<i64>,
    pub(super) several: bool,
    /// The resolved view of the record, as the columns show it.
    pub(super) shown: Usage,
}

/// What a stored response adds to every sum, and where.
#[derive(Clone, Debug)]
pub(super) struct Share {
    pub(super) at: UnixMillis,
    pub(super) model: i64,
    pub(super) project: i64,
    pub(super) branch: Option<i64>,
    pub(super) session: i64,
    pub(super) sidechain: bool,
    pub(super) source: i64,
    pub(super) card: Option<i64>,
    /// The response is known to be complete.
    pub(super) finished: bool,
    pub(super) tally: Tally,
}

/// The columns of [`Raw`], in order.
macro_rules! columns {
    () => {
        "revision, id, at, source, model, session, project, branch, agent, input, output, cache_write_5m, \
         cache_write_1h, cache_read, searches, fetches, speed, tier, geo, request_id, card, flags, usage_after, \
         owner_after, fills"
    };
}
pub(super) use columns;

/// The row of an id, if there is one.
pub(super) fn load(db: &Connection, words: &mut Dictionary, id: GroupId) -> Result<Option<Stored>, StoreError> {
    let raw = db
        .prepare_cached(concat!("SELECT ", columns!(), " FROM response WHERE id = ?1"))?
        .query_row([&id.0[..]], Raw::read)
        .optional()?;
    raw.map(|raw| raw.decode(db, words)).transpose()
}

/// A row as SQLite gives it.
pub(super) struct Raw {
    revision: i64,
    id: [u8; 16],
    at: i64,
    source: i64,
    model: i64,
    session: i64,
    project: i64,
    branch: Option<i64>,
    agent: Option<i64>,
    tokens: [i64; 5],
    searches: Option<i64>,
    fetches: Option<i64>,
    speed: Option<i64>,
    tier: Option<i64>,
    geo: Option<i64>,
    request_id: Option<String>,
    card: Option<i64>,
    flags: i64,
    usage_after: i64,
    owner_after: i64,
    fills: Option<String>,
}

impl Raw {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            revision: row.get(0)?,
            id: row.get(1)?,
            at: row.get(2)?,
            source: row.get(3)?,
            model: row.get(4)?,
            session: row.get(5)?,
            project: row.get(6)?,
            branch: row.get(7)?,
            agent: row.get(8)?,
            tokens: [row.get(9)?, row.get(10)?, row.get(11)?, row.get(12)?, row.get(13)?],
            searches: row.get(14)?,
            fetches: row.get(15)?,
            speed: row.get(16)?,
            tier: row.get(17)?,
            geo: row.get(18)?,
            request_id: row.get(19)?,
            card: row.get(20)?,
            flags: row.get(21)?,
            usage_after: row.get(22)?,
            owner_after: row.get(23)?,
            fills: row.get(24)?,
        })
    }

    pub(super) fn decode(self, db: &Connection, words: &mut Dictionary) -> Result<Stored, StoreError> {
        let [input, output, cache_write_5m, cache_write_1h, cache_read] = self.tokens;
        let tokens = TokenCounts {
            input: count(input)?,
            output: count(output)?,
            cache_write_5m: count(cache_write_5m)?,
            cache_write_1h: count(cache_write_1h)?,
            cache_read: count(cache_read)?,
        };
        let web = match (self.searches, self.fetches) {
            (None, None) => None,
            (searches, fetches) => {
                Some(WebUse { searches: count(searches.unwrap_or(0))?, fetches: count(fetches.unwrap_or(0))? })
            }
        };
        let has = |bit: i64| self.flags & bit != 0;
        let request_id: Option<Arc<str>> = self.request_id.map(Into::into);
        let shown = Usage {
            kind: if has(bit::ADVISOR) {
                ResponseKind::Advisor
            } else if has(bit::COMPACTION) {
                ResponseKind::Compaction
            } else {
                ResponseKind::Message
            },
            at: UnixMillis(self.at + self.usage_after),
            model: words.word(db, self.model)?,
            tokens,
            has_split: has(bit::HAS_SPLIT),
            finished: has(bit::FINISHED),
            web,
            speed: words.maybe_word(db, self.speed)?,
            tier: words.maybe_word(db, self.tier)?,
            geo: words.maybe_word(db, self.geo)?,
            request_id: request_id.clone(),
            flags: UsageFlags(u16::try_from(self.flags & 0xffff).unwrap_or_default()),
        };
        let (usage, fills) = match &self.fills {
            None => (shown.clone(), Vec::new()),
            Some(text) => serde_json::from_str::<Own>(text)
                .map(|own| (own.usage, own.fills))
                .map_err(|error| StoreError::Range(format!("unreadable fills: {error}")))?,
        };
        let variant = if has(bit::ANCHORED) {
            Variant::Anchored(request_id.unwrap_or_default())
        } else if has(bit::BY_PROMPT) {
            let (input, write, read) = prompt_of(usage.tokens);
            Variant::Prompt(input, write, read)
        } else {
            Variant::Floating
        };
        let owner = Owner {
            sidechain: has(bit::SIDECHAIN),
            at: UnixMillis(self.at + self.owner_after),
            away: has(bit::AWAY),
            session: words.word(db, self.session)?,
            project: words.word(db, self.project)?,
            branch: words.maybe_word(db, self.branch)?,
            agent: words.maybe_word(db, self.agent)?,
        };
        let id = GroupId(self.id);
        Ok(Stored {
            revision: count(self.revision)?,
            id,
            source: self.source,
            record: UsageRecord {
                key: RecordKey { group: id, variant },
                usage,
                first_at: UnixMillis(self.at),
                owner,
                fills,
            },
            card: self.card,
            several: has(bit::SEVERAL),
            shown,
        })
    }
}

/// The winning line itself and what fills its gaps; stored only where there are gaps that something fills.
#[derive(Serialize, serde::Deserialize)]
struct Own {
    usage: Usage,
    fills: Vec<Usage>,
}

impl Stored {
    /// Puts the row in and says what it adds to every sum; `None`: there is a row of this id, and nothing was done.
    pub(super) fn save(&self, db: &Connection, words: &mut Dictionary) -> Result<Option<Share>, StoreError> {
        let Self { revision, id, source, record, card, several, shown } = self;
        let owner = &record.owner;
        let share = self.share(db, words)?;
        let fills = if record.fills.is_empty() {
            None
        } else {
            let own = Own { usage: record.usage.clone(), fills: record.fills.clone() };
            Some(serde_json::to_string(&own).map_err(|error| StoreError::Range(error.to_string()))?)
        };
        let agent = words.maybe_id(db, owner.agent.as_ref())?;
        let speed = words.maybe_id(db, shown.speed.as_ref())?;
        let tier = words.maybe_id(db, shown.tier.as_ref())?;
        let geo = words.maybe_id(db, shown.geo.as_ref())?;
        let TokenCounts { input, output, cache_write_5m, cache_write_1h, cache_read } = shown.tokens;
        let inserted = db
            .prepare_cached(
                "INSERT INTO response (revision, id, at, source, model, session, project, branch, agent, input, output,
                 cache_write_5m, cache_write_1h, cache_read, searches, fetches, speed, tier, geo, request_id, card,
                 flags, usage_after, owner_after, fills)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21,
                 ?22, ?23, ?24, ?25)
             ON CONFLICT (id) DO NOTHING",
            )?
            .execute(params![
                int(*revision)?,
                &id.0[..],
                record.first_at.0,
                source,
                share.model,
                share.session,
                share.project,
                share.branch,
                agent,
                int(input)?,
                int(output)?,
                int(cache_write_5m)?,
                int(cache_write_1h)?,
                int(cache_read)?,
                shown.web.map(|web| int(web.searches)).transpose()?,
                shown.web.map(|web| int(web.fetches)).transpose()?,
                speed,
                tier,
                geo,
                shown.request_id.as_deref(),
                card,
                flags(record, shown, *several),
                shown.at.0 - record.first_at.0,
                owner.at.0 - record.first_at.0,
                fills
            ])?;
        Ok((inserted > 0).then_some(share))
    }

    /// Nothing that anybody can see would change.
    pub(super) fn same_facts(&self, record: &UsageRecord) -> bool {
        let mine = &self.record;
        mine.usage == record.usage
            && mine.first_at == record.first_at
            && mine.owner == record.owner
            && mine.fills == record.fills
    }

    /// From now on the row is derived from several claims; what it says stays.
    pub(super) fn mark_several(&self, db: &Connection) -> Result<(), StoreError> {
        if !self.several {
            db.prepare_cached("UPDATE response SET flags = flags | ?2 WHERE revision = ?1")?
                .execute([int(self.revision)?, bit::SEVERAL])?;
        }
        Ok(())
    }

    /// What the row adds to every sum.
    pub(super) fn share(&self, db: &Connection, words: &mut Dictionary) -> Result<Share, StoreError> {
        let Self { record, source, card, shown, .. } = self;
        Ok(Share {
            at: record.first_at,
            model: words.id(db, &shown.model)?,
            project: words.id(db, &record.owner.project)?,
            branch: words.maybe_id(db, record.owner.branch.as_ref())?,
            session: words.id(db, &record.owner.session)?,
            sidechain: record.owner.sidechain,
            source: *source,
            card: *card,
            finished: shown.finished,
            tally: Tally::of(shown.tokens, searches(shown), words.cost(db, *card, shown.tokens, searches(shown))?),
        })
    }

    /// The fact, for whoever follows.
    pub(super) fn event(&self, db: &Connection, words: &mut Dictionary) -> Result<Event, StoreError> {
        let Self { id, record, card, shown, .. } = self;
        let owner = &record.owner;
        Ok(Event {
            id: *id,
            at: record.first_at,
            kind: shown.kind,
            model: Arc::clone(&shown.model),
            query_source: QuerySource::of(owner.sidechain),
            session: Arc::clone(&owner.session),
            project: Arc::clone(&owner.project),
            branch: owner.branch.clone(),
            agent: owner.agent.clone(),
            tokens: shown.tokens,
            web: shown.web.unwrap_or_default(),
            speed: shown.speed.clone(),
            tier: shown.tier.clone(),
            geo: shown.geo.clone(),
            request_id: shown.request_id.clone(),
            cost: words.cost(db, *card, shown.tokens, searches(shown))?,
        })
    }
}

pub(super) fn searches(usage: &Usage) -> u64 {
    usage.web.map_or(0, |web| web.searches)
}

fn flags(record: &UsageRecord, shown: &Usage, several: bool) -> i64 {
    let mut flags = i64::from(shown.flags.0);
    let mut set = |on: bool, bit: i64| flags |= if on { bit } else { 0 };
    set(record.owner.sidechain, bit::SIDECHAIN);
    set(record.owner.away, bit::AWAY);
    set(shown.finished, bit::FINISHED);
    set(shown.has_split, bit::HAS_SPLIT);
    set(shown.kind == ResponseKind::Advisor, bit::ADVISOR);
    set(shown.kind == ResponseKind::Compaction, bit::COMPACTION);
    set(several, bit::SEVERAL);
    set(matches!(record.key.variant, Variant::Anchored(_)), bit::ANCHORED);
    set(matches!(record.key.variant, Variant::Prompt(..)), bit::BY_PROMPT);
    flags
}
