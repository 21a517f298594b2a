//! The windows and pauses of a range: as rows, the newest first, and as columns.

use crate::store::{Block, Window};
use crate::web::api::blocks::BlockRow;
use crate::web::api::scope::day;
use crate::web::pages::blocks::active::rounded;
use crate::web::pages::chart::{Columns, ColumnsWords, Frame};
use crate::web::pages::figures::{Row, Share};
use crate::web::pages::format::Number;
use crate::web::pages::stack::{Step, columns};
use crate::web::pages::visit::Visit;

/// The most windows that are drawn.
const DRAWN: usize = 120;

/// A window, or a pause.
pub(super) struct WindowItem {
    /// `2026-11-23 14:00 – 19:00`
    pub(super) name: String,
    /// None: a pause, which has a length instead.
    pub(super) used: Option<Used>,
    pub(super) pause: String,
}

/// What a window has.
pub(super) struct Used {
    pub(super) between: String,
    pub(super) row: Row,
    /// Without cache reads.
    pub(super) uncached: Number,
    /// By the minute; none where that would be the speed of less than one.
    pub(super) speed: Option<Number>,
    /// Its tokens beside those of the largest in the range.
    pub(super) share: Share,
    pub(super) is_active: bool,
    pub(super) is_stated: bool,
}

fn blocks(windows: &[Window]) -> impl DoubleEndedIterator<Item = &Block> {
    windows.iter().filter_map(|window| match window {
        Window::Block(block) => Some(&**block),
        Window::Gap(_) => None,
    })
}

/// How many windows there are, without pauses.
pub(super) fn count(windows: &[Window]) -> u64 {
    blocks(windows).count() as u64
}

impl WindowItem {
    /// So many of them, the newest first.
    pub(super) fn all(windows: &[Window], offset: usize, limit: usize, visit: &Visit) -> Vec<Self> {
        let largest = blocks(windows).map(|block| block.sums.tally.tokens.total()).max().unwrap_or(0);
        let item = |window: &Window| match window {
            Window::Gap(gap) => Self {
                name: visit.format.period(gap.from, gap.to),
                used: None,
                pause: visit.words().blocks.pause.with("duration", visit.format.duration(gap.to.0 - gap.from.0)).into(),
            },
            Window::Block(block) => Self {
                name: visit.format.period(block.start, block.end),
                used: Some(Used::of(window, block, largest, visit)),
                pause: String::new(),
            },
        };
        windows.iter().rev().skip(offset).take(limit).map(item).collect()
    }
}

impl Used {
    fn of(window: &Window, block: &Block, largest: u64, visit: &Visit) -> Self {
        let (format, tally) = (&visit.format, &block.sums.tally);
        let rate = BlockRow::of(window, visit.now, None, false).burn_rate;
        Self {
            between: format!("{} – {}", format.time(block.first_at), format.time(block.last_at)),
            row: Row::of(tally, format),
            uncached: format.count(tally.tokens.total() - tally.tokens.cache_read),
            speed: rate
                .filter(|rate| rate.minutes >= 1.0)
                .map(|rate| format.count(rounded(rate.speed.tokens_per_minute))),
            share: Share::of(tally.tokens.total(), largest),
            is_active: block.is_active,
            is_stated: block.is_stated,
        }
    }
}

/// None where there is nothing to compare.
pub(super) fn chart(windows: &[Window], visit: &Visit) -> Option<Columns> {
    let (t, format) = (&visit.words().blocks, &visit.format);
    let mut drawn: Vec<&Block> = blocks(windows).rev().take(DRAWN).collect();
    drawn.reverse();
    if drawn.len() < 2 {
        return None;
    }
    let days: Vec<_> = drawn.iter().map(|block| day(block.start, visit.zone())).collect();
    let step = |(at, block): (usize, &&Block)| Step {
        name: format.period(block.start, block.end),
        label: format.short_day(days[at]),
        landmark: at == 0 || days[at - 1] != days[at],
        tally: block.sums.tally,
        note: block.is_active.then(|| visit.words().trend.so_far.to_string()),
    };
    let words = ColumnsWords {
        frame: Frame {
            id: "windows".to_owned(),
            label: t.chart_label.with("n", drawn.len()).into(),
            caption: t.chart_caption.with("n", drawn.len()).with("zone", format.zone_name()).into(),
            table: visit.words().common.table.to_string(),
        },
        columns: t.window.to_string(),
        ..ColumnsWords::default()
    };
    Some(columns(visit, drawn.iter().enumerate().map(step).collect(), 7, words))
}
