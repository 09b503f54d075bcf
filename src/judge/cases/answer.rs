//! Answers as cases write them.
//! Comes in: one text, and the key it stands under. Goes out: the observation, or what is wrong with which key.
//! What one answer entails for another type or family is told here too.

use std::net::IpAddr;

use super::super::scene::{ip, name, nodata, seen};
use crate::model::dns::{Addresses, Answer, Mx, Records};
use crate::model::name::Name;
use crate::model::observed::{Absence, Denial, Failure, Observed};
use crate::model::words::Cause;

/// What could be read, or what is wrong with which key.
pub(super) type Read<T> = Result<T, String>;

/// An answer as cases write it: `198.51.100.7, 10.0.0.1`, `nxdomain`, `nodata by lab.test`, `servfail`, `not-asked`,
/// `alias mx.lab.test -> 198.51.100.7`.
pub(super) fn answer<T>(key: &str, text: &str, value: impl Fn(&str) -> Option<T>) -> Read<Answer<T>> {
    let (aliases, text) = match text.strip_prefix("alias ").map(|rest| rest.split_once(" -> ")) {
        Some(Some((aliases, rest))) => (aliases.split(", ").map(name).collect(), rest),
        Some(None) => return Err(format!("{key}: {text:?} does not say what the alias leads to")),
        None => (Vec::new(), text),
    };
    let (word, zone) = text.split_once(" by ").map_or((text, None), |(word, zone)| (word, Some(zone)));
    let zone = zone.map(|zone| if zone == "." { Name::root() } else { name(zone) });
    if let Some(how) = Denial::ALL.iter().copied().find(|denial| denial.as_str() == word) {
        return Ok(Observed::Absent(Absence { how, zone, aliases }));
    }
    let cause = Cause::ALL.iter().copied().find(|cause| cause.as_str() == text);
    match cause {
        Some(cause @ (Cause::NotAsked | Cause::Excluded | Cause::SpecialAddress)) => {
            return Ok(Observed::NotAsked(cause));
        }
        Some(cause) => return Ok(Observed::Failed(Failure::of(cause))),
        None => {}
    }
    let values: Option<Vec<T>> = text.split(", ").map(value).collect();
    let values = values.ok_or_else(|| format!("{key}: {text:?} is no answer"))?;
    Ok(Observed::Seen(Records { values, aliases, ttl: 300, authentic: false }))
}

pub(super) fn parsed<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

pub(super) fn record(text: &str) -> Option<Mx> {
    let (preference, exchange) = text.split_once(' ')?;
    let exchange = if exchange == "." { Name::root() } else { name(exchange) };
    Some(Mx { preference: preference.parse().ok()?, exchange })
}

/// The same denial or failure for another type; nothing where there are records.
fn likewise<T, U>(answer: &Answer<T>) -> Answer<U> {
    match answer {
        Observed::Seen(_) => nodata(),
        Observed::Absent(absence) => Observed::Absent(absence.clone()),
        Observed::Failed(failure) => Observed::Failed(failure.clone()),
        Observed::NotAsked(cause) => Observed::NotAsked(*cause),
    }
}

pub(super) fn both(key: &str, a: Option<&String>, aaaa: Option<&String>, usual: Addresses) -> Read<Addresses> {
    let v4 = a.map(|text| answer(&format!("{key}.a"), text, parsed)).transpose()?;
    let v6 = aaaa.map(|text| answer(&format!("{key}.aaaa"), text, parsed)).transpose()?;
    Ok(match (v4, v6) {
        (None, None) => usual,
        (Some(v4), None) => Addresses { v6: likewise(&v4), v4 },
        (None, Some(v6)) => Addresses { v4: usual.v4, v6 },
        (Some(v4), Some(v6)) => Addresses { v4, v6 },
    })
}

pub(super) fn is_not_asked(addresses: &Addresses) -> bool {
    matches!(addresses, Addresses { v4: Observed::NotAsked(_), v6: Observed::NotAsked(_) })
}

/// The answer in a peer's own family.
pub(super) fn peers(addresses: &Addresses, peer: IpAddr) -> Answer<IpAddr> {
    let wide = |values: Vec<IpAddr>, aliases: &[Name]| {
        Observed::Seen(Records { values, aliases: aliases.to_vec(), ttl: 300, authentic: false })
    };
    match (peer, addresses) {
        (IpAddr::V4(_), Addresses { v4: Observed::Seen(v4), .. }) => {
            wide(v4.values.iter().copied().map(IpAddr::V4).collect(), &v4.aliases)
        }
        (IpAddr::V6(_), Addresses { v6: Observed::Seen(v6), .. }) => {
            wide(v6.values.iter().copied().map(IpAddr::V6).collect(), &v6.aliases)
        }
        (IpAddr::V4(_), Addresses { v4, .. }) => likewise(v4),
        (IpAddr::V6(_), Addresses { v6, .. }) => likewise(v6),
    }
}

pub(super) fn alone(address: IpAddr) -> Addresses {
    match address {
        IpAddr::V4(v4) => Addresses { v4: seen(vec![v4]), v6: nodata() },
        IpAddr::V6(v6) => Addresses { v4: nodata(), v6: seen(vec![v6]) },
    }
}

#[test]
fn an_answer_is_read_in_every_form_and_nothing_else_is() {
    let of = |text: &str| answer::<IpAddr>("a", text, parsed);
    assert_eq!(of("10.0.0.1, 10.0.0.2").unwrap(), seen(["10.0.0.1", "10.0.0.2"].map(ip).to_vec()));
    assert_eq!(of("servfail").unwrap(), Observed::failed(Cause::Servfail));
    assert_eq!(of("not-asked").unwrap(), Observed::NotAsked(Cause::NotAsked));
    let Observed::Absent(absence) = of("alias x.lab.test -> nxdomain by .").unwrap() else { panic!("it is denied") };
    assert_eq!((absence.aliases, absence.zone), (vec![name("x.lab.test")], Some(Name::root())));
    for wrong in ["", "mail.lab.test", "10.0.0.1,10.0.0.2", "alias x", "denied"] {
        assert!(of(wrong).is_err_and(|error| error.starts_with("a: ")), "{wrong}");
    }
}
