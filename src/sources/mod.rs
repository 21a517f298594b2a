//! Where usage comes from. Each source is a file or folder here, and one line in [`SOURCES`].

pub mod claude;
mod roots;
pub mod stats_cache;

use crate::plugin::SourceFactory;

/// Every source there is.
pub const SOURCES: &[SourceFactory] =
    &[SourceFactory::of::<claude::Transcripts>(), SourceFactory::of::<stats_cache::StatsCache>()];
