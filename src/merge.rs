//! Who wins: how claims about one response become one, in any order, with any repetition.
//!
//! Everything here is a join: associative, commutative and idempotent. That is what makes the history a function of the
//! *set* of lines that were ever read, and so what makes crashes, rewrites, copies and several machines harmless.
//!
//! - The **usage** is the greatest line's, kept whole ([`greater`]); a maximum per field would be a response that nobody
//!   was billed for. What that line leaves open (speed, tier, region, cache split, server tools, request id) is taken
//!   from the greatest line that says it.
//! - The **time** is the earliest line's.
//! - The **owner** is the smallest [`Owner`](crate::event::Owner): main thread first, then the earliest.
//! - Claims that share a message id are one response, unless the **collision guard** ([`resolve`]) sees a gateway that
//!   gives every response the same id.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::event::{GroupId, TokenCounts, UnixMillis, Usage, UsageRecord, Variant};

/// A lesser line that says something the winning one leaves open.
pub type Fill = Usage;

impl UsageRecord {
    /// Takes in another claim about the same response.
    pub fn merge(&mut self, other: Self) {
        let Self { key: _, usage, first_at, owner, fills } = other;
        self.first_at = self.first_at.min(first_at);
        if owner < self.owner {
            self.owner = owner;
        }
        if self.usage == usage && self.fills == fills {
            return;
        }
        let mut lesser = std::mem::take(&mut self.fills);
        lesser.extend(fills);
        if greater(&usage, &self.usage) == Ordering::Greater {
            lesser.push(std::mem::replace(&mut self.usage, usage));
        } else {
            lesser.push(usage);
        }
        self.fills = needed(&self.usage, lesser);
    }

    /// The usage with its gaps filled: what the response is counted and billed as.
    pub fn resolved(&self) -> Usage {
        let mut usage = self.usage.clone();
        for gap in gaps(&self.usage) {
            if let Some(from) = self.fills.iter().find(|fill| gap.said_by(fill)) {
                gap.fill(&mut usage, from);
            }
        }
        usage
    }
}

/// The order of claims: more output, then complete, then with a cache split, then larger in total, then with more of
/// speed, tier and region, then later. What still ties is ordered by content, so that no two different lines are equal.
pub fn greater(a: &Usage, b: &Usage) -> Ordering {
    fn said(usage: &Usage) -> usize {
        [&usage.speed, &usage.tier, &usage.geo].iter().filter(|field| field.is_some()).count()
    }
    a.tokens
        .output
        .cmp(&b.tokens.output)
        .then(a.finished.cmp(&b.finished))
        .then(a.has_split.cmp(&b.has_split))
        .then_with(|| a.tokens.total().cmp(&b.tokens.total()))
        .then_with(|| said(a).cmp(&said(b)))
        .then(a.at.cmp(&b.at))
        .then_with(|| (&a.model, a.tokens, a.web, a.kind).cmp(&(&b.model, b.tokens, b.web, b.kind)))
        .then_with(|| (&a.speed, &a.tier, &a.geo).cmp(&(&b.speed, &b.tier, &b.geo)))
        .then_with(|| (&a.request_id, a.flags).cmp(&(&b.request_id, b.flags)))
}

/// Something that a line may leave unsaid.
#[derive(Clone, Copy)]
enum Gap {
    Split,
    Web,
    Speed,
    Tier,
    Geo,
    RequestId,
}

const GAPS: [Gap; 6] = [Gap::Split, Gap::Web, Gap::Speed, Gap::Tier, Gap::Geo, Gap::RequestId];

impl Gap {
    fn said_by(self, usage: &Usage) -> bool {
        match self {
            Self::Split => usage.has_split,
            Self::Web => usage.web.is_some(),
            Self::Speed => usage.speed.is_some(),
            Self::Tier => usage.tier.is_some(),
            Self::Geo => usage.geo.is_some(),
            Self::RequestId => usage.request_id.is_some(),
        }
    }

    fn fill(self, usage: &mut Usage, from: &Usage) {
        match self {
            // A split of another total says nothing about this one.
            Self::Split => {
                if from.tokens.cache_write() == usage.tokens.cache_write() {
                    let TokenCounts { cache_write_5m, cache_write_1h, .. } = from.tokens;
                    usage.tokens.cache_write_5m = cache_write_5m;
                    usage.tokens.cache_write_1h = cache_write_1h;
                }
            }
            Self::Web => usage.web = from.web,
            Self::Speed => usage.speed.clone_from(&from.speed),
            Self::Tier => usage.tier.clone_from(&from.tier),
            Self::Geo => usage.geo.clone_from(&from.geo),
            Self::RequestId => usage.request_id.clone_from(&from.request_id),
        }
    }
}

