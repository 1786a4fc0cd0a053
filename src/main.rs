//! The recorder: arguments → `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    shilu::cli::run()
}
