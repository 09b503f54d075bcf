//! Lines on stderr about what the program does, for whoever asks for them; nobody else pays for them.
//! Comes in: a filter of targets and levels. Goes out: nothing, and from then on a line for each event that passes it.
//! An event stands where something happens that is rare or is over anyway: no line for each datagram, and no span, which every
//! poll of a task would have to enter.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::scan::progress::{one_line, say_above};

/// The environment's filter, which gives way to that of the command line.
const VARIABLE: &str = "MXCENSUS_LOG";

/// What `--verbose` alone asks for: what concerns the whole run.
const VERBOSE: &str = "mxcensus=info";

/// A filter that is none.
#[derive(Debug, thiserror::Error)]
#[error(
    "{from} {filter:?} is no filter of logs: write a level, or targets with theirs, such as `mxcensus::probe::smtp=debug`"
)]
pub struct Error {
    /// Who gives it.
    from: &'static str,
    /// The filter.
    filter: String,
    /// The parser's reason.
    source: ParseError,
}

/// Begins to tell events: those of the filter, else those of the environment's, else the few of `--verbose`.
///
/// Without any of them nothing is set up, and an event costs a comparison.
pub fn begin(filter: Option<&str>, verbose: bool) -> Result<(), Error> {
    let environment = std::env::var(VARIABLE).ok().filter(|filter| !filter.is_empty());
    let (from, filter) = match (filter, &environment) {
        (Some(filter), _) => ("--log", filter),
        (None, Some(filter)) => (VARIABLE, filter.as_str()),
        (None, None) if verbose => ("--verbose", VERBOSE),
        (None, None) => return Ok(()),
    };
    let filter =
        EnvFilter::builder().parse(filter).map_err(|source| Error { from, filter: filter.to_owned(), source })?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(|| Line).finish();
    // Whoever uses this as a library may have a subscriber of his own, which then stays.
    let _own = tracing::subscriber::set_global_default(lines);
    Ok(())
}

/// Stderr, an event at a time: one line, whatever a field holds, and above the bar of a run.
struct Line;

impl io::Write for Line {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        say_above(&line(event));
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An event as a terminal may show it: what came from the network stands in its fields.
fn line(event: &[u8]) -> String {
    one_line(String::from_utf8_lossy(event).trim_end_matches('\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_without_anything_that_steers_a_terminal() {
        assert_eq!(line(b"no answer question=a\x1b[31m\r\nb\n"), "no answer question=a\\u{1b}[31m\\r\\nb");
    }
}
