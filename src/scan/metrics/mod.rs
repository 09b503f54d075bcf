//! The file of `--metrics`: how a run fares, and when one was well last, for Prometheus.
//! Comes in: the counts that the run keeps anyway, and how it ended. Goes out: one file, replaced as a whole every few seconds
//! and at the end.
//! What only the end of a run can tell is kept from the file of the run before, so that a failure does not make it forgotten.
//! Once the run has begun nothing that goes wrong here ends it.

mod page;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub(super) use self::page::Seen;
use self::page::{LAST_EXIT_CODE, LAST_SUCCESS};
use super::{Error, Outcome};
use crate::model::clock::now_ms;
use crate::output;

/// Octets that are read of an earlier file; one of ours has a tenth of that.
const LONGEST: u64 = 1 << 20;

/// How a run is, or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    Complete,
    CutShort,
    Failed,
}

impl State {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Running, "running"),
        (Self::Complete, "complete"),
        (Self::CutShort, "cut-short"),
        (Self::Failed, "failed"),
    ];

    fn of(ended: &Result<Outcome, Error>) -> Self {
        match ended {
            Ok(Outcome { complete: true, .. }) => Self::Complete,
            Ok(_) | Err(Error::Output(output::Error::BrokenPipe)) => Self::CutShort,
            Err(_) => Self::Failed,
        }
    }
}

/// What is told of a run as a whole.
#[derive(Debug, Clone, Copy)]
struct Run {
    state: State,
    /// Milliseconds since 1970 when it began, and when it ended.
    began: i64,
    ended: Option<i64>,
    last: Last,
}

/// What is known of the last run that ended.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Last {
    /// Seconds since 1970 when one was complete; 0 for never.
    success: f64,
    exit_code: Option<f64>,
}

impl Last {
    /// What an earlier file tells; one that is not ours, or damaged, tells nothing.
    fn read(path: &Path) -> Self {
        let mut text = String::new();
        // Nobody waits for a pipe.
        let file = File::open(path).ok().filter(|_| path.is_file());
        let read = file.and_then(|file| file.take(LONGEST).read_to_string(&mut text).ok());
        let value = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
            value.trim().parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0)
        };
        let told = read.map(|_| Self { success: value(LAST_SUCCESS).unwrap_or(0.0), exit_code: value(LAST_EXIT_CODE) });
        told.unwrap_or_default()
    }
}

/// The file of a run; nothing where none is wanted.
#[derive(Debug, Clone, Default)]
pub(super) struct Metrics(Option<Arc<Kept>>);

/// The thread that writes the file while the run goes on.
#[derive(Debug)]
pub(super) struct Keeper {
    metrics: Metrics,
    thread: Option<(mpsc::Sender<()>, JoinHandle<()>)>,
}

#[derive(Debug)]
struct Kept {
    path: PathBuf,
    began: i64,
    last: Last,
    /// When the run to be resumed ended, where it had come to its end before.
    complete_since: OnceLock<i64>,
    /// Nothing before there is something to count.
    seen: OnceLock<Seen>,
    complaint: Mutex<Complaint>,
}

/// Why the file could not be written, to be said once.
#[derive(Debug)]
enum Complaint {
    None,
    New(String),
    Said,
}

impl Keeper {
    /// Writes the file of a run that begins now; that it can be written is found out here.
    pub(super) fn begin(path: Option<&Path>, began: i64, every: Duration) -> Result<Self, Error> {
        let Some(path) = path else { return Ok(Self { metrics: Metrics::default(), thread: None }) };
        let kept = Arc::new(Kept {
            path: path.to_owned(),
            began,
            last: Last::read(path),
            complete_since: OnceLock::new(),
            seen: OnceLock::new(),
            complaint: Mutex::new(Complaint::None),
        });
        kept.write(State::Running, None, kept.last).map_err(Error::Open)?;
        let (end, ended) = mpsc::channel();
        let keeper = Arc::clone(&kept);
        let thread = thread::Builder::new().name("metrics".to_owned()).spawn(move || {
            while ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                keeper.try_to_write(State::Running, None, keeper.last);
            }
        });
        let thread = thread.map_err(|source| Error::System { what: "start a thread", source })?;
        Ok(Self { metrics: Metrics(Some(kept)), thread: Some((end, thread)) })
    }

    /// What the run tells, for those who have something to tell.
    pub(super) const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Writes how the run ended; gives what is still to be said of the file.
    pub(super) fn end(self, outcome: &Result<Outcome, Error>) -> Option<String> {
        let Self { metrics, thread } = self;
        let (end, thread) = thread?;
        drop(end);
        thread.join().expect("nothing in writing a file panics");
        if let Some(kept) = &metrics.0 {
            let now = now_ms();
            let state = State::of(outcome);
            let success = match state {
                State::Complete => kept.last.success.max(seconds(*kept.complete_since.get().unwrap_or(&now))),
                _ => kept.last.success,
            };
            let exit_code = match outcome {
                Ok(outcome) => outcome.exit_code(),
                Err(error) => error.exit_code(),
            };
            kept.try_to_write(state, Some(now), Last { success, exit_code: Some(exit_code.into()) });
        }
        metrics.complaint()
    }
}

