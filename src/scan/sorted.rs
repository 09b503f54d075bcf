//! Records in the order of their keys, however many there are: rows by place, or what `merge` knows a row by.
//! Comes in: records, each with a key, in any order. Goes out: the same by their keys, those of one key as they came.
//! Memory is bounded: sorted runs go into one file without a name, and are merged when they are read.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes of records that are sorted in memory at a time.
const SORTED: usize = 48 << 20;
/// Bytes read ahead of each run.
const AHEAD: usize = 64 * 1024;

/// A key, and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Record {
    pub(super) key: Vec<u8>,
    /// The run that it is of: earlier ones hold what came earlier.
    run: usize,
    pub(super) rest: Vec<u8>,
}

/// Takes records.
#[derive(Debug)]
pub(super) struct Sorter {
    /// Keys and rests, behind each other.
    bytes: Vec<u8>,
    /// Where each begins, where its rest does, and where it ends.
    places: Vec<[usize; 3]>,
    most: usize,
    file: Option<(BufWriter<File>, u64)>,
    /// Where the runs end in the file.
    ends: Vec<u64>,
    scratch: PathBuf,
}

impl Sorter {
    /// None yet; a file without a name goes into this folder when it is needed.
    pub(super) const fn new(scratch: PathBuf) -> Self {
        Self::with(SORTED, scratch)
    }

    /// The same with so many bytes in memory.
    pub(super) const fn with(most: usize, scratch: PathBuf) -> Self {
        Self { bytes: Vec::new(), places: Vec::new(), most, file: None, ends: Vec::new(), scratch }
    }

    /// A record.
    pub(super) fn add(&mut self, key: &[u8], rest: &[u8]) -> io::Result<()> {
        // What each costs beside its bytes counts as well.
        let taken = self.bytes.len() + self.places.len() * size_of::<[usize; 3]>();
        if taken > 0 && taken + key.len() + rest.len() > self.most {
            self.spill()?;
        }
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(key);
        let middle = self.bytes.len();
        self.bytes.extend_from_slice(rest);
        self.places.push([begin, middle, self.bytes.len()]);
        Ok(())
    }

    fn sort(&mut self) {
        let bytes = &self.bytes;
        // Stable: those of one key stay as they came.
        self.places
            .sort_by(|[begin, middle, _], [other, to, _]| bytes.get(*begin..*middle).cmp(&bytes.get(*other..*to)));
    }

    fn spill(&mut self) -> io::Result<()> {
        self.sort();
        let (file, length) = match &mut self.file {
            Some(file) => file,
            none => none.insert((BufWriter::with_capacity(AHEAD, tempfile::tempfile_in(&self.scratch)?), 0)),
        };
        for &[begin, middle, end] in &self.places {
            for length in [middle - begin, end - middle] {
                file.write_all(&u32::try_from(length).map_err(io::Error::other)?.to_le_bytes())?;
            }
            file.write_all(self.bytes.get(begin..end).unwrap_or_default())?;
            *length += (2 * size_of::<u32>() + end - begin) as u64;
        }
        self.ends.push(*length);
        self.bytes.clear();
        self.places.clear();
        Ok(())
    }

    /// All there were, sorted.
    pub(super) fn finish(mut self) -> io::Result<Sorted> {
        self.sort();
        let mut runs = Vec::with_capacity(self.ends.len() + 1);
        if let Some((file, _)) = self.file {
            let file = Arc::new(file.into_inner().map_err(io::IntoInnerError::into_error)?);
            let mut at = 0;
            for end in self.ends {
                runs.push(Run::Stored(BufReader::with_capacity(AHEAD, Stretch { file: Arc::clone(&file), at, end })));
                at = end;
            }
        }
        runs.push(Run::Kept(self.bytes, self.places.into_iter()));
        let mut heap = BinaryHeap::with_capacity(runs.len());
        for (at, run) in runs.iter_mut().enumerate() {
            heap.extend(run.next(at)?.map(Reverse));
        }
        Ok(Sorted { runs, heap })
    }
}

/// Records by their keys.
#[derive(Debug)]
pub(super) struct Sorted {
    runs: Vec<Run>,
    heap: BinaryHeap<Reverse<Record>>,
}

impl Sorted {
    /// The next one; None at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Record>> {
        let Some(Reverse(record)) = self.heap.pop() else { return Ok(None) };
        let run = self.runs.get_mut(record.run).expect("it was numbered by its place");
        self.heap.extend(run.next(record.run)?.map(Reverse));
        Ok(Some(record))
    }

    /// The key of the next one.
    pub(super) fn key(&self) -> Option<&[u8]> {
        self.heap.peek().map(|Reverse(record)| record.key.as_slice())
    }
}

/// Sorted records.
#[derive(Debug)]
enum Run {
    Kept(Vec<u8>, std::vec::IntoIter<[usize; 3]>),
    Stored(BufReader<Stretch>),
}

impl Run {
    fn next(&mut self, run: usize) -> io::Result<Option<Record>> {
        let file = match self {
            Self::Kept(bytes, places) => {
                let cut = |from: usize, to: usize| bytes.get(from..to).unwrap_or_default().to_vec();
                let place = places.next();
                return Ok(place.map(|[at, middle, end]| Record { key: cut(at, middle), run, rest: cut(middle, end) }));
            }
            Self::Stored(file) => file,
        };
        let mut lengths = [[0; 4]; 2];
        match file.read_exact(lengths.as_flattened_mut()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let mut parts = lengths.map(|length| vec![0; u32::from_le_bytes(length) as usize]);
        parts.iter_mut().try_for_each(|part| file.read_exact(part))?;
        let [key, rest] = parts;
        Ok(Some(Record { key, run, rest }))
    }
}

/// A stretch of a file that is read by several at once.
#[derive(Debug)]
struct Stretch {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for Stretch {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let most = buffer.len().min(left);
        let read = self.file.read_at(buffer.get_mut(..most).unwrap_or_default(), self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sorted(records: &[(Vec<u8>, Vec<u8>)], most: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut sorter = Sorter::with(most, std::env::temp_dir());
        for (key, rest) in records {
            sorter.add(key, rest).unwrap();
        }
        let mut sorted = sorter.finish().unwrap();
        let mut all = Vec::new();
        while let Some(Record { key, rest, .. }) = sorted.next().unwrap() {
            all.push((key, rest));
        }
        all
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_a_stable_sort_however_little_memory_there_is(
            records in prop::collection::vec(
                (prop::collection::vec(0..3_u8, 0..3), prop::collection::vec(any::<u8>(), 0..20)), 0..200
            ),
            most in 0..3_000_usize,
        ) {
            let mut wanted = records.clone();
            wanted.sort_by(|one, other| one.0.cmp(&other.0));
            prop_assert_eq!(sorted(&records, most), wanted);
        }
    }

    #[test]
    fn memory_holds_no_more_than_it_may() {
        let mut sorter = Sorter::with(10_000, std::env::temp_dir());
        for number in 0..20_000_u32 {
            sorter.add(&number.reverse_bits().to_be_bytes(), &[7; 40]).unwrap();
            assert!(sorter.bytes.len() + sorter.places.len() * size_of::<[usize; 3]>() <= 10_000 + 24);
        }
        let mut sorted = sorter.finish().unwrap();
        assert!(sorted.runs.len() > 100);
        let mut keys = Vec::new();
        while let Some(record) = sorted.next().unwrap() {
            assert_eq!(record.rest, [7; 40]);
            keys.push(record.key);
        }
        assert!(keys.len() == 20_000 && keys.is_sorted());
    }
}
