//! What this machine can carry.
//! Comes in: its limits and its clock, as they were read. Goes out: checks.
//! Pure: what could not be read is unknown, never guessed.

use super::{Check, Needs};
use crate::model::words::Cause;

/// What was read of the machine; None where it could not be.
#[derive(Debug, Clone, Default)]
pub(super) struct Machine {
    /// Descriptors: the soft limit and the hard one.
    pub(super) descriptors: Option<(u64, u64)>,
    /// The first and the last local port.
    pub(super) ports: Option<(u64, u64)>,
    /// The largest receive buffer of a socket, in octets.
    pub(super) receive: Option<u64>,
    /// Today (UTC), as `YYYY-MM-DD`.
    pub(super) today: String,
    /// The date of the newest table of names, in the same form.
    pub(super) tables: String,
    /// Whether the clock is kept by a time service; None where nobody tells.
    pub(super) synchronised: Option<bool>,
}

/// Octets of the receive buffer that the DNS client asks for: what arrives in a burst while no task runs.
const RECEIVE: u64 = 4 << 20;
/// Below that a burst of a few hundred replies is lost.
const LITTLE: u64 = 256 << 10;
/// Local ports that a connection in TIME-WAIT holds for a minute.
const WAIT_SECONDS: u64 = 60;

pub(super) fn of(machine: &Machine, needs: Needs) -> Vec<Check> {
    vec![descriptors(machine, needs), ports(machine, needs), receive(machine), clock(machine), synchronised(machine)]
}

pub(super) fn descriptors(machine: &Machine, needs: Needs) -> Check {
    const CHECK: &str = "descriptors";
    let Needs { least, others, sessions } = needs;
    let Some((soft, hard)) = machine.descriptors else {
        return Check::unknown(CHECK, Cause::SelfFault, "the limits cannot be read", "see `ulimit -n`");
    };
    // A scan raises the soft limit to the hard one by itself.
    let possible = hard.saturating_sub(others);
    let evidence = format!("{soft}, which a scan raises to {hard}: {} SMTP sessions at a time", possible.min(sessions));
    let advice = format!("raise the hard limit (ulimit -Hn, LimitNOFILE=) to {} or more", others + sessions);
    match possible {
        _ if hard < least => Check::fault(CHECK, format!("{hard}, and a scan needs {least}"), advice),
        _ if possible < sessions => Check::warning(CHECK, evidence, advice),
        _ => Check::ok(CHECK, format!("{evidence} and more")),
    }
}

fn ports(machine: &Machine, needs: Needs) -> Check {
    const CHECK: &str = "local-ports";
    let Some((first, last)) = machine.ports.filter(|(first, last)| first <= last) else {
        let advice = "see /proc/sys/net/ipv4/ip_local_port_range";
        return Check::unknown(CHECK, Cause::SelfFault, "the range cannot be read", advice);
    };
    let count = last - first + 1;
    let evidence =
        format!("{first} to {last}: {count}, or {} new connections a second to one server", count / WAIT_SECONDS);
    if count < needs.sessions * 2 {
        let advice = "widen net.ipv4.ip_local_port_range, such as to \"32768 60999\"";
        return Check::warning(CHECK, evidence, advice);
    }
    Check::ok(CHECK, evidence)
}

fn receive(machine: &Machine) -> Check {
    const CHECK: &str = "receive-buffer";
    let Some(most) = machine.receive else {
        let advice = "see /proc/sys/net/core/rmem_max";
        return Check::unknown(CHECK, Cause::SelfFault, "its limit cannot be read", advice);
    };
    let evidence = format!("a socket may have {} KiB for replies that wait", most >> 10);
    if most < LITTLE {
        let advice = format!("set net.core.rmem_max to {RECEIVE}, or keep --dns-rate below 1000");
        return Check::warning(CHECK, evidence, advice);
    }
    let wanted = if most < RECEIVE { "; a scan at thousands of questions a second asks for 4096" } else { "" };
    Check::ok(CHECK, format!("{evidence}{wanted}"))
}

