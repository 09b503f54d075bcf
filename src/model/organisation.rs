//! Organisational domains: who registered a name.
//! Comes in: a name. Goes out: its registrable part by the ICANN section of the Public Suffix List.
//! The private section is a flag only: with it, cloud templates would hide in the "organisation".

use super::name::Name;

/// The registrable domain of a name: the ICANN suffix and one label. None when the name is itself a suffix, or the root.
pub fn organisation(name: &Name) -> Option<Name> {
    let text = name.as_str();
    let suffix = text.len() - icann_suffix(text).len();
    let start = label_starts(text).take_while(|start| *start < suffix).last()?;
    text.get(start..).map(|part| Name::trusted(part.to_owned()))
}

/// Whether the name is a suffix under which the public registers: `Some(true)` in the ICANN section, `Some(false)` in the private one.
pub fn public_suffix(name: &Name) -> Option<bool> {
    let text = name.as_str();
    if icann_suffix(text).len() == text.len() {
        return Some(true);
    }
    (psl::suffix_str(text)?.len() == text.len()).then_some(false)
}

/// The longest suffix of the ICANN section that is a tail of this name; the last label when no rule speaks of it.
fn icann_suffix(text: &str) -> &str {
    let mut last = text;
    for tail in label_starts(text).filter_map(|start| text.get(start..)) {
        if let Some(suffix) = psl::suffix(tail.as_bytes())
            && suffix.as_bytes().len() == tail.len()
            && suffix.typ() == Some(psl::Type::Icann)
        {
            return tail;
        }
        last = tail;
    }
    last
}

/// Where the labels start. An escaped dot is no border: `x\.isp.com` is nobody at `isp.com`.
fn label_starts(text: &str) -> impl Iterator<Item = usize> {
    let mut escaped = false;
    let behind_dots = text.bytes().zip(1..).filter_map(move |(byte, next)| {
        let border = byte == b'.' && !escaped;
        escaped = byte == b'\\' && !escaped;
        border.then_some(next)
    });
    std::iter::once(0).chain(behind_dots)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<String> {
        organisation(&Name::parse(text).unwrap()).map(|name| name.as_str().to_owned())
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
        let of = |labels: &[&[u8]]| organisation(&Name::from_labels(labels.iter().copied()));
        assert_eq!(of(&[b"mx.isp", b"com"]).unwrap().as_str(), "mx\\.isp.com");
        assert_eq!(of(&[b"a", b"b.", b"com"]).unwrap().as_str(), "b\\..com");
        assert_eq!(of(&[b"isp."]), None);
    }

    #[test]
    fn the_sections_of_the_list_are_told_apart() {
        assert_eq!(public_suffix(&Name::parse("co.uk").unwrap()), Some(true));
        assert_eq!(public_suffix(&Name::parse("github.io").unwrap()), Some(false));
        assert_eq!(public_suffix(&Name::parse("ietf.org").unwrap()), None);
    }
}
