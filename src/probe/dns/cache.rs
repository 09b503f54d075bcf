//! Answers remembered for as long as they are true, each question asked once however many wait for it.
//! Comes in: a question. Goes out: the shared answer, remembered or asked for.
//! Bounded in bytes. A failure is remembered too, so that a zone in trouble is not asked again by each who comes by.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Lookup, Told};
use crate::model::dns::{Answer, Data, Question};
use crate::model::observed::Observed;
use crate::model::words::Cause;
use crate::probe::memo::{Memo, Size};
use crate::probe::outcomes::{ANSWERS, Counters};

/// How long records are remembered: by their TTL, within these bounds. The lower one keeps a run's facts about a name from
/// changing between two targets that lead to it.
const RECORDS: (u32, u32) = (300, 86_400);
/// The same for denials: the upper bound is the lowest that RFC 2308 §5 recommends.
const DENIALS: (u32, u32) = (60, 3_600);
/// For how many seconds a failure is remembered at most (RFC 9520 §3.2).
const FAILURE: u32 = 300;
/// The same for a failure on our side, which says nothing of the name and may be over soon (RFC 9520 §3.2 wants a second).
const OUR_FAILURE: u32 = 1;
/// Bytes of an entry, as far as the memory plans ahead.
const EACH: u64 = 200;

/// An answer and until when it is remembered.
#[derive(Debug)]
pub struct Remembered {
    /// The answer.
    pub answer: Answer<Data>,
    until: Instant,
}

impl Remembered {
    fn new(told: Told, now: Instant, failures: Duration) -> Self {
        let seconds = Duration::from_secs(lifetime(&told).into());
        let lifetime = if matches!(told.answer, Observed::Failed(_)) { seconds.min(failures) } else { seconds };
        Self { answer: told.answer, until: now + lifetime }
    }
}

impl Size for Remembered {
    fn size(&self) -> usize {
        self.answer.size() + size_of::<Instant>()
    }
}

/// For how many seconds an answer is remembered.
fn lifetime(told: &Told) -> u32 {
    match &told.answer {
        Observed::Seen(_) => told.ttl.clamp(RECORDS.0, RECORDS.1),
        Observed::Absent(_) => told.ttl.clamp(DENIALS.0, DENIALS.1),
        Observed::Failed(failure) if matches!(failure.cause, Cause::ResolverDown | Cause::SelfFault) => OUR_FAILURE,
        Observed::Failed(_) | Observed::NotAsked(_) => FAILURE,
    }
}

/// A memory of answers in front of something that finds them out.
#[derive(Debug)]
pub struct Cache<L> {
    lookup: L,
    memo: Memo<Question, Remembered>,
    failures: Duration,
    answered: Counters<{ ANSWERS.len() }>,
}

impl<L: Lookup> Cache<L> {
    /// An empty memory of at most this many bytes, which forgets failures after this time: a later pass shall ask again.
    pub fn new(lookup: L, bytes: u64, failures: Duration) -> Self {
        Self { lookup, memo: Memo::new(bytes, EACH), failures, answered: Counters::default() }
    }

    /// What is asked where nothing is remembered.
    pub const fn lookup(&self) -> &L {
        &self.lookup
    }

    /// The answer, remembered or asked for.
    pub async fn ask(&self, question: &Question) -> Arc<Remembered> {
        let ask = async || {
            let told = self.lookup.tell(question).await;
            self.answered.answered(&told.answer);
            Remembered::new(told, Instant::now(), self.failures)
        };
        self.memo.get_fresh(question, |remembered| Instant::now() < remembered.until, ask).await
    }

    /// How often a question was met, and how often it had to be asked.
    pub fn counts(&self) -> (u64, u64) {
        self.memo.counts()
    }

    /// What those that were asked came to, in the order of [`ANSWERS`].
    pub fn outcomes(&self) -> [u64; ANSWERS.len()] {
        self.answered.all()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Zone;
    use super::*;
    use crate::model::dns::RecordType;
    use crate::model::name::Name;

    fn question(text: &str) -> Question {
        Question { name: Name::trusted(text.into()), kind: RecordType::A }
    }

    #[tokio::test]
    async fn each_question_is_asked_once_a_failure_too() {
        let zone = Zone::parse("there.example A 192.0.2.1\nsick.example * !servfail").unwrap();
        let cache = Arc::new(Cache::new(zone, 1 << 20, Duration::MAX));
        let askers = (0..300).map(|number| {
            let cache = Arc::clone(&cache);
            tokio::spawn(async move {
                let text = ["there.example", "sick.example", "not.example"][number % 3];
                cache.ask(&question(text)).await.answer.clone()
            })
        });
        for asker in askers.collect::<Vec<_>>() {
            asker.await.unwrap();
        }
        assert_eq!((cache.counts(), cache.lookup().asked_in_all()), ((300, 3), 3));
    }

    #[tokio::test]
    async fn what_has_run_out_is_asked_again() {
        let cache = Cache::new(Zone::parse("there.example A 192.0.2.1").unwrap(), 1 << 20, Duration::MAX);
        let there = question("there.example");
        let old = Remembered { answer: Observed::failed(Cause::Timeout), until: Instant::now() };
        cache.memo.get(&there, async { old }).await;
        assert!(cache.ask(&there).await.answer.seen().is_some());
        assert!(cache.ask(&there).await.answer.seen().is_some());
        assert_eq!(cache.lookup().asked(&there), 1);
    }

    #[test]
    fn lifetimes_keep_to_their_bounds() {
        let told = |answer: Answer<Data>, ttl| lifetime(&Told { ttl, ..Told::plainly(answer) });
        let seen = || {
            let records = crate::model::dns::Records { values: vec![], aliases: vec![], ttl: 0, authentic: false };
            Observed::Seen(records)
        };
        let how = crate::model::observed::Denial::Nxdomain;
        let absent = || Observed::Absent(crate::model::observed::Absence { how, zone: None, aliases: vec![] });
        assert_eq!([told(seen(), 0), told(seen(), 4_000), told(seen(), u32::MAX)], [300, 4_000, 86_400]);
        assert_eq!([told(absent(), 0), told(absent(), 900), told(absent(), 86_400)], [60, 900, 3_600]);
        assert_eq!(told(Observed::failed(Cause::Servfail), 0), 300);
        assert_eq!(told(Observed::failed(Cause::ResolverDown), 0), OUR_FAILURE);
    }
}
