//! The program against mail servers that do their worst: a farm of them on loopback, a mode at each address.
//! Each mode has to leave exactly one row, which the rules ask for, whatever the server is up to; and to each the scanner has to
//! behave.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by panic, also in its own functions"
)]

#[path = "hostile_smtp/manners.rs"]
mod manners;
#[path = "hostile_smtp/numbers.rs"]
mod numbers;
#[path = "hostile_smtp/rows.rs"]
mod rows;
#[path = "hostile_smtp/scan.rs"]
mod scan;
