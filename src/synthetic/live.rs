//! A few conversations that keep going on, for demonstrations and for measuring how fast a new line arrives.

use std::fs::{self, OpenOptions};
use std::io::{Result, Write};
use std::path::{Path, PathBuf};

use crate::event::UnixMillis;

use super::response::{Author, Envelope};
use super::truth::TruthRow;
use super::{Noise, line, names, time};

/// Open sessions below one data directory; each [`Live::tick`] lets one of them answer once more.
pub struct Live {
    projects: PathBuf,
    author: Author,
    open: Vec<Conversation>,
}

struct Conversation {
    envelope: Envelope,
    path: PathBuf,
    last_uuid: Option<String>,
}

const OPEN_SESSIONS: usize = 3;

/// From the first to the last line of a response at most.
const LONGEST_MS: u64 = 10_000;

impl Live {
    /// Prepares conversations below `root/projects`; nothing is written before the first tick.
    pub fn new(root: &Path, seed: u64) -> Self {
        // The ribbon of text is the seed's; everything else is drawn anew in each tick.
        let author = Author::new(seed, Noise::Usual, 100);
        Self { projects: root.join("projects"), author, open: Vec::new() }
    }

    /// Appends a prompt and a response of the last ten seconds, as several lines in one write, to one of the open
    /// sessions. Says what the response adds to the totals.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn tick(&mut self, now: UnixMillis) -> Result<TruthRow> {
        // Ids must be new even if a demonstration is started again over the same files with the same seed.
        self.author.rng.stir(now.0.unsigned_abs());
        let at = time::before(now, LONGEST_MS);
        let place = self.conversation(at);
        let response = self.author.response(at, 1500);
        let Author { rng, text, .. } = &mut self.author;
        let Conversation { envelope, path, last_uuid } = &mut self.open[place];
        let mut bytes = Vec::new();
        let links = line::Links::next(rng, last_uuid);
        line::open(&mut bytes, envelope, &links)?;
        bytes.extend_from_slice(br#""message":{"role":"user","content":""#);
        text.write(&mut bytes, response.blocks[0].place, 80);
        bytes.extend_from_slice(br#""}"#);
        line::close(&mut bytes, "user", &links, time::before(response.at(), 900))?;
        bytes.push(b'\n');
        for number in 0..response.blocks.len() {
            let links = line::Links::next(rng, last_uuid);
            line::assistant(&mut bytes, text, envelope, &links, &response, number)?;
            bytes.push(b'\n');
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        OpenOptions::new().create(true).append(true).open(path)?.write_all(&bytes)?;
        let mut added = TruthRow::default();
        for (_, row) in response.rows() {
            added.add(&row);
        }
        Ok(added)
    }

    /// One of the open conversations; now and then one of them ends and another begins.
    fn conversation(&mut self, at: UnixMillis) -> usize {
        let place = self.author.rng.index(OPEN_SESSIONS);
        if place < self.open.len() && !self.author.rng.one_in(30) {
            return place;
        }
        let rng = &mut self.author.rng;
        let cwd = names::project(rng, Noise::Usual);
        let branch = names::branch(rng, Noise::Usual);
        let session = self.author.session(at);
        let path = self.projects.join(names::folder(cwd)).join(format!("{session}.jsonl"));
        let envelope = Envelope { session, cwd: cwd.into(), branch, agent: None, sidechain: false };
        let begun = Conversation { envelope, path, last_uuid: None };
        if place < self.open.len() {
            self.open[place] = begun;
            place
        } else {
            self.open.push(begun);
            self.open.len() - 1
        }
    }
}
