//! The options of `doctor`, as typed.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::scan::{Zone, duration};
use super::tables::Tables;
use crate::probe::dns::Server;

/// `doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n\
                  \x20 mxcensus doctor --helo probe.your-domain.org\n\
                  \x20 mxcensus doctor --lab                                      # what a fit machine looks like\n\
                  \x20 mxcensus doctor --port25 mx.your-domain.org --fail-on warning -q\n\
                  \n\
                  Exit: 0 fit, 1 --fail-on reached, 2 usage or configuration, 4 our own fault.\n\
                        Asked are: the resolvers, for names about this machine, the root's SOA, a made-up name below com and the \
                        name of --bogus; and through them the blocklists, for their test entries and this machine's addresses. \
                        No server is dialled but that of --port25.")]
pub struct Doctor {
    /// The name we greet with [default: this machine's FQDN]
    #[arg(long, value_name = "NAME", help_heading = "This machine")]
    pub helo: Option<String>,
    /// An address that others see this machine at, such as behind NAT; may repeat [default: the source addresses that the
    /// system would use]
    #[arg(long, value_name = "ADDR", help_heading = "This machine")]
    pub address: Vec<IpAddr>,
    /// IPv4 only
    #[arg(long, help_heading = "This machine", conflicts_with = "ipv6_only")]
    pub ipv4_only: bool,
    /// IPv6 only
    #[arg(long, help_heading = "This machine")]
    pub ipv6_only: bool,
    /// Treat this special-purpose network as public, `all` for all; may repeat
    #[arg(long, value_name = "NETWORK", help_heading = "This machine")]
    pub allow_special: Vec<String>,
    /// A mail server that may be dialled, to see whether port 25 is open to the outside: one of your own [default: none is]
    #[arg(long, value_name = "HOST[:PORT]", help_heading = "This machine")]
    pub port25: Option<String>,
    /// The tables of names
    #[command(flatten)]
    pub tables: Tables,

    /// Upstream resolver, also `tls://ADDR[#NAME]` or `https://ADDR/dns-query[#NAME]`; may repeat [default: the
    /// system's]
    #[arg(long, value_name = "ADDR[:PORT]", help_heading = "Asking")]
    pub resolver: Vec<Server>,
    /// For the whole lookup, repetitions included [default: 15s]
    #[arg(long, value_name = "DURATION", help_heading = "Asking", value_parser = duration)]
    pub dns_timeout: Option<Duration>,
    /// A name whose signatures are broken: who validates does not give its addresses [default: dnssec-failed.org]
    #[arg(long, value_name = "NAME", help_heading = "Asking")]
    pub bogus: Option<String>,
    /// Questions of the burst that shows what rate a resolver sustains, all for the root's SOA, which it has in its memory; 0 for
    /// none
    #[arg(long, value_name = "N", default_value_t = 200, help_heading = "Asking",
        value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub rate_test: u32,
    /// Ask these blocklists; may repeat [default: those a scan asks by itself]
    #[arg(long, value_name = "ZONE", help_heading = "Asking")]
    pub dnsbl: Vec<Zone>,
    /// Blocklists in TOML: replaces or adds entries of the catalogue; may repeat
    #[arg(long, value_name = "FILE", help_heading = "Asking")]
    pub dnsbl_file: Vec<PathBuf>,
    /// Ask no blocklist
    #[arg(long, help_heading = "Asking", conflicts_with_all = ["dnsbl", "dnsbl_file"])]
    pub no_dnsbl: bool,
    /// Where the blocklists' budget of the day is kept [default: mxcensus in the XDG state home,
    /// ~/.local/state]
    #[arg(long, value_name = "DIR", help_heading = "Asking")]
    pub state: Option<PathBuf>,
    /// Examine a machine of the embedded loopback world: that of its first server
    #[arg(long, help_heading = "Asking")]
    pub lab: bool,

    /// Text for people, or JSON
    #[arg(long, value_enum, default_value_t = DoctorFormat::Text, value_name = "FORMAT", help_heading = "Output")]
    pub format: DoctorFormat,
    /// Exit 1 when a check comes to this or worse
    #[arg(long, value_enum, default_value_t = DoctorFailOn::Fault, value_name = "STATUS", help_heading = "Output")]
    pub fail_on: DoctorFailOn,
    /// Show warnings and faults only
    #[arg(short, long, help_heading = "Output")]
    pub quiet: bool,
}

/// How `doctor` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DoctorFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// `--fail-on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DoctorFailOn {
    /// A reason not to scan.
    Fault,
    /// Also what makes some results worse.
    Warning,
    /// Nothing.
    Never,
}
