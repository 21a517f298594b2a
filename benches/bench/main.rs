//! Measures what the project promises, beside a peer and beside the bare reading of the bytes, all in the same run and
//! in turns: a machine that gets slower half-way slows all of them. Run by `make bench`; prints a Markdown table.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark stops at the first thing that goes wrong")]

mod api;
mod bare;
mod client;
mod corpus;
mod history;
mod live;
mod otlp;
mod pages;
mod process;
mod questions;
mod reading;
mod report;
mod scrape;
mod sinks;

use report::Report;

fn main() {
    if bare::asked_for() {
        return bare::serve();
    }
    let mut report = Report::default();
    // `cargo bench --bench bench -- history` measures one part alone.
    let part = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let wanted = |name: &str| part.as_deref().is_none_or(|part| part == name);
    if wanted("reading") || wanted("live") {
        let corpus = corpus::gibibyte();
        println!("{} files, {} bytes, {} responses\n", corpus.files, corpus.bytes, corpus.responses);
        if wanted("reading") {
            reading::measure(&corpus, &mut report);
        }
        if wanted("live") {
            live::measure(&corpus, &mut report);
        }
    }
    if wanted("scrape") {
        scrape::measure(&mut report);
    }
    if wanted("sinks") {
        sinks::measure(&mut report);
    }
    if wanted("otlp") {
        otlp::measure(&mut report);
    }
    if wanted("history") {
        history::measure(&mut report);
    }
    report.print();
}
