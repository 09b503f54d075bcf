//! The nouns that cross a stage, and the closed sets of words they are told in.
//! Comes in: what a stage has seen. Goes out: the same, to the next stage.
//! Nothing here does I/O, waits, or knows a foreign crate's type that a user could meet.
//! Pure questions that two stages must answer alike (is this address public, what class of name is this) live here too.

pub mod address;
mod again;
pub mod alike;
pub mod assessment;
mod classifier;
pub mod clock;
pub mod dns;
pub mod dnsbl;
pub mod evidence;
pub mod exclusion;
pub mod finding;
pub mod gist;
pub mod header;
pub mod history;
pub mod introduction;
pub mod name;
pub mod observed;
pub mod organisation;
pub mod sighting;
pub mod smtp;
pub mod standing;
mod stored;
pub mod tables;
pub mod target;
pub mod texts;
pub mod tls;
pub mod words;
