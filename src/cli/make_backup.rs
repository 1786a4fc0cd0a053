//! `shilu make-backup`: makes and tries a backup of the catalog, in a process of its own. The recorder starts it; its work comes on
//! standard input as JSON, and what came of it goes to standard output in one line.

use crate::catalog::backup;
use crate::cli::Ended;
use serde::Deserialize;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Deserialize)]
struct Work {
    catalog: PathBuf,
    to: PathBuf,
}

/// Does it.
pub fn run() -> Ended {
    let mut data = Vec::new();
    std::io::stdin().lock().read_to_end(&mut data).map_err(|e| e.to_string())?;
    let work: Work = serde_json::from_slice(&data).map_err(|e| e.to_string())?;
    let line = match backup::make(&work.catalog, &work.to) {
        Ok(made) => format!("made {}", serde_json::to_string(&made).map_err(|e| e.to_string())?),
        Err(why) => format!("failed {}", why.to_string().replace('\n', " ")),
    };
    writeln!(std::io::stdout(), "{line}").map_err(|e| e.to_string())?;
    Ok(ExitCode::SUCCESS)
}
