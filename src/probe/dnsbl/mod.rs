//! Blocklists: which there are, what to ask them, whether to believe them.
//! Comes in: what the user named, and lists' answers. Goes out: lists, questions, health.
//! All of it is pure but for the user's files, the budget's file, and the panel, which sends the questions.

pub mod catalogue;
mod entry;
pub mod health;
pub mod ledger;
mod own;
pub mod panel;
pub mod query;
pub mod watch;
