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

use crate::event::{GroupId, TokenCounts, Usage, UsageRecord, Variant};

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
fn needed(winner: &Usage, mut lesser: Vec<Usage>) -> Vec<Usage> {
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
    let mut responses: Vec<Apart> = apart
        .into_iter()
        .filter_map(|(prompt, members)| {
            let name = members.iter().map(|member| member.key.variant.clone()).min()?;
            let mut members = members.into_iter();
            let mut record = members.next()?;
            members.for_each(|member| record.merge(member));
            Some(Apart { prompt, name, record })
        })
        .collect();
    // Which of them keeps the plain id.
    responses.sort_by(|a, b| (a.record.first_at, &a.name).cmp(&(b.record.first_at, &b.name)));
    if let Some(floating) = floating {
        let prompt = prompt_of(floating.usage.tokens);
        let home = responses.iter().position(|response| response.prompt == prompt).unwrap_or(0);
        match responses.get_mut(home) {
            Some(response) => response.record.merge(floating),
            None => return vec![(group, floating)],
        }
    }
    responses
        .into_iter()
        .enumerate()
        .map(|(place, Apart { name, record, .. })| (if place == 0 { group } else { apart_id(group, &name) }, record))
        .collect()
}

/// One of several responses under one message id.
struct Apart {
    prompt: (u64, u64, u64),
    /// The smallest of its members' names.
    name: Variant,
    record: UsageRecord,
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::event::{Owner, RecordKey, ResponseKind, UnixMillis, UsageFlags, WebUse};

    const GROUP: GroupId = GroupId([7; 16]);

    /// A finished main-thread line at `at` with its prompt as uncached input.
    fn claim(variant: Variant, at: i64, input: u64, output: u64) -> UsageRecord {
        UsageRecord {
            key: RecordKey { group: GROUP, variant },
            usage: Usage {
                kind: ResponseKind::Message,
                at: UnixMillis(at),
                model: "opus".into(),
                tokens: TokenCounts { input, output, ..TokenCounts::default() },
                has_split: false,
                finished: true,
                web: None,
                speed: None,
                tier: None,
                geo: None,
                request_id: None,
                flags: UsageFlags::default(),
            },
            first_at: UnixMillis(at),
            owner: Owner {
                sidechain: false,
                at: UnixMillis(at),
                away: false,
                session: "s".into(),
                project: "p".into(),
                branch: None,
                agent: None,
            },
            fills: Vec::new(),
        }
    }

    fn side(mut record: UsageRecord) -> UsageRecord {
        record.owner.sidechain = true;
        record.key.variant = Variant::Floating;
        record
    }

    fn anchored(request: &str) -> Variant {
        Variant::Anchored(request.into())
    }

    /// What the store does with a set of lines: a state for each variant, then the responses that they are.
    fn responses(lines: Vec<UsageRecord>) -> Vec<(GroupId, UsageRecord)> {
        let mut states: Vec<UsageRecord> = Vec::new();
        for line in lines {
            match states.iter_mut().find(|state| state.key == line.key) {
                Some(state) => state.merge(line),
                None => states.push(line),
            }
        }
        resolve(GROUP, states)
    }

    /// `(output, time)` of each response; the first one keeps the plain id.
    #[track_caller]
    fn check(lines: &[UsageRecord], expected: &[(u64, i64)]) {
        let responses = responses(lines.to_vec());
        let found: Vec<_> =
            responses.iter().map(|(_, response)| (response.usage.tokens.output, response.first_at.0)).collect();
        assert_eq!(found, expected);
        assert!(responses.first().is_none_or(|(id, _)| *id == GROUP));
    }

    #[test]
    fn lines_of_one_response_are_one() {
        let line = |at, output| claim(anchored("r1"), at, 5, output);
        check(&[line(1, 1), line(2, 1), line(3, 412)], &[(412, 1)]);
        check(&[line(3, 412), line(1, 1)], &[(412, 1)]);
    }

    #[test]
    fn a_replay_with_the_same_prompt_is_the_same_response() {
        check(&[claim(anchored("r1"), 1, 5, 10), claim(anchored("r2"), 9, 5, 10)], &[(10, 1)]);
        check(&[claim(anchored("r2"), 9, 5, 10), claim(anchored("r1"), 1, 5, 10)], &[(10, 1)]);
    }

