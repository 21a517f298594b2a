//! The scan that finds what events missed, and the watcher that it keeps in place. A watcher is only ever as good as the
//! roots it was made for, so both are looked after together.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Ended, Follower};
use crate::platform::FileStat;
use crate::sources::claude::scan::Unreadable;
use crate::sources::claude::tracker::{PAUSE, Why};
use crate::sources::claude::watch::Watch;
use crate::sources::roots::{self, Root};
use crate::status::RootStatus;

/// How long a failed watcher is left alone.
const RETRY_WATCHING: Duration = Duration::from_secs(300);
/// How often one scan makes a new watcher because a root has changed meanwhile.
const WATCH_TRIES: usize = 5;
/// The rest between two scans, as a multiple of the last one's duration, however much events ask for them.
const SCAN_REST: u32 = 4;
/// A change that is younger than this when a scan finds it may have an event on its way.
const EVENT_DELAY_MS: i64 = 1000;

impl Follower<'_> {
    /// Looks at everything: the truth that events only run ahead of.
    pub(super) fn scan(&mut self, why: Why) -> Result<(), Ended> {
        let (began, began_at) = (Instant::now(), self.shared.clock.now());
        let mut roots = roots::resolve(&self.settings.roots);
        // Before the walk: what changes during it raises an event already. And whatever came before the watch did, is
        // looked for once more.
        for _ in 0..WATCH_TRIES {
            if !self.keep_watching(&roots, began) {
                break;
            }
            roots = roots::resolve(&self.settings.roots);
        }
        self.tracker.begin_scan();
        self.projects =
            roots.iter().filter_map(|root| Some(Arc::from(root.projects.as_ref().ok()?.as_deref()?))).collect();

        let (mut shown, mut unreadable) = (Vec::new(), Unreadable::new());
        for root in &roots {
            let mut status = RootStatus { path: root.configured.clone(), state: root.state(), files: 0 };
            match &root.projects {
                Ok(None) => {}
                Ok(Some(projects)) => {
                    let mut found = Vec::new();
                    let failures = self.scanner.walk(projects, projects, &mut |path, stat| found.push((path, stat)));
                    if let Some((_, error)) = failures.iter().find(|(path, _)| path == projects) {
                        status.state = format!("cannot be read: {error}");
                    }
                    status.files = found.len() as u64;
                    unreadable.extend(failures);
                    self.look_at_all(found, why)?;
                }
                Err(error) => unreadable.push((root.configured.clone(), error.kind().into())),
            }
            shown.push(status);
        }
        self.tracker.end_looks();
        for path in self.tracker.unseen() {
            self.gone(&path)?;
        }
        if unreadable.is_empty() && !self.projects.is_empty() {
            self.covered = Some(began_at);
        }
        self.show(shown, unreadable);

        let now = Instant::now();
        let pace = if self.watch.poll_reason.is_some() {
            self.settings.poll_interval
        } else {
            self.settings.reconcile_interval
        };
        self.next_scan = now + pace;
        self.no_scan_before = now + PAUSE.max((now - began) * SCAN_REST);
        Ok(())
    }

    /// Lets the tracker decide about every file, and counts what no event had named.
    fn look_at_all(&mut self, found: Vec<(PathBuf, FileStat)>, why: Why) -> Result<(), Ended> {
        let events_expected = why == Why::Scan && self.watch.poll_reason.is_none();
        let settled_before_ns = (self.shared.clock.now().0 - EVENT_DELAY_MS).saturating_mul(1_000_000);
        let shared = self.shared;
        for (path, stat) in found {
            let path = path.into_os_string();
            let unread = self.tracker.unread(&path, stat.size);
            let is_settled = stat.mtime_ns.max(stat.ctime_ns) < settled_before_ns;
            let missed = events_expected && is_settled && !self.hints.names(&path);
            if !self.look(path, &stat, why)? {
                continue;
            }
            if why == Why::Start {
                shared.status.catchup_bytes.fetch_add(unread, Ordering::Relaxed);
            } else if missed {
                shared.status.reconcile_found.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Scans by then at the latest.
    pub(super) fn scan_by(&mut self, at: Instant) {
        self.next_scan = self.next_scan.min(at);
    }

    /// Sees to it that what is there now is watched, if it can be. Says whether that took a new watcher.
    fn keep_watching(&mut self, roots: &[Root], now: Instant) -> bool {
        if self.shared.once {
            return false;
        }
        if !self.settings.watch {
            self.watch = Watch::off("watching files is switched off");
            self.show_watching();
            return false;
        }
        let moved = std::mem::take(&mut self.roots_moved);
        if moved || self.watch.is_outdated(roots) || self.retry_watching.is_some_and(|at| now >= at) {
            // The old watcher first: two at once may be more than the system allows.
            self.watch = Watch::default();
            self.watch = Watch::start(self.make, roots, &self.hints);
        } else {
            return false;
        }
        self.retry_watching = self.watch.may_recover.then(|| now + RETRY_WATCHING);
        self.show_watching();
        true
    }

    /// Goes over to polling, since the watcher has failed.
    pub(super) fn break_down(&mut self, reason: String) {
        let now = Instant::now();
        self.watch.break_down(reason);
        self.retry_watching = Some(now + RETRY_WATCHING);
        self.scan_by(now + self.settings.poll_interval);
        self.show_watching();
    }

    fn show_watching(&self) {
        let reason = self.watch.poll_reason.clone();
        self.shared.status.polling.store(reason.is_some(), Ordering::Relaxed);
        self.shared.status.update(|words| {
            if words.poll_reason != reason {
                if let Some(reason) = &reason {
                    tracing::warn!(reason, "polling for changes in transcripts instead of watching");
                } else {
                    tracing::info!("watching transcripts again");
                }
                words.poll_reason = reason;
            }
        });
    }

    /// Shows what a scan found.
    fn show(&mut self, roots: Vec<RootStatus>, unreadable: Unreadable) {
        let status = &self.shared.status;
        let (present, gone) = self.tracker.counts();
        status.files.store(present, Ordering::Relaxed);
        status.missing_files.store(gone, Ordering::Relaxed);
        status.io_errors.fetch_add(unreadable.len() as u64, Ordering::Relaxed);
        status.update(|words| {
            for (path, error) in unreadable.iter().filter(|(path, _)| !self.unreadable.contains(path)) {
                tracing::warn!(path = %path.display(), %error, "cannot read a directory; it is tried again at every scan");
                words.last_error = Some(format!("reading {}: {error}", path.display()));
            }
            words.roots = roots;
        });
        self.unreadable = unreadable.into_iter().map(|(path, _)| path).collect();
    }
}
