//! What another try, some time later, may show otherwise.
//! Comes in: evidence. Goes out: whether it is worth one. Pure: the rules do not ask this, only who probes does.
//! Worth it is what was put off or did not answer in time (greylisting, 421, SERVFAIL), and every fault of ours. What refuses
//! for good is not asked twice, nor is a tarpit (RFC 5321 §4.5.4.1 retries 4yz and timeouts, §4.2.1 not 5yz).

use super::dns::{Addresses, Answer};
use super::dnsbl::Listing;
use super::evidence::{Evidence, Exchange, Host};
use super::observed::Observed;
use super::smtp::Session;
use super::words::{Cause, ConnectStatus, SmtpStatus};

impl Cause {
    /// Whether the fault is ours or our machine's: it says nothing about the other side.
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::SelfFault | Self::ResolverDown | Self::OutOfSockets | Self::NoRoute | Self::PortBlocked)
    }
}

/// Whether a question failed for a cause that may pass: what does not validate is a fact, and a filter stays.
fn failed<T>(answer: &Answer<T>) -> bool {
    matches!(answer, Observed::Failed(failure) if !matches!(failure.cause, Cause::Bogus | Cause::Filtered))
}

fn any_failed(addresses: &Addresses) -> bool {
    failed(&addresses.v4) || failed(&addresses.v6)
}

impl Listing {
    /// Whether the list could not be asked by a fault of ours. One that does not answer is tested, and left out where it has gone.
    pub fn may_change(&self) -> bool {
        matches!(&self.codes, Observed::Failed(failure) if failure.cause.is_ours())
    }
}

impl Session {
    /// Whether a later session may go otherwise.
    pub fn may_change(&self) -> bool {
        match self.connect {
            ConnectStatus::Timeout | ConnectStatus::Reset | ConnectStatus::SelfFault => true,
            ConnectStatus::NotAsked => self.was_put_off(),
            ConnectStatus::Open => match self.status {
                SmtpStatus::NoGreeting | SmtpStatus::Deferred | SmtpStatus::Closed | SmtpStatus::Reset => true,
                SmtpStatus::Deadline => self.cause != Some(Cause::Tarpit),
                SmtpStatus::Ok
                | SmtpStatus::Rejected
                | SmtpStatus::Protocol
                | SmtpStatus::TooLong
                | SmtpStatus::NotAsked => false,
            },
            ConnectStatus::Refused | ConnectStatus::Unreachable | ConnectStatus::Excluded | ConnectStatus::Special => {
                false
            }
        }
    }

    /// Whether no connection was made although one was meant: it was not the time for it.
    pub const fn was_put_off(&self) -> bool {
        matches!(self.cause, Some(Cause::TurnedAway | Cause::PortBlocked))
            && matches!(self.connect, ConnectStatus::NotAsked | ConnectStatus::SelfFault)
    }
}

impl Host {
    /// Whether asking the server again may show something else.
    pub fn may_change(&self) -> bool {
        failed(&self.ptr)
            || self.forward.iter().any(|forward| failed(&forward.addresses))
            || any_failed(&self.introduced.addresses)
            || failed(&self.introduced.mx)
            || self.listings.iter().chain(self.domains.iter().map(|domain| &domain.listing)).any(Listing::may_change)
            || self.session.may_change()
    }
}

impl Exchange {
    /// Whether resolving it again may show something else.
    pub fn may_change(&self) -> bool {
        any_failed(&self.addresses) || failed(&self.organisation)
    }
}

impl Evidence {
    /// Whether a later pass over the target may show something else.
    pub fn may_change(&self) -> bool {
        self.mx.as_ref().is_some_and(failed)
            || self.routes.iter().any(|route| {
                route.exchange.as_ref().is_some_and(|exchange| exchange.may_change())
                    || route.hosts.iter().any(|host| host.may_change())
            })
    }
}

#[cfg(test)]
mod tests {
    use super::ConnectStatus::{NotAsked, Open, Refused, SelfFault, Timeout};
    use super::*;

    #[test]
    fn what_is_put_off_is_tried_again_and_what_refuses_is_not() {
        let session = |connect, status, cause| Session { status, cause, ..Session::none(25, connect) };
        for (connect, status, cause, again) in [
            (Open, SmtpStatus::Ok, None, false),
            (Open, SmtpStatus::Deferred, Some(Cause::Deferred), true),
            (Open, SmtpStatus::Rejected, Some(Cause::Rejected), false),
            (Open, SmtpStatus::Deadline, Some(Cause::Deadline), true),
            (Open, SmtpStatus::Deadline, Some(Cause::Tarpit), false),
            (Open, SmtpStatus::NoGreeting, Some(Cause::GreetingNone), true),
            (Open, SmtpStatus::Protocol, None, false),
            (Timeout, SmtpStatus::NotAsked, Some(Cause::ConnectTimeout), true),
            (Refused, SmtpStatus::NotAsked, Some(Cause::ConnectRefused), false),
            (SelfFault, SmtpStatus::NotAsked, Some(Cause::OutOfSockets), true),
            (NotAsked, SmtpStatus::NotAsked, Some(Cause::NotAsked), false),
            (NotAsked, SmtpStatus::NotAsked, Some(Cause::TurnedAway), true),
        ] {
            assert_eq!(session(connect, status, cause).may_change(), again, "{connect} {status} {cause:?}");
        }
        assert!(failed(&Answer::<std::net::IpAddr>::failed(Cause::Servfail)));
        assert!(!failed(&Answer::<std::net::IpAddr>::failed(Cause::Bogus)));
        assert!(!failed(&Answer::<std::net::IpAddr>::NotAsked(Cause::NotAsked)));
    }
}
