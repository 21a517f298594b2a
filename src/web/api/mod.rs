//! The REST API, `/api/v1/…`, and the probes: one file a subject, each with the [`Endpoint`]s that it answers.

pub mod answer;
pub mod auth;
pub mod blocks;
pub mod cost;
pub mod endpoint;
pub mod export;
pub mod health;
pub mod heatmap;
pub mod history;
pub mod openapi;
pub mod projects;
pub mod rows;
pub mod scope;
pub mod sessions;
pub mod sinks;
pub mod sources;
pub mod stats;
pub mod trends;

use crate::plugin::Routes;
use crate::web::WebState;
use endpoint::Endpoint;

/// Every endpoint, in the order in which people want to read about them.
pub fn endpoints() -> impl Iterator<Item = &'static Endpoint> {
    let all = [
        stats::ENDPOINTS,
        history::ENDPOINTS,
        trends::ENDPOINTS,
        projects::ENDPOINTS,
        sessions::ENDPOINTS,
        blocks::ENDPOINTS,
        heatmap::ENDPOINTS,
        cost::ENDPOINTS,
        export::ENDPOINTS,
        sources::ENDPOINTS,
        auth::ENDPOINTS,
        health::ENDPOINTS,
        sinks::ENDPOINTS,
        openapi::ENDPOINTS,
    ];
    all.into_iter().flatten()
}

/// All routes of the API.
pub fn routes(state: &WebState) -> Routes {
    endpoints().filter_map(|endpoint| endpoint.route(state)).collect()
}
