//! Rows that stand in more than one part.
//! Comes in: a key a row. Goes out: how many of them another part has as well.
//! Memory is bounded: sorted runs of keys go into files without a name, and are merged at the end.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read as _, Seek as _, Write as _};
use std::path::PathBuf;

/// Keys that are sorted in memory at a time: 64 MiB.
const SORTED: usize = 4 << 20;

/// A row's key, and the part that it stands in.
type Key = (u64, u32);

/// The keys of all rows.
#[derive(Debug)]
pub(super) struct Repeats {
    keys: Vec<Key>,
    most: usize,
    runs: Vec<File>,
    scratch: PathBuf,
}

impl Repeats {
    /// None yet; files without a name go into this folder.
    pub(super) const fn new(scratch: PathBuf) -> Self {
        Self::with(SORTED, scratch)
    }

    const fn with(most: usize, scratch: PathBuf) -> Self {
        Self { keys: Vec::new(), most, runs: Vec::new(), scratch }
    }

    /// A row of a part.
    pub(super) fn add(&mut self, key: u64, part: u32) -> io::Result<()> {
        self.keys.push((key, part));
        if self.keys.len() < self.most {
            return Ok(());
        }
        self.sort();
        let mut run = BufWriter::new(tempfile::tempfile_in(&self.scratch)?);
        for (key, part) in self.keys.drain(..) {
            run.write_all(&key.to_le_bytes())?;
            run.write_all(&part.to_le_bytes())?;
        }
        self.runs.push(run.into_inner().map_err(io::IntoInnerError::into_error)?);
        Ok(())
    }

    fn sort(&mut self) {
        self.keys.sort_unstable();
        // Of the rows of one part nothing is asked here.
        self.keys.dedup();
    }

    /// How many rows stand in an earlier part already.
    pub(super) fn count(mut self) -> io::Result<u64> {
        self.sort();
        let mut runs = vec![Run::Kept(self.keys.into_iter())];
        for mut file in self.runs {
            file.rewind()?;
            runs.push(Run::Stored(BufReader::new(file)));
        }
        let mut heap = BinaryHeap::with_capacity(runs.len());
        for (at, run) in runs.iter_mut().enumerate() {
            heap.extend(run.next()?.map(|key| Reverse((key, at))));
        }
        let (mut last, mut count): (Option<Key>, u64) = (None, 0);
        while let Some(Reverse((key, at))) = heap.pop() {
            count += u64::from(last.is_some_and(|last| last.0 == key.0 && last.1 != key.1));
            last = Some(key);
            let run = runs.get_mut(at).expect("it was numbered by its place");
            heap.extend(run.next()?.map(|key| Reverse((key, at))));
        }
        Ok(count)
    }
}

/// Sorted keys.
enum Run {
    Kept(std::vec::IntoIter<Key>),
    Stored(BufReader<File>),
}

impl Run {
    fn next(&mut self) -> io::Result<Option<Key>> {
        let file = match self {
            Self::Kept(keys) => return Ok(keys.next()),
            Self::Stored(file) => file,
        };
        let (mut key, mut part) = ([0; 8], [0; 4]);
        match file.read_exact(&mut key).and_then(|()| file.read_exact(&mut part)) {
            Ok(()) => Ok(Some((u64::from_le_bytes(key), u32::from_le_bytes(part)))),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_counts_once_for_each_further_part_it_stands_in_however_little_memory_there_is() {
        for most in [2, 3, 7, 1_000] {
            let mut repeats = Repeats::with(most, std::env::temp_dir());
            // Each number below 100 in part 0, twice; the even ones in part 1 as well, and those below 10 in part 2.
            for key in (0..100).chain(0..100) {
                repeats.add(key, 0).unwrap();
            }
            (0..100).step_by(2).for_each(|key| repeats.add(key, 1).unwrap());
            (0..10).for_each(|key| repeats.add(key, 2).unwrap());
            assert_eq!(repeats.count().unwrap(), 60, "{most} in memory");
        }
    }
}
