//! How much may still be asked of each list today, over all runs of this machine.
//! Comes in: the limits, and each question. Goes out: yes or no, and a state file that the next run reads.
//! Questions are taken from the file in blocks, so runs at the same time share one budget and a killed run costs a block.
//! A file that cannot be used is told once; the run then keeps its own count. A key is never written.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::entry::Terms;
use crate::model::dnsbl::List;

/// The most that is taken from the file at a time: at 50 questions a second, a write every ten seconds.
const BLOCK: u32 = 500;
/// How long another run may hold the file. It does for milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(20);
/// What may be asked while another run holds the file.
const MEANWHILE: u32 = 10;
/// The most that is read of the file.
const FILE_BYTES: u64 = 1 << 20;

/// The budgets of a run's lists.
#[derive(Debug)]
pub struct Ledger {
    slots: Vec<tokio::sync::Mutex<Slot>>,
    book: Arc<Book>,
    clock: fn() -> u64,
}

/// What one list may still be asked.
#[derive(Debug)]
struct Slot {
    key: String,
    daily: u32,
    /// Days since 1970 (UTC) that the figures below are about.
    day: u64,
    /// Taken from the budget and not yet asked.
    left: u32,
    /// Taken from the budget in all.
    taken: u32,
    /// Asked without having been taken: tests are made also beyond the budget.
    debt: u32,
    spent: bool,
}

/// The file, and why it is not used any more.
#[derive(Debug)]
struct Book {
    path: PathBuf,
    complaint: Mutex<Option<String>>,
}

/// The file's content: what was asked of each list on the last day it was asked.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Page {
    version: u8,
    lists: BTreeMap<String, Line>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Line {
    /// Days since 1970, UTC.
    day: u64,
    asked: u32,
}

/// Changes of one list's line: so much more, within this limit, and so much less.
struct Entry {
    key: String,
    day: u64,
    daily: u32,
    wanted: u32,
    debt: u32,
    returned: u32,
}

impl Ledger {
    /// The budgets of these lists, kept in `budget.json` of this folder.
    pub fn new(folder: &Path, lists: &[List], terms: &[Terms]) -> Self {
        let slots = lists.iter().zip(terms).map(|(list, terms)| {
            let slot = Slot { key: key(list), daily: terms.daily, day: 0, left: 0, taken: 0, debt: 0, spent: false };
            tokio::sync::Mutex::new(slot)
        });
        let book = Book { path: folder.join("budget.json"), complaint: Mutex::default() };
        Self { slots: slots.collect(), book: Arc::new(book), clock: today }
    }

    /// Takes one question from a list's budget; false when it is spent.
    pub async fn take(&self, at: usize) -> bool {
        let Some(slot) = self.slots.get(at) else { return true };
        let mut slot = slot.lock().await;
        slot.turn_to((self.clock)());
        if slot.left == 0 && !slot.spent {
            self.refill(&mut slot).await;
        }
        let may = slot.left > 0;
        slot.left -= u32::from(may);
        may
    }

    /// Counts questions that are asked whether or not there is a budget for them.
    pub async fn charge(&self, at: usize, questions: u32) {
        let Some(slot) = self.slots.get(at) else { return };
        let mut slot = slot.lock().await;
        slot.turn_to((self.clock)());
        let within = slot.left.min(questions);
        slot.left -= within;
        slot.debt += questions - within;
    }

    async fn refill(&self, slot: &mut Slot) {
        let wanted = (slot.daily / 100).clamp(1, BLOCK);
        let entry = slot.entry(wanted, 0);
        let book = Arc::clone(&self.book);
        let written = tokio::task::spawn_blocking(move || book.enter(&[entry])).await;
        let granted = match written.unwrap_or(Written::Never) {
            Written::Granted(granted) => {
                slot.debt = 0;
                granted.first().copied().unwrap_or(0)
            }
            // Another run has the file and will let go of it: a little, which is written down the next time.
            Written::Later => {
                let granted = wanted.min(MEANWHILE).min(slot.daily.saturating_sub(slot.taken));
                slot.debt += granted;
                granted
            }
            // Without a file that can be written this run has to itself what the file leaves.
            Written::Never => {
                slot.taken = slot.taken.max(self.book.asked(&slot.key, slot.day));
                wanted.min(slot.daily.saturating_sub(slot.taken))
            }
        };
        slot.left = granted;
        slot.taken += granted;
        slot.spent = granted == 0;
    }

