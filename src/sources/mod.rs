//! Where usage comes from. Each source is a file or folder here, and one line in [`SOURCES`].

pub mod claude;
mod roots;

use crate::plugin::SourceFactory;

/// Every source there is.
pub const SOURCES: &[SourceFactory] = &[SourceFactory::of::<claude::Transcripts>()];