fn gaps(winner: &Usage) -> impl Iterator<Item = Gap> {
    let open = GAPS.map(|gap| (gap, !gap.said_by(winner)));
    open.into_iter().filter_map(|(gap, open)| open.then_some(gap))
}

/// Of the lesser claims, for each gap of the winner the greatest one that fills it; greatest first. A claim that fills
/// nothing is dropped: whoever beats this winner later is compared with the winner itself.
fn needed(winner: &Usage, mut lesser: Vec<Usage>) -> Vec<Fill> {
    lesser.retain(|usage| gaps(winner).any(|gap| gap.said_by(usage)));
    if lesser.is_empty() {
        return lesser;
    }
    lesser.sort_by(|a, b| greater(b, a));
    lesser.dedup();
    let mut keep = vec![false; lesser.len()];
    for gap in gaps(winner) {
        if let Some(first) = lesser.iter().position(|usage| gap.said_by(usage)) {
            keep[first] = true;
        }
    }
    let mut keep = keep.into_iter();
    lesser.retain(|_| keep.next().unwrap_or(false));
    lesser
}

/// Uncached input, cache writes and cache reads: equal on every line of one response.
pub fn prompt_of(tokens: TokenCounts) -> (u64, u64, u64) {
    (tokens.input, tokens.cache_write(), tokens.cache_read)
}

/// Turns all variants of one message id into responses, each with its stable id. Nearly always that is one.
///
/// The collision guard: main-thread lines under different request ids *and* with different prompts are different
/// responses of a gateway that reuses its message id; with the same prompt they are replays. Side-chain lines and
/// lines without a request id join the response with their prompt, else the earliest one.
pub fn resolve(group: GroupId, mut variants: Vec<UsageRecord>) -> Vec<(GroupId, UsageRecord)> {
    variants.sort_by(|a, b| a.key.variant.cmp(&b.key.variant));
    let mut apart: BTreeMap<(u64, u64, u64), Vec<UsageRecord>> = BTreeMap::new();
    let mut floating = None::<UsageRecord>;
    for record in variants {
        let prompt = prompt_of(record.usage.tokens);
        match &record.key.variant {
            Variant::Anchored(_) => apart.entry(prompt).or_default().push(record),
            Variant::Prompt(input, write, read) => apart.entry((*input, *write, *read)).or_default().push(record),
            Variant::Floating => match &mut floating {
                Some(known) => known.merge(record),
                None => floating = Some(record),
            },
        }
    }
    // (earliest time, smallest request id) of each response decides which of them keeps the plain id.
    let mut responses: Vec<((UnixMillis, Variant), (u64, u64, u64), UsageRecord)> = apart
        .into_iter()
        .filter_map(|(prompt, members)| {
            let name = members.iter().map(|member| member.key.variant.clone()).min()?;
            let mut members = members.into_iter();
            let mut whole = members.next()?;
            members.for_each(|member| whole.merge(member));
            Some(((whole.first_at, name), prompt, whole))
        })
        .collect();
    responses.sort_by(|a, b| a.0.cmp(&b.0));
    if let Some(floating) = floating {
        let prompt = prompt_of(floating.usage.tokens);
        let home = responses.iter().position(|response| response.1 == prompt).unwrap_or(0);
        match responses.get_mut(home) {
            Some(response) => response.2.merge(floating),
            None => return vec![(group, floating)],
        }
    }
    responses
        .into_iter()
        .enumerate()
        .map(|(place, ((_, name), _, record))| (if place == 0 { group } else { apart_id(group, &name) }, record))
        .collect()
}

fn apart_id(group: GroupId, name: &Variant) -> GroupId {
    match name {
        Variant::Anchored(request) => GroupId::of(&[&group.0, b"request", request.as_bytes()]),
        Variant::Prompt(input, write, read) => {
            GroupId::of(&[&group.0, b"prompt", &input.to_le_bytes(), &write.to_le_bytes(), &read.to_le_bytes()])
        }
        Variant::Floating => group,
    }
}
