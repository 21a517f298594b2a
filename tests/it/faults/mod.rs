//! What must not lose or double a line: kills, power cuts, lying watchers, full and failing disks, foreign locks,
//! corruption, wrong clocks, retention. The number in a test's name is its row in `docs/testing.md`.

mod clock;
mod corruption;
mod disk;
mod kill;
mod lock;
mod power;
mod sweep;
mod watch;
