//! The options of `scan`, as typed.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::rows::Rows;
use super::tables::Tables;
use crate::probe::dns::Server;

/// `scan`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n\
                  \x20 mxcensus scan --lab                                        # try it without a network\n\
                  \x20 mxcensus scan example.org --helo probe.your-domain.org     # one domain\n\
                  \x20 mxcensus scan -i domains.csv --column domain -o census.parquet --resume\n\
                  \x20 mxcensus scan 192.0.2.0/24 -o audit.csv --fail-on error    # your own network\n\
                  \x20 mxcensus scan --config mxcensus.toml --show-config         # what it would go by\n\
                  \x20 mxcensus scan example.org --log mxcensus::probe=debug      # what it asks, and whom\n\n\
                  Exit: 0 complete, 1 --fail-on reached, 2 usage, configuration or unreadable input, 3 cut short, \
                        4 our own fault.\nAll rates are per second, and 0 is unlimited. Durations are such as 10s or 2m.")]
pub struct Scan {
    /// Domains, addresses, networks (CIDR)
    #[arg(value_name = "TARGET", help_heading = "Input")]
    pub targets: Vec<String>,
    /// CSV, TSV or one target a line; `-` is stdin; .gz and .zst are read as such; may repeat
    #[arg(short, long, value_name = "FILE", help_heading = "Input")]
    pub input: Vec<PathBuf>,
    /// The column that holds the target, by name or number [default: the first of target, domain, host, ip, address,
    /// saddr in the header, else column 1]
    #[arg(long, value_name = "NAME", help_heading = "Input")]
    pub column: Option<String>,
    /// The column that holds an introduction already seen: no SMTP session for that record [default: helo or ehlo in
    /// the header]
    #[arg(long, value_name = "NAME", help_heading = "Input")]
    pub helo_column: Option<String>,
    /// Who recorded the introductions of the list: a host name, domain or address that no client may call itself by;
    /// may repeat
    #[arg(long, value_name = "NAME", help_heading = "Input")]
    pub receiver: Vec<String>,
    /// Domains, addresses, networks never to be contacted; may repeat
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    pub exclude: Vec<PathBuf>,
    /// This run's share of the list, the K-th of N
    #[arg(long, value_name = "K/N", help_heading = "Input")]
    pub shard: Option<String>,
    /// The tables of names
    #[command(flatten)]
    pub tables: Tables,

    /// Where rows go
    #[command(flatten)]
    pub rows: Rows,
    /// Also keep all that was seen, for `judge`: .jsonl (also .gz, .zst) or .parquet
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub evidence: Option<PathBuf>,
    /// Bad records with line and reason [default: beside the output]
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub rejects: Option<PathBuf>,
    /// Rows in input order instead of as they complete; one that waits for its server, or for a later pass, holds back those
    /// after it
    #[arg(long, value_enum, value_name = "ORDER", help_heading = "Output")]
    pub order: Option<Order>,
    /// Progress on stderr, and a summary at the end; with none of it, and without --verbose, one line
    #[arg(long, value_enum, value_name = "HOW", default_value = "auto", help_heading = "Output")]
    pub progress: Progress,
    /// Say more on stderr: the tables of the summary, every reject, and what concerns the whole run as it happens
    #[arg(short, long, help_heading = "Output", conflicts_with = "quiet")]
    pub verbose: bool,

