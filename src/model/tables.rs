//! Dated tables of names: what is delegated, set aside, private, or never replaced.
//! Comes in: files compiled into the program, each with its date and origin. Goes out: whether a name stands in one.
//! Nothing is looked up in DNS, and no table changes while the program runs.

use std::collections::HashSet;
use std::sync::LazyLock;

const PLACEHOLDERS: &str = include_str!("tables/placeholders.txt");

static TLDS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| words(include_str!("tables/tlds.txt")).collect());
static PRIVATE_TLDS: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| words(include_str!("tables/private-tlds.txt")).collect());
static SPECIAL_USE: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| words(include_str!("tables/special-use.txt")).collect());
static PLACEHOLDER_LABELS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| placeholders("label").collect());
static PLACEHOLDER_SUFFIXES: LazyLock<Vec<&'static str>> = LazyLock::new(|| placeholders("suffix").collect());
static DEFAULT_HOSTS: LazyLock<Vec<&'static str>> = LazyLock::new(|| placeholders("host").collect());

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.starts_with('#'))
}

fn words(text: &'static str) -> impl Iterator<Item = &'static str> {
    lines(text).flat_map(str::split_ascii_whitespace)
}

fn placeholders(kind: &str) -> impl Iterator<Item = &'static str> {
    lines(PLACEHOLDERS)
        .filter_map(move |line| line.strip_prefix(kind)?.strip_prefix(':'))
        .flat_map(str::split_ascii_whitespace)
}

/// Whether a name is this suffix or stands below it.
pub(super) fn is_under(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix).is_some_and(|head| head.is_empty() || head.ends_with('.'))
}

/// Whether a top-level domain is delegated.
pub(super) fn is_delegated(tld: &str) -> bool {
    TLDS.contains(tld)
}

/// Whether a top-level domain is one of private networks.
pub(super) fn is_private_tld(tld: &str) -> bool {
    PRIVATE_TLDS.contains(tld)
}

/// The special-use suffix that a name stands under.
pub(super) fn special_use(name: &str) -> Option<&'static str> {
    SPECIAL_USE.iter().copied().find(|suffix| is_under(name, suffix))
}

/// Whether a name ends in one, or its registered label is one, that a manual told somebody to replace.
pub(super) fn is_placeholder(name: &str, registered_label: Option<&str>) -> bool {
    PLACEHOLDER_SUFFIXES.iter().any(|suffix| is_under(name, suffix))
        || registered_label.is_some_and(|label| PLACEHOLDER_LABELS.contains(label))
}

/// Whether a name of one label is what a system calls itself until somebody names it.
pub(super) fn is_default_host(label: &str) -> bool {
    DEFAULT_HOSTS.iter().any(|host| match host.strip_suffix('*') {
        Some(head) => label.starts_with(head),
        None => label == *host,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_delegated_domain_is_one_lower_case_label_that_the_suffix_list_knows() {
        assert!(TLDS.len() > 1_400, "{}", TLDS.len());
        for tld in TLDS.iter() {
            assert!(tld.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')), "{tld}");
            // Of some the list has only a rule for what stands below.
            let known = [tld.to_string(), format!("x.{tld}"), format!("co.{tld}")]
                .iter()
                .any(|name| psl::suffix(name.as_bytes()).is_some_and(|suffix| suffix.is_known()));
            assert!(known, "{tld}");
        }
    }

    #[test]
    fn no_private_or_special_domain_is_delegated() {
        for tld in PRIVATE_TLDS.iter().chain(SPECIAL_USE.iter()) {
            assert!(!is_delegated(tld), "{tld}");
        }
    }

    #[test]
    fn every_table_is_read() {
        assert_eq!((SPECIAL_USE.len(), PRIVATE_TLDS.len()), (9, 15));
        assert_eq!((PLACEHOLDER_LABELS.len(), PLACEHOLDER_SUFFIXES.len(), DEFAULT_HOSTS.len()), (22, 2, 7));
        assert!(is_default_host("win-7q2kd8fa1") && is_default_host("friend") && !is_default_host("friends"));
        assert!(is_placeholder("a.fritz.box", None) && !is_placeholder("afritz.box", Some("afritz")));
        assert_eq!(special_use("gw.home.arpa"), Some("home.arpa"));
    }
}
