//! The evidence of servers that had to leave memory, on disk.
//! Comes in: a host that the memory gives up, with the stretches of its listings. Goes out: the same, when another target
//! leads to it.
//! Without it a large census would dial servers again that it has already asked.
//! The file has no name and is gone with the process; what cannot be written is remembered as lost, so it is not dialled
//! twice either.

use std::collections::HashMap;
use std::fs::File;
use std::net::IpAddr;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock};

use super::quarantine::Stamped;
use crate::model::evidence::Host;

/// Hosts are gathered to this many bytes before they go into the file.
const GATHERED: usize = 256 * 1024;

/// A file of hosts and where in it each stands.
#[derive(Debug)]
pub(super) struct Shelf {
    folder: PathBuf,
    file: OnceLock<Option<File>>,
    places: Mutex<Places>,
    lost: AtomicU64,
}

#[derive(Debug, Default)]
struct Places {
    /// Where the file ends, and what comes next in it.
    end: u64,
    next: Vec<u8>,
    /// Whose evidence that is.
    waiting: Vec<IpAddr>,
    by_address: HashMap<IpAddr, Option<Place>>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    offset: u64,
    length: u32,
    asked_at: i64,
}

/// What the shelf knows of an address.
#[derive(Debug)]
pub(super) enum Taken {
    /// Nothing: it was never put there.
    Never,
    /// Its evidence.
    Kept(Box<Stamped<Host>>),
    /// It was put there and could not be kept.
    Lost,
}

impl Shelf {
    /// An empty shelf; the file is made in this folder when it is first needed.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, file: OnceLock::new(), places: Mutex::default(), lost: AtomicU64::new(0) }
    }

    /// Keeps a host, in place of what an earlier pass has put there.
    pub(super) fn put(&self, address: IpAddr, host: &Stamped<Host>) {
        if self.places().has(address, host.asked_at) {
            return;
        }
        // Not under the lock, which others wait for.
        let bytes = serde_json::to_vec(host).ok().filter(|_| self.file().is_some());
        let mut places = self.places();
        if places.has(address, host.asked_at) {
            return;
        }
        let place = bytes.and_then(|bytes| places.add(address, host.asked_at, &bytes));
        if place.is_none() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        places.by_address.insert(address, place);
        if places.next.len() >= GATHERED {
            self.write(&mut places);
        }
    }

    /// How many could not be kept.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Gives a host back; it stays on the shelf.
    pub(super) fn take(&self, address: IpAddr) -> Taken {
        let place = {
            let places = self.places();
            match places.by_address.get(&address).copied() {
                None => return Taken::Never,
                Some(None) => return Taken::Lost,
                Some(Some(place)) => match places.waiting(place) {
                    Some(bytes) => return read(bytes).map_or(Taken::Lost, Taken::Kept),
                    None => place,
                },
            }
        };
        let mut bytes = vec![0; place.length as usize];
        let filled = self.file().and_then(|file| file.read_exact_at(&mut bytes, place.offset).ok());
        filled.and_then(|()| read(&bytes)).map_or(Taken::Lost, Taken::Kept)
    }

    /// Puts what has gathered into the file; what does not go in is lost.
    fn write(&self, places: &mut Places) {
        let written = self.file().is_some_and(|file| file.write_all_at(&places.next, places.end).is_ok());
        if written {
            places.end += places.next.len() as u64;
            places.waiting.clear();
        } else {
            self.lost.fetch_add(places.waiting.len() as u64, Ordering::Relaxed);
            for address in std::mem::take(&mut places.waiting) {
                places.by_address.insert(address, None);
            }
        }
        places.next.clear();
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().expect("no holder of this lock can panic")
    }

    fn file(&self) -> Option<&File> {
        self.file.get_or_init(|| tempfile::tempfile_in(&self.folder).ok()).as_ref()
    }
}

impl Places {
    /// Whether a host is there as it was found out at this time, or later; what was lost stays so.
    fn has(&self, address: IpAddr, asked_at: i64) -> bool {
        self.by_address.get(&address).is_some_and(|place| place.is_none_or(|place| place.asked_at >= asked_at))
    }

