//! The lists of a run, as they are asked and watched.
//! Comes in: an address or a domain. Goes out: what each list said of it, and the stretch the answer belongs to.
//! Every list has its pace, its budget of the day and its watch; one that cannot be believed is asked no more.
//! What an answer means is the judge's.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tracing::{debug, info};

use super::entry::Terms;
use super::health::{self, Answers, Test};
use super::ledger::Ledger;
use super::query;
use super::watch::{Account, Belief, FREE, Said, Standing, Stretch, Watch};
use crate::model::clock::now_ms;
use crate::model::dns::{Answer, Pick, Question};
use crate::model::dnsbl::{Health, List, Listing};
use crate::model::name::Name;
use crate::model::observed::Observed;
use crate::model::words::Cause;
use crate::probe::budget::Pace;
use crate::probe::dns::Lookup;

/// Tests of a list that are made in a row, while no resolver answers, before the list is left out.
const CUT_OFF: u32 = 20;

/// What lists said of one thing, and the stretch of each answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sayings {
    /// The answers.
    pub listings: Vec<Listing>,
    /// The stretch of each, in the same order.
    pub stretches: Vec<Stretch>,
}

impl Sayings {
    /// Whether a fault of ours has kept a list from being asked, so that a later pass has to ask again.
    pub fn may_change(&self) -> bool {
        self.listings.iter().any(Listing::may_change)
    }
}

/// The lists of a run.
pub struct Panel {
    members: Vec<Member>,
    ledger: Option<Ledger>,
    due: Notify,
    questions: AtomicU64,
}

/// One list.
struct Member {
    list: List,
    terms: Terms,
    pace: Pace,
    /// Whether it is asked about IPv6 addresses: what its table says, until its test says otherwise.
    six: AtomicBool,
    watch: Mutex<Watch>,
}

impl fmt::Debug for Panel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.members.iter().map(|member| &member.list.shown);
        f.debug_list().entries(shown).finish()
    }
}

impl Member {
    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().expect("no holder of this lock can panic")
    }

    fn is_off(&self) -> bool {
        self.watch().off().is_some()
    }
}

impl Panel {
    /// The lists with their terms, at most this many questions a second each; 0 is unlimited.
    pub fn new(lists: &[List], terms: &[Terms], rate: f64, ledger: Option<Ledger>) -> Self {
        let members = lists.iter().enumerate().map(|(at, list)| {
            let rate = list.rate.map_or(rate, |own| if rate > 0.0 { rate.min(f64::from(own)) } else { 0.0 });
            Member {
                list: list.clone(),
                terms: terms.get(at).cloned().unwrap_or_default(),
                pace: Pace::per_second(rate),
                six: AtomicBool::new(list.ipv6),
                watch: Mutex::new(Watch::new(Instant::now())),
            }
        });
        Self { members: members.collect(), ledger, due: Notify::new(), questions: AtomicU64::new(0) }
    }

    /// Questions sent so far, tests included.
    pub fn questions(&self) -> u64 {
        self.questions.load(Ordering::Relaxed)
    }

    /// Whether any list here is one of domain names.
    pub fn has_names(&self) -> bool {
        self.members.iter().any(|member| member.list.names)
    }

    /// What the lists of addresses say of an address.
    pub async fn address(&self, lookup: &impl Lookup, address: IpAddr) -> Sayings {
        let six = address.to_canonical().is_ipv6();
        self.sayings(lookup, |member| {
            let served = !six || member.six.load(Ordering::Relaxed);
            (!member.list.names).then(|| query::name(&member.list, address).filter(|_| served))
        })
        .await
    }

    /// What the lists of domain names say of a domain.
    pub async fn domain(&self, lookup: &impl Lookup, domain: &Name) -> Sayings {
        self.sayings(lookup, |member| {
            let list = &member.list;
            list.names.then(|| query::below(domain.as_str(), &list.zone))
        })
        .await
    }

    /// Asks each list that `about` gives a question for. What it leaves out has no listing; what has no question is not asked.
    async fn sayings(&self, lookup: &impl Lookup, about: impl Fn(&Member) -> Option<Option<Name>>) -> Sayings {
        let asked = self.members.iter().enumerate().filter_map(|(at, member)| about(member).map(|name| (at, name)));
        let asked = asked.map(|(at, name)| async move {
            match name {
                Some(name) => self.listing(lookup, at, name).await,
                None => (listing(at, Observed::NotAsked(Cause::NotAsked)), FREE),
            }
        });
        let (listings, stretches) = join_all(asked).await.into_iter().unzip();
        Sayings { listings, stretches }
    }

