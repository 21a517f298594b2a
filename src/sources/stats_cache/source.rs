//! Keeps an eye on the statistics files beside the transcripts: looks at a slow pace whether one was rewritten, and reads
//! it whole. It never writes to them, and a file that cannot be read leaves what it said before.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_64;

use super::{StatsCacheError, parse};
use crate::platform::{self, FileStat};
use crate::plugin::{
    BuildError, Checkpoint, Closed, Source, SourceBatch, SourceContext, SourceMessage, SourceSettings,
};
use crate::sources::roots::{self, is_absent};
use crate::status::RootStatus;

const FILE_NAME: &str = "stats-cache.json";
/// Real ones have some hundred KiB after years.
const LARGEST: u64 = 16 << 20;

/// `[sources.stats_cache]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default = "enabled")]
    enabled: bool,
}

fn enabled() -> bool {
    true
}

/// Claude Code's own statistics below all data directories.
pub struct StatsCache {
    enabled: bool,
    settings: SourceSettings,
}

impl Source for StatsCache {
    const KIND: &'static str = "stats_cache";
    const SAMPLE: &'static str = "\
[sources.stats_cache]
# Read Claude Code's own statistics, as estimates for days whose transcripts are gone.
enabled = true
";
    type Config = Config;

    fn build(config: Config, settings: &SourceSettings) -> Result<Self, BuildError> {
        Ok(Self { enabled: config.enabled, settings: settings.clone() })
    }

