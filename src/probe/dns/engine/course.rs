//! Where a lookup stands: whom it has asked, how often, and how long it may still wait.
//! Comes in: tries taken and replies heard. Goes out: the wait of the next try, and whether there is one.
//! Nothing is sent or slept here.

use std::time::Duration;

use rand::Rng as _;

use super::Settings;

/// Between two questions to an upstream that has gone silent altogether.
const RECOVERY: Duration = Duration::from_secs(1);

/// Where a lookup stands.
#[derive(Debug)]
pub(super) struct Course {
    /// The upstream asked or heard last.
    pub(super) last: usize,
    /// Not to be asked next, if there is another.
    pub(super) avoid: Option<usize>,
    /// To be asked next.
    pub(super) keep: Option<usize>,
    /// Queries so far.
    pub(super) attempts: u32,
    /// Tries left, and all that there are.
    tries: u32,
    all: u32,
    /// Patience left.
    left: Duration,
    /// The longest first wait with which all tries fit into the patience, each twice the one before.
    unit: Duration,
    /// Waits doubled so far.
    doubled: u32,
    pub(super) truncated: bool,
    /// Of the last reply.
    pub(super) rcode: Option<u16>,
}

impl Course {
    pub(super) fn new(settings: &Settings) -> Self {
        let tries = settings.tries.clamp(1, 16);
        Self {
            last: 0,
            avoid: None,
            keep: None,
            attempts: 0,
            tries,
            all: tries,
            left: settings.timeout,
            unit: settings.timeout / ((1 << tries) - 1),
            doubled: 0,
            truncated: false,
            rcode: None,
        }
    }

    /// Takes a try; gives how long to wait for its reply: by the upstream's usual patience, where packets can be lost, else
    /// for half of what is left.
    pub(super) fn next_wait(&mut self, patience: Option<Duration>) -> Duration {
        self.attempts += 1;
        self.tries = self.tries.saturating_sub(1);
        let doubled = |patience: Duration| patience.min(self.unit) * (1 << self.doubled.min(16));
        let wait = patience.map_or(self.left / 2, doubled);
        self.doubled += 1;
        let wait =
            if self.tries == 0 { self.left } else { wait.mul_f64(rand::rng().random_range(0.9..1.1)).min(self.left) };
        self.left -= wait;
        wait
    }

    /// Takes a try while no upstream replies to anybody: one may come back as long as there is patience, and be overrun when it
    /// does, so that all tries count anew. Gives how long to wait for the reply.
    pub(super) fn wait_for_recovery(&mut self) -> Duration {
        self.attempts += 1;
        (self.tries, self.doubled) = (self.all, 0);
        let wait = RECOVERY.mul_f64(rand::rng().random_range(0.8..1.2)).min(self.left);
        self.left -= wait;
        wait
    }

    /// The wait of a try that is known to be in vain after so long: the last one's is used for more of them.
    pub(super) fn spread(&mut self, wait: Duration, after: Duration) -> Duration {
        if self.tries > 0 || wait <= RECOVERY {
            return wait;
        }
        let used = RECOVERY.max(after);
        self.left += wait.saturating_sub(used);
        (self.tries, self.doubled) = (self.all, 0);
        used
    }

    /// A reply came before the end of the wait.
    pub(super) fn give_back(&mut self, unused: Duration) {
        self.left += unused;
        self.doubled = self.doubled.saturating_sub(1);
    }

    /// Whether the try that is under way is the last.
    pub(super) const fn is_at_its_end(&self) -> bool {
        self.tries == 0
    }

    /// Whether no try is left.
    pub(super) fn is_over(&self) -> bool {
        self.tries == 0 || self.left.is_zero()
    }

    /// Whether no patience is left.
    pub(super) const fn is_out_of_patience(&self) -> bool {
        self.left.is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course() -> Course {
        Course::new(&Settings { timeout: Duration::from_millis(3_100), tries: 5, ..Settings::default() })
    }

    #[test]
    fn waits_double_and_the_last_takes_the_rest_of_the_patience() {
        let mut course = course();
        let mut waits = Vec::new();
        while !course.is_over() {
            waits.push(course.next_wait(Some(Duration::from_secs(1))));
        }
        assert_eq!(waits.len(), 5);
        assert_eq!(waits.iter().sum::<Duration>(), Duration::from_millis(3_100));
        // A unit of 100 ms, a tenth off either way.
        for (wait, wanted) in waits.iter().zip([100, 200, 400, 800]) {
            let off = wait.as_millis().abs_diff(wanted);
            assert!(off * 10 <= wanted, "{waits:?}");
        }
        let quick = self::course().next_wait(Some(Duration::from_millis(10)));
        assert!(quick < Duration::from_millis(12), "{quick:?}");
    }

    #[test]
    fn one_that_waits_for_recovery_asks_every_second_until_its_patience_is_used_up() {
        let mut course = Course::new(&Settings { timeout: Duration::from_secs(15), tries: 5, ..Settings::default() });
        course.next_wait(Some(Duration::from_millis(100)));
        let mut waits = Vec::new();
        while !course.is_over() {
            waits.push(course.wait_for_recovery());
        }
        assert!((12..=19).contains(&waits.len()), "{waits:?}");
        assert!(course.is_out_of_patience());
    }

    #[test]
    fn a_last_try_that_is_known_to_be_in_vain_leaves_its_patience_to_others() {
        let mut course = Course::new(&Settings { timeout: Duration::from_secs(15), tries: 1, ..Settings::default() });
        let wait = course.next_wait(None);
        assert!(course.is_over());
        assert_eq!(course.spread(wait, Duration::from_millis(1)), RECOVERY);
        assert!(!course.is_over());
        assert_eq!(course.next_wait(None), Duration::from_secs(14));
    }

    #[test]
    fn a_reply_before_the_end_of_a_wait_gives_back_what_is_left_of_it() {
        let mut course = course();
        let wait = course.next_wait(None);
        assert!((1_390..=1_710).contains(&wait.as_millis()), "{wait:?} is about half of it");
        course.give_back(wait);
        assert!(!course.is_out_of_patience());
        for _ in 0..4 {
            course.next_wait(None);
        }
        assert!(course.is_over() && course.is_out_of_patience());
    }
}
