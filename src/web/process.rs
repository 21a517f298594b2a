//! Samples what the operating system says about this process, every few seconds, so that a scrape reads no file.

use std::time::Duration;

use crate::event::UnixMillis;
use crate::hub::Hub;
use crate::plugin::Stop;
use crate::status::ProcessSample;

const INTERVAL: Duration = Duration::from_secs(10);

/// Samples until `stop`. `started` is when the process began to serve.
pub async fn sample(hub: Hub, started: UnixMillis, mut stop: Stop) {
    loop {
        hub.house().set_process(take(started));
        tokio::select! {
            () = stop.wait() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are exact in a double")]
fn take(started: UnixMillis) -> ProcessSample {
    let mut sample = ProcessSample { start_seconds: started.0 as f64 / 1000.0, ..ProcessSample::default() };
    // These files are made up by the kernel on the spot; reading them does not wait for a disk. On other systems they
    // are not there, and nothing is said.
    let read = |name: &str| std::fs::read_to_string(format!("/proc/self/{name}")).ok();
    sample.cpu_seconds = read("stat").as_deref().and_then(cpu_seconds);
    sample.resident_bytes = read("status").as_deref().and_then(resident_bytes);
    sample.max_fds = read("limits").as_deref().and_then(max_fds);
    sample.open_fds = std::fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count() as u64);
    sample
}

/// User and system time out of `stat`, in the kernel's fixed hundredths of a second (`USER_HZ`).
#[expect(clippy::cast_precision_loss, reason = "a hundredth of a second is far above the precision of a double")]
fn cpu_seconds(stat: &str) -> Option<f64> {
    // The second field is the program's name in parentheses and may hold anything, spaces included.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) as f64 / 100.0)
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn max_fds(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_writes() {
        let stat = "4242 (claude) token m) S 1 4242 4242 0 -1 4194560 900 0 3 0 1234 66 0 0 20 0 5 0 100 9 8 7";
        assert_eq!(cpu_seconds(stat), Some(13.0));
        assert_eq!(resident_bytes("Name:\tx\nVmRSS:\t   20480 kB\nThreads:\t5\n"), Some(20480 * 1024));
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            1024                 524288               files\n";
        assert_eq!(max_fds(limits), Some(1024));
        for parse in [
            cpu_seconds("x"),
            resident_bytes("VmRSS: lots").map(|_| 0.0),
            max_fds("Max open files unlimited").map(|_| 0.0),
        ] {
            assert_eq!(parse, None);
        }
    }
}
