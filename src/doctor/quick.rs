//! What a scan looks at before it begins: how servers will take this machine.
//! Comes in: the name it greets with, and a way to look names up. Goes out: checks.
//! Nobody is asked but the resolver, and it for this machine's own names only.

use super::gather::owns;
use super::identity::{class, reverse};
use super::{Check, Status};
use crate::model::address::Allowed;
use crate::model::introduction::Naming;
use crate::probe::Families;
use crate::probe::dns::Lookup;

/// Up to so many targets a scan with a fault harms nobody, and its reason is soon found.
pub const LARGE: u64 = 1_000;

/// What a scan is going to do.
#[derive(Debug)]
pub struct Quick<'j> {
    /// The families it dials.
    pub families: Families,
    /// Special-purpose networks that count as public.
    pub allowed: &'j Allowed,
    /// The name it greets with.
    pub helo: &'j str,
    /// The idea of names.
    pub naming: Naming,
}

/// The name of the greeting and the reverse names; an address that others do not see has nothing to check, and what the system
/// lacks in routes and descriptors a scan says by itself.
pub async fn quick(lookup: &impl Lookup, job: &Quick<'_>) -> Vec<Check> {
    let (of_name, _) = job.naming.classify(job.helo.as_bytes());
    let mut checks = vec![class(job.helo, of_name)];
    let owns = owns(lookup, job.families, job.allowed).await;
    checks.extend(owns.iter().flat_map(|own| reverse(own, job.naming)));
    checks
}

/// What makes this machine unfit for more than [`LARGE`] targets: the faults, in a sentence.
pub fn faults(checks: &[Check]) -> Option<String> {
    let faults = checks.iter().filter(|check| check.status == Status::Fault);
    let said: Vec<String> = faults
        .map(|check| {
            let advice = check.advice.as_ref().map_or_else(String::new, |advice| format!(" ({advice})"));
            format!("{}{advice}", check.evidence)
        })
        .collect();
    (!said.is_empty()).then(|| said.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_make_a_machine_unfit_and_nothing_else_does() {
        let fault = Check::fault("ptr", "192.0.2.1 has no reverse name", "get one");
        let others = [Check::ok("ehlo-name", "fine"), Check::warning("ptr-class", "generic", "get another")];
        assert_eq!(faults(&others), None);
        let all = [&others[..], &[fault]].concat();
        assert_eq!(faults(&all).as_deref(), Some("192.0.2.1 has no reverse name (get one)"));
    }
}
