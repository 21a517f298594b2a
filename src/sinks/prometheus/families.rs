//! Writes metric families. A family without samples is left out, and samples come in the order they are given in.

use std::fmt;

use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeLabelSet, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::Unit;

use crate::hub::{BUCKETS, Histogram, RequestSizes, SIZE_BOUNDS};

/// Labels of a sample.
pub type Labels<'a, const N: usize> = [(&'static str, &'a str); N];

/// The way to the exposition.
pub struct Families<'a>(pub DescriptorEncoder<'a>);

impl Families<'_> {
    /// A counter that has one sample.
    pub fn counter(&mut self, name: &str, help: &str, value: &impl EncodeCounterValue) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Counter)?.encode_counter(value, NO_EXEMPLAR)
    }

    /// A counter with a sample for each set of labels. `unit` becomes the end of its name.
    pub fn counters<'l, const N: usize, V: EncodeCounterValue>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        samples: impl IntoIterator<Item = (Labels<'l, N>, V)>,
    ) -> fmt::Result {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let mut family = self.0.encode_descriptor(name, help, unit, MetricType::Counter)?;
        samples.try_for_each(|(labels, value)| family.encode_family(&labels)?.encode_counter(&value, NO_EXEMPLAR))
    }

    /// A gauge that has one sample, or is left out where nothing is known.
    pub fn gauge<V: EncodeGaugeValue>(&mut self, name: &str, help: &str, value: Option<V>) -> fmt::Result {
        let Some(value) = value else { return Ok(()) };
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
    }

    /// A gauge with a sample for each set of labels.
    pub fn gauges<'l, const N: usize, V: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'l, N>, V)>,
    ) -> fmt::Result {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        samples.try_for_each(|(labels, value)| family.encode_family(&labels)?.encode_gauge(&value))
    }

    /// Facts as labels.
    pub fn info(&mut self, name: &str, help: &str, labels: &impl EncodeLabelSet) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Info)?.encode_info(labels)
    }

    /// A histogram over [`BUCKETS`].
    pub fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) -> fmt::Result {
        let Histogram { counts, sum } = histogram;
        self.0.encode_descriptor(name, help, None, MetricType::Histogram)?.encode_histogram::<NoLabelSet>(
            *sum,
            counts.iter().sum(),
            &buckets(histogram),
            None,
        )
    }

    /// A histogram over [`BUCKETS`] for each set of labels.
    pub fn histograms<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'l, N>, &'l Histogram)>,
    ) -> fmt::Result {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Histogram)?;
        samples.try_for_each(|(labels, histogram)| {
            let Histogram { counts, sum } = histogram;
            let mut sample = family.encode_family(&labels)?;
            sample.encode_histogram::<NoLabelSet>(*sum, counts.iter().sum(), &buckets(histogram), None)
        })
    }

    /// A histogram over [`SIZE_BOUNDS`] for each set of labels.
    #[expect(clippy::cast_precision_loss, reason = "the format has doubles; a sum beyond 2^53 is rounded")]
    pub fn sizes<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'l, N>, &'l RequestSizes)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Histogram)?;
        for (labels, RequestSizes { up_to, tokens, .. }) in samples {
            let bounds = SIZE_BOUNDS.into_iter().map(|bound| bound as f64).chain([f64::INFINITY]);
            let smaller = std::iter::once(0).chain(up_to.iter().copied());
            let alone = up_to.iter().zip(smaller).map(|(all, smaller)| all.saturating_sub(smaller));
            let buckets: Vec<(f64, u64)> = bounds.zip(alone).collect();
            family.encode_family(&labels)?.encode_histogram::<NoLabelSet>(
                *tokens as f64,
                up_to[SIZE_BOUNDS.len()],
                &buckets,
                None,
            )?;
        }
        Ok(())
    }
}

/// Each bound with how many values are in its bucket alone.
fn buckets(histogram: &Histogram) -> Vec<(f64, u64)> {
    BUCKETS.into_iter().chain([f64::INFINITY]).zip(histogram.counts).collect()
}

const NO_EXEMPLAR: Option<&Exemplar<NoLabelSet, f64>> = None;
