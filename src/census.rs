//! What another program may use of this one.
//! Comes in: options under the names of the command line, and targets. Goes out: rows, one at a time or into a file.
//! Everything is done by the rooms of the program itself: what stands here only opens their doors.

use std::ffi::OsString;
use std::fmt;
use std::future::pending;
use std::net::IpAddr;
use std::path::Path;

use crate::cli;
use crate::config::{self, Meant};
use crate::input::{self, Item};
use crate::lab::Lab;
use crate::model::assessment::{self, Judged};
use crate::model::finding::Finding;
use crate::model::target::{Entry, Wanted};
use crate::model::words::{Cause, Overall, Rule, Verdict};
use crate::output::{self, Checkpoint, Ending, Sink};
use crate::scan::single::Single;
use crate::scan::stop::{Level, Stop};
use crate::{error, scan};

/// What is asked, how, and how fast: the options of `mxcensus scan`, under the names they have there, with the same defaults.
///
/// They are checked when a [`Census`] or a [`Scan`] starts.
///
/// ```
/// let options = mxcensus::Options::new()
///     .with("resolver", "127.0.0.1")
///     .with("helo", "probe.example.org")
///     .with("per-network", "1")
///     .flag("no-starttls");
/// # let _ = options;
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Options(Vec<OsString>);

impl Options {
    /// The defaults: the system's resolver, this machine's name, port 25, the blocklists of the catalogue.
    pub fn new() -> Self {
        Self::default()
    }

    /// The loopback world that comes with the program, in place of the Internet: nothing leaves this machine.
    pub fn lab() -> Self {
        Self::new().flag("lab")
    }

    /// Gives an option a value; one that may repeat takes one more.
    pub fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        let mut option = OsString::from(format!("--{name}="));
        option.push(value.into());
        self.0.push(option);
        self
    }

    /// Sets an option that takes no value.
    pub fn flag(mut self, name: &str) -> Self {
        self.0.push(format!("--{name}").into());
        self
    }

    /// What they mean, and the lab where it is wanted. `more` comes from us.
    async fn meant(&self, more: &[&str]) -> Result<Meant, Error> {
        let words = more.iter().map(OsString::from).chain(self.0.iter().cloned());
        let args = cli::scan_of(words).map_err(|usage| Error(Fault::Usage(usage)))?;
        Ok(config::scan(*args).await.map_err(error::Error::from)?)
    }
}

/// Servers asked and judged one target at a time.
///
/// It remembers what it was told, as a scan does: a server that stands behind several targets is called once. It keeps to the
/// same manners and rates. For more than some hundred targets a [`Scan`] is the better way: it reorders its work around
/// whoever has to wait, and asks for the health of blocklists once for many.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use mxcensus::{Census, Options, Rule, Verdict};
///
/// let census = Census::start(&Options::lab()).await?;
/// let examined = census.examine("s01.lab.test").await?;
/// for row in examined.rows() {
///     println!("{:?} {}", row.address(), row.overall());
///     assert_eq!(row.verdict(Rule::Introduces), Verdict::Pass);
/// }
/// census.close().await;
/// # Ok::<(), mxcensus::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Census {
    single: Single,
    /// Lives as long as it is asked.
    _lab: Option<Lab>,
}

impl Census {
    /// Tests the resolver and the blocklists, and is ready. Needs a tokio runtime with time and I/O.
    ///
    /// Options about inputs, outputs and passes have no meaning here.
    ///
    /// # Errors
    ///
    /// An option that is none or has no such value, a resolver that does not answer or cannot be believed.
    pub async fn start(options: &Options) -> Result<Self, Error> {
        // It wants something to do.
        let Meant { job, lab, .. } = options.meant(&["-"]).await?;
        Ok(Self { single: Single::start(job).await?, _lab: lab })
    }

    /// Asks the servers behind a domain, or the one at an address, and judges what was seen.
    ///
    /// # Errors
    ///
    /// A target that is neither a domain nor an address. What goes wrong on the way to a server is in the rows.
    pub async fn examine(&self, target: &str) -> Result<Examined, Error> {
        match input::argument(target) {
            Item::Entry(Entry { wanted: Wanted::Network(_), .. }) => {
                Err(Error(Fault::Target(format!("{target} is a network: a Scan takes it"))))
            }
            Item::Entry(entry) => Ok(Examined(self.single.examine(entry).await)),
            Item::Reject(reject) => Err(Error(Fault::Target(format!("{:?} {}", reject.text, reject.reason)))),
        }
    }

