//! The catalog made anew from files alone (promise 7): every part that keeps files of its own, in one list.

use crate::acts::Acts;
use crate::desks::{cases, disposal, equipment, media, provision};
use crate::machine::fault::Fault;
use crate::recorder::links;
use std::path::Path;

/// What was read of one kind of file.
pub struct Read {
    /// Which kind.
    pub what: &'static str,
    /// How many, and which could not be read.
    pub result: Result<(usize, Vec<String>), Fault>,
}

/// Reads everything into the catalog, over what is there. Rows that come from no file stay as they are.
pub fn all(acts: &Acts, footage: &Path, data: &Path) -> Vec<Read> {
    let read = |what, result| Read { what, result };
    vec![
        read("sessions", links::rebuild(acts, footage)),
        read("cases", cases::rebuild(acts, data)),
        read("provisions", provision::rebuild(acts, data)),
        read("media", media::rebuild(acts, data)),
        read("disposals", disposal::rebuild(acts, data)),
        read("devices", equipment::rebuild(acts, data)),
    ]
}
