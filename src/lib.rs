#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![warn(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::std_instead_of_core
)]

#[cfg(feature = "std")]
extern crate std;

mod buf;
mod crypto;
mod json;
pub mod key;
mod names;
mod text;
mod time;

pub use buf::BufferTooSmall;
pub use key::*;
pub use text::{Chars, Text};
pub use time::UnixTime;