    /// Judges the introduction (HELO, EHLO) of a client that somebody has seen, without a session.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use mxcensus::{Census, Options, Rule, Verdict};
    /// # let census = Census::start(&Options::lab()).await?;
    /// # let known = census.examine("s01.lab.test").await?;
    /// # let address = known.rows().find_map(|row| row.address()).unwrap();
    /// let seen = census.examine_introduction(address, "localhost").await;
    /// assert_eq!(seen.rows().next().unwrap().verdict(Rule::Fqdn), Verdict::Fail);
    /// # Ok::<(), mxcensus::Error>(())
    /// # }).unwrap();
    /// ```
    pub async fn examine_introduction(&self, address: IpAddr, helo: &str) -> Examined {
        let wanted = Wanted::Observed { address, helo: helo.into() };
        Examined(self.single.examine(Entry { line: None, text: address.to_string().into(), wanted }).await)
    }

    /// Writes down what was asked of blocklists, whose budgets are those of a day.
    pub async fn close(self) {
        self.single.close().await;
    }
}

/// A target, judged.
#[derive(Debug, Clone)]
pub struct Examined(Judged);

impl Examined {
    /// A row for each exchange and address; never none.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.0.rows().map(Row)
    }
}

/// One (target, exchange, address) with its verdicts.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a>(assessment::Row<'a>);

impl<'a> Row<'a> {
    /// The target as it was given.
    pub fn target(self) -> &'a str {
        &self.0.evidence.target.text
    }

    /// The exchange's host name; None where there is none.
    pub fn exchange(self) -> Option<&'a str> {
        self.0.exchange().map(|exchange| exchange.name.as_str())
    }

    /// The server's address; None where there is none.
    pub fn address(self) -> Option<IpAddr> {
        self.0.host().map(|host| host.address)
    }

    /// The outcome of a rule.
    pub fn verdict(self, rule: Rule) -> Verdict {
        self.0.assessment.verdict(rule)
    }

    /// Why a rule is unknown; None where it is not.
    pub fn cause(self, rule: Rule) -> Option<Cause> {
        self.0.assessment.unknown_why.iter().find(|(known, _)| *known == rule).map(|(_, cause)| *cause)
    }

    /// The five rules in one word.
    pub fn overall(self) -> Overall {
        self.0.assessment.overall
    }

    /// What was found, the most severe first.
    pub fn findings(self) -> &'a [Finding] {
        &self.0.assessment.findings
    }

    /// All columns as a JSON object, as a line of JSONL output has them; `mxcensus schema` tells what they mean.
    pub fn json(self) -> String {
        output::json(self.0)
    }
}

/// A whole scan: many targets, rows as they are settled.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let output = folder.path().join("rows.parquet");
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use mxcensus::{Options, Scan};
///
/// let options = Options::lab().with("lab-domains", "50");
/// let summary = Scan::new(&options).target("127.1.0.0/30").output(&output).run().await?;
/// assert!(summary.complete);
/// # assert!(output.exists());
/// # Ok::<(), mxcensus::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Scan(Options);

impl Scan {
    /// With these options; in the lab, and without a target or an input, it scans the lab's own list.
    pub fn new(options: &Options) -> Self {
        Self(options.clone())
    }

    /// Adds a domain, an address or a network.
    pub fn target(mut self, target: &str) -> Self {
        self.0.0.push(target.into());
        self
    }

    /// Adds a file of targets: CSV, TSV or one a line, as `--input`.
    pub fn input(self, path: impl AsRef<Path>) -> Self {
        Self(self.0.with("input", path.as_ref()))
    }

    /// Writes rows into a file: CSV, JSONL or Parquet, by its name, as `--output`, with its manifest and its rejects beside it.
    pub fn output(self, path: impl AsRef<Path>) -> Self {
        Self(self.0.with("output", path.as_ref()))
    }

