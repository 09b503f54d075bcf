//! Blocklists: which there are, what to ask them, whether to believe them.
//! Comes in: what the user named, and lists' answers. Goes out: lists, questions, health.
//! All of it is pure but for reading the user's files; the packets are the prober's.

pub mod catalogue;
mod entry;
pub mod health;
pub mod query;
