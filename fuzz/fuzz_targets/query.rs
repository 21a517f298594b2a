//! Whatever stands behind a question mark is read or refused by name, and never more than that.
#![no_main]

use claude_token_monitor::web::api::endpoints;
use claude_token_monitor::web::query::Asked;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|query: &str| {
    for endpoint in endpoints() {
        if let Err(error) = Asked::read(query, endpoint.parameters) {
            assert_eq!(error.status.as_u16(), 400);
        }
    }
});
