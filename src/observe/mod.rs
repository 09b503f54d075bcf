//! Finds introductions that a mail server has already recorded: in its log, or in the mail it took.
//! Comes in: logs of Postfix, Exim, Sendmail and Exchange, messages and mailboxes. Goes out: `ip,helo` as CSV for `scan`.
//! Special-purpose addresses, authenticated clients and clients without HELO are counted and left out: the first are
//! inside the house, the second may say anything (RFC 6409 §3.1), and the third have no introduction to judge.
//! Asks nothing of the network, keeps a bounded part of its input, and never believes text the client could have placed.

mod cut;
mod exchange;
mod exim;
mod lines;
mod message;
mod postfix;
mod received;
mod sendmail;
mod sheet;

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ipnet::IpNet;

use crate::model::address::Allowed;
use exchange::Sessions;
use lines::Lines;
use message::Messages;
use sheet::Sheet;

/// Octets of a HELO that are kept: over every limit a server has for it, and a record of it stays short.
const LONGEST_HELO: usize = 2_048;

/// Whose words a log is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Seen from its lines.
    Auto,
    /// Postfix.
    Postfix,
    /// Exim's main or reject log.
    Exim,
    /// Sendmail.
    Sendmail,
    /// The protocol log of an Exchange Receive connector.
    Exchange,
    /// Messages or mailboxes, for their `Received:` fields.
    Received,
}

/// What to read, and where the pairs go.
#[derive(Debug, Clone)]
pub struct Job {
    /// The logs; `-` is standard input.
    pub logs: Vec<PathBuf>,
    /// Their format.
    pub format: Format,
    /// The file for the pairs; standard output without one, and for `-`.
    pub output: Option<PathBuf>,
    /// Special-purpose networks that count as public.
    pub allowed: Allowed,
    /// The own relays: below a `Received:` field that names one of them as client, the next field is looked at.
    pub relays: Vec<IpNet>,
}

/// What became of the lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines read.
    pub lines: u64,
    /// Pairs written.
    pub pairs: u64,
    /// Pairs that had been written before.
    pub repeated: u64,
    /// Clients with a special-purpose address.
    pub private: u64,
    /// Clients that authenticated.
    pub authenticated: u64,
    /// Clients whose HELO is not told.
    pub without_helo: u64,
}

impl Counts {
    /// Lines that tell of no client.
    pub const fn unparsed(&self) -> u64 {
        self.lines - self.pairs - self.repeated - self.private - self.authenticated - self.without_helo
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lines, pairs, repeated, private, authenticated, without_helo } = self;
        write!(
            f,
            "complete: lines read {lines} = pairs written {pairs} + repeated {repeated} + dropped {} (private {private}, \
             authenticated {authenticated}, without helo {without_helo}) + unparsed {}",
            private + authenticated + without_helo,
            self.unparsed()
        )
    }
}

/// Why a log cannot be read or the pairs cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log cannot be opened.
    #[error("cannot open {}", path.display())]
    Open {
        /// The log.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Reading or decompressing stopped.
    #[error("cannot read {path} after line {line}")]
    Read {
        /// The log.
        path: Arc<str>,
        /// The last line that was read.
        line: u64,
        /// What the system or the decoder said.
        source: io::Error,
    },
    /// The output cannot be created.
    #[error("cannot create {}", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Writing stopped.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The reader of the output has gone away.
    #[error("the reader of the output has gone away")]
    BrokenPipe,
}

impl Error {
    fn write(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::BrokenPipe => Self::BrokenPipe,
            _ => Self::Write { path: path.to_owned(), source },
        }
    }

    /// The exit code: 2 for what the user can mend in the command, 4 for what went wrong under us.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Open { .. } | Self::Read { .. } | Self::Create { .. } => 2,
            Self::Write { .. } | Self::BrokenPipe => 4,
        }
    }
}

