//! What a command answers at a terminal. Whoever reads it may stop (`shilu backup | head`): the rest goes nowhere, and the work goes on.

use std::fmt::Arguments;
use std::io::{self, Write};

/// A line on standard output, which somebody may have closed.
pub fn line(text: Arguments<'_>) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// A line on standard error, the same.
pub fn complaint(text: Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// As `println!`, which panics where nobody reads any more.
macro_rules! say {
    () => { $crate::machine::terminal::line(format_args!("")) };
    ($($text:tt)*) => { $crate::machine::terminal::line(format_args!($($text)*)) };
}
pub(crate) use say;

/// As `eprintln!`, the same.
#[cfg(feature = "recorder")]
macro_rules! complain {
    ($($text:tt)*) => { $crate::machine::terminal::complaint(format_args!($($text)*)) };
}
#[cfg(feature = "recorder")]
pub(crate) use complain;
