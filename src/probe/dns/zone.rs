//! A resolver for tests: a world of records written as text.
//! Comes in: a table, one record a line. Goes out: the answers a recursive resolver would give for it, at once.
//! It follows aliases and denies as the RFCs say, so that a test reads as a zone and nothing else has to be pretended.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use super::reply::{ALIASES, text};
use super::{Error, Lookup};
use crate::model::dns::{Answer, Data, Mx, Question, RecordType, Records};
use crate::model::name::Name;
use crate::model::observed::{Absence, Denial, Failure, Observed};
use crate::model::words::Cause;

/// A fixture: names, their records, and what is wrong with them.
///
/// Each line is `name type data`; `;` starts a comment. Types are those of [`RecordType`] and `CNAME`. `!cause` in place of
/// the data (or `!cause words`) makes the question fail with that [`Cause`] or be denied with that [`Denial`]; with `*` as
/// type every question about the name does. A first label `*` is a wildcard (RFC 4592). Names that nothing is said about
/// do not exist; the owner of the closest SOA above says so.
///
/// ```
/// # use mxcensus::probe::dns::Zone;
/// let world = Zone::parse("
///     example.org      SOA    ns.example.org
///     example.org      MX     10 mx.example.org
///     mx.example.org   A      192.0.2.25       ; no AAAA: denied as NODATA
///     www.example.org  CNAME  mx.example.org
///     sick.example.org *      !servfail EDE 22: no reachable authority
/// ");
/// assert!(world.is_ok());
/// ```
#[derive(Debug, Default)]
pub struct Zone {
    /// In the order of reversed labels, so that a name stands right before what is below it.
    names: BTreeMap<Vec<Vec<u8>>, Node>,
    asked: Mutex<HashMap<Question, u32>>,
}

#[derive(Debug, Default)]
struct Node {
    data: Vec<Data>,
    alias: Option<Name>,
    /// By type; None is every type.
    wrong: HashMap<Option<RecordType>, Wrong>,
}

#[derive(Debug, Clone)]
enum Wrong {
    Denied(Denial),
    Failed(Failure),
}

impl Zone {
    /// Reads the table.
    pub fn parse(table: &str) -> Result<Self, Error> {
        let mut zone = Self::default();
        for (line, record) in (1..).zip(table.lines()) {
            zone.record(record).map_err(|why| Error::Zone { line, why })?;
        }
        Ok(zone)
    }

    /// How often a question was asked.
    pub fn asked(&self, question: &Question) -> u32 {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).get(question).copied().unwrap_or(0)
    }

    /// How many questions were asked, repeated ones included.
    pub fn asked_in_all(&self) -> u32 {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }

    fn record(&mut self, line: &str) -> Result<(), &'static str> {
        let line = line.split(';').next().unwrap_or_default().trim();
        if line.is_empty() {
            return Ok(());
        }
        let (owner, rest) = line.split_once(char::is_whitespace).ok_or("a name without a type")?;
        let (kind, value) = rest.trim().split_once(char::is_whitespace).ok_or("a type without data")?;
        let value = value.trim();
        let node = self.names.entry(key(&name(owner)?)).or_default();
        let known = RecordType::ALL.iter().copied().find(|known| known.as_str().eq_ignore_ascii_case(kind));
        if let Some(wrong) = value.strip_prefix('!') {
            if known.is_none() && kind != "*" {
                return Err("an unknown type");
            }
            node.wrong.insert(known, Wrong::parse(wrong)?);
        } else if kind.eq_ignore_ascii_case("CNAME") {
            node.alias = Some(name(value)?);
        } else {
            node.data.push(data(known.ok_or("an unknown type")?, value)?);
        }
        Ok(())
    }

    fn answer(&self, question: &Question) -> Answer<Data> {
        let mut aliases: Vec<Name> = Vec::new();
        loop {
            let last = aliases.last().unwrap_or(&question.name);
            let absent = |how, aliases| Observed::Absent(Absence { how, zone: self.closest(last), aliases });
            let node = match self.find(last) {
                Ok(node) => node,
                Err(how) => return absent(how, aliases.clone()),
            };
            match node.wrong.get(&Some(question.kind)).or_else(|| node.wrong.get(&None)) {
                Some(Wrong::Failed(failure)) => return Observed::Failed(failure.clone()),
                Some(Wrong::Denied(how)) => return absent(*how, aliases.clone()),
                None => {}
            }
            let values: Vec<Data> = node.data.iter().filter(|data| kind(data) == question.kind).cloned().collect();
            if !values.is_empty() {
                return Observed::Seen(Records { values, aliases, ttl: 300, authentic: false });
            }
            let Some(target) = &node.alias else {
                return absent(Denial::Nodata, aliases.clone());
            };
            if aliases.len() == ALIASES || *target == question.name || aliases.contains(target) {
                return Observed::Absent(Absence { how: Denial::AliasLoop, zone: None, aliases });
            }
            aliases.push(target.clone());
        }
    }

    /// What stands at a name, or by a wildcard for it.
    fn find(&self, name: &Name) -> Result<&Node, Denial> {
        let mut at = key(name);
        if let Some(node) = self.names.get(&at) {
            return Ok(node);
        }
        if self.has_below(&at) {
            return Err(Denial::Nodata);
        }
        while at.pop().is_some() {
            // The closest name that exists: its wildcard speaks for all below it (RFC 4592 §3.3.1).
            let encloser = self.has_below(&at);
            at.push(b"*".to_vec());
            if let Some(node) = self.names.get(&at) {
                return Ok(node);
            }
            at.pop();
            if encloser {
                break;
            }
        }
        Err(Denial::Nxdomain)
    }

    /// Whether a name exists, be it only by what is below it (RFC 8020).
    fn has_below(&self, at: &[Vec<u8>]) -> bool {
        self.names.range(at.to_vec()..).next().is_some_and(|(other, _)| other.starts_with(at))
    }

    /// The zone that a name belongs to: the owner of the closest SOA.
    fn closest(&self, name: &Name) -> Option<Name> {
        std::iter::successors(Some(name.clone()), Name::parent).find(|owner| {
            let node = self.names.get(&key(owner));
            node.is_some_and(|node| node.data.iter().any(|data| matches!(data, Data::Soa(_))))
        })
    }
}

