//! Dockerfiles as their stages and instructions.

/// One `FROM` and what follows it.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) image: String,
    pub(super) name: Option<String>,
    /// Instruction and the rest of its line.
    pub(super) instructions: Vec<(String, String)>,
}

/// A `COPY`, without what it changes in owners and modes.
#[derive(Debug)]
pub(super) struct Copy {
    /// The stage that it copies from; without it the context.
    pub(super) from: Option<String>,
    pub(super) sources: Vec<String>,
    pub(super) target: String,
}

/// All stages, in order.
pub(super) fn stages(text: &str) -> Vec<Stage> {
    let mut stages: Vec<Stage> = Vec::new();
    for (instruction, rest) in instructions(text) {
        if instruction == "FROM" {
            let mut words = rest.split_whitespace();
            let image = words.next().unwrap().to_owned();
            let name = words.nth(1).map(str::to_owned);
            stages.push(Stage { image, name, instructions: Vec::new() });
        } else if let Some(stage) = stages.last_mut() {
            stage.instructions.push((instruction, rest));
        }
    }
    stages
}

/// Every instruction on one line, without comments.
fn instructions(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#') && !line.is_empty());
    let joined = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    let split = |line: &str| {
        let (instruction, rest) = line.split_once(' ').unwrap();
        (instruction.to_owned(), rest.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    joined.lines().map(split).collect()
}

impl Stage {
    /// What follows an instruction, each time it is there.
    pub(super) fn all<'a>(&'a self, instruction: &str) -> Vec<&'a str> {
        self.instructions.iter().filter(|(name, _)| name == instruction).map(|(_, rest)| rest.as_str()).collect()
    }

    /// The same where it is there once.
    pub(super) fn one(&self, instruction: &str) -> &str {
        let all = self.all(instruction);
        assert_eq!(all.len(), 1, "{instruction} in {self:?}");
        all[0]
    }

    pub(super) fn copies(&self) -> Vec<Copy> {
        let copy = |line: &str| {
            let (flags, mut paths): (Vec<&str>, Vec<&str>) = line.split(' ').partition(|word| word.starts_with("--"));
            let from = flags.iter().find_map(|flag| flag.strip_prefix("--from=")).map(str::to_owned);
            let target = paths.pop().unwrap().to_owned();
            Copy { from, sources: paths.into_iter().map(str::to_owned).collect(), target }
        };
        self.all("COPY").into_iter().map(copy).collect()
    }

    /// What the image sets in the environment.
    pub(super) fn env(&self) -> Vec<(String, String)> {
        let words = self.all("ENV").into_iter().flat_map(|line| line.split(' '));
        words
            .map(|word| word.split_once('=').unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// A command in the form of a list.
    pub(super) fn command(&self, instruction: &str) -> Vec<String> {
        serde_json::from_str(self.one(instruction)).unwrap()
    }

    /// The flags and the command of the health check.
    pub(super) fn health(&self) -> (Vec<String>, Vec<String>) {
        let (flags, command) = self.one("HEALTHCHECK").split_once(" CMD ").unwrap();
        (flags.split(' ').map(str::to_owned).collect(), serde_json::from_str(command).unwrap())
    }
}