/// A client that a log tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Where it connected from.
    pub address: IpAddr,
    /// What it said in HELO or EHLO; None where that is not told.
    pub helo: Option<Box<[u8]>>,
    /// Whether it authenticated itself.
    pub authenticated: bool,
}

/// Every client that a log in memory tells of: nothing is left out and nothing written.
pub fn clients(log: &[u8], format: Format, relays: &[IpNet]) -> Vec<Seen> {
    let mut reading = Reading::new(format, relays);
    let mut seen = Vec::new();
    for line in log.split(|byte| *byte == b'\n') {
        reading.take(line.strip_suffix(b"\r").unwrap_or(line), relays, &mut seen);
    }
    reading.finish(&mut seen);
    seen
}

/// Reads every log and writes the pairs.
pub fn run(job: &Job) -> Result<Counts, Error> {
    job.logs.iter().try_for_each(|path| lines::check(path))?;
    let mut sheet = Sheet::create(job.output.as_deref())?;
    let mut counts = Counts::default();
    let mut seen = Vec::new();
    for path in &job.logs {
        let mut lines = Lines::open(path)?;
        let mut reading = Reading::new(job.format, &job.relays);
        while let Some(line) = lines.next()? {
            reading.take(line, &job.relays, &mut seen);
            counts.lines += 1;
            keep(&mut seen, job, &mut sheet, &mut counts)?;
        }
        reading.finish(&mut seen);
        keep(&mut seen, job, &mut sheet, &mut counts)?;
    }
    sheet.finish()?;
    Ok(counts)
}

/// Writes those that can be judged and counts all.
fn keep(seen: &mut Vec<Seen>, job: &Job, sheet: &mut Sheet, counts: &mut Counts) -> Result<(), Error> {
    for seen in seen.drain(..) {
        let helo = seen.helo.as_deref().unwrap_or_default().trim_ascii();
        let helo = helo.get(..LONGEST_HELO).unwrap_or(helo);
        let count = if job.allowed.special(seen.address).is_some() {
            &mut counts.private
        } else if seen.authenticated {
            &mut counts.authenticated
        } else if helo.is_empty() {
            &mut counts.without_helo
        } else if sheet.write(seen.address, helo)? {
            &mut counts.pairs
        } else {
            &mut counts.repeated
        };
        *count += 1;
    }
    Ok(())
}

/// Understands a line by itself.
type Parser = fn(&[u8]) -> Option<Seen>;

/// How the lines of one log are understood.
enum Reading {
    /// Not known yet.
    Undecided,
    /// Line by line, by the first of these that understands it.
    Lines(&'static [Parser]),
    Exchange(Sessions),
    Messages(Messages),
}

/// Their lines cannot be taken for each other's: each wants its own program or its own form.
const LINES: &[Parser] = &[postfix::parse, exim::parse, sendmail::parse];

impl Reading {
    fn new(format: Format, relays: &[IpNet]) -> Self {
        match format {
            Format::Auto => Self::Undecided,
            Format::Postfix => Self::Lines(&[postfix::parse]),
            Format::Exim => Self::Lines(&[exim::parse]),
            Format::Sendmail => Self::Lines(&[sendmail::parse]),
            Format::Exchange => Self::Exchange(Sessions::new()),
            Format::Received => Self::Messages(Messages::new(relays)),
        }
    }

    /// What a line with which nothing is decided yet decides: only a log in lines is left open to all who write such.
    fn of(line: &[u8], relays: &[IpNet]) -> Self {
        if Sessions::new().take(line, &mut |_| ()) {
            Self::Exchange(Sessions::new())
        } else if message::begins(line) {
            Self::Messages(Messages::new(relays))
        } else if LINES.iter().any(|parse| parse(line).is_some()) {
            Self::Lines(LINES)
        } else {
            Self::Undecided
        }
    }