impl Lookup for Zone {
    async fn lookup(&self, question: &Question) -> Answer<Data> {
        // As a resolver would, let others go first.
        tokio::task::yield_now().await;
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner).entry(question.clone()).or_default() += 1;
        self.answer(question)
    }
}

impl Wrong {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let (word, detail) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let detail = Some(detail.trim()).filter(|detail| !detail.is_empty()).map(Box::from);
        let denial = Denial::ALL.iter().find(|denial| denial.as_str() == word).copied().map(Self::Denied);
        let cause = Cause::ALL.iter().find(|cause| cause.as_str() == word).copied();
        denial
            .or_else(|| cause.map(|cause| Self::Failed(Failure { detail, ..Failure::of(cause) })))
            .ok_or("an unknown cause")
    }
}

/// Names of a fixture may be as odd as those on the wire: only the final dot and the case are made regular.
fn name(text: &str) -> Result<Name, &'static str> {
    let bare = text.strip_suffix('.').unwrap_or(text);
    let printable = bare.bytes().all(|byte| byte.is_ascii_graphic()) && !bare.ends_with('.');
    printable.then(|| Name::trusted(bare.to_ascii_lowercase())).ok_or("a name that is none")
}

fn key(name: &Name) -> Vec<Vec<u8>> {
    let mut labels: Vec<Vec<u8>> = name.labels().collect();
    labels.reverse();
    labels
}

fn data(kind: RecordType, value: &str) -> Result<Data, &'static str> {
    Ok(match kind {
        RecordType::A => Data::A(value.parse().map_err(|_| "no IPv4 address")?),
        RecordType::Aaaa => Data::Aaaa(value.parse().map_err(|_| "no IPv6 address")?),
        RecordType::Mx => {
            let (preference, exchange) = value.split_once(char::is_whitespace).ok_or("an MX without a preference")?;
            let preference = preference.parse().map_err(|_| "an MX without a preference")?;
            Data::Mx(Mx { preference, exchange: name(exchange.trim())? })
        }
        RecordType::Ptr => Data::Ptr(name(value)?),
        RecordType::Ns => Data::Ns(name(value)?),
        RecordType::Soa => Data::Soa(name(value)?),
        RecordType::Txt => Data::Txt(text([value.trim_matches('"').as_bytes()])),
    })
}

