//! x
#[cfg(feature = "recorder")]
pub mod config;
#[cfg(feature = "recorder")]
pub mod desks;
#[cfg(feature = "recorder")]
pub mod recorder;
#[cfg(feature = "recorder")]
pub mod acts;
#[cfg(feature = "recorder")]
pub mod capture;
pub mod custody;
#[cfg(feature = "recorder")]
pub mod catalog;
#[cfg(feature = "recorder")]
pub mod footage;
pub mod machine;
pub mod model;