    /// Adds a host to what goes into the file next.
    fn add(&mut self, address: IpAddr, asked_at: i64, bytes: &[u8]) -> Option<Place> {
        let length = u32::try_from(bytes.len()).ok()?;
        let place = Place { offset: self.end + self.next.len() as u64, length, asked_at };
        self.next.extend_from_slice(bytes);
        self.waiting.push(address);
        Some(place)
    }

    /// The bytes of a host that is not in the file yet.
    fn waiting(&self, place: Place) -> Option<&[u8]> {
        let start = usize::try_from(place.offset.checked_sub(self.end)?).ok()?;
        self.next.get(start..start + place.length as usize)
    }
}

fn read(bytes: &[u8]) -> Option<Box<Stamped<Host>>> {
    serde_json::from_slice(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::dns::Records;
    use crate::model::evidence::Introduced;
    use crate::model::name::Name;
    use crate::model::observed::Observed;
    use crate::model::smtp::{Reply, Session};
    use crate::model::words::{Basis, Cause, ConnectStatus};

    fn host(address: &str) -> Stamped<Host> {
        let names = vec![Name::parse("mx.example.org").unwrap()];
        let host = Host {
            address: address.parse().unwrap(),
            special: None,
            basis: Basis::Announced,
            ptr: Observed::Seen(Records { values: names, aliases: Vec::new(), ttl: 60, authentic: true }),
            forward: Vec::new(),
            session: Session {
                greeting: Some(Reply { code: 220, raw: (*b"220 \xff\0\r\n").into(), ..Reply::default() }),
                ..Session::none(25, ConnectStatus::Open)
            },
            introduction: None,
            ehlo: None,
            introduced: Introduced::not_asked(Cause::NoIntroduction),
            listings: Vec::new(),
            domains: Vec::new(),
            earlier: Vec::new(),
            scanned_at: 1,
        };
        Stamped::new(host, [3, 0, 4])
    }

    #[test]
    fn a_host_comes_back_as_it_was_as_often_as_it_is_wanted() {
        let shelf = Shelf::new(std::env::temp_dir());
        // So many that some are in the file and some are not yet.
        let hosts: Vec<Stamped<Host>> =
            (0..2_000).map(|number| host(&format!("10.0.{}.{}", number / 256, number % 256))).collect();
        for host in &hosts {
            shelf.put(host.what.address, host);
            shelf.put(host.what.address, host);
        }
        {
            let places = shelf.places();
            assert!(places.end > 0 && !places.waiting.is_empty(), "{} bytes written", places.end);
        }
        for _ in 0..2 {
            for host in &hosts {
                assert!(matches!(shelf.take(host.what.address), Taken::Kept(kept) if *kept == *host));
            }
        }
        assert!(matches!(shelf.take("192.0.2.255".parse().unwrap()), Taken::Never));
    }

    #[test]
    fn what_cannot_be_kept_is_lost_and_not_forgotten() {
        let shelf = Shelf::new(PathBuf::from("/no/such/folder"));
        let host = host("2001:db8::1");
        shelf.put(host.what.address, &host);
        assert!(matches!(shelf.take(host.what.address), Taken::Lost));
        assert_eq!(shelf.lost(), 1);
    }

    #[test]
    fn what_does_not_go_into_the_file_is_lost_with_all_that_waited_with_it() {
        let shelf = Shelf::new(std::env::temp_dir());
        // As full as a disk can be.
        shelf.file.set(File::options().write(true).open("/dev/full").ok()).unwrap();
        let hosts: Vec<Stamped<Host>> =
            (0..2_000).map(|number| host(&format!("10.0.{}.{}", number / 256, number % 256))).collect();
        for host in &hosts {
            shelf.put(host.what.address, host);
        }
        let kept = hosts.iter().filter(|host| matches!(shelf.take(host.what.address), Taken::Kept(_))).count();
        let waiting = shelf.places().waiting.len();
        assert_eq!((kept, shelf.lost()), (waiting, (hosts.len() - waiting) as u64));
        assert!(waiting < hosts.len());
    }
}
