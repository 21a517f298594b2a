//! The cursor runner.

mod configured;
mod settings;

pub use configured::Configured;
pub use settings::{DeliverySettings, Limits, OnLag, SHARED_KEYS, Shared, Start, StartFrom};
