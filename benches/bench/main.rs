//! Measures what the project promises, beside a peer and beside the bare reading of the bytes, all in the same run and
//! in turns: a machine that gets slower half-way slows all of them. Run by `make bench`; prints a Markdown table.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark stops at the first thing that goes wrong")]

mod corpus;
mod history;
mod live;
mod process;
mod reading;
mod report;
mod scrape;

use report::Report;

fn main() {
    let mut report = Report::default();
    let corpus = corpus::gibibyte();
    println!("{} files, {} bytes, {} responses\n", corpus.files, corpus.bytes, corpus.responses);
    reading::measure(&corpus, &mut report);
    live::measure(&corpus, &mut report);
    scrape::measure(&mut report);
    history::measure(&mut report);
    report.print();
}
