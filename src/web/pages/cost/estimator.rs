//! The form that asks what so many tokens would cost, and the answer below it. What cannot be is said beside its field.

use crate::event::{PicoUsd, TokenCounts};
use crate::pricing::{Card, Day, ModelPrices, PriceRow};
use crate::store::Costs;
use crate::web::pages::cost::prices::{self, Source};
use crate::web::pages::format::{self, Number};
use crate::web::pages::language::{Text, Words};
use crate::web::pages::money::exact_dollars;
use crate::web::pages::visit::Visit;
use crate::web::query::{Kind, Parameter};

const fn text(name: &'static str) -> Parameter {
    Parameter { name, about: "", kind: Kind::Text, example: "" }
}

const fn flag(name: &'static str) -> Parameter {
    Parameter { name, about: "", kind: Kind::Choice(&["no", "yes"]), example: "" }
}

static OF: Parameter = text("of");
static INPUT: Parameter = text("input");
static OUTPUT: Parameter = text("output");
static WRITE_5M: Parameter = text("write_5m");
static WRITE_1H: Parameter = text("write_1h");
static READ: Parameter = text("read");
static SEARCHES: Parameter = text("searches");
static RESPONSES: Parameter = text("responses");
static ON: Parameter = text("on");
static FAST: Parameter = flag("fast");
static BATCH: Parameter = flag("batch");
static US: Parameter = flag("us");

pub static PARAMETERS: [&Parameter; 12] =
    [&OF, &INPUT, &OUTPUT, &WRITE_5M, &WRITE_1H, &READ, &SEARCHES, &RESPONSES, &ON, &FAST, &BATCH, &US];

/// The largest count that a field takes.
const MOST: u64 = 1_000_000_000_000_000;

/// The form and, once something was asked, its answer.
pub struct Estimator {
    pub action: String,
    /// What keeps the rest of the view.
    pub hidden: Vec<(&'static str, String)>,
    pub model: Field,
    /// Models to choose from.
    pub models: Vec<String>,
    pub counts: Vec<Field>,
    pub responses: Field,
    pub date: Field,
    pub flags: Vec<Flag>,
    /// Something in the form cannot be.
    pub is_wrong: bool,
    pub answer: Option<Answer>,
}

/// One input.
pub struct Field {
    pub name: &'static str,
    pub label: Text,
    pub value: String,
    pub error: Option<String>,
}

/// One box to tick.
pub struct Flag {
    pub name: &'static str,
    pub label: Text,
    pub is_on: bool,
}

/// What it would cost, and why.
pub struct Answer {
    /// Exact, in US dollars.
    pub total: String,
    /// The same in the currency of display, where that is another.
    pub shown: Option<String>,
    pub lines: Vec<Line>,
    pub model: String,
    pub date: String,
    pub from: Option<String>,
    pub confidence: Text,
    pub sources: Vec<Source>,
    /// What changed the prices, and what could not.
    pub notes: Vec<String>,
    pub api: String,
}

/// One part of the sum.
pub struct Line {
    pub name: Text,
    pub count: Number,
    /// US dollars for so many.
    pub price: String,
    pub cost: String,
}

impl Estimator {
    /// `usual` is the model to begin with.
    pub fn of(visit: &Visit, usual: &str) -> Self {
        let (t, common) = (&visit.words().cost, &visit.words().common);
        let is_asked = PARAMETERS.iter().any(|parameter| visit.asked.has(parameter));
        let field = |parameter: &Parameter, label: Text, usual: &str| Field {
            name: parameter.name,
            label,
            value: visit.asked.text(parameter).unwrap_or(usual).trim().to_owned(),
            error: None,
        };
        let flag = |parameter: &Parameter, label: Text| Flag {
            name: parameter.name,
            label,
            is_on: visit.asked.word(parameter) == "yes",
        };
        let mut models: Vec<String> = visit.state.prices.rows().map(|row| row.model.to_string()).collect();
        models.dedup();
        let mut form = Self {
            action: format!("{}#estimator", visit.view.path()),
            hidden: visit.view.pairs(),
            model: field(&OF, common.model, if is_asked { "" } else { usual }),
            models,
            counts: vec![
                field(&INPUT, common.input, ""),
                field(&OUTPUT, common.output, ""),
                field(&WRITE_5M, t.write_5m, ""),
                field(&WRITE_1H, t.write_1h, ""),
                field(&READ, common.cache_reads, ""),
                field(&SEARCHES, visit.words().models.search, ""),
            ],
            responses: field(&RESPONSES, t.spread, "1"),
            date: field(&ON, t.on_day, &Day(visit.now.utc_day()).to_string()),
            flags: vec![flag(&FAST, t.fast), flag(&BATCH, t.batch), flag(&US, t.us)],
            is_wrong: false,
            answer: None,
        };
        if is_asked {
            form.answer = form.answered(visit);
            form.is_wrong = form.answer.is_none();
        }
        form
    }

