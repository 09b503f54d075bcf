//! The reader as a whole, over the hostile files of `fixtures/inputs` and over arbitrary bytes.

use std::io::{Cursor, Write as _};

use proptest::prelude::*;

use super::*;

const NONE: Options = Options { column: None, helo_column: None };

fn options(column: Option<&str>, helo: Option<&str>) -> Options {
    Options { column: column.map(str::to_owned), helo_column: helo.map(str::to_owned) }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/inputs").join(name)
}

/// An item in short: its number, and what it is.
fn brief(item: Item) -> String {
    match item {
        Item::Entry(Entry { line, wanted, .. }) => {
            let line = line.unwrap();
            match wanted {
                Wanted::Domain(name) => format!("{line} {name}"),
                Wanted::Address(address) => format!("{line} {address}"),
                Wanted::Network(network) => format!("{line} {network}"),
                Wanted::Observed { address, helo } => format!("{line} {address} said {helo}"),
            }
        }
        Item::Reject(Reject { record, column, reason, text, .. }) => {
            format!("{} {column:?} {reason}: {text}", record.unwrap())
        }
    }
}

fn read(source: Source) -> Vec<String> {
    source.map(|item| brief(item.unwrap())).collect()
}

fn text(bytes: impl AsRef<[u8]> + Send + 'static, options: &Options) -> Vec<String> {
    read(Source::reader("test", Cursor::new(bytes), options).unwrap())
}

#[test]
fn hostile_files_are_read_record_by_record() {
    let cases: &[(&str, &[&str])] = &[
        ("quoted.csv", &["1 example.org", "2 example.net", "3 example.com"]),
        ("bom.csv", &["1 example.org"]),
        ("crlf.csv", &["1 192.0.2.1 said mail.example.org", "2 192.0.2.2"]),
        (
            "tabs.tsv",
            &[
                "1 example.org",
                "2 \"host\" has the character ',', which no domain name has: a,b.org",
                "3 \"host\" is empty: ",
            ],
        ),
        (
            "semicolon.csv",
            &[
                "1 192.0.2.1 said mail.example.org",
                "2 2001:db8::1 said m\\xFCller.de",
                "3 \"HELO\" needs an address as target beside it: example.org",
            ],
        ),
        (
            "ragged.csv",
            &[
                "1 \"domain\" is not there: the record has fewer columns: 1",
                "2 example.org",
                "3 example.net",
                "4 \"domain\" is empty: ",
            ],
        ),
        ("nul.txt", &["1 a.org", "2 \"1\" holds a NUL byte: b\\x00.org", "3 c.org"]),
        ("latin1.csv", &["1 example.org", "2 \"domain\" is not UTF-8: m\\xFCller.de", "3 xn--mller-kva.de"]),
        ("newline.csv", &["1 example.org", "2 example.net"]),
        ("only-header.csv", &[]),
        ("empty.csv", &[]),
        ("no-end.txt", &["1 example.org", "2 192.0.2.0/30"]),
        (
            "unterminated.csv",
            &[
                "1 \"\" has a quote that is not closed: example.org,\"never closed",
                "2 example.net",
                "3 example.com",
                "4 \"\" has a quote that is not closed: \"stray.example",
                "5 last.example",
            ],
        ),
        (
            "plain.txt",
            &[
                "1 example.org",
                "2 192.0.2.0/24",
                "3 2001:db8::1",
                "4 \"1\" is an e-mail address: give the part after the @ alone: user@example.org",
                "5 \"1\" is a URL: give its host name alone: http://example.org/",
                "6 \"1\" has a port: give the host alone, and the port by --port: example.org:25",
                "7 \"1\" is a wildcard: give a domain name: *.example.org",
                "8 \"1\" has the character '=', which no domain name has: =cmd()",
            ],
        ),
        ("hash-data.csv", &[]),
        ("hash-ids.csv", &["1 example.org", "2 example.net"]),
        ("old-mac.txt", &["1 example.org", "2 example.net"]),
    ];
    for (name, wanted) in cases {
        assert_eq!(read(Source::open(&fixture(name), &NONE).unwrap()), *wanted, "{name}");
    }
}