    fn run(self, ctx: SourceContext) -> anyhow::Result<()> {
        let known = ctx.checkpoints.iter().map(|known| (known.path.clone(), known.clone())).collect();
        let pace = if self.settings.watch { self.settings.reconcile_interval } else { self.settings.poll_interval };
        let mut keeper = Keeper { ctx, known };
        if self.enabled && keeper.look(&self.settings.roots).is_err() {
            return Ok(());
        }
        if keeper.ctx.out.send(SourceMessage::CaughtUp).is_err() || keeper.ctx.once {
            return Ok(());
        }
        while !keeper.ctx.stop.sleep(pace) {
            if self.enabled && keeper.look(&self.settings.roots).is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// What is known of every file.
struct Keeper {
    ctx: SourceContext,
    known: BTreeMap<Vec<u8>, Checkpoint>,
}

/// Why a file says nothing now.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it is larger than {LARGEST} bytes")]
    TooLarge,
    #[error(transparent)]
    Content(#[from] StatsCacheError),
    #[error(transparent)]
    Closed(#[from] Closed),
}

impl Keeper {
    /// Looks at every file once.
    fn look(&mut self, roots: &[PathBuf]) -> Result<(), Closed> {
        let mut shown = Vec::new();
        for path in files(roots) {
            let key = platform::path_bytes(&path);
            let mut next = self.known.get(&key).cloned().unwrap_or_default();
            next.path = key;
            let state = match self.look_at(&path, &mut next) {
                Ok(()) => {
                    next.error = None;
                    "ok".to_owned()
                }
                Err(LookError::Closed(closed)) => return Err(closed),
                Err(LookError::Io(error)) if is_absent(&error) => {
                    if self.known.contains_key(&next.path) {
                        next.gone_at = next.gone_at.or_else(|| Some(self.ctx.clock.now()));
                    }
                    "missing".to_owned()
                }
                Err(error) => {
                    self.fail(&path, &mut next, &error);
                    error.to_string()
                }
            };
            // There are no transcripts in it.
            shown.push(RootStatus { path, files: 0, state });
            self.store(next)?;
        }
        let ok = shown.iter().filter(|file| file.state == "ok").count() as u64;
        let gone = self.known.values().filter(|known| known.gone_at.is_some()).count() as u64;
        self.ctx.status.files.store(ok, Ordering::Relaxed);
        self.ctx.status.missing_files.store(gone, Ordering::Relaxed);
        self.ctx.status.update(|words| words.roots = shown);
        Ok(())
    }

    fn look_at(&self, path: &Path, next: &mut Checkpoint) -> Result<(), LookError> {
        // The file may be a link, as those who keep their settings elsewhere make it.
        let (file, stat) = platform::open_regular(&path.canonicalize()?)?;
        let FileStat { device, inode, size, mtime_ns, ctime_ns } = stat;
        let seen = FileStat {
            device: next.device,
            inode: next.inode,
            size: next.size,
            mtime_ns: next.mtime_ns,
            ctime_ns: next.ctime_ns,
        };
        next.gone_at = None;
        // One that could not be read is tried again, whatever its times say: it may have been read half written.
        if stat == seen && next.error.is_none() {
            return Ok(());
        }
        let mut bytes = Vec::new();
        if size > LARGEST || file.take(LARGEST + 1).read_to_end(&mut bytes)? as u64 > LARGEST {
            return Err(LookError::TooLarge);
        }
        let hash = xxh3_64(&bytes);
        if next.head_len == 0 || next.head_hash != hash {
            let estimate = parse(&bytes, path.to_string_lossy().into_owned())?;
            // Before its position: killed in between, it is said twice rather than never.
            self.ctx.out.send(SourceMessage::Estimate(estimate))?;
            next.generation += 1;
        }
        let read = bytes.len() as u64;
        let tally = std::mem::take(&mut next.tally);
        *next = Checkpoint {
            path: std::mem::take(&mut next.path),
            device,
            inode,
            size,
            mtime_ns,
            ctime_ns,
            offset: read,
            generation: next.generation,
            head_len: read,
            head_hash: hash,
            tally,
            ..Checkpoint::default()
        };
        Ok(())
    }

    fn fail(&self, path: &Path, next: &mut Checkpoint, error: &LookError) {
        let words = Some(error.to_string());
        self.ctx.status.io_errors.fetch_add(u64::from(matches!(error, LookError::Io(_))), Ordering::Relaxed);
        if next.error != words {
            tracing::warn!(path = %path.display(), %error, "cannot read statistics; what they said before stays");
            let shown = format!("reading {}: {error}", path.display());
            self.ctx.status.update(|words| words.last_error = Some(shown));
        }
        next.error = words;
    }

    /// Sends what has changed.
    fn store(&mut self, next: Checkpoint) -> Result<(), Closed> {
        let unknown = Checkpoint { path: next.path.clone(), ..Checkpoint::default() };
        if *self.known.get(&next.path).unwrap_or(&unknown) != next {
            let batch = SourceBatch { checkpoint: Some(next.clone()), ..SourceBatch::default() };
            self.ctx.out.send(SourceMessage::Batch(Box::new(batch)))?;
            self.known.insert(next.path.clone(), next);
        }
        Ok(())
    }
}

/// Where the file of each data directory is or would be: beside the directory of transcripts.
fn files(configured: &[PathBuf]) -> Vec<PathBuf> {
    let beside = |root: &roots::Root| match root.configured.parent() {
        Some(parent) if root.is_projects() => parent.join(FILE_NAME),
        _ => root.configured.join(FILE_NAME),
    };
    roots::resolve(configured).iter().map(beside).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::Clock;
    use crate::event::UnixMillis;
    use crate::plugin::{Estimate, Outbox, SourceFactory, Stopper};
    use crate::status::SourceStatus;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

    /// One look at the files of a data directory, after what was stored before.
    fn look(root: &Path, known: &mut BTreeMap<Vec<u8>, Checkpoint>) -> (Vec<Estimate>, Arc<SourceStatus>) {
        let (to, messages) = crossbeam_channel::bounded(16);
        let (_stopper, stop) = Stopper::new();
        let status = Arc::new(SourceStatus::default());
        let ctx = SourceContext {
            out: Outbox { source: StatsCache::KIND, to },
            checkpoints: known.values().cloned().collect(),
            clock: Clock::fixed(NOW),
            stop,
            status: Arc::clone(&status),
            once: true,
        };
        let settings = SourceSettings { roots: vec![root.to_owned()], ..SourceSettings::default() };
        StatsCache::build(Config { enabled: true }, &settings).unwrap().run(ctx).unwrap();
        let (mut estimates, mut caught_up) = (Vec::new(), 0);
        for (_, message) in messages {
            match message {
                SourceMessage::Estimate(estimate) => estimates.push(estimate),
                SourceMessage::Batch(batch) => {
                    let checkpoint = batch.checkpoint.unwrap();
                    known.insert(checkpoint.path.clone(), checkpoint);
                }
                SourceMessage::CaughtUp => caught_up += 1,
                SourceMessage::Covered { .. } => panic!("statistics cover nothing"),
            }
        }
        assert_eq!(caught_up, 1);
        (estimates, status)
    }

    fn statistics(tokens: u64) -> String {
        format!("{{\"claude-opus-4-5\":{{\"inputTokens\":{tokens},\"outputTokens\":1}}}}")
    }

    fn input(estimates: &[Estimate]) -> Vec<u64> {
        estimates.iter().map(|estimate| estimate.lifetime[0].1.input).collect()
    }

    #[test]
    fn a_file_is_read_when_its_content_changes() {
        let (dir, mut known) = (tempfile::tempdir().unwrap(), BTreeMap::new());
        let file = dir.path().join(FILE_NAME);
        assert!(look(dir.path(), &mut known).0.is_empty());
        assert!(known.is_empty(), "nothing is known of a file that never was");
        std::fs::write(&file, statistics(5)).unwrap();
        assert_eq!(input(&look(dir.path(), &mut known).0), [5]);
        assert!(look(dir.path(), &mut known).0.is_empty());
        std::fs::write(&file, statistics(5)).unwrap();
        assert!(look(dir.path(), &mut known).0.is_empty(), "written again, but the same");
        std::fs::write(&file, statistics(6)).unwrap();
        assert_eq!(input(&look(dir.path(), &mut known).0), [6]);
        std::fs::remove_file(&file).unwrap();
        look(dir.path(), &mut known);
        assert_eq!(known.values().next().unwrap().gone_at, Some(NOW));
        std::fs::write(&file, statistics(6)).unwrap();
        look(dir.path(), &mut known);
        assert_eq!(known.values().next().unwrap().gone_at, None);
    }

    #[test]
    fn half_a_file_is_tried_again() {
        let (dir, mut known) = (tempfile::tempdir().unwrap(), BTreeMap::new());
        let file = dir.path().join(FILE_NAME);
        std::fs::write(&file, statistics(5)).unwrap();
        look(dir.path(), &mut known);
        std::fs::write(&file, statistics(6).trim_end_matches('}')).unwrap();
        let (estimates, status) = look(dir.path(), &mut known);
        assert!(estimates.is_empty());
        assert!(status.words().last_error.is_some());
        assert!(known.values().next().unwrap().error.is_some());
        std::fs::write(&file, statistics(6)).unwrap();
        assert_eq!(input(&look(dir.path(), &mut known).0), [6]);
        assert_eq!(known.values().next().unwrap().error, None);
    }

    #[test]
    fn a_file_beyond_all_measure_is_refused() {
        let (dir, mut known) = (tempfile::tempdir().unwrap(), BTreeMap::new());
        std::fs::File::create(dir.path().join(FILE_NAME)).unwrap().set_len(LARGEST + 1).unwrap();
        assert!(look(dir.path(), &mut known).0.is_empty());
        assert!(known.values().next().unwrap().error.as_ref().is_some_and(|error| error.contains("larger")));
    }

    #[test]
    fn the_file_lies_beside_the_transcripts() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("a/projects")).unwrap();
        assert_eq!(files(&[at("a")]), [at("a/stats-cache.json")]);
        assert_eq!(files(&[at("a/projects")]), [at("a/stats-cache.json")]);
        assert_eq!(files(&[at("none")]), [at("none/stats-cache.json")]);
    }

    #[test]
    fn the_sample_builds_and_a_typo_is_named() {
        let build = |text: &str| {
            let mut file: toml::Table = text.parse().unwrap();
            let mut sources: toml::Table = file.remove("sources").unwrap().try_into().unwrap();
            let section = sources.remove(StatsCache::KIND).unwrap().try_into().unwrap();
            (SourceFactory::of::<StatsCache>().build)(section, &SourceSettings::default()).map(drop)
        };
        build(StatsCache::SAMPLE).unwrap();
        let error = build("[sources.stats_cache]\nenabeld = true").unwrap_err().to_string();
        assert!(error.contains("enabeld"), "{error}");
    }
}
