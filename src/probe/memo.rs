//! Each thing asked once, however many targets lead to it.
//! Comes in: a key and how to find out. Goes out: the shared result, also to all who asked meanwhile.
//! A failure is a value like any other; a loader that failed would be run again by each waiter, one after the other.
//! Bounded in bytes: what has not been met for long is given up first, and whoever wants to keep it is told.

use std::convert::Infallible;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Lifecycle, OptionsBuilder, Weighter};

/// What can say how many bytes it occupies, about.
pub trait Size {
    /// Bytes on the heap and inline.
    fn size(&self) -> usize;
}

/// The bookkeeping of one entry, as measured for this cache.
const ENTRY: u64 = 160;

#[derive(Debug, Clone)]
struct BySize;

impl<K: Size, V: Size> Weighter<K, Arc<V>> for BySize {
    fn weight(&self, key: &K, value: &Arc<V>) -> u64 {
        ENTRY + (key.size() + value.size()) as u64
    }
}

/// Told of what the memory gives up, while nobody can ask for it yet.
type Keeper<K, V> = Arc<dyn Fn(&K, &V) + Send + Sync>;

struct GiveUp<K, V>(Option<Keeper<K, V>>);

impl<K, V> Clone for GiveUp<K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, V> Lifecycle<K, Arc<V>> for GiveUp<K, V> {
    type RequestState = ();

    fn on_evict(&self, _state: &mut (), key: K, value: Arc<V>) {
        if let Some(keeper) = &self.0 {
            keeper(&key, &value);
        }
    }
}

/// A memory of answers with single flight.
pub struct Memo<K, V> {
    cache: Cache<K, Arc<V>, BySize, DefaultHashBuilder, GiveUp<K, V>>,
    asked: AtomicU64,
    met: AtomicU64,
}

impl<K: Size, V: Size> fmt::Debug for Memo<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memo").field("asked", &self.asked).field("met", &self.met).finish_non_exhaustive()
    }
}

impl<K: Eq + Hash + Size + Clone, V: Size> Memo<K, V> {
    /// A memory of at most this many bytes, expected to be filled by entries of about `each` bytes.
    pub fn new(bytes: u64, each: u64) -> Self {
        Self::build(bytes, each, GiveUp(None))
    }

    /// The same; `keeper` is told of each entry that has to go.
    pub fn with_keeper(bytes: u64, each: u64, keeper: impl Fn(&K, &V) + Send + Sync + 'static) -> Self {
        Self::build(bytes, each, GiveUp(Some(Arc::new(keeper))))
    }

    fn build(bytes: u64, each: u64, give_up: GiveUp<K, V>) -> Self {
        let items = usize::try_from(bytes / (ENTRY + each)).unwrap_or(usize::MAX).max(64);
        let options = OptionsBuilder::new()
            .estimated_items_capacity(items)
            .weight_capacity(bytes)
            // Most keys of a long scan are met once; a large hot part would only shield them from eviction.
            .hot_allocation(0.5)
            .build()
            .expect("all required options are set");
        let cache = Cache::with_options(options, BySize, DefaultHashBuilder::default(), give_up);
        Self { cache, asked: AtomicU64::new(0), met: AtomicU64::new(0) }
    }

