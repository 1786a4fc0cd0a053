//! Whatever can fail under us: files, volumes, clocks, randomness. Everything else goes through here, so that a test can make
//! it fail, and so that each durable step is in one place.

#[cfg(feature = "recorder")]
pub mod certificate;
pub mod clock;
#[cfg(feature = "recorder")]
pub mod disc;
pub mod durable;
pub mod fault;
#[cfg(feature = "recorder")]
pub mod host;
pub mod openssl;
#[cfg(feature = "recorder")]
pub mod systemd;
pub mod randomness;
#[cfg(feature = "recorder")]
pub mod smart;
#[cfg(feature = "recorder")]
pub mod volume;
pub mod terminal;
pub mod worker;