    /// Scans, and writes to the output. No signal is listened to, and nothing is printed.
    ///
    /// # Errors
    ///
    /// Options that mean nothing, inputs that cannot be read, a disk that takes no more. What was written by then stays, and
    /// the option `resume` goes on from it.
    pub async fn run(self) -> Result<Summary, Error> {
        self.run_until(pending()).await
    }

    /// The same until `stop` is over: then no new target is begun, what is in flight is finished, and the run can be resumed.
    ///
    /// # Errors
    ///
    /// As of [`Scan::run`].
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> Result<Summary, Error> {
        self.scan(None, stop).await
    }

    /// Scans, and gives each row to `take` as it is settled, from a thread of its own, in place of an output.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// use mxcensus::{Options, Overall, Scan};
    /// use std::sync::atomic::{AtomicU64, Ordering};
    /// use std::sync::Arc;
    ///
    /// let bad = Arc::new(AtomicU64::new(0));
    /// let counted = Arc::clone(&bad);
    /// let options = Options::lab().with("lab-domains", "50");
    /// let summary = Scan::new(&options)
    ///     .rows(move |row| {
    ///         counted.fetch_add(u64::from(row.overall() == Overall::Misconfigured), Ordering::Relaxed);
    ///     })
    ///     .await?;
    /// assert!(summary.complete && bad.load(Ordering::Relaxed) > 0);
    /// # Ok::<(), mxcensus::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As of [`Scan::run`].
    pub async fn rows(self, take: impl FnMut(Row<'_>) + Send + 'static) -> Result<Summary, Error> {
        self.scan(Some(Box::new(Each(take))), pending()).await
    }

    async fn scan(self, sink: Option<Box<dyn Sink>>, until: impl Future<Output = ()>) -> Result<Summary, Error> {
        let Meant { mut job, lab: _lab, .. } = Box::pin(self.0.meant(&["--quiet", "--progress=none"])).await?;
        if job.output.is_none() && sink.is_none() {
            return Err(Error(Fault::Usage("a scan needs an output: a file, or a taker of its rows".to_owned())));
        }
        if sink.is_some() {
            job.output = None;
        }
        job.sink = sink;
        let stop = Stop::default();
        let mut running = Box::pin(scan::run(job, stop.clone()));
        let ended = tokio::select! {
            ended = &mut running => ended,
            () = until => {
                stop.at_least(Level::Drain);
                running.await
            }
        };
        let scan::Outcome { complete, reached_fail_on } = ended?;
        Ok(Summary { complete, reached_fail_on })
    }
}

/// How a scan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Every record has its rows or its reject; if not, it was stopped.
    pub complete: bool,
    /// A finding of at least the severity of the option `fail-on` was found.
    pub reached_fail_on: bool,
}

/// Rows for a function.
struct Each<F>(F);

impl<F> fmt::Debug for Each<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Each").finish_non_exhaustive()
    }
}

impl<F: FnMut(Row<'_>) + Send> Sink for Each<F> {
    fn write(&mut self, row: assessment::Row<'_>) -> Result<(), output::Error> {
        (self.0)(Row(row));
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<Checkpoint, output::Error> {
        unreachable!("only a file has a journal")
    }

    fn finish(self: Box<Self>, _ending: Ending) -> Result<(), output::Error> {
        Ok(())
    }
}

/// What went wrong on our side: in the options, the inputs, the outputs, or this machine. What a server does wrong is in a row.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Fault);

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Target(String),
    #[error(transparent)]
    Program(error::Error),
}

impl Error {
    /// The exit code that the program would end with: 2 for what can be mended in options and inputs, 4 for what is wrong in
    /// us or under us.
    pub fn exit_code(&self) -> u8 {
        match &self.0 {
            Fault::Usage(_) | Fault::Target(_) => 2,
            Fault::Program(error) => error.exit_code(),
        }
    }
}

impl From<error::Error> for Error {
    fn from(error: error::Error) -> Self {
        Self(Fault::Program(error))
    }
}

impl From<scan::Error> for Error {
    fn from(error: scan::Error) -> Self {
        error::Error::from(error).into()
    }
}
