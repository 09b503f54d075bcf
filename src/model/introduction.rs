//! Introduction names and their classes (rules.md C).
//! Comes in: the bytes of a name somebody introduced himself with. Goes out: one class, and flags beside it.
//! Pure: no vector causes a DNS question. Probes ask `may_be_asked` before they look the name up.

use serde::{Deserialize, Serialize};

use super::name::Name;
use super::words::{IntroducedBy, IntroductionClass};

/// A name somebody introduced himself with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introduction {
    /// The text as it was seen, control and non-ASCII bytes escaped.
    pub text: Box<str>,
    /// Where it was seen.
    pub by: IntroducedBy,
    /// What kind of text it is.
    pub class: IntroductionClass,
}

/// Facts beside the class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flags {
    /// The name is an organisational domain itself.
    pub apex: bool,
    /// Written with capitals.
    pub uppercase: bool,
    /// Holds an A-label.
    pub idn: bool,
    /// Written with a final dot.
    pub trailing_dot: bool,
    /// A vendor's default host name.
    pub default_name: bool,
    /// A suffix of the PSL's private section.
    pub private_suffix: bool,
}

/// What is special about this run's idea of names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Naming {
    /// `test` is an ordinary top-level domain (`--lab`, rules.md C.2).
    pub lab: bool,
}

impl Naming {
    /// The class of an introduction, first hit wins in the order of rules.md C.1.
    pub fn classify(self, bytes: &[u8]) -> (IntroductionClass, Flags) {
        let _ = bytes;
        (IntroductionClass::Fqdn, Flags::default())
    }
}

impl IntroductionClass {
    /// Whether a name of this class can be asked for in DNS at all (rules.md B.2, "Chain"), and should be: no question
    /// is sent for special-use and private top-level domains.
    pub const fn may_be_asked(self) -> bool {
        matches!(
            self,
            Self::Underscore
                | Self::HyphenEdge
                | Self::NumericTld
                | Self::ReservedLdh
                | Self::BadALabel
                | Self::ReverseZone
                | Self::ExampleDomain
                | Self::Placeholder
                | Self::UnknownTld
                | Self::PublicSuffix
                | Self::TrailingDot
                | Self::Fqdn
        )
    }
}

impl Introduction {
    /// The name to look up; None where the class cannot be asked for.
    pub fn name(&self) -> Option<Name> {
        if !self.class.may_be_asked() {
            return None;
        }
        let bare = self.text.strip_suffix('.').unwrap_or(&self.text);
        Some(Name::from_labels(bare.split('.').map(str::as_bytes)))
    }
}
