//! One copy of each name that many lines share. Bounded: transcripts choose these strings.

use std::collections::HashSet;
use std::sync::Arc;

/// Names of one kind (models, sessions, branches).
pub(super) struct Interner {
    /// Most lines repeat the name of the line before; comparing is cheaper than hashing.
    last: Arc<str>,
    known: HashSet<Arc<str>>,
    longest: usize,
}

impl Interner {
    const MOST: usize = 1024;

    /// Names longer than `longest` characters are cut.
    pub(super) fn new(longest: usize) -> Self {
        Self { last: Arc::from(""), known: HashSet::new(), longest }
    }

    pub(super) fn get(&mut self, name: &str) -> Arc<str> {
        let name = cut(name, self.longest);
        if *self.last != *name {
            self.last = if let Some(known) = self.known.get(name) {
                Arc::clone(known)
            } else {
                if self.known.len() == Self::MOST {
                    self.known.clear();
                }
                let fresh = Arc::<str>::from(name);
                self.known.insert(Arc::clone(&fresh));
                fresh
            };
        }
        Arc::clone(&self.last)
    }
}

/// The first `longest` characters.
pub(in crate::sources::claude) fn cut(text: &str, longest: usize) -> &str {
    if text.len() <= longest {
        return text;
    }
    text.char_indices().nth(longest).map_or(text, |(end, _)| text.split_at(end).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_share_one_copy() {
        let mut names = Interner::new(10);
        let first = names.get("opus");
        names.get("haiku");
        assert!(Arc::ptr_eq(&first, &names.get("opus")));
    }

    #[test]
    fn the_number_of_names_is_bounded() {
        let mut names = Interner::new(10);
        for i in 0..5000 {
            assert_eq!(*names.get(&i.to_string()), *i.to_string());
        }
        assert!(names.known.len() <= Interner::MOST);
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        assert_eq!(cut("näme", 2), "nä");
        assert_eq!(cut("näme", 4), "näme");
        assert_eq!(*Interner::new(3).get("näme"), *"näm");
    }
}
