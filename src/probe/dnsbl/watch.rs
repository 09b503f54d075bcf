//! Whether a list may still be believed while the run goes on.
//! Comes in: each answer, in a word, and the outcome of each test. Goes out: when to test again, and which answers to believe.
//! Answers are counted into stretches: a test opens the next one when it begins, and closes the earlier ones when it ends
//! well. Pure: no clock, no packet; the questions are the panel's.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::model::dnsbl::Health;

/// The number of a stretch of questions, from 1; [`FREE`] for what needs no test.
pub type Stretch = u32;

/// The stretch of what was not asked, or got no answer: there is nothing to believe.
pub const FREE: Stretch = 0;

/// A test is due after this time, or after so many questions.
const EVERY: Duration = Duration::from_secs(300);
const QUESTIONS: u64 = 2_000;
/// It is due as early as this where so many answers wait for it that its own questions do not matter: targets that wait have no
/// row yet, and a run that is killed has to do them again.
const SOON: Duration = Duration::from_secs(6);
const MANY: u64 = 30;
/// Over how many questions shares are taken.
const WINDOW: u32 = 200;
/// The share of hits, and of questions without an answer, beyond which something is wrong; in percent.
const HITS: u32 = 60;
const SILENCE: u32 = 5;
/// So many identical hits in a row are what a wildcard looks like.
const ALIKE: u32 = 20;
/// So many refusals in a row are meant.
const REFUSALS: u32 = 3;
/// A pace is halved so often at most: below that the list has as good as gone.
const HALVINGS: u32 = 4;
/// A suspicion that a test has cleared is raised again only by twice as much, so often doubled at most.
const DOUBLINGS: u32 = 7;

/// What a list said, as far as its health goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Listed, with this code first.
    Listed(Ipv4Addr),
    /// Not listed.
    Unlisted,
    /// It refuses us.
    Refused(Ipv4Addr),
    /// What no list may say: outside 127/8, or too much of it.
    Strange,
    /// An error, which is no answer.
    Failed,
    /// Nothing in time.
    Silent,
}

/// What became of an answer of some stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Belief {
    /// No test has ended since: not yet known.
    Open,
    /// A good test came after it.
    Good,
    /// The list failed the first test after it.
    Void,
}

/// How far a list's answers are to be believed, at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    closed: Stretch,
    off: bool,
}

impl Standing {
    /// Whether the list is asked no more.
    pub const fn is_off(self) -> bool {
        self.off
    }

    /// What is to be made of an answer of this stretch.
    pub const fn of(self, stretch: Stretch) -> Belief {
        if stretch <= self.closed {
            Belief::Good
        } else if self.off {
            Belief::Void
        } else {
            Belief::Open
        }
    }
}

/// What was counted of one list in a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Account {
    /// The list as it may be shown.
    pub list: String,
    /// Questions sent, those for reasons and of tests included.
    pub asked: u64,
    /// Listings among the answers.
    pub hits: u64,
    /// Refusals.
    pub refused: u64,
    /// Questions that got no answer.
    pub unanswered: u64,
    /// Answers that are not believed, because the list failed the first test after them.
    pub void: u64,
    /// Questions that were not asked because the budget of the day was spent.
    pub over_budget: u64,
    /// Tests made.
    pub tests: u64,
    /// Why the list was left out, from the start or from some moment on.
    pub off: Option<String>,
    /// Milliseconds since 1970 when it was left out.
    pub off_since: Option<i64>,
}

/// One list under observation.
#[derive(Debug)]
pub struct Watch {
    /// The open stretch, and the last that is closed.
    stretch: Stretch,
    closed: Stretch,
    /// Answers of closed stretches' successors: those a test that runs will settle, and those after it has begun.
    before: u64,
    fresh: u64,
    tested: Instant,
    testing: bool,
    suspected: bool,
    /// Answers, hits and silence since the window was opened.
    window: [u32; 3],
    alike: (Option<Ipv4Addr>, u32),
    refusals: u32,
    strange: u32,
    doublings: u32,
    halvings: u32,
    off: Option<Health>,
    account: Account,
}