    #[test]
    fn a_constant_id_with_other_requests_and_prompts_is_many_responses() {
        let lines: Vec<_> = (1..=5).map(|i| claim(anchored(&format!("r{i}")), i, 9 - i.unsigned_abs(), 10)).collect();
        check(&lines, &[(10, 1), (10, 2), (10, 3), (10, 4), (10, 5)]);
    }

    #[test]
    fn a_constant_id_without_requests_is_told_apart_by_the_prompt() {
        let line = |at, input, output| claim(Variant::Prompt(input, 0, 0), at, input, output);
        check(&[line(1, 5, 1), line(2, 6, 2), line(3, 5, 9)], &[(9, 1), (2, 2)]);
        // One side names the request, the other does not.
        check(&[claim(anchored("r1"), 4, 5, 10), line(1, 5, 1)], &[(10, 1)]);
    }

    #[test]
    fn a_side_question_s_replay_joins_the_response_with_its_prompt() {
        let replay = || side(claim(Variant::Floating, 9, 6, 20));
        let (first, second) = (claim(anchored("r1"), 1, 5, 10), claim(anchored("r2"), 2, 6, 20));
        check(&[first.clone(), second.clone(), replay()], &[(10, 1), (20, 2)]);
        check(&[replay(), second, first.clone()], &[(10, 1), (20, 2)]);
        check(&[first, replay()], &[(20, 1)]);
        check(&[replay()], &[(20, 9)]);
    }

    #[test]
    fn a_replay_never_takes_a_response_away() {
        let mut replay = side(claim(Variant::Floating, 1, 5, 10));
        replay.owner.session = "aside".into();
        let responses = responses(vec![replay, claim(anchored("r1"), 2, 5, 10)]);
        let [(_, response)] = &responses[..] else { panic!("{responses:?}") };
        // The day is the earliest line's, whoever wrote it.
        assert_eq!((&*response.owner.session, response.first_at), ("s", UnixMillis(1)));
    }

    #[test]
    fn the_winner_is_kept_whole_and_its_gaps_are_filled() {
        let mut early = claim(anchored("r1"), 1, 10_000, 1);
        early.usage.speed = Some("fast".into());
        early.usage.tier = Some("standard".into());
        early.usage.web = Some(WebUse { searches: 2, fetches: 0 });
        let mut late = claim(anchored("r1"), 2, 100, 50);
        late.usage.tier = Some("priority".into());
        late.merge(early);
        let usage = late.resolved();
        assert_eq!((usage.tokens.input, usage.tokens.output), (100, 50));
        assert_eq!((usage.speed.as_deref(), usage.tier.as_deref()), (Some("fast"), Some("priority")));
        assert_eq!(usage.web, Some(WebUse { searches: 2, fetches: 0 }));
    }

    #[test]
    fn each_rule_decides_where_those_before_it_tie() {
        let rules: [fn(&mut Usage); 5] = [
            |usage| usage.tokens.output += 1,
            |usage| usage.finished = true,
            |usage| usage.has_split = true,
            |usage| usage.tokens.input += 2,
            |usage| usage.speed = Some("fast".into()),
        ];
        // Each line wins by one rule against the next one, which would win by the rule after it, the last by its time.
        let mut lines: Vec<Usage> = (0..6).map(|at| claim(Variant::Floating, at, 5, 10).usage).collect();
        for (place, line) in lines.iter_mut().enumerate() {
            line.finished = false;
            rules.get(place).into_iter().for_each(|rule| rule(line));
        }
        for pair in lines.windows(2) {
            assert_eq!(greater(&pair[0], &pair[1]), Ordering::Greater, "{pair:?}");
            assert_eq!(greater(&pair[1], &pair[0]), Ordering::Less);
        }
    }

    #[test]
    fn a_split_is_taken_over_only_if_it_is_of_the_same_total() {
        let with_writes = |output, five, hour, has_split| {
            let mut record = claim(anchored("r1"), 1, 5, output);
            record.usage.tokens.cache_write_5m = five;
            record.usage.tokens.cache_write_1h = hour;
            record.usage.has_split = has_split;
            record
        };
        let writes = |mut winner: UsageRecord, loser| {
            winner.merge(loser);
            let tokens = winner.resolved().tokens;
            (tokens.cache_write_5m, tokens.cache_write_1h)
        };
        assert_eq!(writes(with_writes(9, 100, 0, false), with_writes(1, 30, 70, true)), (30, 70));
        assert_eq!(writes(with_writes(9, 100, 0, false), with_writes(1, 30, 60, true)), (100, 0));
        assert_eq!(writes(with_writes(9, 100, 0, true), with_writes(1, 30, 70, true)), (100, 0));
    }

