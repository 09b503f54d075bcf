//! Which target a row is of, and what providers the target has led to so far.
//! Comes in: targets in the order of their rows, and the providers of their exchanges. Goes out: each target counted once, and once
//! for each provider.
//! A target may go on in the piece before or behind, so those at both ends are kept until their neighbour has come.

/// The targets met so far, and the providers of those at both ends: a target may go on in the piece before or behind.
#[derive(Debug, Default)]
pub(super) struct Targets {
    pub(super) count: u64,
    pub(super) with_exchange: u64,
    /// The first, once the next has come.
    first: Option<Target>,
    last: Option<Target>,
}

#[derive(Debug, Clone, Default)]
struct Target {
    key: u64,
    providers: Vec<String>,
}

impl Targets {
    /// A target, or another row of the last.
    pub(super) fn meet(&mut self, key: u64) {
        if self.last.as_ref().is_some_and(|last| last.key == key) {
            return;
        }
        self.count += 1;
        self.end(Target { key, providers: Vec::new() });
    }

    /// The last is over, and another one comes.
    fn end(&mut self, next: Target) {
        let done = self.last.replace(next);
        if self.first.is_none() {
            self.first = done;
        }
    }

    /// Whether the target has not led to this provider before.
    pub(super) fn is_new_to(&mut self, provider: &str) -> bool {
        let Some(last) = &mut self.last else { return true };
        if last.providers.iter().any(|known| known == provider) {
            return false;
        }
        self.with_exchange += u64::from(last.providers.is_empty());
        last.providers.push(provider.to_owned());
        true
    }

    /// Takes those of the rows that follow; tells the providers that have counted one target twice.
    pub(super) fn join(&mut self, other: Self) -> Vec<String> {
        self.count += other.count;
        self.with_exchange += other.with_exchange;
        let mut twice = Vec::new();
        for next in [other.first, other.last].into_iter().flatten() {
            match &mut self.last {
                Some(last) if last.key == next.key => {
                    self.count -= 1;
                    self.with_exchange -= u64::from(!last.providers.is_empty() && !next.providers.is_empty());
                    for provider in next.providers {
                        if last.providers.contains(&provider) {
                            twice.push(provider);
                        } else {
                            last.providers.push(provider);
                        }
                    }
                }
                _ => self.end(next),
            }
        }
        twice
    }
}