    /// One list's answer for one name, and after a hit its reason: that is for people, and asked once.
    async fn listing(&self, lookup: &impl Lookup, at: usize, name: Name) -> (Listing, Stretch) {
        let Some(member) = self.members.get(at) else {
            return (listing(at, Observed::NotAsked(Cause::NotAsked)), FREE);
        };
        let codes: Answer<Ipv4Addr> = match self.ask(lookup, at, name.clone()).await {
            Ok(codes) => codes,
            Err(cause) => return (listing(at, Observed::NotAsked(cause)), FREE),
        };
        let (stretch, due) = member.watch().note(query::said(&codes, &member.list), now_ms());
        if due {
            self.due.notify_one();
        }
        let mut listing = listing(at, codes);
        if query::hit(&listing.codes, &member.list) {
            let reason = self.ask(lookup, at, name).await.unwrap_or_else(Observed::NotAsked);
            listing.reason = reason_without_key(reason, &member.list);
        }
        (listing, stretch)
    }

    /// One question at the list's pace, within its budget; or why it is not asked.
    async fn ask<T: Pick>(&self, lookup: &impl Lookup, at: usize, name: Name) -> Result<Answer<T>, Cause> {
        let member = self.members.get(at).ok_or(Cause::NotAsked)?;
        if member.is_off() {
            return Err(Cause::ListUnhealthy);
        }
        if let Some(ledger) = &self.ledger
            && !ledger.take(at).await
        {
            member.watch().over_budget();
            return Err(Cause::BudgetSpent);
        }
        let turns = member.watch().turns();
        for _ in 0..turns {
            member.pace.turn().await;
        }
        // It may have been found out while this waited for its turn.
        if member.is_off() {
            return Err(Cause::ListUnhealthy);
        }
        self.questions.fetch_add(1, Ordering::Relaxed);
        member.watch().asked();
        Ok(without_key(lookup.lookup(&Question { name, kind: T::KIND }).await.typed(), &member.list))
    }

    /// Tests every list before the run asks anything else: its health, in the order of the lists.
    pub async fn first_test(&self, lookup: &impl Lookup) -> Vec<Health> {
        let tested = self.members.iter().enumerate().map(|(at, member)| async move {
            let health = self.test(lookup, at).await;
            if health == Health::Healthy
                && let Some(question) = health::test_of_six(&member.list)
            {
                let answer = self.test_question(lookup, at, &question).await;
                // Silence says nothing: what is then asked and not answered is unknown.
                let six = answer.unknown().is_some() || health::has_six(&member.list, &answer);
                member.six.store(six, Ordering::Relaxed);
            }
            health
        });
        let health = join_all(tested).await;
        // So that a state file that cannot be used is known before the run, not after it.
        if let Some(ledger) = &self.ledger {
            ledger.close().await;
        }
        health
    }

    /// The lists as they serve in this run, for the judge and for whoever keeps evidence: one whose IPv6 part has no test
    /// entry serves IPv4 only, and the zone is the one that may be shown.
    pub fn lists(&self) -> Arc<[List]> {
        let served = self.members.iter().map(|member| {
            let ipv6 = member.list.ipv6 && member.six.load(Ordering::Relaxed);
            let zone = Name::trusted(member.list.shown.to_ascii_lowercase());
            List { zone, ipv6, ..member.list.clone() }
        });
        served.collect()
    }

    /// Waits until an answer makes a test due before its time.
    pub async fn attention(&self) {
        self.due.notified().await;
    }

    /// When the next test is due; None while nothing is open.
    pub fn next_due(&self) -> Option<Instant> {
        self.members.iter().filter_map(|member| member.watch().due()).min()
    }

    /// Tests the lists whose test is due now.
    pub async fn test_due(&self, lookup: &impl Lookup) {
        let now = Instant::now();
        self.test_those(lookup, |watch| watch.due().is_some_and(|due| due <= now)).await;
    }

    /// Tests every list with answers that no test has settled.
    pub async fn test_open(&self, lookup: &impl Lookup) {
        self.test_those(lookup, Watch::is_open).await;
    }

    async fn test_those(&self, lookup: &impl Lookup, which: impl Fn(&Watch) -> bool) {
        let those = self.members.iter().enumerate().filter(|(_, member)| which(&member.watch()));
        join_all(those.map(|(at, _)| self.test(lookup, at))).await;
    }

