//! How an upstream is doing: how fast it replies, how much it loses, how many questions it carries at a time.
//! Comes in: replies with the time they took, questions overdue, datagrams that found our own buffer full. Goes out: how
//! long to wait for a reply, how costly the upstream is beside others, whether to leave it alone, and the cap in flight.
//!
//! The cap is found by trying. Each window a little less is allowed; when that costs answers, the cap was what held them up,
//! and more is allowed as long as more brings more. So a far or slow resolver is asked about many things at a time, and one
//! next door about few, which is as fast and lets its queue alone. Loss that is always there (a lossy path) changes nothing;
//! loss that sets in suddenly (an overrun resolver) and our own full buffer lower the cap at once.

use std::time::Duration;

use tokio::time::Instant;

/// How long one measurement of the rate lasts, at least.
const WINDOW: Duration = Duration::from_millis(100);
/// Replies without which a window says nothing.
const FEW: u64 = 50;
/// Patience with a try before anything is known of the upstream, and the bounds of what is learned.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(3);
/// Windows until the next trial after one that brought nothing; doubled each time up to the limit.
const REST: u32 = 16;
const LONGEST_REST: u32 = 512;
/// Questions in a row without any reply after which an upstream is left alone.
const SILENCE: u32 = 20;
/// How long it is left alone at first; doubled each time up to the limit.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// One upstream's state of health.
#[derive(Debug)]
pub(super) struct Health {
    /// Smoothed time of a reply and its mean deviation, in seconds (RFC 6298 §2); None before the first.
    rtt: Option<(f64, f64)>,
    /// Share of lookups that ended without a fact: silence, REFUSED, SERVFAIL. Smoothed.
    trouble: f64,
    silence: u32,
    breaker: Breaker,
    cap: Cap,
    window: Window,
    /// Share of first tries without a reply in time, as it usually is.
    usual_loss: f64,
}

/// Whether an upstream that has gone silent is asked.
#[derive(Debug, Clone, Copy)]
struct Breaker {
    /// When it may be asked again; None when it is well.
    open_until: Option<Instant>,
    pause: Duration,
}

/// How many questions may be in flight.
#[derive(Debug)]
struct Cap {
    value: usize,
    least: usize,
    most: usize,
    trial: Trial,
    next_rest: u32,
}

/// Where the search for the cap stands. Each change is followed by a window that is not counted.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Trial {
    /// Nothing is being tried; the number is that of windows left to rest.
    Resting(u32),
    /// The cap was changed from this one, under which the rate was this.
    Settling(usize, f64),
    /// The same, and this window counts.
    Measuring(usize, f64),
}

#[derive(Debug)]
struct Window {
    began: Instant,
    replies: u64,
    overdue: u64,
    /// A datagram found our buffer full.
    is_full: bool,
    /// Somebody had to wait for a place: the cap is what limits.
    pressed: bool,
}

impl Window {
    const fn new(began: Instant) -> Self {
        Self { began, replies: 0, overdue: 0, is_full: false, pressed: false }
    }
}

impl Health {
    /// Nothing is known yet; questions in flight start at `in_flight` and stay below sixteen times as many.
    pub(super) fn new(in_flight: usize, now: Instant) -> Self {
        let cap = Cap {
            value: in_flight,
            least: (in_flight / 2).max(1),
            most: in_flight.saturating_mul(16),
            trial: Trial::Resting(2),
            next_rest: REST,
        };
        Self {
            rtt: None,
            trouble: 0.0,
            silence: 0,
            breaker: Breaker { open_until: None, pause: PAUSE },
            cap,
            window: Window::new(now),
            usual_loss: 0.0,
        }
    }

    /// A reply came, whatever it says, after so long.
    pub(super) fn replied(&mut self, took: Duration) {
        let took = took.as_secs_f64();
        self.rtt = Some(match self.rtt {
            None => (took, took / 2.0),
            Some((mean, deviation)) => {
                let off = took - mean;
                (mean + off / 64.0, deviation + (off.abs() - deviation) / 32.0)
            }
        });
        self.window.replies += 1;
        self.silence = 0;
        self.breaker = Breaker { open_until: None, pause: PAUSE };
    }

    /// So many first tries had no reply in time.
    pub(super) fn overdue(&mut self, count: u64) {
        self.window.overdue += count;
    }

    /// So many datagrams found our buffer full.
    pub(super) const fn overflowed(&mut self, count: u32) {
        self.window.is_full |= count > 0;
    }

