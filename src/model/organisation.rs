//! Organisational domains: who registered a name.
//! Comes in: a name. Goes out: its registrable part by the ICANN section of the Public Suffix List.
//! The private section is a flag only: with it, cloud templates would hide in the "organisation".

use super::introduction::Naming;
use super::name::{Name, is_border};
use super::tables::Suffix;

impl Naming {
    /// The registrable domain of a name, inside the name: the ICANN suffix and one label. None when the name is itself a
    /// suffix, or the root.
    pub fn registrable(self, name: &Name) -> Option<&str> {
        let text = name.as_str();
        registrable(text, self.tables().suffix(text))
    }

    /// The same as a name of its own.
    pub fn organisation(self, name: &Name) -> Option<Name> {
        let part = self.registrable(name)?;
        Some(if part.len() == name.as_str().len() { name.clone() } else { Name::of_part(part) })
    }

    /// Whether two names belong to one organisation.
    pub fn same_organisation(self, one: &Name, other: &Name) -> bool {
        self.registrable(one).is_some_and(|own| self.registrable(other) == Some(own))
    }

    /// The labels below the organisational domain; empty for that domain itself and for a public suffix.
    pub fn host_part(self, name: &Name) -> &str {
        let text = name.as_str();
        let below = self.registrable(name).and_then(|own| text.len().checked_sub(own.len() + 1));
        below.and_then(|end| text.get(..end)).unwrap_or_default()
    }
}

/// A suffix with one label before it; None when there is none.
pub(super) fn registrable(text: &str, suffix: Suffix) -> Option<&str> {
    let before = text.get(..suffix.start.checked_sub(1)?)?;
    let start = before.rmatch_indices('.').map(|(dot, _)| dot + 1).find(|&next| is_border(text, next));
    text.get(start.unwrap_or(0)..)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMING: Naming = Naming::built_in();

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn of(text: &str) -> Option<String> {
        NAMING.organisation(&name(text)).map(|name| name.as_str().to_owned())
    }

    #[test]
    fn a_cloud_is_its_own_organisation_not_each_of_its_templates() {
        assert_eq!(of("ec2-1-2-3-4.eu-west-1.compute.amazonaws.com").as_deref(), Some("amazonaws.com"));
        assert_eq!(of("mail.example-isp.co.uk").as_deref(), Some("example-isp.co.uk"));
        assert_eq!(of("ietf.org").as_deref(), Some("ietf.org"));
        assert_eq!(of("co.uk"), None);
        assert_eq!(of("h7.isp.test").as_deref(), Some("isp.test"));
    }

    #[test]
    fn a_dot_inside_a_label_does_not_forge_an_organisation() {
        let of = |labels: &[&[u8]]| NAMING.organisation(&Name::from_labels(labels.iter().copied()));
        assert_eq!(of(&[b"mx.isp", b"com"]).unwrap().as_str(), "mx\\.isp.com");
        assert_eq!(of(&[b"a", b"b.", b"com"]).unwrap().as_str(), "b\\..com");
        assert_eq!(of(&[b"isp."]), None);
    }

    #[test]
    fn a_name_is_parted_where_its_organisation_begins() {
        for (text, host) in [
            ("mail-out2.dept.example-isp.co.uk", "mail-out2.dept"),
            ("a.github.io", "a"),
            ("ietf.org", ""),
            ("co.uk", ""),
            ("a.nosuchtld", ""),
        ] {
            assert_eq!(NAMING.host_part(&name(text)), host, "{text}");
        }
    }

    #[test]
    fn two_names_are_of_one_organisation_or_not() {
        let same = |one, other| NAMING.same_organisation(&name(one), &name(other));
        assert!(same("mx.isp.co.uk", "isp.co.uk") && same("a.b.isp.com", "c.isp.com"));
        assert!(!same("mx.isp.co.uk", "mx.other.co.uk") && !same("co.uk", "co.uk"));
    }
}
