//! Whether the servers behind some of a domain's exchanges accept connections.
//! Comes in: routes. Goes out: open, dead for a cause, or not known.
//! Dead is only what was tried to its end; what nobody dialled may be alive.

use crate::model::evidence::{Exchange, Host, Route, is_address_text};
use crate::model::words::{Cause, ConnectStatus};

/// Whether the servers behind some routes accept connections.
#[derive(Default)]
pub(super) struct Reach {
    pub(super) open: bool,
    /// Some server was not tried, or not to its end.
    pub(super) unsure: bool,
    /// Why some exchange's addresses are not all known.
    pub(super) unresolved: Option<Cause>,
    /// What became of the first dead one.
    pub(super) cause: Option<Cause>,
}

impl Reach {
    pub(super) fn of<'r>(routes: impl Iterator<Item = &'r Route>) -> Self {
        let mut reach = Self::default();
        for route in routes {
            reach.unresolved = reach.unresolved.or_else(|| unresolved(route.exchange.as_deref()?));
            route.hosts.iter().filter(|host| host.special.is_none()).for_each(|host| reach.host(host));
        }
        reach
    }

    fn host(&mut self, host: &Host) {
        let dead = match host.session.connect {
            // A reset comes from somebody who had accepted.
            ConnectStatus::Open | ConnectStatus::Reset => return self.open = true,
            ConnectStatus::Timeout => Cause::ConnectTimeout,
            ConnectStatus::Refused => Cause::ConnectRefused,
            ConnectStatus::Unreachable => Cause::ConnectUnreachable,
            ConnectStatus::Special => return,
            ConnectStatus::Excluded | ConnectStatus::SelfFault | ConnectStatus::NotAsked => {
                return self.unsure = true;
            }
        };
        self.cause.get_or_insert(dead);
    }

    pub(super) const fn is_dead(&self) -> bool {
        self.cause.is_some() && !self.open && !self.unsure && self.unresolved.is_none()
    }
}

/// Why not all addresses of an exchange are known; None for what never has any.
fn unresolved(exchange: &Exchange) -> Option<Cause> {
    let addresses = &exchange.addresses;
    let named = !exchange.name.is_root() && !is_address_text(&exchange.name);
    addresses.v4.unknown().or_else(|| addresses.v6.unknown()).filter(|_| named)
}
