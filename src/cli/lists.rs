//! The options of `lists`, as typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::scan::{Zone, duration};
use crate::probe::dns::Server;

/// `lists`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n\
                        \x20 mxcensus lists                                             # their health now\n\
                        \x20 mxcensus lists --offline --format csv                      # the catalogue, without a packet")]
pub struct Lists {
    /// The lists that a scan with this option would ask; may repeat [default: those a scan asks by itself]
    #[arg(long, value_name = "ZONE")]
    pub dnsbl: Vec<Zone>,
    /// Blocklists in TOML: replaces or adds entries of the catalogue; may repeat
    #[arg(long, value_name = "FILE")]
    pub dnsbl_file: Vec<PathBuf>,
    /// Send no packet: leave the lists' health out
    #[arg(long)]
    pub offline: bool,
    /// Text for people, JSON, or CSV
    #[arg(long, value_enum, default_value_t = ListsFormat::Text, value_name = "FORMAT")]
    pub format: ListsFormat,
    /// Upstream resolver, also `tls://ADDR[#NAME]` or `https://ADDR/dns-query[#NAME]`; may repeat [default: the
    /// system's]
    #[arg(long, value_name = "ADDR[:PORT]")]
    pub resolver: Vec<Server>,
    /// For the whole lookup, repetitions included [default: 15s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub dns_timeout: Option<Duration>,
    /// Where the blocklists' budget of the day is kept [default: mxcensus in the XDG state home,
    /// ~/.local/state]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
}

/// How `lists` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListsFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For spreadsheets.
    Csv,
}