    /// None: something cannot be, and its field says so.
    fn answered(&mut self, visit: &Visit) -> Option<Answer> {
        let t = &visit.words().cost;
        let wrong_count = || t.wrong_count.with("n", visit.format.grouped(MOST)).to_string();
        let prices = match (self.model.value.as_str(), visit.state.prices.find(&self.model.value)) {
            ("", _) => Err(t.no_model.to_string()),
            (name, None) => Err(t.unknown_model.with("name", format::cut(name)).into()),
            (_, Some(prices)) => Ok(prices),
        };
        let prices = self.model.take(prices);
        let mut counts = [0; 6];
        let mut is_right = true;
        for (field, count) in self.counts.iter_mut().zip(&mut counts) {
            let read = whole(&field.value).ok_or_else(wrong_count);
            match field.take(read) {
                Some(read) => *count = read,
                None => is_right = false,
            }
        }
        if is_right && counts == [0; 6] {
            self.counts[0].error = Some(t.nothing_asked.to_string());
            is_right = false;
        }
        let responses = match self.responses.value.as_str() {
            "" => Some(1),
            value => self.responses.take(whole(value).filter(|count| *count > 0).ok_or_else(wrong_count)),
        };
        let day = match self.date.value.as_str() {
            "" => Some(Day(visit.now.utc_day())),
            value => self.date.take(value.parse::<Day>().map_err(|_| t.wrong_day.to_string())),
        };
        let (prices, responses, day) = (prices?, responses?, day?);
        is_right.then(|| self.sum(visit, &prices, counts, responses, day))
    }

    fn sum(&self, visit: &Visit, prices: &ModelPrices, counts: [u64; 6], responses: u64, day: Day) -> Answer {
        let words = visit.words();
        let [input, output, cache_write_5m, cache_write_1h, cache_read, searches] = counts;
        let tokens = TokenCounts { input, output, cache_write_5m, cache_write_1h, cache_read };
        let [fast, batch, us] = [(0, "fast"), (1, "batch"), (2, "us")]
            .map(|(place, word)| self.flags.get(place).is_some_and(|flag| flag.is_on).then_some(word));
        let card = prices.card(day.0, tokens.prompt().div_ceil(responses), fast, batch, us);
        let costs = Costs::of(&card, tokens, searches);
        let row = prices.rows().find(|row| row.effective_date.to_string() == *card.effective_date);
        let total = costs.total();
        Answer {
            total: exact_dollars(total, visit.taste.language),
            shown: visit.format.currency.date.map(|_| visit.format.money(total)),
            lines: lines(&self.counts, counts, &card, &costs, visit),
            model: card.model.to_string(),
            date: day.to_string(),
            from: row.filter(|row| row.effective_date != Day::ALWAYS).map(|row| row.effective_date.to_string()),
            confidence: prices::confidence(row.map_or_else(Default::default, |row| row.confidence), words),
            sources: row.map_or(&[][..], |row| &row.sources).iter().map(|source| Source::of(source)).collect(),
            notes: notes(&card, row, day, [fast, batch, us], words),
            api: pricing_of(&card.model),
        }
    }
}

impl Field {
    /// What was read, or why it could not be.
    fn take<T>(&mut self, read: Result<T, String>) -> Option<T> {
        read.map_err(|error| self.error = Some(error)).ok()
    }
}

/// A count as people write it: `1234567`, `1,234,567`, `1 234 567`. Nothing is zero.
fn whole(text: &str) -> Option<u64> {
    let digits: String =
        text.chars().filter(|letter| !matches!(letter, ',' | '_' | ' ' | '\u{a0}' | '\u{202f}')).collect();
    match digits.as_str() {
        "" => Some(0),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().ok().filter(|count| *count <= MOST)
        }
        _ => None,
    }
}

