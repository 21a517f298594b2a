//! A scrape in the Prometheus text format, as far as tests need it.

use std::collections::BTreeMap;

/// Every sample by its name with labels, as written.
pub(crate) struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    pub(crate) fn parse(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
        Self(samples.map(|line| line.rsplit_once(' ').unwrap()).map(|(k, v)| (k.into(), v.parse().unwrap())).collect())
    }

    /// The sum over every series of a family; `None` when the family has no series.
    pub(crate) fn sum(&self, family: &str) -> Option<f64> {
        self.sum_where(family, "")
    }

    /// The sum over those series of a family whose labels contain `label`, written as `name="value"`.
    pub(crate) fn sum_where(&self, family: &str, label: &str) -> Option<f64> {
        let mut values = self
            .0
            .iter()
            .filter(|(name, _)| name.split('{').next() == Some(family) && name.contains(label))
            .map(|(_, value)| *value)
            .peekable();
        values.peek()?;
        Some(values.sum())
    }

    /// The series of a family, by their labels as written.
    pub(crate) fn series(&self, family: &str) -> BTreeMap<String, f64> {
        let of_family = self.0.iter().filter(|(name, _)| name.split('{').next() == Some(family));
        of_family.map(|(name, value)| (name.strip_prefix(family).unwrap().to_owned(), *value)).collect()
    }

    /// Every series whose name begins like this.
    pub(crate) fn beginning(&self, prefix: &str) -> BTreeMap<String, f64> {
        self.0.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(name, value)| (name.clone(), *value)).collect()
    }
}
