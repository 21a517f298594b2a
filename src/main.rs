//! The program. Everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    claude_token_monitor::cli::run(std::env::args_os())
}
