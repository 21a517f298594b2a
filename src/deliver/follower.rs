//! A follower's life: started, and made anew whenever it fails, panics or simply ends, until the house stops. It takes
//! nobody else with it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Configured, House};
use crate::plugin::{Follower, FollowerContext};
use crate::status::{SinkState, SinkStatus};

/// Between an end and the next start.
const PAUSE: Duration = Duration::from_secs(1);

/// Who has run for so long after a start is well again.
const WELL_AFTER: Duration = Duration::from_secs(10);

/// Runs `first`, and its successors, until the house stops.
pub(super) async fn keep_running(
    first: Follower,
    sink: Configured,
    house: House,
    status: Arc<SinkStatus>,
    _alive: mpsc::Sender<()>,
) {
    let mut next = Ok(first);
    let mut stop = house.stop.clone();
    loop {
        let ended = match next {
            Ok(follower) => run(follower, &house, &status).await,
            Err(error) => format!("{error:#}"),
        };
        if house.stop.is_set() {
            return;
        }
        tracing::error!(sink = sink.setup.name, error = ended, "the sink failed; starting it again");
        let now = house.clock.now().0;
        status.update(|report| {
            report.state = SinkState::Retrying;
            report.restarts += 1;
            report.last_error = Some(ended);
            report.last_error_at = Some(now);
            report.failing_since.get_or_insert(now);
        });
        tokio::select! {
            () = stop.wait() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
        next = again(&sink, &house);
    }
}

/// The sink made anew, and its follower.
fn again(sink: &Configured, house: &House) -> anyhow::Result<Follower> {
    let parts = sink.build()?(&house.hub);
    parts.follower.ok_or_else(|| anyhow::anyhow!("it has no follower any more"))
}

/// Runs it once, and says why it ended.
async fn run(follower: Follower, house: &House, status: &SinkStatus) -> String {
    let context = FollowerContext { feed: house.hub.subscribe(), clock: house.clock.clone(), stop: house.stop.clone() };
    let mut task = tokio::spawn(follower(context));
    if let Ok(ended) = tokio::time::timeout(WELL_AFTER, &mut task).await {
        return why(ended);
    }
    status.update(|report| {
        report.state = SinkState::Ok;
        report.failing_since = None;
    });
    why(task.await)
}

fn why(ended: <JoinHandle<anyhow::Result<()>> as Future>::Output) -> String {
    match ended {
        Ok(Ok(())) => "it ended by itself".to_owned(),
        Ok(Err(error)) => format!("{error:#}"),
        Err(error) => error.to_string(),
    }
}