    fn take(&mut self, line: &[u8], relays: &[IpNet], seen: &mut Vec<Seen>) {
        if matches!(self, Self::Undecided) {
            *self = Self::of(line, relays);
        }
        match self {
            Self::Undecided => {}
            Self::Lines(parsers) => seen.extend(parsers.iter().find_map(|parse| parse(line))),
            Self::Exchange(sessions) => {
                sessions.take(line, &mut |one| seen.push(one));
            }
            Self::Messages(messages) => messages.take(line, &mut |one| seen.push(one)),
        }
    }

    fn finish(&mut self, seen: &mut Vec<Seen>) {
        match self {
            Self::Undecided | Self::Lines(_) => {}
            Self::Exchange(sessions) => sessions.finish(&mut |one| seen.push(one)),
            Self::Messages(messages) => messages.finish(&mut |one| seen.push(one)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was seen, in short: `ADDRESS HELO`, `-` where the HELO is not told, `<>` where it is empty.
    pub(super) fn brief(seen: Option<Seen>) -> String {
        let Some(Seen { address, helo, authenticated }) = seen else { return "nothing".to_owned() };
        let helo = helo.map_or_else(|| "-".into(), |helo| String::from_utf8_lossy(&helo).into_owned());
        let helo = if helo.is_empty() { "<>" } else { &helo };
        format!("{address} {helo}{}", if authenticated { " authenticated" } else { "" })
    }

    pub(super) fn assert_reads(parse: impl Fn(&[u8]) -> Option<Seen>, cases: &[(&str, &str)]) {
        for (line, wanted) in cases {
            assert_eq!(brief(parse(line.as_bytes())), *wanted, "{line}");
        }
    }

    fn read(format: Format, text: &str) -> Vec<String> {
        clients(text.as_bytes(), format, &[]).into_iter().map(|seen| brief(Some(seen))).collect()
    }

    const POSTFIX: &str =
        "Nov 24 11:50:01 mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from a[192.0.2.1]: 550 no; helo=<one>";
    const EXIM: &str = "Nov 24 11:50:01 mx exim[1]: 2026-11-24 11:50:01 H=(two) [192.0.2.2] F=<> rejected RCPT <c@d>";
    const RECEIVED: &str = "Received: from three (x [192.0.2.3]) by mx with SMTP";

    #[test]
    fn a_log_is_known_by_its_first_line_that_tells() {
        assert_eq!(read(Format::Auto, &format!("begin\n\n{POSTFIX}\n{EXIM}")), ["192.0.2.1 one", "192.0.2.2 two"]);
        assert_eq!(read(Format::Auto, &format!("{RECEIVED}\n\n{POSTFIX}")), ["192.0.2.3 three"]);
        assert_eq!(read(Format::Auto, &format!("{EXIM}\n{RECEIVED}")), ["192.0.2.2 two"]);
        let exchange = "#Fields: session-id,remote-endpoint,event,data\nS,192.0.2.4:9,<,EHLO four";
        assert_eq!(read(Format::Auto, exchange), ["192.0.2.4 four"]);
    }

    #[test]
    fn a_format_that_was_asked_for_is_the_only_one() {
        assert_eq!(read(Format::Exim, &format!("{POSTFIX}\n{EXIM}")), ["192.0.2.2 two"]);
        assert_eq!(read(Format::Postfix, &format!("{POSTFIX}\n{EXIM}")), ["192.0.2.1 one"]);
        assert_eq!(read(Format::Sendmail, &format!("{POSTFIX}\n{EXIM}")), [""; 0]);
    }

    #[test]
    fn the_counts_add_up() {
        let counts = Counts { lines: 20, pairs: 1, repeated: 2, private: 3, authenticated: 4, without_helo: 5 };
        assert_eq!(
            counts.to_string(),
            "complete: lines read 20 = pairs written 1 + repeated 2 + dropped 12 (private 3, authenticated 4, without helo \
             5) + unparsed 5"
        );
    }
}
