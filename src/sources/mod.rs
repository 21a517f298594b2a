pub mod claude;
pub mod stats_cache;