impl Metrics {
    /// From now on there is something to count.
    pub(super) fn watch(&self, seen: impl FnOnce() -> Seen) {
        if let Some(kept) = &self.0 {
            kept.seen.get_or_init(seen);
        }
    }

    /// The run had come to its end before, at this time (RFC 3339).
    pub(super) fn complete_since(&self, end: &str) {
        if let (Some(kept), Ok(end)) = (&self.0, end.parse::<jiff::Timestamp>()) {
            kept.complete_since.get_or_init(|| end.as_millisecond());
        }
    }

    /// Why the file could not be written, said once.
    pub(super) fn complaint(&self) -> Option<String> {
        let mut complaint = self.0.as_ref()?.complaint();
        match std::mem::replace(&mut *complaint, Complaint::None) {
            Complaint::New(text) => {
                *complaint = Complaint::Said;
                Some(text)
            }
            other => {
                *complaint = other;
                None
            }
        }
    }
}

impl Kept {
    fn write(&self, state: State, ended: Option<i64>, last: Last) -> Result<(), output::Error> {
        let run = Run { state, began: self.began, ended, last };
        output::replace(&self.path, page::text(run, self.seen.get()).as_bytes())
    }

    fn try_to_write(&self, state: State, ended: Option<i64>, last: Last) {
        let Err(error) = self.write(state, ended, last) else { return };
        let mut complaint = self.complaint();
        if matches!(*complaint, Complaint::None) {
            let reason = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
            *complaint =
                Complaint::New(format!("{error}{reason}; the metrics are those of before, and the run goes on"));
        }
    }

    fn complaint(&self) -> MutexGuard<'_, Complaint> {
        self.complaint.lock().expect("no holder of this lock can panic")
    }
}

/// Seconds since 1970.
#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit for 285,000 years")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(path: &Path) -> Keeper {
        Keeper::begin(Some(path), 1_000, Duration::from_secs(3_600)).unwrap()
    }

    fn told(path: &Path) -> Last {
        Last::read(path)
    }

    #[test]
    fn the_last_success_outlives_runs_that_fail_are_cut_short_or_just_vanish() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mxcensus.prom");
        let good = Ok(Outcome { complete: true, reached_fail_on: true });
        let keeper = begin(&path);
        assert_eq!(told(&path), Last { success: 0.0, exit_code: None });
        assert_eq!(keeper.end(&good), None);
        let first = told(&path);
        assert!(first.success > 1.7e9 && first.exit_code == Some(1.0), "{first:?}");
        for (ended, code) in [
            (Ok(Outcome { complete: false, reached_fail_on: false }), 3.0),
            (Err(Error::Lost(1)), 4.0),
            (Err(Error::Output(output::Error::BrokenPipe)), 0.0),
        ] {
            begin(&path).end(&ended);
            assert_eq!(told(&path), Last { exit_code: Some(code), ..first });
        }
        drop(begin(&path));
        assert_eq!(told(&path), Last { exit_code: Some(0.0), ..first });
        // One that has nothing left to do was good when it came to its end, and not now.
        let keeper = begin(&path);
        keeper.metrics().complete_since("1971-01-01T00:00:00Z");
        keeper.end(&good);
        assert_eq!(told(&path), Last { exit_code: Some(1.0), ..first });
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_earlier_file_that_is_none_of_ours_is_no_reason_to_fail() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mxcensus.prom");
        let name = LAST_SUCCESS;
        for text in [
            b"".to_vec(),
            b"\xff\xfe".to_vec(),
            format!("{name}\n").into_bytes(),
            format!("{name} soon\n").into_bytes(),
            format!("{name} 1e999\n").into_bytes(),
            format!("{name} -5\n").into_bytes(),
            format!("{name}_other 5\n# {name} 6\n").into_bytes(),
        ] {
            std::fs::write(&path, &text).unwrap();
            assert_eq!(told(&path), Last::default(), "{text:?}");
            drop(begin(&path));
        }
        std::fs::write(&path, format!("{name} 7.5 1000\n")).unwrap();
        assert_eq!(told(&path), Last::default(), "with a timestamp it is not ours");
        std::fs::write(&path, format!("x 1\n{name} 7.5\n{LAST_EXIT_CODE} 3")).unwrap();
        assert_eq!(told(&path), Last { success: 7.5, exit_code: Some(3.0) });
        let nowhere = folder.path().join("none/mxcensus.prom");
        assert!(matches!(Keeper::begin(Some(&nowhere), 0, Duration::MAX), Err(Error::Open(_))));
    }

    #[test]
    fn a_file_that_cannot_be_written_any_more_is_said_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mxcensus.prom");
        let keeper = begin(&path);
        let metrics = keeper.metrics().clone();
        assert_eq!(metrics.complaint(), None);
        folder.close().unwrap();
        let kept = metrics.0.as_ref().unwrap();
        kept.try_to_write(State::Running, None, kept.last);
        let said = metrics.complaint().unwrap();
        assert!(said.contains("mxcensus.prom") && said.contains("no directory"), "{said}");
        assert_eq!(keeper.end(&Ok(Outcome { complete: true, reached_fail_on: false })), None);
    }
}