    /// The remembered value; else what `ask` finds, which runs once however many wait for it.
    pub async fn get(&self, key: &K, ask: impl Future<Output = V>) -> Arc<V> {
        self.met.fetch_add(1, Ordering::Relaxed);
        if let Some(value) = self.cache.get(key) {
            return value;
        }
        // On the heap: the cache keeps room for it several times over, in every asker that waits or finds it there.
        let ask = Box::pin(ask);
        let loaded = self.cache.get_or_insert_async(key, async {
            self.asked.fetch_add(1, Ordering::Relaxed);
            Ok::<_, Infallible>(Arc::new(ask.await))
        });
        match loaded.await {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }

    /// What is remembered of a key, without asking.
    pub fn known(&self, key: &K) -> Option<Arc<V>> {
        self.cache.get(key).inspect(|_| _ = self.met.fetch_add(1, Ordering::Relaxed))
    }

    /// Forgets what is remembered of a key: whoever needs it next asks again.
    pub fn forget(&self, key: &K) {
        self.cache.remove(key);
    }

    /// Remembers what was asked for elsewhere, in place of what may be there.
    pub fn put(&self, key: K, value: Arc<V>) {
        self.met.fetch_add(1, Ordering::Relaxed);
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.cache.insert(key, value);
    }

    /// The same for what is true for a while only: a remembered value that is no longer fresh is asked for anew.
    pub async fn get_fresh<A: Future<Output = V>>(
        &self,
        key: &K,
        is_fresh: impl Fn(&V) -> bool,
        ask: impl Fn() -> A,
    ) -> Arc<V> {
        loop {
            let value = match self.cache.get(key) {
                Some(value) => {
                    self.met.fetch_add(1, Ordering::Relaxed);
                    value
                }
                // Just asked for, by us or by somebody we waited for: as fresh as it gets.
                // On the heap, for the same reason: nearly all is found.
                None => return Box::pin(self.get(key, ask())).await,
            };
            if is_fresh(&value) {
                return value;
            }
            self.met.fetch_sub(1, Ordering::Relaxed);
            // Not one that another asker has put there meanwhile.
            self.cache.remove_if(key, |there| Arc::ptr_eq(there, &value));
        }
    }

    /// How often a key was met, and how often it had to be asked for.
    pub fn counts(&self) -> (u64, u64) {
        (self.met.load(Ordering::Relaxed), self.asked.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Size for u64 {
        fn size(&self) -> usize {
            8
        }
    }

    #[tokio::test]
    async fn a_thousand_waiters_ask_once() {
        let memo = Arc::new(Memo::<u64, u64>::new(1 << 20, 16));
        let (open, gate) = tokio::sync::watch::channel(false);
        let waiters: Vec<_> = (0..1_000)
            .map(|_| {
                let (memo, mut gate) = (Arc::clone(&memo), gate.clone());
                tokio::spawn(async move {
                    let ask = async {
                        gate.wait_for(|open| *open).await.unwrap();
                        42
                    };
                    *memo.get(&7, ask).await
                })
            })
            .collect();
        open.send(true).unwrap();
        for waiter in waiters {
            assert_eq!(waiter.await.unwrap(), 42);
        }
        assert_eq!(memo.counts(), (1_000, 1));
    }

    #[tokio::test]
    async fn a_cancelled_asker_leaves_the_question_to_the_next() {
        let memo = Memo::<u64, u64>::new(1 << 20, 16);
        let never = tokio::time::timeout(std::time::Duration::from_millis(1), memo.get(&1, std::future::pending()));
        assert!(never.await.is_err());
        assert_eq!(*memo.get(&1, async { 5 }).await, 5);
    }

    #[tokio::test]
    async fn what_is_given_up_can_be_kept_elsewhere() {
        let kept = Arc::new(std::sync::Mutex::new(std::collections::HashSet::new()));
        let keep = Arc::clone(&kept);
        let memo = Memo::<u64, u64>::with_keeper(20_000, 16, move |key, value| {
            assert_eq!(key, value);
            keep.lock().unwrap().insert(*key);
        });
        for key in 0..1_000 {
            memo.get(&key, async { key }).await;
        }
        let given_up = kept.lock().unwrap().len();
        assert_eq!(given_up + memo.cache.len(), 1_000, "every entry is here or there");
    }

    #[tokio::test]
    async fn what_is_no_longer_fresh_is_asked_for_once_by_all() {
        let memo = Arc::new(Memo::<u64, u64>::new(1 << 20, 16));
        memo.get(&7, async { 1 }).await;
        assert_eq!(*memo.get_fresh(&7, |value| *value == 1, async || unreachable!()).await, 1);
        let askers: Vec<_> = (0..100)
            .map(|_| {
                let memo = Arc::clone(&memo);
                let ask = async || {
                    tokio::task::yield_now().await;
                    2
                };
                tokio::spawn(async move { *memo.get_fresh(&7, |value| *value == 2, ask).await })
            })
            .collect();
        for asker in askers {
            assert_eq!(asker.await.unwrap(), 2);
        }
        assert_eq!(memo.counts(), (102, 2));
    }

    #[tokio::test]
    async fn memory_stays_within_its_budget() {
        let memo = Memo::<u64, u64>::new(100_000, 16);
        for key in 0..10_000 {
            memo.get(&key, async { key }).await;
        }
        assert!(memo.cache.weight() <= 100_000, "{}", memo.cache.weight());
    }
}
