//! What the present month comes to if it goes on as it has so far.

use jiff::ToSpan;
use jiff::civil::Date;

use crate::event::{PicoUsd, Tally, UnixMillis};
use crate::store::Span;
use crate::web::api::scope::start_of;
use crate::web::error::ApiError;
use crate::web::pages::data;
use crate::web::pages::figures::Delta;
use crate::web::pages::visit::Visit;

/// Until as much has passed an average says nothing.
const A_DAY: i64 = 24 * 3_600_000;

/// The card.
pub(super) struct Month {
    pub(super) title: String,
    /// None: nothing can be said yet.
    pub(super) projection: Option<String>,
    /// Against the whole month before.
    pub(super) change: Option<Delta>,
    pub(super) hint: String,
}

impl Month {
    pub(super) async fn read(visit: &Visit) -> Result<Self, ApiError> {
        let [before, this, next] = bounds(visit.today(), visit)?;
        let (this_month, last_month) =
            (visit.scope_of(Span { from: this, to: next }), visit.scope_of(Span { from: before, to: this }));
        let (sum, old) =
            tokio::try_join!(data::brief(&visit.state, &this_month), data::brief(&visit.state, &last_month))?;
        Ok(Self::of(visit, [this, next], &sum.tally, &old.tally))
    }

    fn of(visit: &Visit, [from, to]: [UnixMillis; 2], sum: &Tally, old: &Tally) -> Self {
        let (t, format) = (&visit.words().overview, &visit.format);
        let name = format.month(visit.today());
        let title = if visit.costs() { t.month_cost.with("month", name) } else { t.month_tokens.with("month", name) };
        let passed = [visit.now.0 - from.0, to.0 - from.0];
        let of_all = |amount: i128| projected(amount, passed);
        let so_far = if visit.costs() { format.cost(sum) } else { Some(format.count(sum.tokens.total()).to_string()) };
        let (Some(so_far), true, true) = (so_far, passed[0] >= A_DAY, sum.requests > 0) else {
            let hint = if sum.requests == 0 { t.month_nothing } else { t.month_too_early };
            return Self { title: title.into(), projection: None, change: None, hint: hint.to_string() };
        };
        let words = visit.words();
        let (projection, change) = if visit.costs() {
            let mut whole = *sum;
            whole.cost = PicoUsd(of_all(sum.cost.0));
            // Bounds cannot be compared.
            let comparable = sum.unpriced_tokens == 0 && old.unpriced_tokens == 0;
            (format.cost(&whole), comparable.then(|| Delta::of(whole.cost.0, old.cost.0, words)).flatten())
        } else {
            let tokens = of_all(sum.tokens.total().into());
            let shown = format.count(u64::try_from(tokens).unwrap_or(u64::MAX)).to_string();
            (Some(shown), Delta::of(tokens, old.tokens.total().into(), words))
        };
        Self { title: title.into(), projection, change, hint: t.month_so_far.with("n", so_far).into() }
    }
}

/// The beginnings of the month before, of this one and of the next.
fn bounds(today: Date, visit: &Visit) -> Result<[UnixMillis; 3], ApiError> {
    let this = today.first_of_month();
    let next = this.saturating_add(1.month());
    let zone = visit.zone();
    Ok([start_of(this.saturating_sub(1.month()), zone)?, start_of(this, zone)?, start_of(next, zone)?])
}

/// What an amount comes to at the same pace; `[passed, whole]` in milliseconds.
fn projected(amount: i128, [passed, whole]: [i64; 2]) -> i128 {
    amount.saturating_mul(i128::from(whole)).checked_div(i128::from(passed)).unwrap_or(amount)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_average_goes_on() {
        assert_eq!(projected(100, [10, 30]), 300);
        assert_eq!(projected(100, [30, 30]), 100);
        assert_eq!(projected(100, [0, 30]), 100);
        assert_eq!(projected(i128::MAX, [1, 30]), i128::MAX);
    }
}
