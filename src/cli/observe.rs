//! The options of `observe`, as typed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// `observe`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n\
                  \x20 mxcensus observe /var/log/mail.log /var/log/mail.log.1.gz -o seen.csv\n\
                  \x20 mxcensus observe --format received mbox --relay 192.0.2.0/24 -o seen.csv\n\
                  \n\
                  Only the topmost Received: field of a message counts, because the older ones can be forged. Clients with a \
                  special-purpose address, clients that authenticated, and clients whose HELO is not logged are counted and \
                  left out.\n\
                  A pair is written once; beyond 1,800,000 pairs those not met for longest are forgotten, and written again when \
                  they come back.\n\
                  Then:  mxcensus scan -i FILE -o clients.csv\n\
                  Exit: 0 complete, 2 usage or unreadable log, 4 our own fault.")]
pub struct Observe {
    /// Logs, messages or mailboxes; `-` is stdin; gzip and zstd are read as such
    #[arg(value_name = "LOG", required = true)]
    pub logs: Vec<PathBuf>,
    /// Whose words they are in
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "auto")]
    pub format: LogFormat,
    /// The file for the pairs; `-` is stdout [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Keep clients from this special-purpose network, `all` for all; may repeat
    #[arg(long, value_name = "NETWORK")]
    pub allow_special: Vec<String>,
    /// Your own relays: below a Received: field that names one of them as client the next field is looked at; may repeat
    #[arg(long, value_name = "NETWORK")]
    pub relay: Vec<String>,
    /// Nothing on stderr but errors
    #[arg(short, long)]
    pub quiet: bool,
}

/// `observe --format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Seen from the first lines.
    Auto,
    /// Postfix.
    Postfix,
    /// Exim's main or reject log.
    Exim,
    /// Sendmail, which logs no HELO: take the messages.
    Sendmail,
    /// The protocol log of an Exchange Receive connector.
    Exchange,
    /// Messages or mbox files, for their Received: fields.
    Received,
}
