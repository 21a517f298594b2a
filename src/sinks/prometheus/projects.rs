//! What projects are called in labels: short, harmless, each under a name of its own, and under the same one for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::config::ProjectLabel;
use super::labels::label_value;
use crate::event::GroupId;

/// Stands for all projects without a place.
pub const OTHERS: &str = "__other__";

/// Longest label value, in characters.
const LONGEST: usize = 48;

/// Characters of a hash beside a name.
const SHORT_HASH: usize = 8;

/// Names that were given. Given in the order in which projects got their places, which never changes, they do not either.
pub struct Names {
    label: ProjectLabel,
    given: BTreeMap<Arc<str>, Arc<str>>,
    taken: BTreeSet<Arc<str>>,
}

impl Names {
    pub fn new(label: ProjectLabel) -> Self {
        Self { label, given: BTreeMap::new(), taken: BTreeSet::from([OTHERS.into()]) }
    }

    /// The name of a project; of two that would have the same one, the later gets a hash beside it.
    pub fn of(&mut self, project: &Arc<str>) -> Arc<str> {
        if let Some(name) = self.given.get(project) {
            return Arc::clone(name);
        }
        let mut name = self.wanted(project);
        if self.taken.contains(&name) {
            let start: String = name.chars().take(LONGEST - SHORT_HASH - 1).collect();
            name = format!("{start}-{}", hash(project, SHORT_HASH)).into();
        }
        self.taken.insert(Arc::clone(&name));
        self.given.insert(Arc::clone(project), Arc::clone(&name));
        name
    }

    fn wanted(&self, project: &str) -> Arc<str> {
        let path = project.trim_end_matches(['/', '\\']);
        match self.label {
            ProjectLabel::Hash => hash(project, 12).into(),
            ProjectLabel::Name => {
                let name = label_value(path.rsplit(['/', '\\']).next().unwrap_or_default());
                if name.chars().count() <= LONGEST {
                    name
                } else {
                    name.chars().take(LONGEST).collect::<String>().into()
                }
            }
            ProjectLabel::Path => {
                let clean: Vec<char> = path.chars().filter(|c| !c.is_control()).collect();
                match clean.len().checked_sub(LONGEST) {
                    None | Some(0) => label_value(path),
                    // The end tells more than the beginning.
                    Some(cut) => {
                        std::iter::once('…').chain(clean[cut + 1..].iter().copied()).collect::<String>().into()
                    }
                }
            }
        }
    }
}

/// The first characters of a hash of the whole path.
fn hash(project: &str, length: usize) -> String {
    use std::fmt::Write as _;
    let mut hex = String::with_capacity(32);
    for byte in GroupId::of(&[b"project", project.as_bytes()]).0 {
        write!(hex, "{byte:02x}").expect("writing to a string cannot fail");
    }
    hex.truncate(length);
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<'a>(label: ProjectLabel, projects: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let mut names = Names::new(label);
        projects.into_iter().map(|project| names.of(&project.into()).to_string()).collect()
    }

    #[test]
    fn names_are_short_and_each_projects_own() {
        let long = format!("/home/a/{}", "x".repeat(10_000));
        let other = format!("/home/b/{}", "x".repeat(10_000));
        let given = names(
            ProjectLabel::Name,
            [
                "/home/ana/shop",
                "/srv/shop",
                "C:\\work\\shop\\",
                "/",
                "",
                "/home/__other__",
                "/a\n\"b\\c",
                &long,
                &other,
            ],
        );
        assert_eq!(given[0], "shop");
        assert!(given[1].starts_with("shop-") && given[1].len() == 13, "{given:?}");
        assert!(given[2].starts_with("shop-") && given[2] != given[1], "{given:?}");
        assert_eq!(given[3], "unknown");
        assert!(given[4].starts_with("unknown-"), "{given:?}");
        assert!(given[5].starts_with("__other__-"), "the name of the rest is nobody's: {given:?}");
        assert_eq!(given[6], "c");
        assert_eq!(given[7], "x".repeat(48));
        assert!(given[8].len() == 48 && given[8] != given[7], "{given:?}");
        assert_eq!(given.iter().collect::<BTreeSet<_>>().len(), given.len());
    }

    #[test]
    fn the_same_project_has_the_same_name() {
        let mut names = Names::new(ProjectLabel::Name);
        let (first, second) = (names.of(&"/a/shop".into()), names.of(&"/b/shop".into()));
        assert_eq!((names.of(&"/a/shop".into()), names.of(&"/b/shop".into())), (first, second));
    }

    #[test]
    fn a_hash_tells_nothing_and_a_path_its_end() {
        let hashes = names(ProjectLabel::Hash, ["/home/ana/shop", "/srv/shop"]);
        assert!(
            hashes.iter().all(|hash| hash.len() == 12 && hash.chars().all(|c| c.is_ascii_hexdigit())),
            "{hashes:?}"
        );
        let long = format!("/home/{}/shop", "y".repeat(60));
        let paths = names(ProjectLabel::Path, ["/home/ana/shop", "/srv/shop/", &long]);
        assert_eq!(paths[..2], ["/home/ana/shop", "/srv/shop"]);
        assert!(paths[2].starts_with('…') && paths[2].ends_with("y/shop"), "{paths:?}");
        assert_eq!(paths[2].chars().count(), 48);
    }
}
