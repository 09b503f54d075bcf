//! Whether this machine is one that servers talk to as they talk to others.
//! Comes in: a job. Goes out: nothing, or why no large run can be made from here.
//! Nobody is asked but the resolver. What is not as it should be is said in a line each, all of it with --verbose.

use super::progress::say_plainly;
use super::{Error, Feed, Job};
use crate::doctor::{self, Check, LARGE, Quick, Status};
use crate::input::{self, Item, Source};
use crate::model::address::Allowed;
use crate::model::introduction::Naming;
use crate::plan;
use crate::probe::Families;
use crate::probe::dns::Lookup;

/// What of a job decides.
pub(super) struct Fitness {
    /// Nobody is greeted, or only the lab's servers.
    needless: bool,
    families: Families,
    allowed: Allowed,
    helo: String,
    naming: Naming,
    /// Targets that are known to be there beforehand, or enough of them.
    targets: u64,
    force: bool,
    quiet: bool,
    verbose: bool,
}

impl Fitness {
    pub(super) fn of(job: &Job) -> Self {
        let probe = &job.probe;
        Self {
            needless: !probe.wanted.smtp || probe.naming.is_lab(),
            families: probe.families,
            allowed: probe.allowed.clone(),
            helo: probe.caller.helo.to_string(),
            naming: probe.naming,
            targets: targets(job),
            force: job.force,
            quiet: job.quiet,
            verbose: job.verbose,
        }
    }

    /// How many targets may be scanned from here; an error where there are more.
    pub(super) async fn look(&self, lookup: &impl Lookup) -> Result<Fit, Error> {
        if self.needless {
            return Ok(Fit::default());
        }
        let Self { families, allowed, helo, naming, .. } = self;
        let checks = doctor::quick(lookup, &Quick { families: *families, allowed, helo, naming: *naming }).await;
        if !self.quiet {
            let said = |check: &&Check| self.verbose || matches!(check.status, Status::Warning | Status::Fault);
            checks.iter().filter(said).for_each(|check| say_plainly(&check.line()));
        }
        let fit = Fit(doctor::faults(&checks).filter(|_| !self.force));
        fit.for_targets(self.targets)?;
        Ok(fit)
    }
}

/// What came of it: the faults for which no more than a thousand targets are scanned; None, any number of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fit(Option<String>);

impl Fit {
    /// Whether so many targets may be scanned. Asked before the first one as far as they are known, and again before each one: what
    /// is done when it is one too many is whole, and the run can be resumed.
    pub(super) fn for_targets(&self, count: u64) -> Result<(), Error> {
        match &self.0 {
            Some(faults) if count > LARGE => Err(Error::Unfit { faults: faults.clone() }),
            _ => Ok(()),
        }
    }
}

/// Targets of the command line and of plain files, counted until they are too many. A pipe is not read before its time, and of a
/// shard's own share nothing is known before the planning.
fn targets(job: &Job) -> u64 {
    if job.plan.shard.is_some() {
        return 0;
    }
    let typed = job.targets.iter().map(|text| input::argument(text));
    let of_files = job.feeds.iter().filter_map(|feed| match feed {
        Feed::File(path) if path.is_file() => Source::open(path, &job.input).ok(),
        Feed::File(_) | Feed::Lines { .. } => None,
    });
    let mut count = 0_u64;
    for item in typed.chain(of_files.flatten().map_while(Result::ok)) {
        if let Item::Entry(entry) = item {
            count = count.saturating_add(u64::try_from(plan::size(&entry)).unwrap_or(u64::MAX));
        }
        if count > LARGE {
            break;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_no_obstacle_to_a_few_targets() {
        let unfit = Fit(Some("192.0.2.1 has no reverse name".to_owned()));
        assert!(unfit.for_targets(LARGE).is_ok() && Fit::default().for_targets(u64::MAX).is_ok());
        let told = unfit.for_targets(LARGE + 1).unwrap_err().to_string();
        assert!(told.contains("192.0.2.1 has no reverse name") && told.contains("--force"), "{told}");
    }
}