#[test]
fn what_is_no_text_is_refused_as_a_whole() {
    for (name, words) in [("utf16.csv", "UTF-16"), ("spreadsheet.csv", "spreadsheet")] {
        let error = Source::open(&fixture(name), &NONE).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(words), "{error}");
    }
}

#[test]
fn a_file_that_cannot_be_opened_is_named() {
    for path in ["/nonexistent/list.csv", env!("CARGO_MANIFEST_DIR")] {
        let error = Source::open(Path::new(path), &NONE).unwrap_err();
        assert!(matches!(&error, Error::Open { path: named, .. } if named == Path::new(path)), "{error}");
    }
}

#[test]
fn the_target_column_is_the_first_known_one_in_the_promised_order() {
    assert_eq!(text("saddr,IP,x\n192.0.2.1,192.0.2.2,y\n", &NONE), ["1 192.0.2.2"]);
    assert_eq!(text("x, Domain \ny,example.org\n", &NONE), ["1 example.org"]);
    assert_eq!(text("x.org,y\nz.org,w\n", &NONE), ["1 x.org", "2 z.org"]);
    assert_eq!(text("ehlo,saddr\nmail.example.org,192.0.2.1\n", &NONE), ["1 192.0.2.1 said mail.example.org"]);
}

#[test]
fn columns_are_named_by_header_or_number() {
    let table = "a,b,c\nx.org,192.0.2.1,mail.x.org\n";
    assert_eq!(text(table, &options(Some("A"), None)), ["1 x.org"]);
    assert_eq!(text(table, &options(Some("b"), Some("c"))), ["1 192.0.2.1 said mail.x.org"]);
    let bare = "1,192.0.2.1,mail.x.org\n2,x.org\n";
    assert_eq!(text(bare, &options(Some("2"), Some("3"))), ["1 192.0.2.1 said mail.x.org", "2 x.org"]);
    let named = "domain,other\nx.org,y.org\n";
    assert_eq!(text(named, &options(Some("2"), None)), ["1 y.org"]);
}

#[test]
fn a_missing_column_is_an_error_that_names_those_there_are() {
    for (table, column, helo) in [
        ("domain,note\nx.org,y\n", Some("fqdn"), None),
        ("domain,note\nx.org,y\n", None, Some("fqdn")),
        ("domain,note\nx.org,y\n", Some("3"), None),
        ("domain,note\nx.org,y\n", Some("0"), None),
        ("helo,client\nmail.x.org,192.0.2.1\n", None, None),
    ] {
        let error = Source::reader("list.csv", Cursor::new(table), &options(column, helo)).unwrap_err();
        let message = error.to_string();
        let columns = table.split_once('\n').unwrap().0.replace(',', ", ");
        assert!(matches!(error, Error::MissingColumn { .. }), "{message}");
        assert!(message.starts_with("list.csv has no column") && message.ends_with(&columns), "{message}");
    }
    assert!(text("", &options(Some("fqdn"), Some("helo"))).is_empty());
}

#[test]
fn the_delimiter_is_the_one_that_makes_a_header() {
    assert_eq!(text("name, first, last;domain\na, b, c;x.org\n", &NONE), ["1 x.org"]);
    assert_eq!(text("\"a,b,c\"\tx.org\n", &options(Some("2"), None)), ["1 x.org"]);
}

#[test]
fn a_hash_begins_a_record_where_the_targets_stand_further_on() {
    assert_eq!(text("#1,x.org\n#2,y.org\n", &options(Some("2"), None)), ["1 x.org", "2 y.org"]);
}

#[test]
fn an_entry_keeps_its_text_as_given() {
    let items: Vec<_> = Source::reader("-", Cursor::new(" Example.ORG. \n"), &NONE).unwrap().collect();
    assert!(matches!(&items[..], [Ok(Item::Entry(entry))] if &*entry.text == "Example.ORG." && entry.line == Some(1)));
}

