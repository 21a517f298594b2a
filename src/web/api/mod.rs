//! The REST API, `/api/v1/…`, and the probes: one file a subject, each with the [`Endpoint`]s that it answers.

pub mod answer;
pub mod endpoint;
pub mod health;
pub mod openapi;
pub mod stats;

use crate::plugin::Routes;
use crate::web::WebState;
use endpoint::Endpoint;

/// Every endpoint, in the order in which people want to read about them.
pub fn endpoints() -> impl Iterator<Item = &'static Endpoint> {
    [stats::ENDPOINTS, health::ENDPOINTS, openapi::ENDPOINTS].into_iter().flatten()
}

/// All routes of the API.
pub fn routes(state: &WebState) -> Routes {
    endpoints().map(|endpoint| endpoint.route(state)).collect()
}
