//! The five-hour window that is going on, in words: how much is used, how long it lasts, where it leads. For `/blocks` and
//! for whatever else shows it.

use std::sync::Arc;

use crate::event::{PicoUsd, Tally, UnixMillis};
use crate::store::{Block, Blocks, Span, Window};
use crate::web::api::blocks::{BlockRow, Speed};
use crate::web::error::ApiError;
use crate::web::pages::chart::Gauge;
use crate::web::pages::data;
use crate::web::pages::figures::{Row, Share};
use crate::web::pages::format::{Format, Number};
use crate::web::pages::visit::Visit;

/// How far back the highest window is looked for.
const DAYS: i64 = 30;

/// The window that is going on.
pub struct ActiveBlock {
    pub row: Row,
    /// `3 h 20 min left, until 18:00`
    pub left_until: String,
    pub left: String,
    /// `until 18:00`
    pub until: String,
    /// What the tokens are compared with.
    pub measure: String,
    /// None where there is nothing to compare with.
    pub gauge: Option<Gauge>,
    /// Between its first and its last response; none where there is only one.
    pub rate: Option<Rate>,
    /// What it comes to if it goes on like that.
    pub projected: Option<Projected>,
    /// Claude Code said when it ends.
    pub is_stated: bool,
}

/// How fast tokens are used.
pub struct Rate {
    pub tokens: Number,
    pub uncached: String,
    /// By the hour. None where no token has a price, or costs are not shown.
    pub cost: Option<String>,
}

/// What a window comes to.
pub struct Projected {
    pub tokens: Number,
    pub cost: Option<String>,
}

/// What is known of the windows of the last days.
pub struct Recent(Arc<Blocks>);

impl Recent {
    pub async fn of(visit: &Visit) -> Result<Self, ApiError> {
        // From a full hour on, so that the question stays the same for a while; to the end of whatever is going on.
        const HOUR: i64 = 3_600_000;
        let hour = visit.now.0.div_euclid(HOUR) * HOUR;
        let from = UnixMillis(hour - DAYS * UnixMillis::DAY);
        Ok(Self(data::blocks(&visit.state, Span { from, to: UnixMillis(hour + HOUR) }).await?))
    }

    fn blocks(&self) -> impl DoubleEndedIterator<Item = (&Window, &Block)> {
        self.0.windows.iter().filter_map(|window| match window {
            Window::Block(block) => Some((window, &**block)),
            Window::Gap(_) => None,
        })
    }

    /// The end of the newest window that is over.
    pub fn last_end(&self, now: UnixMillis) -> Option<UnixMillis> {
        self.blocks().map(|(_, block)| block.end).rfind(|end| *end <= now)
    }

    /// When a limit ends, as Claude Code said it last, if that is still to come.
    pub fn reset_at(&self, now: UnixMillis) -> Option<UnixMillis> {
        self.0.limit_reset_at.filter(|at| *at > now)
    }

    /// The speed of the last hour.
    pub fn last_hour(&self, visit: &Visit) -> Rate {
        let sums = &self.0.last_hour;
        Rate::of(&Speed::of(sums, 60.0, visit.costs()), &sums.tally, visit)
    }
}

impl ActiveBlock {
    /// None where none is going on. `limit`: tokens that whoever asks wants to compare with; else the highest of the
    /// windows that are over is the measure.
    pub fn of(recent: &Recent, limit: Option<u32>, visit: &Visit) -> Option<Self> {
        let (window, block) = recent.blocks().rfind(|(_, block)| block.is_active)?;
        let (t, format, now) = (&visit.words().blocks, &visit.format, visit.now);
        let BlockRow { burn_rate, projection, .. } = BlockRow::of(window, now, None, visit.costs());
        let tally = &block.sums.tally;
        let used = tally.tokens.total();
        let highest = recent.blocks().filter(|(_, block)| block.end <= now).map(|(_, block)| block.sums.tally);
        let highest = highest.map(|tally| tally.tokens.total()).max().filter(|tokens| *tokens > 0);
        let whole = limit.map(u64::from).or(highest);
        let expected = projection.as_ref().map(|projection| projection.total_tokens);
        let measure = match (whole, limit) {
            (None, _) => t.no_measure.to_string(),
            (Some(whole), Some(_)) => of_whole(t.of_limit, used, whole, format),
            (Some(whole), None) => of_whole(t.of_highest, used, whole, format),
        };
        let (left, end) = (format.duration(block.end.0 - now.0), format.time(block.end));
        Some(Self {
            row: Row::of(tally, format),
            left_until: t.left_until.with("left", &left).with("end", &end).into(),
            left,
            until: t.until.with("end", end).into(),
            measure,
            gauge: whole.map(|whole| gauge(used, expected, whole, visit)).map(|gauge| match limit {
                Some(_) => gauge,
                None => gauge.without_alarm(),
            }),
            rate: burn_rate.map(|rate| Rate::of(&rate.speed, tally, visit)),
            projected: projection.map(|projection| Projected {
                tokens: format.count(projection.total_tokens),
                cost: projection.total_cost.and_then(|usd| known(usd, tally, format)),
            }),
            is_stated: block.is_stated,
        })
    }
}

fn of_whole(text: crate::web::pages::language::Text, used: u64, whole: u64, format: &Format) -> String {
    text.with("share", Share::of(used, whole).text).with("n", format.count(whole)).into()
}

fn gauge(used: u64, expected: Option<u64>, whole: u64, visit: &Visit) -> Gauge {
    let (t, format) = (&visit.words().blocks, &visit.format);
    let text = match expected {
        Some(expected) => t.gauge.with("expected", format.count(expected)),
        None => t.gauge_used.with("expected", ""),
    };
    let label = text.with("used", format.count(used)).with("whole", format.count(whole));
    Gauge::of(used.into(), expected.map(u128::from), whole.into(), label.into())
}

impl Rate {
    /// `tally`: what was used at that speed.
    pub(super) fn of(speed: &Speed, tally: &Tally, visit: &Visit) -> Self {
        let (t, format) = (&visit.words().blocks, &visit.format);
        let cost = speed.cost_per_hour.and_then(|usd| known(usd, tally, format));
        Self {
            tokens: format.count(rounded(speed.tokens_per_minute)),
            uncached: t.uncached.with("n", format.count(rounded(speed.uncached_tokens_per_minute))).into(),
            cost: cost.map(|cost| t.per_hour.with("cost", cost).into()),
        }
    }
}

/// What is known of an amount that tokens led to: a lower bound where some have no price, nothing where none has.
fn known(usd: f64, tally: &Tally, format: &Format) -> Option<String> {
    format.cost(&Tally { cost: PicoUsd::of_usd(usd), ..*tally })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a speed for display")]
pub(super) fn rounded(speed: f64) -> u64 {
    speed.round() as u64
}