    /// Somebody had to wait for a place in flight.
    pub(super) const fn pressed(&mut self) {
        self.window.pressed = true;
    }

    /// A question was given up without any reply, or the port is closed.
    pub(super) fn silent(&mut self, now: Instant) {
        self.silence = self.silence.saturating_add(1);
        // While it is left alone, what comes back are the questions asked before.
        let is_shut = self.breaker.open_until.is_some_and(|until| now < until);
        if self.silence >= SILENCE && !is_shut {
            self.breaker.open_until = Some(now + self.breaker.pause);
            self.breaker.pause = (self.breaker.pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Whether it has given no reply to anybody of late.
    pub(super) const fn is_silent(&self) -> bool {
        self.silence >= SILENCE
    }

    /// How a lookup here ended: with a fact, or in trouble that another upstream may not have.
    pub(super) fn ended(&mut self, in_trouble: bool) {
        let share = if in_trouble { 1.0 } else { 0.0 };
        self.trouble += (share - self.trouble) / 64.0;
    }

    /// Whether it should be left alone for now.
    pub(super) fn is_shut(&self, now: Instant) -> bool {
        self.breaker.open_until.is_some_and(|until| now < until)
    }

    /// What a question here costs beside other upstreams, with so many in flight: the wait, and more the more fails.
    pub(super) fn cost(&self, in_flight: usize) -> f64 {
        // Before the first reply it counts as near, so that everybody is tried.
        let wait = self.rtt.map_or(0.0, |(mean, _)| mean).max(1e-4);
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let queue = (in_flight + 1) as f64;
        wait * queue * 20.0_f64.mul_add(self.trouble, 1.0)
    }

    /// How long to wait for a reply to a first try.
    pub(super) fn patience(&self) -> Duration {
        self.rtt.map_or(FIRST_WAIT, |(mean, deviation)| {
            let wait = Duration::from_secs_f64(4.0_f64.mul_add(deviation, 1.5 * mean));
            wait.clamp(SHORTEST_WAIT, LONGEST_WAIT)
        })
    }

    /// How many questions may be in flight.
    pub(super) const fn cap(&self) -> usize {
        self.cap.value
    }

    /// Whether a window is over.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let replies = self.rtt.map_or(0.0, |(mean, _)| mean);
        let length = WINDOW.max(Duration::from_secs_f64(2.0 * replies));
        now.saturating_duration_since(self.window.began) >= length && self.window.replies + self.window.overdue >= FEW
    }

    /// Ends a window and sets the cap by it.
    #[expect(clippy::cast_precision_loss, reason = "counts of a fraction of a second")]
    pub(super) fn end_window(&mut self, now: Instant) {
        let window = std::mem::replace(&mut self.window, Window::new(now));
        let seconds = now.saturating_duration_since(window.began).as_secs_f64();
        let rate = window.replies as f64 / seconds;
        let loss = window.overdue as f64 / (window.replies + window.overdue) as f64;
        let is_overrun = loss > 0.1 && loss > 2.0 * self.usual_loss;
        self.usual_loss += (loss - self.usual_loss) / 16.0;
        if window.is_full || is_overrun {
            self.cap.give_way();
        } else {
            self.cap.search(rate, window.pressed);
        }
    }
}

impl Cap {
    fn give_way(&mut self) {
        // Not below an eighth of where it began: one that answers at all is asked.
        self.value = (self.value / 4 * 3).max(self.least / 4).max(1);
        self.give_up();
    }

    fn give_up(&mut self) {
        self.trial = Trial::Resting(self.next_rest);
        self.next_rest = (self.next_rest * 2).min(LONGEST_REST);
    }

    /// One step of the search, after a window with this many replies a second.
    fn search(&mut self, rate: f64, pressed: bool) {
        match self.trial {
            Trial::Resting(0) if pressed => {
                let less = self.value - self.value / 5;
                self.change(less, rate);
            }
            Trial::Resting(left) => self.trial = Trial::Resting(left.saturating_sub(1)),
            Trial::Settling(before, then) => self.trial = Trial::Measuring(before, then),
            Trial::Measuring(before, then) => self.compare(before, then, rate, pressed),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    fn compare(&mut self, before: usize, then: f64, rate: f64, pressed: bool) {
        // How much of a change of the cap has come through as a change of the rate.
        let through = (rate / then - 1.0) / (self.value as f64 / before as f64 - 1.0);
        let was_less = self.value < before;
        match (was_less, through > 0.5) {
            // It did cost answers: the cap is what holds them up.
            (true, true) => {
                self.next_rest = REST;
                self.change(before.saturating_mul(2).min(self.most), rate);
            }
            // Just as many answers with less in flight.
            (true, false) => {
                self.value = self.value.max(self.least);
                self.give_up();
            }
            (false, true) if pressed && self.value < self.most => {
                self.change(self.value.saturating_mul(2).min(self.most), rate);
            }
            (false, true) => self.trial = Trial::Resting(REST),
            (false, false) => {
                self.value = before;
                self.give_up();
            }
        }
    }

    fn change(&mut self, value: usize, rate: f64) {
        self.trial = Trial::Settling(self.value, rate);
        self.value = value.max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs windows against a resolver that answers `rate(cap)` questions a second; gives the cap at the end.
    fn run(health: &mut Health, windows: u32, loss: f64, rate: impl Fn(usize) -> f64) -> usize {
        let mut now = health.window.began;
        for _ in 0..windows {
            now += WINDOW;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of a test")]
            let replies = (rate(health.cap()) * WINDOW.as_secs_f64()) as u64;
            health.window.replies = replies;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "as above"
            )]
            health.overdue((replies as f64 * loss / (1.0 - loss)) as u64);
            health.pressed();
            health.end_window(now);
        }
        health.cap()
    }

    fn number(cap: usize) -> f64 {
        f64::from(u32::try_from(cap).unwrap())
    }

    #[test]
    fn a_far_resolver_is_asked_about_more_at_a_time_and_one_next_door_is_not() {
        // 50 ms away, up to 100,000 a second.
        let mut far = Health::new(1000, Instant::now());
        let cap = run(&mut far, 60, 0.02, |cap| (number(cap) / 0.05).min(100_000.0));
        assert!((5_000..=16_000).contains(&cap), "{cap}");
        let mut near = Health::new(1000, Instant::now());
        let cap = run(&mut near, 200, 0.0, |_| 150_000.0);
        assert!((500..=1000).contains(&cap), "{cap}");
    }

    #[test]
    fn loss_that_is_always_there_is_no_reason_to_slow_down_but_loss_that_sets_in_is() {
        let mut lossy = Health::new(1000, Instant::now());
        let before = run(&mut lossy, 30, 0.08, |cap| number(cap) / 0.05);
        assert!(before > 1000);
        let overrun = run(&mut lossy, 1, 0.5, |cap| number(cap) / 0.05);
        assert!(overrun <= before / 4 * 3, "{overrun} of {before}");
    }

    #[test]
    fn our_own_full_buffer_lowers_the_cap_and_never_to_nothing() {
        let mut health = Health::new(8, Instant::now());
        for _ in 1..50 {
            health.window.replies = 100;
            health.overflowed(1);
            health.end_window(Instant::now());
        }
        assert_eq!(health.cap(), 1);
    }

    #[test]
    fn one_that_is_silent_is_left_alone_for_longer_and_longer_until_it_replies() {
        let mut now = Instant::now();
        let mut health = Health::new(100, now);
        for _ in 0..SILENCE - 1 {
            health.silent(now);
        }
        assert!(!health.is_shut(now));
        let mut pauses = Vec::new();
        for _ in 0..8 {
            health.silent(now);
            assert!(health.is_shut(now));
            // What was asked before comes back meanwhile.
            health.silent(now);
            let mut pause = 0_u64;
            while health.is_shut(now) {
                now += Duration::from_secs(1);
                pause += 1;
            }
            pauses.push(pause);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30, 30]);
        health.replied(Duration::from_millis(1));
        health.silent(now);
        assert!(!health.is_shut(now));
    }

    #[test]
    fn the_wait_follows_the_replies_and_trouble_makes_dear() {
        let mut health = Health::new(100, Instant::now());
        assert_eq!(health.patience(), FIRST_WAIT);
        for _ in 0..1000 {
            health.replied(Duration::from_millis(150));
        }
        let patience = health.patience();
        assert!(patience >= SHORTEST_WAIT && patience < Duration::from_millis(320), "{patience:?}");
        let before = health.cost(10);
        for _ in 0..100 {
            health.ended(true);
        }
        assert!(health.cost(10) > 10.0 * before);
        assert!(health.cost(20) > health.cost(10));
    }
}
