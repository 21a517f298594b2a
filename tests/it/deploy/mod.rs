//! What is shipped around the program: image, compose files, nginx, services, scripts, releases. No container engine is
//! needed: what an engine would do with these files is done by hand, or the files are compared with the program.

mod budget;
mod compose;
mod dockerfile;
mod examples;
mod image;
mod make;
mod nginx;
mod release;
mod scripts;
mod service;
mod unit;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::parts::checkout;

/// A file of the checkout.
fn read(path: &str) -> String {
    std::fs::read_to_string(checkout().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A YAML file of the checkout, after the variables in it were put in as docker compose does it.
fn yaml(path: &str, variables: &BTreeMap<&str, &str>) -> Value {
    fn fill(value: &mut Value, variables: &BTreeMap<&str, &str>) {
        match value {
            Value::String(text) => *text = compose::interpolated(text, variables),
            Value::Array(values) => values.iter_mut().for_each(|value| fill(value, variables)),
            Value::Object(fields) => fields.values_mut().for_each(|value| fill(value, variables)),
            _ => {}
        }
    }
    let mut value = serde_norway::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    fill(&mut value, variables);
    value
}

/// Runs a program in a directory and nothing but a path around it.
fn run(directory: &Path, program: impl AsRef<std::ffi::OsStr>, args: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(args).current_dir(directory).env_clear().env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
    command.output().unwrap()
}

/// Standard output and error of a program that has ended, whatever they are.
fn words(done: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr))
}