impl Watch {
    /// A list that nobody has tested yet.
    pub fn new(now: Instant) -> Self {
        Self {
            stretch: 1,
            closed: 0,
            before: 0,
            fresh: 0,
            tested: now,
            testing: false,
            suspected: false,
            window: [0; 3],
            alike: (None, 0),
            refusals: 0,
            strange: 0,
            doublings: 0,
            halvings: 0,
            off: None,
            account: Account::default(),
        }
    }

    /// Takes an answer in; tells the stretch it belongs to, and whether a test is due, or due earlier than it was. The time is milliseconds since 1970.
    pub fn note(&mut self, said: Said, now_ms: i64) -> (Stretch, bool) {
        match said {
            Said::Listed(_) => self.account.hits += 1,
            Said::Refused(_) => self.account.refused += 1,
            Said::Failed | Said::Silent => self.account.unanswered += 1,
            Said::Unlisted | Said::Strange => {}
        }
        if self.off.is_some() {
            // Asked before it was known, answered after.
            let stretch = if matches!(said, Said::Failed | Said::Silent) { FREE } else { self.stretch };
            self.account.void += u64::from(stretch != FREE);
            return (stretch, false);
        }
        self.weigh(said);
        if matches!(said, Said::Failed | Said::Silent) {
            return (FREE, false);
        }
        self.fresh += 1;
        let stretch = self.stretch;
        if let Said::Refused(code) = said
            && self.refusals >= REFUSALS
        {
            self.leave_out(Health::Refused(code), now_ms);
            return (stretch, true);
        }
        let is_earlier = self.before + self.fresh == MANY;
        (stretch, !self.testing && (self.suspected || self.fresh >= QUESTIONS || is_earlier))
    }

    /// What the answer says of the list.
    fn weigh(&mut self, said: Said) {
        let patience = 1 << self.doublings;
        self.refusals = if matches!(said, Said::Refused(_)) { self.refusals + 1 } else { 0 };
        self.strange += u32::from(said == Said::Strange);
        self.alike = match (said, self.alike) {
            (Said::Listed(code), (Some(last), times)) if code == last => (Some(code), times + 1),
            (Said::Listed(code), _) => (Some(code), 1),
            (Said::Failed | Said::Silent, alike) => alike,
            _ => (None, 0),
        };
        let [answers, hits, silence] = &mut self.window;
        *answers += 1;
        *hits += u32::from(matches!(said, Said::Listed(_)));
        *silence += u32::from(said == Said::Silent);
        let (answers, hits, silence) = (*answers, *hits, *silence);
        self.suspected |= self.strange >= patience || self.alike.1 >= ALIKE * patience;
        if answers >= WINDOW {
            if silence * 100 > answers * SILENCE {
                self.halvings = (self.halvings + 1).min(HALVINGS);
                self.window = [0; 3];
            } else if hits * 100 > answers * HITS {
                self.suspected |= answers >= WINDOW * patience;
            } else {
                self.window = [0; 3];
            }
        }
    }

    /// Turns of the pace that one question takes: more than one once the list has left questions unanswered.
    pub const fn turns(&self) -> u32 {
        1 << self.halvings
    }

    /// A question that was not asked because the budget of the day is spent.
    pub const fn over_budget(&mut self) {
        self.account.over_budget += 1;
    }

    /// Whether there are answers that no test has settled.
    pub const fn is_open(&self) -> bool {
        self.off.is_none() && self.before + self.fresh > 0
    }

    /// When the next test is due; None while there is nothing to settle.
    pub fn due(&self) -> Option<Instant> {
        let now = self.suspected || self.fresh >= QUESTIONS;
        let after = if self.before + self.fresh >= MANY { SOON } else { EVERY };
        (self.is_open() && !self.testing).then(|| if now { self.tested } else { self.tested + after })
    }

