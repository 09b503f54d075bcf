//! What a run says of its blocklists on stderr.
//! Comes in: their health before the run, and what was counted of them in it. Goes out: lines.
//! Nobody has to read the rows to learn that a list was left out.

use super::progress::say_plainly;
use crate::model::dnsbl::{Health, List};
use crate::output::rfc3339;
use crate::probe::dnsbl::watch::Account;

/// Says why something of the run is not kept.
pub(super) fn warn(complaint: Option<String>) {
    if let Some(complaint) = complaint {
        say_plainly(&format!("warning: {complaint}"));
    }
}

/// Says which lists are left out of the run, wholly or for IPv6: those named, as they serve, with their health.
pub(super) fn warn_of(named: &[List], served: &[List], health: &[Health]) {
    for ((named, served), health) in named.iter().zip(served).zip(health) {
        let list = &named.shown;
        if *health != Health::Healthy {
            say_plainly(&format!("warning: the blocklist {list} is left out of this run: it {health}"));
        } else if named.ipv6 && !served.ipv6 {
            say_plainly(&format!(
                "note: the blocklist {list} is not asked about IPv6 addresses in this run: it has no test entry for them"
            ));
        }
    }
}

/// Says which lists were left out while the run went on, and which had no budget left.
pub(super) fn tell_of(accounts: &[Account], first: &[Health]) {
    // Those that failed the first test were told of before the run.
    let believed = accounts.iter().zip(first).filter(|(_, health)| **health == Health::Healthy);
    for (Account { list, off, off_since, void, over_budget, .. }, _) in believed {
        if *over_budget > 0 {
            say_plainly(&format!(
                "warning: {over_budget} questions to the blocklist {list} were not asked: its budget of the day is spent"
            ));
        }
        if let (Some(why), Some(since)) = (off, off_since.and_then(rfc3339)) {
            say_plainly(&format!(
                "warning: the blocklist {list} was left out from {since} on: it {why}; {void} of its answers before that are \
                 not believed"
            ));
        }
    }
}