    fn word() -> impl Strategy<Value = Option<Arc<str>>> {
        prop::option::of(prop::sample::select(vec!["a", "b"]).prop_map(Arc::from))
    }

    /// Lines about one message id that differ in everything, from few values, so that ties of every kind come up.
    fn any_line() -> impl Strategy<Value = UsageRecord> {
        let tokens = (0..2u64, 0..3u64, 0..2u64, 0..2u64);
        let said = (any::<bool>(), any::<bool>(), prop::option::of((0..2u64, 0..2u64)), word(), word(), word());
        let owner = (any::<bool>(), any::<bool>(), word(), word(), word());
        (0..5u8, 0..4i64, tokens, said, owner).prop_map(|(variant, at, (input, output, five, hour), said, owner)| {
            let (has_split, finished, web, speed, tier, geo) = said;
            let (sidechain, away, session, branch, agent) = owner;
            let mut record = claim(Variant::Floating, at, input, output);
            record.usage.tokens.cache_write_5m = five;
            record.usage.tokens.cache_write_1h = hour;
            record.key.variant = match variant {
                0 => Variant::Floating,
                1 => {
                    let (input, cache_write, cache_read) = prompt_of(record.usage.tokens);
                    Variant::Prompt(input, cache_write, cache_read)
                }
                request => anchored(&request.to_string()),
            };
            if let Variant::Anchored(request) = &record.key.variant {
                record.usage.request_id = Some(Arc::clone(request));
            }
            record.usage.web = web.map(|(searches, fetches)| WebUse { searches, fetches });
            let usage = Usage { has_split, finished, speed, tier, geo, ..record.usage };
            let session = session.unwrap_or_else(|| "s".into());
            let owner = Owner { sidechain, away, session, branch, agent, ..record.owner };
            UsageRecord { usage, owner, ..record }
        })
    }

    fn joined(mut a: UsageRecord, b: &UsageRecord) -> UsageRecord {
        a.merge(b.clone());
        a
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn merging_is_a_join(mut lines in prop::collection::vec(any_line(), 3..7)) {
            for line in &mut lines {
                line.key.variant = Variant::Floating;
            }
            let (rest, abc) = lines.split_at(lines.len() - 3);
            // States with fills of their own, too: the first has taken in all lines but the last two.
            let a = rest.iter().fold(abc[0].clone(), joined);
            let (b, c) = (&abc[1], &abc[2]);
            prop_assert_eq!(joined(a.clone(), b), joined(b.clone(), &a));
            prop_assert_eq!(joined(joined(a.clone(), b), c), joined(a.clone(), &joined(b.clone(), c)));
            prop_assert_eq!(joined(a.clone(), &a), a.clone());
            prop_assert_eq!(joined(joined(a.clone(), b), b), joined(a, b));
        }

        #[test]
        fn a_claim_never_shrinks(a in any_line(), b in any_line()) {
            let both = joined(a.clone(), &b);
            prop_assert!(both.usage.tokens.output >= a.usage.tokens.output.max(b.usage.tokens.output));
            prop_assert!(both.first_at <= a.first_at.min(b.first_at));
            prop_assert!(both.owner <= a.owner && both.owner <= b.owner);
            prop_assert!(both.usage == a.usage || both.usage == b.usage);
        }

        #[test]
        fn responses_are_a_function_of_the_set_of_lines(
            (lines, again) in prop::collection::vec(any_line(), 1..8).prop_flat_map(|lines| {
                let twice = [lines.clone(), lines.clone()].concat();
                (Just(lines), Just(twice).prop_shuffle())
            }),
            cut in any::<prop::sample::Index>(),
        ) {
            let expected = responses(lines);
            prop_assert_eq!(responses(again.clone()), expected.clone());
            // Two readers, each with a part of the lines, whose states meet later.
            let (left, right) = again.split_at(cut.index(again.len()));
            let states = |lines: &[UsageRecord]| {
                let mut states: BTreeMap<RecordKey, UsageRecord> = BTreeMap::new();
                for line in lines {
                    states.entry(line.key.clone()).and_modify(|state| state.merge(line.clone())).or_insert(line.clone());
                }
                states.into_values()
            };
            prop_assert_eq!(responses(states(right).chain(states(left)).collect()), expected.clone());
            let ids: std::collections::BTreeSet<_> = expected.iter().map(|(id, _)| *id).collect();
            prop_assert_eq!(ids.len(), expected.len());
        }
    }
}