fn clock(machine: &Machine) -> Check {
    const CHECK: &str = "clock";
    let Machine { today, tables, .. } = machine;
    // Dates of this form compare as texts.
    if today < tables {
        let evidence = format!("it shows {today}, and the tables of names are of {tables}");
        return Check::fault(CHECK, evidence, "set the clock: certificates, budgets and rows go by it");
    }
    Check::ok(CHECK, format!("it shows {today}, which is not before the tables of names ({tables})"))
}

fn synchronised(machine: &Machine) -> Check {
    const CHECK: &str = "clock-service";
    match machine.synchronised {
        Some(true) => Check::ok(CHECK, "systemd-timesyncd has set the clock since the start"),
        Some(false) => {
            let advice = "see `timedatectl timesync-status`: no server may have answered yet";
            Check::warning(CHECK, "systemd-timesyncd runs and has not set the clock yet", advice)
        }
        None => {
            let advice = "see `timedatectl` or `chronyc tracking`";
            Check::unknown(CHECK, Cause::NotAsked, "no service tells whether it keeps the clock", advice)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;

    const NEEDS: Needs = Needs { least: 256, others: 200, sessions: 500 };

    fn machine() -> Machine {
        Machine {
            descriptors: Some((1024, 524_288)),
            ports: Some((32_768, 60_999)),
            receive: Some(212_992),
            today: "2026-12-01".to_owned(),
            tables: "2026-09-01".to_owned(),
            synchronised: Some(true),
        }
    }

    #[test]
    fn descriptors_say_how_many_sessions_they_allow() {
        let of = |soft, hard| descriptors(&Machine { descriptors: Some((soft, hard)), ..machine() }, NEEDS);
        let plenty = of(1024, 524_288);
        assert_eq!((plenty.status, plenty.advice.as_deref()), (Status::Ok, None));
        assert!(plenty.evidence.contains("1024, which a scan raises to 524288: 500 SMTP sessions"), "{plenty:?}");
        let few = of(256, 400);
        assert_eq!(few.status, Status::Warning);
        assert!(few.evidence.contains("200 SMTP sessions") && few.advice.unwrap().contains("700"));
        assert_eq!(of(64, 255).status, Status::Fault);
        assert_eq!(of(64, 256).status, Status::Warning);
        assert_eq!(descriptors(&Machine::default(), NEEDS).cause, Some(Cause::SelfFault));
    }

    #[test]
    fn few_ports_and_small_buffers_are_warnings_with_what_to_set() {
        assert_eq!(ports(&machine(), NEEDS).status, Status::Ok);
        let few = ports(&Machine { ports: Some((60_000, 60_998)), ..machine() }, NEEDS);
        assert!(few.status == Status::Warning && few.evidence.contains("999"), "{few:?}");
        assert_eq!(ports(&Machine { ports: Some((2, 1)), ..machine() }, NEEDS).status, Status::Unknown);
        assert_eq!(receive(&machine()).status, Status::Warning);
        assert_eq!(receive(&Machine { receive: Some(LITTLE), ..machine() }).status, Status::Ok);
        assert_eq!(receive(&Machine::default()).status, Status::Unknown);
    }

    #[test]
    fn a_clock_before_the_tables_is_wrong() {
        assert_eq!(clock(&machine()).status, Status::Ok);
        assert_eq!(clock(&Machine { today: "2026-09-01".to_owned(), ..machine() }).status, Status::Ok);
        assert_eq!(clock(&Machine { today: "1970-01-01".to_owned(), ..machine() }).status, Status::Fault);
        let services = [Some(true), Some(false), None].map(|synchronised| Machine { synchronised, ..machine() });
        assert_eq!(services.map(|of| synchronised(&of).status), [Status::Ok, Status::Warning, Status::Unknown]);
    }
}
