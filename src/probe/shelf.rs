//! The evidence of servers that had to leave memory, on disk.
//! Comes in: a host that the memory gives up, with the stretches of its listings. Goes out: the same, when another target
//! leads to it.
//! Without it a large census would dial servers again that it has already asked.
//! The file has no name and is gone with the process; what cannot be written is remembered as lost, so it is not dialled
//! twice either.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

use super::quarantine::Stamped;
use crate::model::evidence::Host;

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
    end: u64,
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
        let mut places = self.places.lock().expect("no holder of this lock can panic");
        if places
            .by_address
            .get(&address)
            .is_some_and(|place| place.is_none_or(|place| place.asked_at >= host.asked_at))
        {
            return;
        }
        let place = self.write(host, places.end).ok();
        match place {
            Some(place) => places.end += u64::from(place.length),
            None => _ = self.lost.fetch_add(1, Ordering::Relaxed),
        }
        places.by_address.insert(address, place);
    }

    /// How many could not be kept.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Gives a host back; it stays on the shelf.
    pub(super) fn take(&self, address: IpAddr) -> Taken {
        let place = {
            let places = self.places.lock().expect("no holder of this lock can panic");
            places.by_address.get(&address).copied()
        };
        match place {
            None => Taken::Never,
            Some(place) => place.and_then(|place| self.read(place).ok()).map_or(Taken::Lost, Taken::Kept),
        }
    }

    fn write(&self, host: &Stamped<Host>, offset: u64) -> io::Result<Place> {
        let bytes = serde_json::to_vec(host)?;
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        self.file()?.write_all_at(&bytes, offset)?;
        Ok(Place { offset, length, asked_at: host.asked_at })
    }

    fn read(&self, place: Place) -> io::Result<Box<Stamped<Host>>> {
        let mut bytes = vec![0; place.length as usize];
        self.file()?.read_exact_at(&mut bytes, place.offset)?;
        Ok(serde_json::from_slice(&bytes)?)
    }

    fn file(&self) -> io::Result<&File> {
        let file = self.file.get_or_init(|| tempfile::tempfile_in(&self.folder).ok());
        file.as_ref().ok_or_else(|| io::Error::other("no file could be made"))
    }
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
        let hosts: Vec<Stamped<Host>> = (1..200).map(|last| host(&format!("192.0.2.{last}"))).collect();
        for host in &hosts {
            shelf.put(host.what.address, host);
            shelf.put(host.what.address, host);
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
}