    /// Upstream resolver, also `tls://ADDR[#NAME]` or `https://ADDR/dns-query[#NAME]`; may repeat [default: the
    /// system's]
    #[arg(long, value_name = "ADDR[:PORT]", help_heading = "Asking")]
    pub resolver: Vec<Server>,
    /// SMTP port [default: 25]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Asking")]
    pub port: Option<u16>,
    /// The name we greet with [default: this machine's FQDN]
    #[arg(long, value_name = "NAME", help_heading = "Asking")]
    pub helo: Option<String>,
    /// Ask these blocklists; may repeat
    #[arg(long, value_name = "ZONE", help_heading = "Asking")]
    pub dnsbl: Vec<Zone>,
    /// Blocklists in TOML: replaces or adds entries of the catalogue; may repeat
    #[arg(long, value_name = "FILE", help_heading = "Asking")]
    pub dnsbl_file: Vec<PathBuf>,
    /// Ask no blocklist
    #[arg(long, help_heading = "Asking", conflicts_with_all = ["dnsbl", "dnsbl_file"])]
    pub no_dnsbl: bool,
    /// Treat this special-purpose network as public, `all` for all; may repeat
    #[arg(long, value_name = "NETWORK", help_heading = "Asking")]
    pub allow_special: Vec<String>,
    /// Dial IPv4 only
    #[arg(long, help_heading = "Asking", conflicts_with = "ipv6_only")]
    pub ipv4_only: bool,
    /// Dial IPv6 only
    #[arg(long, help_heading = "Asking")]
    pub ipv6_only: bool,
    /// Negotiate TLS where offered and record the certificate: the default
    #[arg(long, help_heading = "Asking", overrides_with = "no_starttls")]
    pub starttls: bool,
    /// Do not negotiate TLS
    #[arg(long, help_heading = "Asking", overrides_with = "starttls")]
    pub no_starttls: bool,
    /// Which evidence to gather, of mx, ptr, smtp, dnsbl [default: all]; the rest is not-asked and its rules unknown
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_enum, help_heading = "Asking")]
    pub probes: Vec<Probe>,
    /// A set of deadlines and effects
    #[arg(long, value_enum, value_name = "NAME", default_value = "census", help_heading = "Asking")]
    pub profile: Profile,

    /// Rows of an earlier run (CSV, JSONL, Parquet), for what only two runs can tell; may repeat
    #[arg(long, value_name = "RESULTS", help_heading = "Asking")]
    pub previous: Vec<PathBuf>,

    /// Targets in flight [default: 1000, or fewer where descriptors or --memory are scarce]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    pub concurrency: Option<usize>,
    /// DNS questions [default: 5000; in the lab unlimited]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, help_heading = "Limits")]
    pub dns_rate: Option<f64>,
    /// DNS questions to each resolver, within --dns-rate [default: unlimited]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, help_heading = "Limits")]
    pub per_resolver: Option<f64>,
    /// New SMTP connections [default: 50; in the lab unlimited]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, help_heading = "Limits")]
    pub smtp_rate: Option<f64>,
    /// Questions per blocklist [default: 5; in the lab unlimited]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, help_heading = "Limits")]
    pub dnsbl_rate: Option<f64>,
    /// New connections per IPv4 /24 or IPv6 /48 [default: 1; in the lab unlimited]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, help_heading = "Limits")]
    pub per_network: Option<f64>,
    /// New connections per registrable domain of the exchange [default: 2; in the lab unlimited]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, help_heading = "Limits")]
    pub per_provider: Option<f64>,
    /// For the TCP connection [default: by profile, 10s]
    #[arg(long, value_name = "DURATION", help_heading = "Limits", value_parser = duration)]
    pub connect_timeout: Option<Duration>,
    /// For the complete greeting [default: by profile, 45s]
    #[arg(long, value_name = "DURATION", help_heading = "Limits", value_parser = duration)]
    pub greeting_timeout: Option<Duration>,
    /// For the whole session [default: by profile, 120s]
    #[arg(long, value_name = "DURATION", help_heading = "Limits", value_parser = duration)]
    pub session_timeout: Option<Duration>,
    /// For the whole lookup, repetitions included [default: 15s]
    #[arg(long, value_name = "DURATION", help_heading = "Limits", value_parser = duration)]
    pub dns_timeout: Option<Duration>,
    /// Later passes over targets whose outcome may change: put off (4xx, 421), no answer in time, SERVFAIL, a fault of ours
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Limits")]
    pub retries: u8,
    /// Between the passes over a target [default: 20m]
    #[arg(long, value_name = "DURATION", help_heading = "Limits", value_parser = duration)]
    pub retry_after: Option<Duration>,
    /// Memory for what was already asked, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 160, help_heading = "Limits")]
    pub memory: u64,

    /// Scan the embedded loopback world: it sets resolver, port, mapping and lists, and its own list is the input
    #[arg(long, help_heading = "Run")]
    pub lab: bool,
    /// How many targets the lab's own list has
    #[arg(long, value_name = "N", default_value_t = 2_000, help_heading = "Run", requires = "lab")]
    pub lab_domains: u64,
    /// How many addresses stand behind them [default: a fifth of the targets]
    #[arg(long, value_name = "N", help_heading = "Run", requires = "lab")]
    pub lab_servers: Option<u32>,
    /// Go on with an interrupted run of the same output: same input, same options; begins one where there is none
    #[arg(long, help_heading = "Run")]
    pub resume: bool,
    /// Scan more than 1,000 targets, or a list of unknown length, also from a machine that is not fit for it (`mxcensus doctor`)
    #[arg(long, help_heading = "Run")]
    pub force: bool,
    /// Between two checkpoints: a run that is killed has about this much to do again [default: 3s]
    #[arg(long, value_name = "DURATION", help_heading = "Run", value_parser = duration)]
    pub checkpoint: Option<Duration>,
    /// How the run fares, as a text file for Prometheus (node exporter, textfile collector), replaced while it goes on and at its
    /// end
    #[arg(long, value_name = "FILE", help_heading = "Run")]
    pub metrics: Option<PathBuf>,
    /// Makes order, labels and the lab's world reproducible
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Run")]
    pub seed: u64,
    /// Where the blocklists' budget of the day is kept [default: mxcensus in the XDG state home,
    /// ~/.local/state]
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    pub state: Option<PathBuf>,
    /// TOML with the same names; the command line wins
    #[arg(long, value_name = "FILE", help_heading = "Run")]
    pub config: Option<PathBuf>,
    /// Print the options in effect, each with where it comes from, as TOML for --config, and end without a packet
    #[arg(long, help_heading = "Run")]
    pub show_config: bool,
}

/// `--order`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// As the targets were read.
    Input,
}

/// `--progress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// A bar on a terminal, nothing elsewhere.
    Auto,
    /// A bar.
    Bar,
    /// A line every ten seconds.
    Plain,
    /// Nothing.
    None,
}

/// `--probes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Probe {
    /// MX data and addresses.
    Mx,
    /// Reverse names.
    Ptr,
    /// The SMTP session.
    Smtp,
    /// The blocklists.
    Dnsbl,
}

/// `--profile`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// Short deadlines: slowness is unknown.
    Census,
    /// The RFC's own deadlines: slowness can fail.
    Patient,
    /// Only what RFC 5321 itself demands has an effect.
    Rfc5321,
}

/// A blocklist's zone as typed. It may hold a key, so nothing prints it.
#[derive(Clone)]
pub struct Zone(pub String);

impl From<String> for Zone {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ZONE")
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "not a duration; write 500ms, 10s or 2m".to_owned();
    let parsed: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(parsed).ok().filter(|duration| !duration.is_zero()).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        assert_eq!(duration("10s").unwrap(), Duration::from_secs(10));
        assert_eq!(duration("500ms").unwrap(), Duration::from_millis(500));
        assert!(duration("0s").is_err() && duration("-1s").is_err() && duration("soon").is_err());
    }
}
