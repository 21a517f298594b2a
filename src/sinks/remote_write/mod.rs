//! Prometheus remote write 1.0: the counters of `/metrics` pushed as samples, for Prometheus, Mimir, Thanos,
//! VictoriaMetrics and whatever else takes it. See <https://prometheus.io/docs/specs/prw/remote_write_spec/>.
//!
//! Samples have the times of the responses, so an outage leaves no gap and no step where it ended. Counters never fall,
//! and times of what is sent never go back, so a receiver without an out-of-order window takes them, too; what it finds
//! too old all the same is counted and passed over, since the next sample says it all.

mod counters;
mod delivery;
pub mod message;
mod settings;

use std::sync::Arc;

use crate::hub::Hub;
use crate::plugin::{BuildError, Parts, Setup, Sink};
pub use delivery::verdict;
pub use settings::{Config, Target};

/// Pushes to one receiver.
pub struct RemoteWrite {
    target: Arc<Target>,
    again: Arc<Target>,
    costs: bool,
}

impl Sink for RemoteWrite {
    const KIND: &'static str = "remote_write";
    const SAMPLE: &'static str = "\
[sinks.remote_write]
type = \"remote_write\"
url = \"http://localhost:9090/api/v1/write\"
# labels = { job = \"claude-token-monitor\", instance = \"laptop\" }
# A variable or a file that holds a bearer token, or a password for `username`.
# bearer_token_env = \"REMOTE_WRITE_TOKEN\"
# username = \"me\"
# password_file = \"password.txt\"
# headers = { \"X-Scope-OrgID\" = \"home\" }
# tls = { ca_file = \"ca.pem\" }
";
    type Config = Config;

    fn build(config: Config, setup: &Setup) -> Result<Self, BuildError> {
        let target = Target::new(&config, setup)?;
        let again = Target::new(&config, setup)?;
        Ok(Self { target: Arc::new(target), again: Arc::new(again), costs: setup.costs })
    }

    fn parts(self, _: &Hub) -> Parts {
        let state = delivery::Shared::default();
        let samples = delivery::Samples::new(self.target, state.clone(), self.costs);
        let beats = delivery::Beats::new(self.again, state, self.costs);
        Parts::default().with_part("samples", samples).with_part("beats", beats)
    }
}

#[cfg(test)]
mod tests;
