//! What packages ship beside the program: completions for shells and manual pages, made from the command line's own
//! declaration.

use std::path::Path;

use anyhow::Context;
use clap_complete::Shell;

use super::args::declaration;
use super::output::print;
use crate::app::AppError;

/// Prints what a shell needs to complete our commands.
pub(super) fn completions(shell: Shell) -> Result<(), AppError> {
    let mut declaration = declaration();
    let name = declaration.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut declaration, &name, &mut script);
    let mut script = String::from_utf8_lossy(&script).into_owned();
    if shell == Shell::Bash {
        // The generator has two ways of writing a program's name that has hyphens, and goes by one where it has labelled
        // by the other, so that nothing would complete below a command (clap_complete 4.6.11).
        script = script.replace(&name.replace('-', "__subcmd__"), &name.replace('-', "__"));
    }
    print(&script).map_err(|error| AppError::Other(error.into()))
}

/// Writes a page for the program and one for each command.
pub(super) fn manual(directory: &Path) -> Result<(), AppError> {
    std::fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(declaration(), directory))
        .with_context(|| format!("writing manual pages to {}", directory.display()))
        .map_err(AppError::Other)
}
