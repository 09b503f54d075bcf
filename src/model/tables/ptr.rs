//! The words of reverse names: which speak of pools, of access lines, of fixed addresses, of mail.
//! Comes in: the table of words. Goes out: the sets that a word belongs to, found without hashing it.
//! What the words of a name come to is not decided here.

use super::sheet::Sheet;

/// The sets of words of reverse names that one word belongs to; a word may belong to several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PtrSets(u8);

impl PtrSets {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// Allocated for a while, to whoever dials in.
    pub const ALLOC: Self = Self(1);
    /// The technology of an access line.
    pub const TECH: Self = Self(2);
    /// Some machine, no name.
    pub const GENERIC: Self = Self(4);
    /// Rented or sold to a business.
    pub const STATIC: Self = Self(8);
    /// Fixed, in so many words.
    pub const EXPLICIT: Self = Self(16);
    /// Chosen for mail.
    pub const MAIL: Self = Self(32);

    /// All of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether any of these is among them.
    pub const fn any(self, of: Self) -> bool {
        self.0 & of.0 != 0
    }
}

/// The words of reverse names, sorted; for each first letter, where its words begin.
#[derive(Debug, Default)]
pub(super) struct PtrWords {
    words: Vec<(Box<[u8]>, PtrSets)>,
    starts: [usize; 27],
}

impl PtrWords {
    /// Takes them out of their table.
    pub(super) fn of(sheet: &Sheet<'_>) -> Self {
        let sections = [
            ("alloc", PtrSets::ALLOC),
            ("tech", PtrSets::TECH),
            ("generic", PtrSets::GENERIC),
            ("static", PtrSets::STATIC),
            ("explicit", PtrSets::EXPLICIT),
            ("mail", PtrSets::MAIL),
        ];
        let words = sections.into_iter().flat_map(|(section, set)| sheet.words(section).map(move |word| (word, set)));
        let mut words: Vec<(Box<[u8]>, PtrSets)> = words.map(|(word, set)| (word.into_boxed_bytes(), set)).collect();
        words.sort_by(|(one, _), (other, _)| one.cmp(other));
        words.dedup_by(|(word, set), (kept, sets)| {
            let same = word == kept;
            if same {
                *sets = sets.and(*set);
            }
            same
        });
        let mut starts = [0; 27];
        for (letter, start) in (b'a'..).zip(&mut starts) {
            *start = words.partition_point(|(word, _)| word.first().is_some_and(|first| *first < letter));
        }
        Self { words, starts }
    }

    /// The sets of a word; none where it is not in the table.
    pub(super) fn sets(&self, word: &[u8]) -> PtrSets {
        let found = || {
            let letter = usize::from(word.first()?.checked_sub(b'a')?);
            let (from, to) = (self.starts.get(letter)?, self.starts.get(letter + 1)?);
            let (_, sets) = self.words.get(*from..*to)?.iter().find(|(known, _)| **known == *word)?;
            Some(*sets)
        };
        found().unwrap_or_default()
    }
}