    /// Gives back what was taken and not asked, and writes down what was asked without being taken.
    pub async fn close(&self) {
        let (mut entries, mut open) = (Vec::new(), Vec::new());
        for slot in &self.slots {
            let slot = slot.lock().await;
            if slot.left + slot.debt > 0 {
                entries.push(slot.entry(0, slot.left));
                open.push(slot);
            }
        }
        if entries.is_empty() {
            return;
        }
        let book = Arc::clone(&self.book);
        let written = tokio::task::spawn_blocking(move || book.enter(&entries)).await;
        if let Ok(Written::Granted(_)) = written {
            for mut slot in open {
                (slot.left, slot.debt) = (0, 0);
            }
        }
    }

    /// Why the file is not used, the first time this is asked after it became so.
    pub fn complaint(&self) -> Option<String> {
        let mut complaint = self.book.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        let told = complaint.as_mut().filter(|text| !text.is_empty()).map(std::mem::take);
        told.map(|why| format!("cannot keep the blocklists' budget of the day in {}: {why}", self.book.path.display()))
    }
}

impl Slot {
    fn turn_to(&mut self, day: u64) {
        if self.day != day {
            (self.day, self.left, self.taken, self.debt, self.spent) = (day, 0, 0, 0, false);
        }
    }

    fn entry(&self, wanted: u32, returned: u32) -> Entry {
        Entry { key: self.key.clone(), day: self.day, daily: self.daily, wanted, debt: self.debt, returned }
    }
}

/// What came of a change of the file.
#[derive(Debug)]
enum Written {
    /// It is done, and so much was granted to each entry.
    Granted(Vec<u32>),
    /// Another run holds the file.
    Later,
    /// The file cannot be used.
    Never,
}

impl Book {
    /// Makes the changes, all or none.
    fn enter(&self, entries: &[Entry]) -> Written {
        if self.complaint.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Written::Never;
        }
        match self.write(entries) {
            Ok(granted) => Written::Granted(granted),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Written::Later,
            Err(error) => {
                *self.complaint.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
                Written::Never
            }
        }
    }

    /// What the file says was asked of a list on this day; nothing where it cannot be read.
    fn asked(&self, key: &str, day: u64) -> u32 {
        let page = self.read().unwrap_or_default();
        page.lists.get(key).filter(|line| line.day == day).map_or(0, |line| line.asked)
    }

    fn write(&self, entries: &[Entry]) -> io::Result<Vec<u32>> {
        let folder = self.path.parent().unwrap_or_else(|| Path::new("."));
        fs::create_dir_all(folder)?;
        let lock = File::create(self.path.with_extension("lock"))?;
        let begun = std::time::Instant::now();
        while let Err(error) = lock.try_lock() {
            match error {
                TryLockError::Error(error) => return Err(error),
                TryLockError::WouldBlock if begun.elapsed() > PATIENCE => {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                TryLockError::WouldBlock => std::thread::sleep(PAUSE),
            }
        }
        let mut page = self.read()?;
        let granted = entries.iter().map(|entry| page.enter(entry)).collect();
        let mut text = serde_json::to_vec_pretty(&page)?;
        text.push(b'\n');
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&text)?;
        file.persist(&self.path).map_err(|error| error.error)?;
        Ok(granted)
    }

    fn read(&self) -> io::Result<Page> {
        let file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Page { version: 1, ..Page::default() }),
            file => file?,
        };
        let mut text = Vec::new();
        file.take(FILE_BYTES).read_to_end(&mut text)?;
        let page: Page = serde_json::from_slice(&text).map_err(|_| io::Error::other("it is no such file of ours"))?;
        if page.version != 1 {
            return Err(io::Error::other("it is of another version of this program"));
        }
        Ok(page)
    }
}

impl Page {
    fn enter(&mut self, entry: &Entry) -> u32 {
        // Yesterday's figures are nobody's any more, and no clock is right that was days ahead.
        self.lists.retain(|_, line| (entry.day..=entry.day + 1).contains(&line.day));
        let line = self.lists.entry(entry.key.clone()).or_insert(Line { day: entry.day, asked: 0 });
        if line.day > entry.day {
            return 0;
        }
        let before = line.asked.saturating_add(entry.debt).saturating_sub(entry.returned);
        let granted = entry.wanted.min(entry.daily.saturating_sub(before));
        line.asked = before + granted;
        granted
    }
}

/// A list's name in the file: as it may be shown, and something that tells two keys apart without telling either.
fn key(list: &List) -> String {
    let digest = Sha256::digest(list.zone.as_str().as_bytes());
    let short = digest.iter().take(4).fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    format!("{}#{short}", list.shown)
}

