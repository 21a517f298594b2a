//! The messages of remote write 1.0, `prometheus.WriteRequest`, as a snappy block.

use std::collections::BTreeMap;

use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    pub timeseries: Vec<TimeSeries>,
    #[prost(message, repeated, tag = "3")]
    pub metadata: Vec<Metadata>,
}

#[derive(Clone, PartialEq, Message)]
pub struct TimeSeries {
    /// Sorted by name, `__name__` among them.
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<Label>,
    /// Oldest first.
    #[prost(message, repeated, tag = "2")]
    pub samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub struct Label {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub value: String,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct Sample {
    #[prost(double, tag = "1")]
    pub value: f64,
    /// Milliseconds since 1970.
    #[prost(int64, tag = "2")]
    pub timestamp: i64,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub struct Metadata {
    /// 1: counter.
    #[prost(int32, tag = "1")]
    pub kind: i32,
    #[prost(string, tag = "2")]
    pub family: String,
    #[prost(string, tag = "4")]
    pub help: String,
    #[prost(string, tag = "5")]
    pub unit: String,
}

/// Names and values, sorted as the protocol wants them.
pub type Labels = BTreeMap<String, String>;

/// Samples by series, in the order in which they are to be written.
#[derive(Clone, Debug, Default)]
pub struct Series(BTreeMap<Labels, Vec<Sample>>);

impl Series {
    /// Adds the newest sample of a series.
    pub fn push(&mut self, labels: Labels, value: f64, timestamp: i64) {
        self.0.entry(labels).or_default().push(Sample { value, timestamp });
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn samples(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    pub fn into_request(self, metadata: Vec<Metadata>) -> WriteRequest {
        let label = |(name, value)| Label { name, value };
        let series = self
            .0
            .into_iter()
            .map(|(labels, samples)| TimeSeries { labels: labels.into_iter().map(label).collect(), samples });
        WriteRequest { timeseries: series.collect(), metadata }
    }
}

/// As it goes over the line.
pub fn packed(request: &WriteRequest) -> Result<Vec<u8>, snap::Error> {
    snap::raw::Encoder::new().compress_vec(&request.encode_to_vec())
}
