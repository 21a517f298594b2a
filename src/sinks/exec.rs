//! Any program as a sink: lines of JSON on its standard input, one word an answer on its standard output.
//!
//! After the lines of a batch comes `{"commit":REVISION}`, and the program answers with a line of its own: `ok`,
//! `retry WHY`, `reject WHY` or `refuse WHY`. `docs/sinks.md` is the protocol. A program that ends, is silent for too long
//! or says anything else is started anew with the runner's pauses, and handed the same batch.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::wire;
use crate::hub::Hub;
use crate::plugin::{Batch, BuildError, Delivery, Outcome, Pace, Parts, Setup, Sink};

/// An answer is not longer than this.
const LONGEST_ANSWER: u64 = 4 * 1024;

/// How long the program may take to end once its input has.
const END_WITHIN: Duration = Duration::from_secs(1);

/// Runs a program.
pub struct Exec {
    command: Vec<String>,
    directory: Option<PathBuf>,
    costs: bool,
    running: Option<Running>,
}

/// The program while it runs.
struct Running {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// A batch was begun and not answered: what it is waiting for is not known.
    in_doubt: bool,
}

/// What users configure.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    command: Vec<String>,
    #[serde(default)]
    directory: Option<PathBuf>,
}

impl Sink for Exec {
    const KIND: &'static str = "exec";
    const SAMPLE: &'static str = "\
[sinks.exec]
# A program and its arguments; no shell is involved. It reads changes as lines of JSON and answers each batch.
command = [\"python3\", \"exec_sink.py\"]
# Where it runs; without this the directory of the configuration file.
#directory = \"~/sinks\"
";
    type Config = Config;

    fn build(config: Config, setup: &Setup) -> Result<Self, BuildError> {
        if config.command.first().is_none_or(String::is_empty) {
            return Err(BuildError::at("command", "`command` is a list of a program and its arguments"));
        }
        let base = (!setup.base.as_os_str().is_empty()).then(|| setup.base.clone());
        let directory = config.directory.as_deref().map(|path| setup.path(path)).or(base);
        Ok(Self { command: config.command, directory, costs: setup.costs, running: None })
    }

    fn parts(self, _: &Hub) -> Parts {
        Parts::default().with_delivery(self)
    }
}

impl Delivery for Exec {
    fn pace(&self) -> Pace {
        Pace { batch_max: 1_000, interval: Duration::ZERO, timeout: Duration::from_secs(30) }
    }

    fn target(&self) -> String {
        self.command.join(" ")
    }

    async fn deliver(&mut self, batch: &Batch<'_>) -> Outcome {
        let mut text = Vec::with_capacity(batch.changes.len() * 700 + 64);
        if let Err(error) = wire::lines(batch.changes, self.costs, &mut text) {
            return Outcome::reject(error.to_string());
        }
        text.extend_from_slice(format!("{{\"commit\":{}}}\n", batch.until).as_bytes());
        if self.running.as_ref().is_none_or(|running| running.in_doubt) {
            self.running = None;
            match self.start() {
                Ok(running) => self.running = Some(running),
                Err(outcome) => return outcome,
            }
        }
        let Some(running) = &mut self.running else { return Outcome::retry("it does not run") };
        running.in_doubt = true;
        let outcome = match running.exchange(&text).await {
            Ok(outcome) => outcome,
            Err(error) => {
                let ended = running.child.try_wait().ok().flatten();
                let ended = ended.map(|status| format!("; it ended with {status}")).unwrap_or_default();
                self.running = None;
                return Outcome::retry(format!("{error:#}{ended}"));
            }
        };
        running.in_doubt = false;
        outcome
    }

    async fn close(&mut self) {
        let Some(Running { mut child, input, output, .. }) = self.running.take() else { return };
        drop((input, output));
        if tokio::time::timeout(END_WITHIN, child.wait()).await.is_err() {
            child.kill().await.ok();
        }
    }
}

impl Exec {
    fn start(&self) -> Result<Running, Outcome> {
        let (program, arguments) = self.command.split_first().ok_or_else(|| Outcome::refused("no command"))?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        let mut child = command.spawn().map_err(|error| {
            let why = format!("cannot start {program}: {error}");
            match error.kind() {
                std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied => Outcome::refused(why),
                _ => Outcome::retry(why),
            }
        })?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Outcome::retry("it has no input or output"));
        };
        Ok(Running { child, input, output: BufReader::new(output), in_doubt: false })
    }
}

impl Running {
    /// Writes a batch and reads the answer, both at once: the program may print before it has read everything.
    async fn exchange(&mut self, text: &[u8]) -> anyhow::Result<Outcome> {
        let Self { input, output, .. } = self;
        let write = async {
            input.write_all(text).await.context("it does not read its input")?;
            input.flush().await.context("it does not read its input")
        };
        let read = async {
            let mut line = String::new();
            output.take(LONGEST_ANSWER).read_line(&mut line).await.context("reading its answer")?;
            match line.strip_suffix('\n') {
                Some(line) => Ok(line.trim_end().to_owned()),
                None if line.is_empty() => bail!("it closed its output"),
                None => bail!("its answer is too long or has no end"),
            }
        };
        let ((), answer) = tokio::try_join!(write, read)?;
        meaning(&answer)
    }
}

/// What an answer says.
fn meaning(answer: &str) -> anyhow::Result<Outcome> {
    let (word, why) = answer.split_once(' ').unwrap_or((answer, ""));
    let why = if why.is_empty() { "it does not say why".to_owned() } else { why.to_owned() };
    match word {
        "ok" => Ok(Outcome::Acked),
        "retry" => Ok(Outcome::Retry { after: None, why }),
        "reject" => Ok(Outcome::Reject { why }),
        "refuse" => Ok(Outcome::Refused { why }),
        // Not quoted: a program that echoes its input would fill the log with it.
        _ => bail!("its answer is none of ok, retry, reject, refuse"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_one_word_and_a_reason() {
        let check = |answer: &str, expected: Outcome| assert_eq!(meaning(answer).expect(answer), expected);
        check("ok", Outcome::Acked);
        check("ok thanks", Outcome::Acked);
        check("retry the disk is full", Outcome::retry("the disk is full"));
        check("reject no such model", Outcome::reject("no such model"));
        check("refuse", Outcome::refused("it does not say why"));
        for wrong in ["", "okay", "OK", "{\"ok\":1}"] {
            assert!(meaning(wrong).is_err(), "{wrong}");
        }
    }
}