/// Days since 1970, UTC.
fn today() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / 86_400
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::{Chosen, Request, choose};
    use super::*;

    const KEYED: &str = "s3cretkey.zen.dq.spamhaus.net";

    fn ledger(folder: &Path, daily: u32) -> Ledger {
        let zones = vec!["bl.spamcop.net".to_owned(), KEYED.to_owned()];
        let Chosen { lists, mut terms, .. } = choose(&Request { zones, ..Request::default() }).unwrap();
        for terms in &mut terms {
            terms.daily = daily;
        }
        Ledger { clock: || 20_000, ..Ledger::new(folder, &lists, &terms) }
    }

    async fn take(ledger: &Ledger, at: usize, times: u32) -> u32 {
        let mut taken = 0;
        for _ in 0..times {
            taken += u32::from(ledger.take(at).await);
        }
        taken
    }

    #[tokio::test]
    async fn two_runs_at_once_share_one_budget_and_the_next_finds_it_spent() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (ledger(folder.path(), 300), ledger(folder.path(), 300));
        let (mut first, mut second) = (0, 0);
        for _ in 0..400 {
            first += take(&one, 0, 1).await;
            second += take(&other, 0, 1).await;
        }
        assert_eq!(first + second, 300);
        assert!(first > 100 && second > 100, "{first} and {second}");
        assert_eq!(take(&one, 1, 5).await, 5, "each list has its own");
        one.close().await;
        other.close().await;
        let next = ledger(folder.path(), 300);
        assert_eq!(
            (take(&next, 0, 10).await, take(&next, 1, 400).await),
            (0, 295),
            "what was not asked was given back"
        );
        let tomorrow = Ledger { clock: || 20_001, ..ledger(folder.path(), 300) };
        assert_eq!(take(&tomorrow, 0, 400).await, 300);
        assert_eq!(tomorrow.complaint(), None);
    }

    #[tokio::test]
    async fn tests_are_counted_and_never_refused() {
        let folder = tempfile::tempdir().unwrap();
        let first = ledger(folder.path(), 100);
        first.charge(0, 30).await;
        assert_eq!(take(&first, 0, 200).await, 70);
        first.charge(0, 4).await;
        first.close().await;
        let text = fs::read_to_string(folder.path().join("budget.json")).unwrap();
        assert!(text.contains("\"asked\": 104"), "{text}");
    }

    #[tokio::test]
    async fn a_key_is_told_apart_from_another_and_never_written() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path(), 100);
        take(&ledger, 1, 1).await;
        let text = fs::read_to_string(folder.path().join("budget.json")).unwrap();
        assert!(text.contains("KEY.zen.dq.spamhaus.net#") && !text.contains("s3cret"), "{text}");
    }

    #[tokio::test]
    async fn a_line_from_a_clock_that_was_days_ahead_stops_nobody() {
        let folder = tempfile::tempdir().unwrap();
        take(&Ledger { clock: || 99_999, ..ledger(folder.path(), 50) }, 0, 50).await;
        assert_eq!(take(&ledger(folder.path(), 50), 0, 60).await, 50);
    }

    #[tokio::test]
    async fn while_another_run_holds_the_file_a_little_is_asked_and_written_down_later() {
        let folder = tempfile::tempdir().unwrap();
        take(&ledger(folder.path(), 2_000), 0, 1).await;
        let lock = File::create(folder.path().join("budget.lock")).unwrap();
        lock.lock().unwrap();
        let held = ledger(folder.path(), 2_000);
        assert_eq!(take(&held, 0, MEANWHILE).await, MEANWHILE);
        assert_eq!(held.complaint(), None);
        lock.unlock().unwrap();
        held.close().await;
        let text = fs::read_to_string(folder.path().join("budget.json")).unwrap();
        // Twenty of the first run, which was never closed, and these ten.
        assert!(text.contains("\"asked\": 30"), "{text}");
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_used_is_told_once_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("budget.json");
        for content in ["not json", "{\"version\":9,\"lists\":{}}"] {
            fs::write(&path, content).unwrap();
            let ledger = ledger(folder.path(), 250);
            assert_eq!(take(&ledger, 0, 400).await, 250, "the run keeps its own count");
            let complaint = ledger.complaint().unwrap();
            assert!(complaint.contains("budget.json"), "{complaint}");
            ledger.close().await;
            assert_eq!(ledger.complaint(), None);
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        let nowhere = ledger(Path::new("/dev/null/state"), 10);
        assert_eq!(take(&nowhere, 0, 20).await, 10);
        assert!(nowhere.complaint().is_some());
    }
}
