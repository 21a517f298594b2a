//! The command line: one file a command. Commands print their results to the writer they are given.

pub mod args;
pub mod config_cmd;
