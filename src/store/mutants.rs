//! Ways of storing that are wrong on purpose, so that the crash tests can show that they would notice. Compiled in only
//! with the feature `mutants`, and chosen by the environment variable `CTM_MUTANT`.

use crate::event::{GroupId, UsageRecord};
use crate::plugin::SourceMessage;

/// A mistake that others have made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mutant {
    /// The position is stored before the rows: a kill in between loses them.
    OffsetFirst,
    /// The rows are stored before the position, and nothing recognises them the second time.
    RowsFirst,
    /// Rows have no key: every re-read counts again.
    NoKey,
}

impl Mutant {
    pub(super) fn chosen() -> Option<Self> {
        #[expect(clippy::disallowed_methods, reason = "a switch for tests, absent from every release")]
        match std::env::var("CTM_MUTANT").ok()?.as_str() {
            "offset_first" => Some(Self::OffsetFirst),
            "rows_first" => Some(Self::RowsFirst),
            "no_key" => Some(Self::NoKey),
            _ => None,
        }
    }

    /// The parts that this mutant commits one after the other, where there should be one.
    pub(super) fn parts(self, messages: &[(&'static str, SourceMessage)]) -> Vec<Vec<(&'static str, SourceMessage)>> {
        let mut positions = messages.to_vec();
        let mut rows = messages.to_vec();
        for (message, other) in positions.iter_mut().zip(&mut rows) {
            if let (SourceMessage::Batch(position), SourceMessage::Batch(row)) = (&mut message.1, &mut other.1) {
                position.records.clear();
                row.checkpoint = None;
                row.renamed_from = None;
            }
        }
        positions.retain(|(_, message)| matches!(message, SourceMessage::Batch(_)));
        match self {
            Self::OffsetFirst => vec![positions, rows],
            Self::RowsFirst => vec![rows, positions],
            Self::NoKey => vec![messages.to_vec()],
        }
    }

    /// The claim as this mutant identifies it.
    pub(super) fn disguise(self, record: &mut UsageRecord, revision: u64) {
        if matches!(self, Self::RowsFirst | Self::NoKey) {
            record.key.group = GroupId::of(&[&record.key.group.0, &revision.to_le_bytes()]);
        }
    }
}
