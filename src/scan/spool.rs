//! Queues of records on disk.
//! Comes in: records, each for a queue. Goes out: the same, first in, first out.
//! A queue costs memory for its two ends only: every record in the file names the next one of its queue. The room of a record
//! that was taken is used again, so the file is never larger than what waited at one time. It has no name and is gone with
//! the process.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

/// Before each record: the place of the next one of the queue, and the record's length.
const HEADER: usize = 12;
/// The smallest room; others are larger by powers of two.
const SMALLEST: usize = 256;
/// A record's room is at most the smallest, doubled so many times less one: 8 MiB.
const SIZES: usize = 16;

/// One queue. It belongs to the spool it was used with first.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Places of the first and the last record.
    ends: Option<(u64, u64)>,
    length: u64,
}

impl Queue {
    /// How many records wait in it.
    pub(super) const fn length(&self) -> u64 {
        self.length
    }
}

/// The file of all queues.
#[derive(Debug)]
pub(super) struct Spool {
    folder: PathBuf,
    file: Option<File>,
    end: u64,
    /// For each size the place of a free room, which names the next one.
    free: [Option<u64>; SIZES],
}

impl Spool {
    /// An empty spool; the file is made in this folder when it is first needed.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, file: None, end: 0, free: [None; SIZES] }
    }

    /// Puts a record at the end of a queue. On an error the queue is as it was.
    pub(super) fn push(&mut self, queue: &mut Queue, record: &[u8]) -> io::Result<()> {
        let size = size_of_room(record.len()).ok_or_else(|| io::Error::other("a record of over 8 MiB"))?;
        let length = u32::try_from(record.len()).map_err(io::Error::other)?;
        let mut bytes = Vec::with_capacity(HEADER + record.len());
        bytes.extend_from_slice(&NONE.to_le_bytes());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(record);
        let free = self.free.get(size).copied().flatten();
        let (place, next_free) = match free {
            Some(place) => (place, self.next(place)?),
            None => (self.end, None),
        };
        self.file()?.write_all_at(&bytes, place)?;
        if let Some((_, last)) = queue.ends {
            self.file()?.write_all_at(&place.to_le_bytes(), last)?;
        }
        match (free, self.free.get_mut(size)) {
            (Some(_), Some(first)) => *first = next_free,
            _ => self.end += room(size),
        }
        queue.ends = Some((queue.ends.map_or(place, |(first, _)| first), place));
        queue.length += 1;
        Ok(())
    }

    /// The first record of a queue, which stays there; None when it is empty.
    pub(super) fn first(&mut self, queue: &Queue) -> io::Result<Option<Vec<u8>>> {
        let Some((place, _)) = queue.ends else { return Ok(None) };
        Ok(Some(self.read(place)?.0))
    }

    /// Takes the first record of a queue; None when it is empty. On an error nothing of the queue can be read any more.
    pub(super) fn pop(&mut self, queue: &mut Queue) -> io::Result<Option<Vec<u8>>> {
        let Some((place, last)) = queue.ends else { return Ok(None) };
        let (record, next) = self.read(place)?;
        queue.ends = (next != NONE).then_some((next, last));
        queue.length -= 1;
        if let Some(first) = size_of_room(record.len()).and_then(|size| self.free.get_mut(size)) {
            let next_free = first.replace(place).unwrap_or(NONE);
            self.file()?.write_all_at(&next_free.to_le_bytes(), place)?;
        }
        Ok(Some(record))
    }

    /// The record at a place, and the place of the next one.
    fn read(&mut self, place: u64) -> io::Result<(Vec<u8>, u64)> {
        let mut header = [0; HEADER];
        self.file()?.read_exact_at(&mut header, place)?;
        let (next, rest) = header.split_first_chunk().expect("a header is longer than eight octets");
        let length = rest.first_chunk().map_or(0, |length| u32::from_le_bytes(*length));
        let mut record = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        self.file()?.read_exact_at(&mut record, place + HEADER as u64)?;
        Ok((record, u64::from_le_bytes(*next)))
    }

    fn next(&mut self, place: u64) -> io::Result<Option<u64>> {
        let mut next = [0; 8];
        self.file()?.read_exact_at(&mut next, place)?;
        let next = u64::from_le_bytes(next);
        Ok((next != NONE).then_some(next))
    }

    fn file(&mut self) -> io::Result<&File> {
        match &mut self.file {
            Some(file) => Ok(file),
            file @ None => Ok(file.insert(tempfile::tempfile_in(&self.folder)?)),
        }
    }
}

/// No place.
const NONE: u64 = u64::MAX;

/// Which size a record of this length takes; None for one that is too long.
fn size_of_room(length: usize) -> Option<usize> {
    let smallest = (HEADER + length).div_ceil(SMALLEST).next_power_of_two();
    usize::try_from(smallest.trailing_zeros()).ok().filter(|size| *size < SIZES)
}

const fn room(size: usize) -> u64 {
    (SMALLEST as u64) << size
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(50))]
        #[test]
        fn records_come_back_in_their_queues_order_and_their_room_is_used_again(
            steps in prop::collection::vec((0_usize..4, prop::option::of(0_usize..2_000)), 0..300)
        ) {
            let mut spool = Spool::new(std::env::temp_dir());
            let mut queues: [Queue; 4] = Default::default();
            let mut expected: [VecDeque<Vec<u8>>; 4] = Default::default();
            let (mut waiting, mut most) = (0, 0);
            for (number, (queue, length)) in steps.into_iter().enumerate() {
                if let Some(length) = length {
                    let record = vec![u8::try_from(number % 251).unwrap(); length];
                    spool.push(&mut queues[queue], &record).unwrap();
                    expected[queue].push_back(record);
                    waiting += 1;
                    most = most.max(waiting);
                } else {
                    let taken = spool.pop(&mut queues[queue]).unwrap();
                    waiting -= usize::from(taken.is_some());
                    prop_assert_eq!(taken, expected[queue].pop_front());
                }
                prop_assert_eq!(queues[queue].length(), expected[queue].len() as u64);
            }
            // Four sizes of room may have had their most at different times.
            prop_assert!(spool.end <= 4 * most as u64 * room(3));
        }
    }

    #[test]
    fn a_long_life_takes_no_more_room_than_its_fullest_moment() {
        let mut spool = Spool::new(std::env::temp_dir());
        let mut queue = Queue::default();
        for _ in 0..10_000 {
            spool.push(&mut queue, &[7; 200]).unwrap();
            spool.push(&mut queue, &[8; 200]).unwrap();
            spool.pop(&mut queue).unwrap();
            spool.pop(&mut queue).unwrap();
        }
        assert_eq!((queue.length(), spool.end), (0, 512));
    }

    #[test]
    fn what_cannot_be_written_is_an_error_and_changes_nothing() {
        let mut spool = Spool::new(PathBuf::from("/no/such/folder"));
        let mut queue = Queue::default();
        assert!(spool.push(&mut queue, b"x").is_err());
        assert_eq!((queue.length(), spool.pop(&mut queue).unwrap()), (0, None));
        let mut spool = Spool::new(std::env::temp_dir());
        assert!(spool.push(&mut queue, &vec![0; 9 << 20]).is_err());
    }
}
