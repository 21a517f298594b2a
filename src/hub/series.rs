//! Lifetime sums beside those by model: by project, by size of a request, by open session, and what was spent lately.
//! Plain values, made by the store and shown by whoever likes; nothing here is ever computed from a scrape.

use std::sync::Arc;

use crate::event::{PicoUsd, Tally, UnixMillis};

/// How many models can have a place of their own among the labels of sinks.
pub const MODEL_PLACES: usize = 100;

/// The most projects that can have one.
pub const MOST_PROJECT_PLACES: usize = 200;

/// How many sessions are followed at the same time: those that were active last.
pub const SESSIONS_HELD: usize = 50;

/// How long a session may be idle and still be followed.
pub const SESSION_HELD_MS: i64 = 7 * UnixMillis::DAY;

/// Upper bounds, in tokens, of the sizes that requests are sorted by; a last class is for whatever is larger.
pub const SIZE_BOUNDS: [u64; 13] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 200_000, 500_000, 1_000_000];

/// How many classes of sizes there are.
pub const SIZES: usize = SIZE_BOUNDS.len() + 1;

/// The class of a size.
pub fn size_class(tokens: u64) -> usize {
    SIZE_BOUNDS.iter().position(|bound| tokens <= *bound).unwrap_or(SIZE_BOUNDS.len())
}

/// What counters by project show. Who has a place keeps it, over restarts too, and what was counted for one series
/// never moves to another: so none of them ever falls.
#[derive(Clone, Debug, Default)]
pub struct ProjectSums {
    /// Projects with a place of their own, in the order in which they got it.
    pub placed: Vec<(Arc<str>, Tally)>,
    /// All others together.
    pub rest: Tally,
    /// How many others there are.
    pub others: u64,
}

/// A part of a request whose size is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The whole prompt, cache reads and writes included.
    Input,
    Output,
}

impl Direction {
    pub const ALL: [Self; 2] = [Self::Input, Self::Output];

    /// The label value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }
}

/// Responses by size, as a histogram shows them.
#[derive(Clone, Debug, Default)]
pub struct RequestSizes {
    /// Responses up to each of [`SIZE_BOUNDS`], the smaller ones included; the last number counts all.
    pub up_to: [u64; SIZES],
    /// Tokens of all of them.
    pub tokens: u64,
    /// The newest response of each class that came while the program ran.
    pub exemplars: [Option<SizeExemplar>; SIZES],
}

/// One response that fell into a class.
#[derive(Clone, Debug)]
pub struct SizeExemplar {
    pub session: Arc<str>,
    pub tokens: u64,
    pub at: UnixMillis,
}

/// A session that was active lately.
#[derive(Clone, Debug)]
pub struct ActiveSession {
    pub session: Arc<str>,
    /// Its newest response.
    pub last_at: UnixMillis,
    /// What it used since it began, by project and model.
    pub parts: Vec<SessionPart>,
}

/// What a session used of one model in one project.
#[derive(Clone, Debug)]
pub struct SessionPart {
    pub project: Arc<str>,
    pub model: Arc<str>,
    pub tally: Tally,
}

/// What was spent lately, by quarter of an hour: enough for the present day, week and month of every time zone.
#[derive(Clone, Debug, Default)]
pub struct Spend(Vec<(UnixMillis, PicoUsd)>);

impl Spend {
    /// How far back it reaches: a month and the day that a time zone may be off.
    pub const REACH_MS: i64 = 33 * UnixMillis::DAY;

    /// Adds to the quarter of an hour that begins at `start`, and forgets what `now` has left behind.
    pub fn add(&mut self, start: UnixMillis, amount: PicoUsd, now: UnixMillis) {
        let (oldest, newest) = (now.0.saturating_sub(Self::REACH_MS), now.0.saturating_add(UnixMillis::DAY));
        self.0.retain(|(at, _)| at.0 >= oldest);
        if start.0 < oldest || start.0 > newest {
            return;
        }
        match self.0.binary_search_by_key(&start, |(at, _)| *at) {
            Ok(place) => self.0[place].1.0 += amount.0,
            Err(place) => self.0.insert(place, (start, amount)),
        }
    }

    /// What was spent from an instant on; the quarter of an hour that holds it counts whole.
    pub fn since(&self, from: UnixMillis) -> PicoUsd {
        let later = self.0.iter().rev().take_while(|(at, _)| at.0 > from.0.saturating_sub(900_000));
        PicoUsd(later.map(|(_, amount)| amount.0).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes() {
        let check = |tokens, expected| assert_eq!(size_class(tokens), expected, "{tokens}");
        check(0, 0);
        check(100, 0);
        check(101, 1);
        check(200_000, 10);
        check(1_000_000, 12);
        check(1_000_001, 13);
        check(u64::MAX, 13);
    }

    #[test]
    fn spending_is_summed_from_an_instant_on_and_forgotten_in_time() {
        let (now, quarter) = (UnixMillis(100 * UnixMillis::DAY), 900_000);
        let at = |quarters: i64| UnixMillis(now.0 + quarters * quarter);
        let mut spend = Spend::default();
        for (quarters, amount) in [(0, 1), (-1, 10), (-96, 100), (-1, 1000), (-5_000, 10_000), (97, 100_000)] {
            spend.add(at(quarters), PicoUsd(amount), now);
        }
        assert_eq!(spend.since(at(-1)).0, 1011);
        assert_eq!(spend.since(at(0)).0, 1);
        assert_eq!(spend.since(UnixMillis(0)).0, 1111, "neither what is too old nor what is in the future");
        spend.add(at(-1), PicoUsd(-1010), now);
        assert_eq!(spend.since(at(-96)).0, 101);
        spend.add(at(96 * 40), PicoUsd(7), at(96 * 40));
        assert_eq!(spend.since(UnixMillis(0)).0, 7);
    }
}