    /// One test of one list. A list that was good until now is asked again before its silence is believed.
    async fn test(&self, lookup: &impl Lookup, at: usize) -> Health {
        let Some(member) = self.members.get(at) else { return Health::Silent(Cause::NotAsked) };
        let good_so_far = {
            let mut watch = member.watch();
            watch.begin(Instant::now());
            watch.standing() != Standing::default()
        };
        let mut health = self.tested(lookup, at, member).await;
        let mut again = u32::from(good_so_far);
        while matches!(health, Health::Silent(_)) && again > 0 {
            // As long as nobody answers us at all, its silence is not its own.
            again = if lookup.is_cut_off() && again < CUT_OFF { again + 1 } else { 0 };
            health = self.tested(lookup, at, member).await;
        }
        member.watch().end(health.clone(), now_ms());
        if health == Health::Healthy {
            debug!(list = %member.list.shown, "tested: it {health}");
        } else {
            info!(list = %member.list.shown, "tested: it {health}");
        }
        health
    }

    async fn tested(&self, lookup: &impl Lookup, at: usize, member: &Member) -> Health {
        let test = Test::of(&member.list, &member.terms, rand::random());
        let nobody = async {
            match &test.nobody {
                Some(question) => Some(self.test_question(lookup, at, question).await),
                None => None,
            }
        };
        let (mut listed, unlisted, nobody) = tokio::join!(
            self.test_question(lookup, at, &test.listed),
            self.test_question(lookup, at, &test.unlisted),
            nobody
        );
        if let Some(own) = &test.own
            && query::said(&listed, &member.list) == Said::Unlisted
        {
            listed = self.test_question(lookup, at, own).await;
        }
        health::verdict(&member.list, &Answers { listed, unlisted, nobody })
    }

    async fn test_question(&self, lookup: &impl Lookup, at: usize, question: &Question) -> Answer<Ipv4Addr> {
        let Some(member) = self.members.get(at) else { return Observed::NotAsked(Cause::NotAsked) };
        if let Some(ledger) = &self.ledger {
            ledger.charge(at, 1).await;
        }
        member.pace.turn().await;
        self.questions.fetch_add(1, Ordering::Relaxed);
        member.watch().asked();
        lookup.lookup(question).await.typed()
    }

    /// How far each list's answers are to be believed now, in the order of the lists.
    pub fn standings(&self) -> Vec<Standing> {
        self.members.iter().map(|member| member.watch().standing()).collect()
    }

    /// What was counted of each list, in their order.
    pub fn accounts(&self) -> Vec<Account> {
        self.members.iter().map(|member| member.watch().account(&member.list.shown)).collect()
    }

    /// Why the budget is not kept on disk, said once.
    pub fn complaint(&self) -> Option<String> {
        self.ledger.as_ref().and_then(Ledger::complaint)
    }

    /// Writes down what was asked.
    pub async fn close(&self) {
        if let Some(ledger) = &self.ledger {
            ledger.close().await;
        }
    }
}

/// What is to be made of an answer, by the standings of the lists.
pub fn belief(standings: &[Standing], listing: &Listing, stretch: Stretch) -> Belief {
    standings.get(usize::from(listing.list)).map_or(Belief::Good, |standing| standing.of(stretch))
}

fn listing(at: usize, codes: Answer<Ipv4Addr>) -> Listing {
    let list = u16::try_from(at).unwrap_or(u16::MAX);
    Listing { list, codes, reason: Observed::NotAsked(Cause::NotAsked), void: false }
}

/// The key in a list's zone, where it has one.
fn key(list: &List) -> Option<&str> {
    let keyed = list.zone.as_str() != &*list.shown;
    keyed.then(|| list.zone.as_str().split('.').next()).flatten().filter(|key| !key.is_empty())
}

/// The answer without the key of its list: evidence is kept and shown, a key is neither.
fn without_key<T>(mut answer: Answer<T>, list: &List) -> Answer<T> {
    let Some(key) = key(list) else { return answer };
    let hide = |name: &mut Name| {
        if name.as_str().contains(key) {
            *name = Name::trusted(name.as_str().replace(key, "key"));
        }
    };
    match &mut answer {
        Observed::Seen(records) => records.aliases.iter_mut().for_each(hide),
        Observed::Absent(absence) => absence.zone.iter_mut().chain(&mut absence.aliases).for_each(hide),
        Observed::Failed(failure) => {
            // Words of a resolver are for people: without them the cause is still there.
            failure.detail = failure.detail.take().filter(|text| !text.to_ascii_lowercase().contains(key));
        }
        Observed::NotAsked(_) => {}
    }
    answer
}

/// The reason of a listing without the key of its list.
fn reason_without_key(mut reason: Answer<Box<str>>, list: &List) -> Answer<Box<str>> {
    if let (Observed::Seen(records), Some(key)) = (&mut reason, key(list)) {
        records.values.retain(|text| !text.to_ascii_lowercase().contains(key));
    }
    reason
}
