//! Short texts that belong together, in one piece.
//! Comes in: texts. Goes out: the same, in their order.
//! A mail server's replies have some twenty lines and keywords. Each on the heap by itself would take most of the memory of a
//! server, and of the time that its evidence is made, kept and thrown away in.

use std::borrow::Cow;
use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::ser::SerializeSeq as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Texts without line ends; those of a text that is put in are escaped as [`escape`](super::smtp::escape) does it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Texts(
    /// Each with a line end behind it.
    String,
);

const END: char = '\n';

impl Texts {
    /// No text.
    pub const fn none() -> Self {
        Self(String::new())
    }

    /// No text, and room for these octets of it.
    pub fn with_room(octets: usize) -> Self {
        Self(String::with_capacity(octets))
    }

    /// Adds a text.
    pub fn push(&mut self, text: &str) {
        self.push_with(|whole| whole.push_str(text));
    }

    /// Adds what is written.
    pub fn push_with(&mut self, write: impl FnOnce(&mut String)) {
        let start = self.0.len();
        write(&mut self.0);
        let text = self.0.get(start..).expect("a text is only added to");
        if text.contains(END) {
            let escaped = text.replace(END, "\\x0A");
            self.0.truncate(start);
            self.0.push_str(&escaped);
        }
        self.0.push(END);
    }

    /// The texts.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &str> + Clone {
        self.0.split_terminator(END)
    }

    /// The first text.
    pub fn first(&self) -> Option<&str> {
        self.iter().next()
    }

    /// The last text.
    pub fn last(&self) -> Option<&str> {
        self.iter().next_back()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.bytes().filter(|byte| *byte == END as u8).count()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this is one of them.
    pub fn contains(&self, text: &str) -> bool {
        self.iter().any(|one| one == text)
    }

    /// All of them, with this between each two.
    pub fn join(&self, between: &str) -> String {
        self.0.strip_suffix(END).unwrap_or_default().replace(END, between)
    }

    /// Octets that they take.
    pub const fn octets(&self) -> usize {
        self.0.capacity()
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<T: AsRef<str>> FromIterator<T> for Texts {
    fn from_iter<I: IntoIterator<Item = T>>(all: I) -> Self {
        let mut texts = Self::default();
        all.into_iter().for_each(|text| texts.push(text.as_ref()));
        texts
    }
}

impl<T: AsRef<str>, const N: usize> From<[T; N]> for Texts {
    fn from(all: [T; N]) -> Self {
        all.into_iter().collect()
    }
}

impl Serialize for Texts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all = serializer.serialize_seq(Some(self.len()))?;
        self.iter().try_for_each(|text| all.serialize_element(text))?;
        all.end()
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("texts")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Texts, A::Error> {
                let mut texts = Texts::default();
                while let Some(text) = all.next_element::<Cow<'de, str>>()? {
                    texts.push(&text);
                }
                Ok(texts)
            }
        }

        deserializer.deserialize_seq(Read)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_are_what_a_list_of_them_would_be(list in prop::collection::vec("[ -~]{0,6}", 0..5)) {
            let texts: Texts = list.iter().collect();
            prop_assert_eq!(texts.iter().collect::<Vec<_>>(), list.iter().map(String::as_str).collect::<Vec<_>>());
            prop_assert_eq!((texts.len(), texts.is_empty()), (list.len(), list.is_empty()));
            prop_assert_eq!((texts.first(), texts.last()), (list.first().map(|s| &**s), list.last().map(|s| &**s)));
            prop_assert_eq!(texts.join(", "), list.join(", "));
            prop_assert!(list.iter().all(|text| texts.contains(text)) && !texts.contains("1234567"));
            let json = serde_json::to_string(&texts).unwrap();
            prop_assert_eq!(&json, &serde_json::to_string(&list).unwrap());
            prop_assert_eq!(serde_json::from_str::<Texts>(&json).unwrap(), texts);
        }
    }

    #[test]
    fn a_line_end_does_not_make_two_of_one() {
        let texts = Texts::from(["a\nb", ""]);
        assert_eq!(texts.iter().collect::<Vec<_>>(), ["a\\x0Ab", ""]);
        assert_eq!(serde_json::from_str::<Texts>(r#"["a\nb",""]"#).unwrap(), texts);
    }
}
