//! Rows that stand in more than one part.
//! Comes in: a key a row, part after part. Goes out: how many of them an earlier part has as well.

use std::io;
use std::path::PathBuf;

use crate::scan::sorted::Sorter;

/// The keys of all rows.
#[derive(Debug)]
pub(super) struct Repeats(Sorter);

impl Repeats {
    /// None yet; what memory does not hold goes into a file without a name in this folder.
    pub(super) const fn new(scratch: PathBuf) -> Self {
        Self(Sorter::new(scratch))
    }

    /// A row of a part.
    pub(super) fn add(&mut self, key: u64, part: u32) -> io::Result<()> {
        self.0.add(&key.to_le_bytes(), &part.to_le_bytes())
    }

    /// How many rows stand in an earlier part already; what one part has twice is not asked here.
    pub(super) fn count(self) -> io::Result<u64> {
        let mut sorted = self.0.finish()?;
        let (mut last, mut count) = (None, 0);
        while let Some(record) = sorted.next()? {
            let this = (record.key, record.rest);
            count += u64::from(last.is_some_and(|last: (Vec<u8>, Vec<u8>)| last.0 == this.0 && last.1 != this.1));
            last = Some(this);
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_counts_once_for_each_further_part_it_stands_in_however_little_memory_there_is() {
        for most in [40, 100, 1_000, 100_000] {
            let mut repeats = Repeats(Sorter::with(most, std::env::temp_dir()));
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
