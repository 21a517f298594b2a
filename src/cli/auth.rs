//! `auth`: makes what a login needs. It asks no server and changes none.

use std::io::{self, IsTerminal, Read};

use super::args::AuthCommand;
use super::output::print;
use crate::app::{AppError, tokens};
use crate::clock::Clock;
use crate::config::Settings;
use crate::web::auth::password;

/// `load` is asked only where settings matter.
pub(super) fn run<E: From<AppError>>(
    command: &AuthCommand,
    clock: &Clock,
    load: impl FnOnce() -> Result<Settings, E>,
) -> Result<(), E> {
    let line = match command {
        AuthCommand::Hash => hash()?,
        AuthCommand::Token { ttl } => {
            let tokens = tokens(&load()?)?;
            tokens.make(clock.now(), *ttl).map_err(|error| AppError::Other(error.into()))?
        }
    };
    print(&format!("{line}\n")).map_err(|error| AppError::Other(error.into()))?;
    Ok(())
}

/// The hash of a password that is typed twice, or piped in.
fn hash() -> Result<String, AppError> {
    let password = if io::stdin().is_terminal() { typed() } else { piped() };
    let password = password.map_err(|error| AppError::Other(error.into()))?;
    password::hash(&password).map_err(|error| AppError::Other(error.into()))
}

fn typed() -> io::Result<String> {
    let password = rpassword::prompt_password("New password: ")?;
    if rpassword::prompt_password("The same again: ")? != password {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the two are not the same"));
    }
    Ok(password)
}

/// Everything that comes, without the newline at its end.
fn piped() -> io::Result<String> {
    let mut text = String::new();
    io::stdin().take(64 * 1024).read_to_string(&mut text)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}