    /// A test begins: what is answered from now on belongs to the next stretch.
    pub fn begin(&mut self, now: Instant) {
        self.stretch += 1;
        self.before += std::mem::take(&mut self.fresh);
        self.tested = now;
        self.testing = true;
    }

    /// A question is sent: about a name, for a reason, or of a test.
    pub const fn asked(&mut self) {
        self.account.asked += 1;
    }

    /// The test has ended, at this time since 1970.
    pub fn end(&mut self, health: Health, now_ms: i64) {
        self.testing = false;
        self.account.tests += 1;
        if self.off.is_some() {
            return;
        }
        if health == Health::Healthy {
            self.closed = self.stretch - 1;
            self.before = 0;
            self.doublings = (self.doublings + u32::from(self.suspected)).min(DOUBLINGS);
            self.suspected = false;
            self.window = [0; 3];
            (self.alike, self.strange) = ((None, 0), 0);
        } else {
            self.leave_out(health, now_ms);
        }
    }

    fn leave_out(&mut self, health: Health, now_ms: i64) {
        self.account.void += std::mem::take(&mut self.before) + std::mem::take(&mut self.fresh);
        self.account.off_since = Some(now_ms);
        self.off = Some(health);
    }

    /// Why the list is asked no more; None while it is.
    pub const fn off(&self) -> Option<&Health> {
        self.off.as_ref()
    }

    /// How far its answers are to be believed now.
    pub const fn standing(&self) -> Standing {
        Standing { closed: self.closed, off: self.off.is_some() }
    }

