//! How evidence is spelled where it is stored: short, and still readable by a person.
//! Comes in: values that stand in every record, and bytes. Goes out: nothing for what is usual, and bytes as escaped text.
//! What is left out comes back as the same value: a field is only left out when it equals its default.

/// Whether a field says nothing that its absence would not say.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Bytes as the text that [`escape`](crate::model::smtp::escape) makes of them.
pub(super) mod octets {
    use std::borrow::Cow;

    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::model::smtp::{escape, unescape};

    pub(in super::super) fn serialize<S: Serializer>(bytes: &impl AsRef<[u8]>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&escape(bytes.as_ref()))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Box<[u8]>, D::Error> {
        let text = Cow::<str>::deserialize(from)?;
        Ok(unescape(&text).into_boxed_slice())
    }
}
