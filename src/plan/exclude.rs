//! Lists of those who must never be contacted.
//! Comes in: files of domains, addresses and networks. Goes out: the exclusions of the run.
//! A line that cannot be read stops the run: an exclusion that is not understood is one that is not kept.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use crate::model::exclusion::Exclusions;

/// Longest line of a list, in bytes.
const MAX_LINE: u64 = 64 * 1024;

/// Why a list of exclusions cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the exclusions in {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is no domain, address or network.
    #[error("{}:{line}: {text:?} {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What stands there, cut short.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Reads lists: one exclusion a line, or in the first column of a CSV; `#` begins a comment. A name excludes itself
/// and all names below it, with or without `*.` before it. Host bits of a network are dropped: all of it is meant.
pub fn read(paths: impl IntoIterator<Item = impl AsRef<Path>>) -> Result<Exclusions, Error> {
    let mut exclusions = Exclusions::default();
    for path in paths {
        let path = path.as_ref();
        let unread = |source| Error::Read { path: path.to_owned(), source };
        let mut lines = BufReader::new(File::open(path).map_err(unread)?);
        let mut bytes = Vec::new();
        let mut line = 0;
        loop {
            bytes.clear();
            let count = lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut bytes).map_err(unread)?;
            if count == 0 {
                break;
            }
            line += 1;
            let bytes = if line == 1 { bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes) } else { &bytes };
            let text = String::from_utf8_lossy(bytes);
            add(&mut exclusions, &text).map_err(|reason| Error::Line {
                path: path.to_owned(),
                line,
                text: text.trim().chars().take(100).collect(),
                reason,
            })?;
        }
    }
    exclusions.seal();
    Ok(exclusions)
}

fn add(exclusions: &mut Exclusions, line: &str) -> Result<(), String> {
    let exclusion = line.split('#').next().unwrap_or_default().trim();
    if exclusion.is_empty() {
        return Ok(());
    }
    let cell = exclusion.split([',', ';', '\t']).next().unwrap_or_default();
    exclusions
        .add(cell.trim().trim_matches('"').trim())
        .map_err(|error| format!("is neither an address nor a network, and as a domain name it {error}"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::IpAddr;

    use ipnet::IpNet;
    use proptest::prelude::*;

    use super::*;
    use crate::model::name::Name;

    fn read(text: &[u8]) -> Result<Exclusions, Error> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("exclude.txt");
        fs::write(&path, text).unwrap();
        super::read([path])
    }

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_excludes_itself_and_all_below() {
        let exclusions = read(b"Example.ORG\r\n*.example.net\n.example.com # all of it\n").unwrap();
        for covered in
            ["example.org", "a.b.example.org", "example.net", "x.example.net", "example.com", "y.example.com"]
        {
            assert!(exclusions.covers_name(&name(covered)), "{covered}");
        }
        for free in ["org", "notexample.org", "example.org.test"] {
            assert!(!exclusions.covers_name(&name(free)), "{free}");
        }
    }

    #[test]
    fn networks_cover_their_first_and_last_address() {
        let exclusions =
            read(b"\xEF\xBB\xBF192.0.2.7/24\n198.51.100.5,why,who\n# none\n\n2001:db8::/32;x\n0.0.0.0/8\n").unwrap();
        for covered in ["192.0.2.0", "192.0.2.255", "::ffff:192.0.2.9", "198.51.100.5", "2001:db8:ffff::1", "0.0.0.0"] {
            assert!(exclusions.covers_address(address(covered)), "{covered}");
        }
        for free in ["192.0.1.255", "192.0.3.0", "198.51.100.4", "198.51.100.6", "2001:db9::", "1.0.0.0", "::"] {
            assert!(!exclusions.covers_address(address(free)), "{free}");
        }
    }

    #[test]
    fn everything_can_be_excluded() {
        let exclusions = read(b"0.0.0.0/0\n::/0\n192.0.2.1\n").unwrap();
        for covered in ["0.0.0.0", "255.255.255.255", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"] {
            assert!(exclusions.covers_address(address(covered)), "{covered}");
        }
    }

    #[test]
    fn a_line_that_is_not_understood_stops_the_run() {
        for bad in [
            "192.0.2.0/33",
            "user@example.org",
            "192.0.2.1-192.0.2.9",
            "m\u{fffd}ller.de",
            "x,\ny z",
            "a..b",
            ",reason",
        ] {
            let error = read(format!("# fine\nexample.org\n{bad}\n").as_bytes()).unwrap_err().to_string();
            let line = if bad.contains('\n') { "exclude.txt:4: " } else { "exclude.txt:3: " };
            assert!(error.contains(line), "{error}");
        }
        assert!(matches!(read(b"m\xFCller.de"), Err(Error::Line { line: 1, .. })));
        assert!(matches!(read("a".repeat(1 << 20).as_bytes()), Err(Error::Line { line: 1, .. })));
        assert!(matches!(super::read(["/nonexistent"]), Err(Error::Read { .. })));
    }

    proptest! {
        #[test]
        fn ranges_answer_as_the_networks_do(
            networks in prop::collection::vec((any::<u32>(), 0..=32_u8), 0..40),
            asked in prop::collection::vec(any::<u32>(), 0..40),
        ) {
            let networks: Vec<IpNet> = networks.into_iter()
                .map(|(bits, prefix)| IpNet::new(IpAddr::V4((bits & 0x0F0F_000F).into()), prefix.max(6)).unwrap())
                .collect();
            let text: Vec<String> = networks.iter().map(ToString::to_string).collect();
            let exclusions = read(text.join("\n").as_bytes()).unwrap();
            for bits in asked {
                let address = IpAddr::V4((bits & 0x0F0F_000F).into());
                let wanted = networks.iter().any(|network| network.contains(&address));
                prop_assert_eq!(exclusions.covers_address(address), wanted, "{}", address);
            }
        }
    }
}