#[test]
fn an_argument_has_no_record_number() {
    assert!(matches!(argument("192.0.2.0/24"), Item::Entry(Entry { line: None, wanted: Wanted::Network(_), .. })));
    let Item::Reject(reject) = argument("x@y.org") else { panic!("an e-mail address passed") };
    assert_eq!((&*reject.file, reject.record, &*reject.text), ("command line", None, "x@y.org"));
    assert!(matches!(argument(&"1".repeat(1 << 20)), Item::Reject(_)));
}

#[test]
fn a_quoted_target_over_two_lines_costs_its_own_line_only() {
    assert_eq!(
        text("\"a.org\nb.org\n\"c.org\nd.org\n", &NONE),
        [
            "1 \"\" has a quote that is not closed: \"a.org",
            "2 b.org",
            "3 \"\" has a quote that is not closed: \"c.org",
            "4 d.org"
        ]
    );
    assert_eq!(text("\"a.org\nb.org\n\",x\nc.org\n", &NONE).len(), 4);
}

#[test]
fn a_cut_off_archive_gives_its_records_and_then_the_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("list.csv.gz");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for n in 0..30_000_u32 {
        writeln!(encoder, "h{}.example", n.wrapping_mul(2_654_435_761)).unwrap();
    }
    let mut bytes = encoder.finish().unwrap();
    bytes.truncate(bytes.len() / 2);
    std::fs::write(&path, &bytes).unwrap();
    let mut source = Source::open(&path, &NONE).unwrap();
    let progress = source.progress();
    let good = source.by_ref().take_while(Result::is_ok).count();
    assert!(good > 10_000, "{good}");
    assert!(source.next().is_none());
    assert_eq!(progress.bytes(), (bytes.len() as u64, Some(bytes.len() as u64)));
    let error = Source::open(&path, &NONE).unwrap().find_map(Result::err).unwrap().to_string();
    assert_eq!(error, format!("cannot decompress {} after record {good}", path.display()));
}

#[test]
fn the_digest_is_there_at_the_end_only() {
    let mut source = Source::reader("-", Cursor::new("a.org\n".repeat(100_000)), &NONE).unwrap();
    assert!(source.digest().is_none());
    assert_eq!(source.by_ref().count(), 100_000);
    assert!(source.digest().is_some());
}

#[test]
fn an_excerpt_is_not_cut_inside_an_escape() {
    assert_eq!(excerpt(&[b'x'; 300]).len(), 200);
    assert_eq!(&*excerpt(&[[b'x'; 198].as_slice(), b"\xFF"].concat()), "x".repeat(198));
}

proptest! {
    #[test]
    fn every_record_of_any_bytes_is_an_entry_or_a_reject(
        codes in prop::collection::vec(any::<u16>(), 0..400),
        header in prop_oneof![Just(""), Just("domain,helo\n"), Just("x\ttarget\n")],
    ) {
        let byte = |code: u16| if code & 0x100 == 0 { b"\"\n,.abd012/:"[usize::from(code) % 12] } else { code.to_le_bytes()[0] };
        let bytes: Vec<u8> = codes.into_iter().map(byte).collect();
        let input = [header.as_bytes(), &bytes].concat();
        let Ok(mut source) = Source::reader("test", Cursor::new(input), &NONE) else { return Ok(()) };
        let mut count = 0;
        for item in source.by_ref() {
            count += 1;
            let record = match item.unwrap() {
                Item::Entry(entry) => entry.line,
                Item::Reject(reject) => reject.record,
            };
            prop_assert_eq!(record, Some(count));
        }
        prop_assert_eq!(source.records.number, count);
        prop_assert!(source.records.pending().is_empty());
    }

    #[test]
    fn no_good_line_is_lost_beside_bad_ones(
        lines in prop::collection::vec(prop_oneof![
            Just("good.example"), Just("\"stray"), Just("\"quoted.example\""), Just("x@y"), Just("a,\"b"), Just("")
        ], 0..30)
    ) {
        let input = format!("start.example\n{}\n", lines.join("\n"));
        let good = |line: &&&str| ["good.example", "\"quoted.example\""].contains(*line);
        let read = text(input, &NONE);
        let entries = read.iter().filter(|item| item.ends_with(" good.example") || item.ends_with(" quoted.example"));
        prop_assert_eq!(entries.count(), lines.iter().filter(good).count());
    }
}