    /// What was counted.
    pub fn account(&self, shown: &str) -> Account {
        let off = self.off.as_ref().map(ToString::to_string);
        Account { list: shown.to_owned(), off, ..self.account.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::words::Cause;

    const HIT: Said = Said::Listed(Ipv4Addr::new(127, 0, 0, 2));
    const OTHER: Said = Said::Listed(Ipv4Addr::new(127, 0, 0, 3));

    fn watch() -> Watch {
        let mut watch = Watch::new(Instant::now());
        watch.begin(Instant::now());
        watch.end(Health::Healthy, 7);
        watch
    }

    /// Whether a test is due after this answer, and at once.
    fn suspects(watch: &mut Watch, said: Said) -> bool {
        watch.note(said, 7).1 && watch.due() == Some(watch.tested)
    }

    fn untrustworthy() -> Health {
        Health::Untrustworthy("lists everything".into())
    }

    #[test]
    fn an_answer_is_believed_once_a_good_test_has_begun_after_it() {
        let mut watch = watch();
        let (early, _) = watch.note(Said::Unlisted, 7);
        assert_eq!(watch.standing().of(early), Belief::Open);
        watch.begin(Instant::now());
        let (meanwhile, _) = watch.note(HIT, 7);
        watch.end(Health::Healthy, 7);
        assert_eq!(watch.standing().of(early), Belief::Good);
        assert_eq!(watch.standing().of(meanwhile), Belief::Open, "the test had begun before this answer");
        assert_eq!(watch.standing().of(FREE), Belief::Good);
        watch.begin(Instant::now());
        watch.end(untrustworthy(), 7);
        assert_eq!(watch.standing().of(meanwhile), Belief::Void);
        assert_eq!(watch.standing().of(early), Belief::Good, "an earlier good test is not taken back");
        let (late, _) = watch.note(Said::Unlisted, 7);
        assert_eq!(watch.standing().of(late), Belief::Void);
        let account = watch.account("bl");
        assert_eq!((account.hits, account.void, account.tests), (1, 2, 3));
        assert_eq!(account.off.as_deref(), Some("lists everything"));
        assert!(watch.due().is_none() && !watch.is_open());
    }

    #[test]
    fn a_test_is_due_after_its_time_after_enough_questions_and_never_for_nothing() {
        let mut watch = watch();
        assert_eq!(watch.due(), None);
        watch.note(Said::Failed, 7);
        assert_eq!(watch.due(), None, "what failed is not to be believed either way");
        watch.note(Said::Unlisted, 7);
        assert_eq!(watch.due(), Some(watch.tested + EVERY));
        let earlier = (2..=MANY).filter(|_| watch.note(Said::Unlisted, 7).1).count();
        assert_eq!((earlier, watch.due()), (1, Some(watch.tested + SOON)), "those who wait for it are many");
        let due = (MANY..=QUESTIONS).filter(|_| watch.note(Said::Unlisted, 7).1).count();
        assert_eq!(due, 2, "the last one of two thousand, and the one before it");
        assert_eq!(watch.due(), Some(watch.tested));
        watch.begin(Instant::now());
        assert_eq!(watch.due(), None, "one test at a time");
    }

    #[test]
    fn identical_hits_in_a_row_raise_suspicion_and_after_a_good_test_twice_as_many() {
        let mut watch = watch();
        let first = (1..=100).find(|_| suspects(&mut watch, HIT));
        assert_eq!(first, Some(20));
        watch.begin(Instant::now());
        watch.end(Health::Healthy, 7);
        let second = (1..=100).find(|_| suspects(&mut watch, HIT));
        assert_eq!(second, Some(40));
        watch.begin(Instant::now());
        watch.end(Health::Healthy, 7);
        let varied = (1..=100).find(|n| suspects(&mut watch, if n % 2 == 0 { HIT } else { OTHER }));
        assert_eq!(varied, None, "different codes are not what a wildcard gives");
    }

    #[test]
    fn a_share_of_hits_over_two_hundred_questions_raises_suspicion() {
        let mut watch = watch();
        let said = |n: u32| match n % 3 {
            0 => HIT,
            1 => OTHER,
            _ => Said::Unlisted,
        };
        assert_eq!((1..=300).find(|n| suspects(&mut watch, said(*n))), Some(200));
        let mut watch = self::watch();
        assert_eq!((1..=900).find(|n| suspects(&mut watch, if n % 2 == 0 { HIT } else { Said::Unlisted })), None);
    }

    #[test]
    fn a_strange_answer_is_suspicious_at_once() {
        let mut watch = watch();
        assert!(watch.note(Said::Strange, 7).1);
        assert_eq!(watch.due(), Some(watch.tested));
    }

    #[test]
    fn three_refusals_in_a_row_are_meant() {
        let mut watch = watch();
        let code = Ipv4Addr::new(127, 255, 255, 254);
        let (kept, _) = watch.note(Said::Unlisted, 7);
        for said in [Said::Refused(code), Said::Refused(code), Said::Unlisted, Said::Refused(code), Said::Refused(code)]
        {
            watch.note(said, 7);
            assert_eq!(watch.off(), None);
        }
        watch.note(Said::Refused(code), 7);
        assert_eq!(watch.off(), Some(&Health::Refused(code)));
        assert_eq!(watch.standing().of(kept), Belief::Void, "what came before may have been a refusal in disguise");
        assert_eq!(watch.account("bl").void, 7);
    }

    #[test]
    fn silence_halves_the_pace_and_condemns_nothing() {
        let mut watch = watch();
        assert_eq!(watch.turns(), 1);
        for n in 0..200 {
            watch.note(if n % 10 == 0 { Said::Silent } else { Said::Unlisted }, 7);
        }
        assert_eq!((watch.turns(), watch.off()), (2, None));
        for _ in 0..10_000 {
            watch.note(Said::Silent, 7);
        }
        assert_eq!(watch.turns(), 16);
    }

    #[test]
    fn a_list_that_was_never_good_is_never_believed() {
        let mut watch = Watch::new(Instant::now());
        watch.begin(Instant::now());
        watch.end(Health::Silent(Cause::Timeout), 7);
        let (stretch, due) = watch.note(HIT, 7);
        assert_eq!((watch.standing().of(stretch), due), (Belief::Void, false));
    }
}
