//! What is in effect in a run, for its manifest: what was given, and what was derived where nothing was.
//! Comes in: a job. Goes out: a value for each option that has one, under the option's name.
//! No key of a blocklist stands here: zones are as they may be shown.

use serde_json::{Value, json};

use super::Job;
use crate::judge::policy::Policy;
use crate::probe::{Families, Wanted};

/// Of a scan. Durations are in seconds, rates are per second, and 0 is unlimited.
pub(super) fn of(job: &Job) -> Value {
    let (dns, probe) = (&job.dns, &job.probe);
    let limits = probe.caller.limits;
    let lists = probe.lists.iter();
    let Wanted { mx, ptr, smtp, dnsbl } = probe.wanted;
    json!({
        "resolver": dns.upstreams.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "port": probe.port,
        "helo": probe.caller.helo.as_str(),
        "dnsbl": lists.clone().map(|list| &*list.shown).collect::<Vec<_>>(),
        "quorum": job.quorum,
        "allow-special": probe.allowed,
        "receiver": job.receivers,
        "families": families(probe.families),
        "families-routed": families(probe.routed),
        "starttls": probe.caller.tls.is_some(),
        "probes": named([(mx, "mx"), (ptr, "ptr"), (smtp, "smtp"), (dnsbl, "dnsbl")]),
        "profile": job.profile,
        "seed": job.seed,
        "order": if job.in_order { "input" } else { "completion" },
        "concurrency": job.concurrency,
        "descriptors": job.descriptors,
        "sessions": probe.sockets,
        "memory": probe.memory >> 20,
        "dns-rate": dns.pace.rate(),
        "per-resolver": dns.per_upstream,
        "smtp-rate": probe.smtp_rate,
        "dnsbl-rate": probe.dnsbl_rate,
        "dnsbl-rates": lists.map(|list| list.rate).collect::<Vec<_>>(),
        "per-network": probe.per_network,
        "per-provider": probe.per_provider,
        "dns-timeout": dns.timeout.as_secs_f64(),
        "connect-timeout": limits.connect.as_secs_f64(),
        "greeting-timeout": limits.greeting.as_secs_f64(),
        "command-timeout": limits.command.as_secs_f64(),
        "starttls-timeout": limits.starttls.as_secs_f64(),
        "handshake-timeout": limits.handshake.as_secs_f64(),
        "quit-timeout": limits.quit.as_secs_f64(),
        "session-timeout": limits.session.as_secs_f64(),
        "retries": probe.again.times,
        "retry-after": probe.again.after.as_secs_f64(),
        "checkpoint": job.checkpoint.as_secs_f64(),
    })
}

/// Of stored evidence that is judged again: a file's own policy, with what was to be otherwise.
pub(super) fn of_judge(policy: &Policy) -> Value {
    json!({
        "profile": policy.profile,
        "quorum": policy.quorum,
        "dnsbl": policy.lists.iter().map(|list| &*list.shown).collect::<Vec<_>>(),
        "allow-special": policy.allowed,
        "receiver": policy.receivers,
        "lab": policy.naming.is_lab(),
    })
}

fn families(families: Families) -> Vec<&'static str> {
    named([(families.v4, "ipv4"), (families.v6, "ipv6")])
}

/// The words that hold.
fn named<const N: usize>(words: [(bool, &'static str); N]) -> Vec<&'static str> {
    words.into_iter().filter(|(holds, _)| *holds).map(|(_, word)| word).collect()
}
