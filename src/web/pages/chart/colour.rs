//! Which colour means what, on every page, in every chart and in both themes. The colours themselves are in `chart.css`.

use std::collections::HashMap;

/// Models that have a colour of their own at the same time. More are not told apart by eye, least of all by the many who
/// see fewer colours.
const MODELS: u8 = 8;

/// What a shape counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Colour {
    Output,
    Input,
    CacheWrite,
    CacheRead,
    /// One of the eight of the models.
    Model(u8),
    /// All that has no colour of its own.
    Other,
    /// What is not told apart: a single series.
    Plain,
}

impl Colour {
    /// Its class name in the stylesheet.
    pub fn class(self) -> &'static str {
        const CLASSES: [&str; MODELS as usize] = ["m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8"];
        match self {
            Self::Output => "output",
            Self::Input => "input",
            Self::CacheWrite => "cache-write",
            Self::CacheRead => "cache-read",
            Self::Model(slot) => CLASSES[usize::from(slot % MODELS)],
            Self::Other => "other",
            Self::Plain => "single",
        }
    }
}

/// The colours of the models. A model's place in the order of first appearance in the store gives its colour: that order
/// never changes, whatever range or filter a page has, and names need no list that grows old. The ninth model takes over the
/// colour of the first, which from then on is one of the others. So no two models share a colour, none changes to
/// another, and those in use today have one even in a long history.
#[derive(Clone, Debug, Default)]
pub struct ModelColours {
    slots: HashMap<String, u8>,
}

impl ModelColours {
    /// Of all models of the store, in the order in which it first saw them.
    pub fn of<'a>(models: impl IntoIterator<Item = &'a str>) -> Self {
        let models: Vec<&str> = models.into_iter().collect();
        let retired = models.len().saturating_sub(MODELS.into());
        let slots = (0..MODELS).cycle().zip(models).skip(retired);
        Self { slots: slots.map(|(slot, model)| (model.to_owned(), slot)).collect() }
    }

    pub fn colour(&self, model: &str) -> Colour {
        self.slots.get(model).map_or(Colour::Other, |slot| Colour::Model(*slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_keeps_its_colour_when_others_come_and_retires_after_eight_more() {
        let names: Vec<String> = (0..30).map(|n| format!("model-{n}")).collect();
        for count in 0..=names.len() {
            let colours = ModelColours::of(names[..count].iter().map(String::as_str));
            for (n, name) in names.iter().enumerate() {
                let kept = Colour::Model(u8::try_from(n % 8).unwrap());
                let expected = if n < count && n + 8 >= count { kept } else { Colour::Other };
                assert_eq!(colours.colour(name), expected, "{name} of {count}");
            }
        }
    }

    #[test]
    fn every_colour_has_a_class_of_its_own() {
        let kinds =
            [Colour::Output, Colour::Input, Colour::CacheWrite, Colour::CacheRead, Colour::Other, Colour::Plain];
        let all = kinds.into_iter().chain((0..8).map(Colour::Model));
        assert_eq!(all.map(Colour::class).collect::<std::collections::HashSet<_>>().len(), 14);
    }
}
