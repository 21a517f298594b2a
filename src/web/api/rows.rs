//! Sums and lists as the API shows them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::store::Costs;
use crate::web::api::scope::{LIMIT, PAGE};
use crate::web::query::Asked;

/// Where a page stands among all.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Pagination {
    /// From 1 on; null where a cursor was followed.
    pub page: Option<u32>,
    pub limit: u32,
    /// Rows on all pages.
    pub total: u64,
    pub total_pages: u64,
}

impl Pagination {
    /// As it was asked for.
    pub fn of(asked: &Asked, total: u64) -> Self {
        let limit = limit(asked);
        Self { page: Some(page(asked)), limit, total, total_pages: total.div_ceil(u64::from(limit)) }
    }
}

/// The page that was asked for.
pub fn page(asked: &Asked) -> u32 {
    asked.integer(&PAGE).unwrap_or(1)
}

/// Rows a page.
pub fn limit(asked: &Asked) -> u32 {
    asked.integer(&LIMIT).unwrap_or(50)
}

/// The rows before a page, and those on it.
pub fn rows(asked: &Asked) -> (usize, usize) {
    let (page, limit) = (page(asked) as usize, limit(asked) as usize);
    ((page - 1).saturating_mul(limit), limit)
}

/// A cost by what is paid for, in US dollars.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CostParts {
    pub input: f64,
    pub output: f64,
    /// Cache writes of both kinds.
    pub cache_creation: f64,
    pub cache_creation_5m: f64,
    pub cache_creation_1h: f64,
    pub cache_read: f64,
    pub web_search: f64,
    /// Of responses whose detail was removed before costs were kept by kind.
    pub unexplained: f64,
}

impl CostParts {
    pub fn of(costs: &Costs) -> Self {
        let Costs { input, output, cache_write_5m, cache_write_1h, cache_read, web_search, unexplained } = *costs;
        let writes = crate::event::PicoUsd(cache_write_5m.0.saturating_add(cache_write_1h.0));
        Self {
            input: input.usd(),
            output: output.usd(),
            cache_creation: writes.usd(),
            cache_creation_5m: cache_write_5m.usd(),
            cache_creation_1h: cache_write_1h.usd(),
            cache_read: cache_read.usd(),
            web_search: web_search.usd(),
            unexplained: unexplained.usd(),
        }
    }
}
