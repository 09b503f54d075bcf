//! The DNS engine against name servers that lie, stall, flood and send broken bytes, over the public API alone.
//! Each test states what has to come of it; that nothing panics and nothing hangs goes for them all.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by panic, also in its own functions"
)]

#[path = "hostile/chains.rs"]
mod chains;
#[path = "hostile/matching.rs"]
mod matching;
#[path = "hostile/message.rs"]
mod message;
#[path = "hostile/names.rs"]
mod names;
#[path = "hostile/noise.rs"]
mod noise;
#[path = "hostile/server.rs"]
mod server;
#[path = "hostile/tcp.rs"]
mod tcp;
#[path = "hostile/text.rs"]
mod text;
#[path = "hostile/trouble.rs"]
mod trouble;
