//! What must not get out, what must not do anything where it gets out, and who may look. The number in a test's name is
//! its row in `docs/testing.md`.

mod canary;
pub(crate) mod hostile;
mod modes;
mod names;
mod sent;