fn lines(fields: &[Field], counts: [u64; 6], card: &Card, costs: &Costs, visit: &Visit) -> Vec<Line> {
    let t = &visit.words().cost;
    let money = |amount: PicoUsd| exact_dollars(amount, visit.taste.language);
    let million = |price: u64| t.per_million.with("price", money(PicoUsd(i128::from(price) * 1_000_000))).to_string();
    let thousand = t.per_thousand.with("price", money(PicoUsd(i128::from(card.search) * 1_000))).into();
    let parts = [
        (million(card.input), costs.input),
        (million(card.output), costs.output),
        (million(card.cache_write_5m), costs.cache_write_5m),
        (million(card.cache_write_1h), costs.cache_write_1h),
        (million(card.cache_read), costs.cache_read),
        (thousand, costs.web_search),
    ];
    let all = fields.iter().zip(counts).zip(parts);
    all.filter(|((_, count), _)| *count > 0)
        .map(|((field, count), (price, cost))| Line {
            name: field.label,
            count: visit.format.things(count),
            price,
            cost: money(cost),
        })
        .collect()
}

fn notes(card: &Card, row: Option<&PriceRow>, day: Day, asked: [Option<&str>; 3], words: &Words) -> Vec<String> {
    let t = &words.cost;
    let mut notes = Vec::new();
    if row.is_some_and(|row| row.effective_date > day) {
        notes.push(t.before_first.to_string());
    }
    if let Some(long) = row.and_then(|row| row.long_context.as_ref()).filter(|_| card.long_context) {
        notes.push(t.long_used.with("n", format::Count(long.threshold).grouped()).into());
    }
    let factors = row.map(|row| [row.fast_multiplier, row.batch_multiplier, row.us_inference_multiplier]);
    let names = [t.fast, t.batch, t.us];
    for ((asked, factor), name) in asked.into_iter().zip(factors.unwrap_or_default()).zip(names) {
        match (asked, factor) {
            (None, _) => {}
            (Some(_), Some(factor)) => notes.push(t.factor_used.with("name", name).with("factor", factor).into()),
            (Some(_), None) => notes.push(t.no_factor.with("name", name).into()),
        }
    }
    let too_late = row.and_then(|row| row.fast_until).filter(|last| card.fast && day > *last);
    notes.extend(too_late.map(|last| t.fast_ended.with("day", last).to_string()));
    notes
}

/// Where the API says a model's prices.
fn pricing_of(model: &str) -> String {
    let query: String = form_urlencoded::Serializer::new(String::new()).append_pair("model", model).finish();
    format!("/api/v1/cost/pricing?{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_as_people_write_them() {
        for (text, count) in [("", 0), ("0", 0), ("1,234,567", 1_234_567), ("1 000", 1000), ("1000000000000000", MOST)]
        {
            assert_eq!(whole(text), Some(count), "{text}");
        }
        for text in ["-1", "1.5", "1e6", "x", "1000000000000001", "99999999999999999999999"] {
            assert_eq!(whole(text), None, "{text}");
        }
    }
}
