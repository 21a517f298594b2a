//! Which models a client wants to hear of. Pure.

use std::collections::BTreeSet;

/// Names of models, `*` at the end standing for any ending. All of them until a client says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    wanted: BTreeSet<String>,
    except: BTreeSet<String>,
}

/// Why a list of models was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("at most {MOST} models can be named; leave the list empty for all of them")]
    TooMany,
    #[error("a model's name has 1 to {LONGEST} bytes")]
    Length,
}

/// How many names one client may have.
pub const MOST: usize = 50;

/// How long a name may be, in bytes.
pub const LONGEST: usize = 200;

const ALL: &str = "*";

impl Default for Subscription {
    fn default() -> Self {
        Self { wanted: BTreeSet::from([ALL.to_owned()]), except: BTreeSet::new() }
    }
}

impl Subscription {
    pub fn wants(&self, model: &str) -> bool {
        let named = |names: &BTreeSet<String>| names.iter().any(|name| matches(name, model));
        named(&self.wanted) && !named(&self.except)
    }

    /// Adds models. The first ones that are named take the place of all; none, or `*`, are all again.
    pub fn subscribe(&mut self, models: Vec<String>) -> Result<(), Refused> {
        check(&models)?;
        if is_all(&models) {
            *self = Self::default();
            return Ok(());
        }
        let mut next = self.clone();
        next.wanted.remove(ALL);
        if next.wanted.len() != self.wanted.len() {
            next.except.clear();
        }
        for model in models {
            next.except.remove(&model);
            next.wanted.insert(model);
        }
        self.become_if_small(next)
    }

    /// Takes models away; none, or `*`, are all of them, after which nothing comes any more.
    pub fn unsubscribe(&mut self, models: Vec<String>) -> Result<(), Refused> {
        check(&models)?;
        if is_all(&models) {
            *self = Self { wanted: BTreeSet::new(), except: BTreeSet::new() };
            return Ok(());
        }
        let mut next = self.clone();
        for model in models {
            next.wanted.remove(&model);
            // Something wider may still stand for it.
            if next.wanted.iter().any(|name| matches(name, &model)) {
                next.except.insert(model);
            }
        }
        self.become_if_small(next)
    }

    /// The names that are wanted, and those that are left out of them.
    pub fn names(&self) -> (Vec<String>, Vec<String>) {
        (self.wanted.iter().cloned().collect(), self.except.iter().cloned().collect())
    }

    /// Whether it lets something through that another one may not.
    pub fn is_wider_than(&self, other: &Self) -> bool {
        !self.wanted.is_subset(&other.wanted) && !other.wanted.contains(ALL) || !other.except.is_subset(&self.except)
    }

    fn become_if_small(&mut self, next: Self) -> Result<(), Refused> {
        if next.wanted.len() + next.except.len() > MOST {
            return Err(Refused::TooMany);
        }
        *self = next;
        Ok(())
    }
}

fn matches(name: &str, model: &str) -> bool {
    name.strip_suffix('*').map_or(name == model, |start| model.starts_with(start))
}

fn is_all(models: &[String]) -> bool {
    models.is_empty() || models.iter().any(|model| model == ALL)
}

fn check(models: &[String]) -> Result<(), Refused> {
    match models {
        _ if models.len() > MOST => Err(Refused::TooMany),
        _ if models.iter().any(|model| model.is_empty() || model.len() > LONGEST) => Err(Refused::Length),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn what_comes_after_which_requests() {
        fn check(requests: &str, wanted: &str, unwanted: &str) {
            let mut subscription = Subscription::default();
            for request in requests.split(';').filter(|request| !request.trim().is_empty()) {
                let (verb, models) = request.trim().split_at(1);
                match verb {
                    "+" => subscription.subscribe(names(models)).unwrap(),
                    _ => subscription.unsubscribe(names(models)).unwrap(),
                }
            }
            for (models, expected) in [(wanted, true), (unwanted, false)] {
                for model in names(models) {
                    assert_eq!(subscription.wants(&model), expected, "{requests}: {model}");
                }
            }
        }
        check("", "a b", "");
        check("+ a", "a", "b ab");
        check("+ a; + b", "a b", "c");
        check("+ a; +", "a b", "");
        check("+ a; + *", "a b", "");
        check("+ a b; - a", "b", "a c");
        check("+ a; - a", "", "a b");
        check("-", "", "a b");
        check("-; + a", "a", "b");
        check("- a", "b", "a");
        check("- a; + a", "a", "b");
        check("- a; - b; +", "a b", "");
        check("+ claude-opus-*", "claude-opus-4 claude-opus-4-1", "claude-sonnet-4");
        check("+ claude-*; - claude-opus-*", "claude-sonnet-4", "claude-opus-4 gpt");
        check("+ claude-*; - claude-opus-4; + claude-opus-4", "claude-opus-4 claude-sonnet-4", "gpt");
    }

    #[test]
    fn names_are_limited_and_a_refusal_changes_nothing() {
        let mut subscription = Subscription::default();
        let many: Vec<String> = (0..=MOST).map(|n| n.to_string()).collect();
        assert_eq!(subscription.subscribe(many.clone()), Err(Refused::TooMany));
        subscription.subscribe(many[..MOST].to_vec()).unwrap();
        assert_eq!(subscription.subscribe(vec!["one more".to_owned()]), Err(Refused::TooMany));
        assert!(!subscription.wants("one more") && subscription.wants("0"));
        for name in [String::new(), "x".repeat(LONGEST + 1)] {
            assert_eq!(subscription.unsubscribe(vec![name]), Err(Refused::Length));
        }
    }

    #[test]
    fn only_what_lets_more_through_is_wider() {
        fn check(before: &[&str], after: &[&str], expected: bool) {
            let made = |models: &[&str]| {
                let mut made = Subscription::default();
                made.subscribe(models.iter().map(|model| (*model).to_owned()).collect()).unwrap();
                made
            };
            assert_eq!(made(after).is_wider_than(&made(before)), expected, "{before:?} {after:?}");
        }
        check(&[], &["a"], false);
        check(&["a"], &["a"], false);
        check(&["a", "b"], &["a"], false);
        check(&["a"], &["a", "b"], true);
        check(&["a"], &[], true);
        let mut without = Subscription::default();
        without.unsubscribe(vec!["a".to_owned()]).unwrap();
        assert!(Subscription::default().is_wider_than(&without));
        assert!(!without.is_wider_than(&Subscription::default()));
    }
}
