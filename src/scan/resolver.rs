//! Whether the resolver is one whose answers mean anything.
//! Comes in: a way to look names up. Goes out: nothing, or why no run can be made with it.
//! Asked before the first target: an answer that is wrong for everybody would become a verdict on everybody.

use super::Error;
use crate::model::dns::{Data, Question, RecordType};
use crate::model::name::Name;
use crate::model::observed::{Failure, Observed};
use crate::model::words::Cause;
use crate::probe::dns::{self, Lookup};

/// A run whose resolver is not there would only produce unknowns: say it once, at once. One that denies everything would
/// make every domain fail, and one that puts its own address in the place of NXDOMAIN would make every name exist.
pub(super) async fn answering<L: Lookup>(lookup: &L, settings: &dns::Settings) -> Result<(), Error> {
    let resolvers = || settings.upstreams.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let root = Question { name: Name::root(), kind: RecordType::Soa };
    let answer: Observed<crate::model::dns::Records<Data>> = lookup.lookup(&root).await;
    if let Some(cause @ (Cause::Timeout | Cause::ResolverDown | Cause::SelfFault)) = answer.unknown() {
        let detail = match &answer {
            Observed::Failed(Failure { detail: Some(detail), .. }) => format!(" ({detail})"),
            _ => String::new(),
        };
        return Err(Error::NoResolver { resolvers: resolvers(), cause, detail });
    }
    if answer.absent().is_some() {
        return Err(Error::DeniesRoot { resolvers: resolvers() });
    }
    // Too long and too random to be registered, in a zone that is signed.
    let name = Name::trusted(format!("mxcensus-{:016x}{:016x}.com", rand::random::<u64>(), rand::random::<u64>()));
    let nobody = Question { name, kind: RecordType::A };
    match lookup.lookup(&nobody).await.seen() {
        Some(records) if !records.values.is_empty() => {
            Err(Error::Invents { resolvers: resolvers(), name: nobody.name })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::dns::{Answer, Records};

    /// Answers every question alike.
    struct Alike(Answer<Data>);

    impl Lookup for Alike {
        async fn lookup(&self, _question: &Question) -> Answer<Data> {
            self.0.clone()
        }
    }

    #[tokio::test]
    async fn a_resolver_that_invents_addresses_is_no_resolver() {
        let settings = dns::Settings::default();
        let values = vec![Data::A([203, 0, 113, 80].into())];
        let records = Records { values, aliases: Vec::new(), ttl: 60, authentic: false };
        let invented = answering(&Alike(Observed::Seen(records)), &settings).await;
        assert!(matches!(invented, Err(Error::Invents { .. })));
        assert!(answering(&Alike(Observed::failed(Cause::Servfail)), &settings).await.is_ok());
        let silent = answering(&Alike(Observed::failed(Cause::Timeout)), &settings).await;
        assert!(matches!(silent, Err(Error::NoResolver { .. })));
    }
}
