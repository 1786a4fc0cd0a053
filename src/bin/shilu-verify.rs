//! Checks a session's folder with files alone; for the expert.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    shilu::custody::tell::run(&shilu::custody::tell::Options::parse())
}