const fn kind(data: &Data) -> RecordType {
    match data {
        Data::A(_) => RecordType::A,
        Data::Aaaa(_) => RecordType::Aaaa,
        Data::Mx(_) => RecordType::Mx,
        Data::Ptr(_) => RecordType::Ptr,
        Data::Txt(_) => RecordType::Txt,
        Data::Ns(_) => RecordType::Ns,
        Data::Soa(_) => RecordType::Soa,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        super::name(text).unwrap()
    }

    const WORLD: &str = r#"
        ; a comment, and an empty line

        example            SOA    ns.example
        example            MX     10 mx.example.
        mx.example         A      192.0.2.25
        mx.example         AAAA   2001:db8::25   ; with a comment
        www.EXAMPLE        CNAME  mx.example
        round.example      CNAME  trip.example
        trip.example       CNAME  round.example
        dead.example       CNAME  nothing.example
        sick.example       *      !servfail EDE 22: no reachable authority
        half.example       A      192.0.2.26
        half.example       AAAA   !timeout
        forced.example     A      !nxdomain
        *.dyn.example      PTR    pool.example
        a.b.deep.example   TXT    "listed, see there"
    "#;

    async fn ask(zone: &Zone, text: &str, kind: RecordType) -> Answer<Data> {
        zone.lookup(&Question { name: name(text), kind }).await
    }

    fn absent(how: Denial, aliases: &[&str]) -> Answer<Data> {
        let zone = Some(name("example"));
        Observed::Absent(Absence { how, zone, aliases: aliases.iter().map(|text| name(text)).collect() })
    }

    #[tokio::test]
    async fn records_aliases_and_denials_are_those_of_a_resolver() {
        let zone = Zone::parse(WORLD).unwrap();
        let mx = ask(&zone, "example", RecordType::Mx).await;
        assert_eq!(mx.seen().unwrap().values, [Data::Mx(Mx { preference: 10, exchange: name("mx.example") })]);
        let www = ask(&zone, "www.example", RecordType::Aaaa).await;
        assert_eq!(www.seen().unwrap().aliases, [name("mx.example")]);
        assert_eq!(ask(&zone, "www.example", RecordType::Mx).await, absent(Denial::Nodata, &["mx.example"]));
        assert_eq!(ask(&zone, "none.example", RecordType::A).await, absent(Denial::Nxdomain, &[]));
        assert_eq!(ask(&zone, "dead.example", RecordType::A).await, absent(Denial::Nxdomain, &["nothing.example"]));
        assert_eq!(ask(&zone, "b.deep.example", RecordType::A).await, absent(Denial::Nodata, &[]));
        assert_eq!(ask(&zone, "forced.example", RecordType::A).await, absent(Denial::Nxdomain, &[]));
        let round = ask(&zone, "round.example", RecordType::A).await;
        assert_eq!(round.absent().unwrap().how, Denial::AliasLoop);
        let outside = ask(&zone, "example.org", RecordType::A).await;
        assert_eq!(outside.absent().unwrap().zone, None);
    }

    #[tokio::test]
    async fn failures_hit_the_name_or_one_type() {
        let zone = Zone::parse(WORLD).unwrap();
        let detail = Some("EDE 22: no reachable authority".into());
        let sick = Observed::Failed(Failure { detail, ..Failure::of(Cause::Servfail) });
        assert_eq!(ask(&zone, "sick.example", RecordType::Mx).await, sick);
        assert_eq!(ask(&zone, "half.example", RecordType::Aaaa).await, Observed::failed(Cause::Timeout));
        assert!(ask(&zone, "half.example", RecordType::A).await.seen().is_some());
    }

    #[tokio::test]
    async fn a_wildcard_speaks_for_what_does_not_exist() {
        let zone = Zone::parse(WORLD).unwrap();
        for text in ["1.dyn.example", "1.2.3.dyn.example"] {
            assert!(ask(&zone, text, RecordType::Ptr).await.seen().is_some(), "{text}");
        }
        assert_eq!(ask(&zone, "dyn.example", RecordType::Ptr).await, absent(Denial::Nodata, &[]));
    }

    #[tokio::test]
    async fn questions_are_counted() {
        let zone = Zone::parse(WORLD).unwrap();
        let question = Question { name: name("example"), kind: RecordType::Mx };
        zone.lookup(&question).await;
        zone.lookup(&question).await;
        assert_eq!((zone.asked(&question), zone.asked_in_all()), (2, 2));
    }

    #[test]
    fn a_bad_line_is_named() {
        for (line, why) in [
            ("alone", "a name without a type"),
            ("a A", "a type without data"),
            ("a A 1.2.3", "no IPv4 address"),
            ("a AAAA 1.2.3.4", "no IPv6 address"),
            ("a MX mx.example", "an MX without a preference"),
            ("a PTR ä.example", "a name that is none"),
            ("a LOC here", "an unknown type"),
            ("a LOC !timeout", "an unknown type"),
            ("a A !tired", "an unknown cause"),
        ] {
            let error = Zone::parse(&format!("\n{line}")).unwrap_err();
            assert_eq!(error.to_string(), format!("zone line 2: {why}"));
        }
    }
}
