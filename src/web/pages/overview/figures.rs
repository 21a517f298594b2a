//! The numbers of the page, turned into words.

use std::sync::Arc;

use super::Facts;
use crate::event::{Tally, TokenCounts};
use crate::hub::Snapshot;
use crate::store::DayRow;
use crate::web::pages::chart::Coordinate;
use crate::web::pages::format::{self, Count, percent, share, usd};

/// The figures at the top.
pub struct Cards {
    pub total: Count,
    pub cost: String,
    /// Tokens that the cost leaves out.
    pub unpriced: Count,
    pub hit_rate: String,
    /// The same for a bar, 0 to 100.
    pub hit_width: Coordinate,
    pub sessions: Count,
    pub responses: Count,
    pub newest: Option<String>,
}

impl Cards {
    pub fn of(facts: &Facts<'_>) -> Self {
        let snapshot = facts.snapshot;
        let totals = &snapshot.totals;
        Self {
            total: Count(totals.tokens.total()),
            cost: cost(totals).unwrap_or_else(|| "unknown".to_owned()),
            unpriced: Count(totals.unpriced_tokens),
            hit_rate: percent(totals.cache_hit_rate()),
            hit_width: Coordinate(totals.cache_hit_rate() * 100.0),
            sessions: Count(snapshot.sessions),
            responses: Count(totals.requests),
            newest: snapshot.last_event_at.map(|at| format::instant(at, facts.zone)),
        }
    }
}

/// One of the four kinds of tokens.
pub struct Kind {
    pub class: &'static str,
    pub name: &'static str,
    pub explanation: String,
    pub count: Count,
    pub share: String,
    /// Where its part of the common bar begins and how wide it is, 0 to 100.
    pub offset: Coordinate,
    pub width: Coordinate,
}

pub fn kinds(tokens: TokenCounts) -> Vec<Kind> {
    let writes = format!(
        "Written to the cache: {} for five minutes, {} for an hour",
        Count(tokens.cache_write_5m),
        Count(tokens.cache_write_1h)
    );
    let mut offset = 0.0;
    [
        ("cache-read", "Cache reads", "Read again from the cache".to_owned(), tokens.cache_read),
        ("cache-write", "Cache writes", writes, tokens.cache_write()),
        ("input", "Input", "Sent without the cache".to_owned(), tokens.input),
        ("output", "Output", "Generated, thinking included".to_owned(), tokens.output),
    ]
    .into_iter()
    .map(|(class, name, explanation, count)| {
        let part = share(count, tokens.total());
        let kind = Kind {
            class,
            name,
            explanation,
            count: Count(count),
            share: percent(part),
            offset: Coordinate(offset),
            width: Coordinate(part * 100.0),
        };
        offset += part * 100.0;
        kind
    })
    .collect()
}

/// A tally in words.
pub struct Row {
    pub responses: Count,
    pub input: Count,
    pub output: Count,
    pub cache_write: Count,
    pub cache_read: Count,
    pub total: Count,
    pub hit_rate: String,
    /// None where no token has a price.
    pub cost: Option<String>,
}

impl Row {
    fn of(tally: &Tally) -> Self {
        Self {
            responses: Count(tally.requests),
            input: Count(tally.tokens.input),
            output: Count(tally.tokens.output),
            cache_write: Count(tally.tokens.cache_write()),
            cache_read: Count(tally.tokens.cache_read),
            total: Count(tally.tokens.total()),
            hit_rate: percent(tally.cache_hit_rate()),
            cost: cost(tally),
        }
    }
}

/// What is known of the cost: a lower bound where some tokens have no price, nothing where none has.
pub(super) fn cost(tally: &Tally) -> Option<String> {
    match (tally.unpriced_tokens, tally.cost.0) {
        (0, _) => Some(usd(tally.cost)),
        (_, 0) => None,
        _ => Some(format!("≥ {}", usd(tally.cost))),
    }
}

/// The models, the most voluminous first.
pub struct Models {
    pub rows: Vec<Model>,
    /// How many are left out.
    pub more: usize,
}

pub struct Model {
    pub name: String,
    pub row: Row,
    pub share: String,
    /// The same for a bar, 0 to 100.
    pub width: Coordinate,
}

impl Models {
    pub fn of(snapshot: &Snapshot) -> Self {
        const SHOWN: usize = 50;
        let total = snapshot.totals.tokens.total();
        let mut models: Vec<(&Arc<str>, &Tally)> = snapshot.models.iter().collect();
        // The sort is stable, so models with as many tokens stay in the order of their names.
        models.sort_by_key(|(_, tally)| std::cmp::Reverse(tally.tokens.total()));
        let more = models.len().saturating_sub(SHOWN);
        let rows = models.into_iter().take(SHOWN).map(|(name, tally)| {
            let part = share(tally.tokens.total(), total);
            Model {
                name: format::cut(name),
                row: Row::of(tally),
                share: percent(part),
                width: Coordinate(part * 100.0),
            }
        });
        Self { rows: rows.collect(), more }
    }
}

/// The sum of the newest days.
pub struct Period {
    pub name: &'static str,
    pub tokens: Count,
    pub cost: String,
}

pub fn periods(days: &[DayRow]) -> Vec<Period> {
    [("Today", 1), ("7 days", 7), ("30 days", 30)]
        .into_iter()
        .map(|(name, length)| {
            let mut sum = Tally::default();
            days.iter().rev().take(length).for_each(|day| sum.add(&day.tally));
            let tokens = Count(sum.tokens.total());
            Period { name, tokens, cost: cost(&sum).unwrap_or_else(|| "no price".to_owned()) }
        })
        .collect()
}

/// A project of the last days.
pub struct Project {
    pub name: String,
    pub row: Row,
    /// Its tokens beside those of the largest project, 0 to 100.
    pub width: Coordinate,
}

pub fn projects(projects: &[(Arc<str>, Tally)]) -> Vec<Project> {
    let largest = projects.iter().map(|(_, tally)| tally.tokens.total()).max().unwrap_or(0);
    let short: Vec<String> = projects.iter().map(|(path, _)| last_parts(path, 1)).collect();
    projects
        .iter()
        .zip(&short)
        .map(|((path, tally), name)| {
            // Only as much of a path as is needed to tell the projects apart: where people keep things is their business.
            let unique = short.iter().filter(|other| *other == name).count() == 1;
            let name = if unique { name.clone() } else { last_parts(path, 2) };
            let width = Coordinate(share(tally.tokens.total(), largest) * 100.0);
            Project { name: format::cut(&name), row: Row::of(tally), width }
        })
        .collect()
}

fn last_parts(path: &str, count: usize) -> String {
    let parts: Vec<&str> = path.split(['/', '\\']).filter(|part| !part.is_empty()).collect();
    match parts.len() {
        0 => "(no project)".to_owned(),
        length => parts[length.saturating_sub(count)..].join("/"),
    }
}
