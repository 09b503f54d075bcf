//! What mail servers have recorded, from their logs to what a scan reads.
#![expect(clippy::unwrap_used, reason = "a test may fail by panic, also in its own functions")]

use std::fs;
use std::io::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use mxcensus::input::{self, Item, Source};
use mxcensus::model::address::Allowed;
use mxcensus::model::smtp::unescape;
use mxcensus::model::target::Wanted;
use mxcensus::observe::{self, Counts, Format, Job};

const PROGRAM: &str = env!("CARGO_BIN_EXE_mxcensus");

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/logs").join(name)
}

/// The documentation networks, which stand for the public ones in the fixtures.
fn allowed() -> Allowed {
    let networks = ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"];
    Allowed::new(networks.iter().map(|text| text.parse().unwrap()).collect())
}

/// Reads a log and gives what a scan's input makes of the pairs, with the octets of each HELO.
fn pairs(log: &Path, format: Format) -> (Counts, Vec<(IpAddr, Vec<u8>)>) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("seen.csv");
    let job =
        Job { logs: vec![log.to_owned()], format, output: Some(out.clone()), allowed: allowed(), relays: Vec::new() };
    let counts = observe::run(&job).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "something was left beside the output");
    let read = Source::open(&out, &input::Options::default()).unwrap();
    let pairs: Vec<_> = read
        .map(|item| match item.unwrap() {
            Item::Entry(entry) => match entry.wanted {
                Wanted::Observed { address, helo } => (address, unescape(&helo)),
                other => panic!("{other:?}"),
            },
            Item::Reject(reject) => panic!("{reject:?}"),
        })
        .collect();
    assert_eq!(counts.pairs, pairs.len() as u64);
    (counts, pairs)
}

/// As [`pairs`], in words.
fn words(name: &str, format: Format) -> (Counts, Vec<String>) {
    let (counts, pairs) = pairs(&fixture(name), format);
    (counts, pairs.iter().map(|(address, helo)| format!("{address} {}", String::from_utf8_lossy(helo))).collect())
}

#[test]
fn what_a_log_holds_is_what_a_scan_reads() {
    let cases: &[(&str, Format, &[&str], [u64; 6])] = &[
        (
            "postfix.log",
            Format::Postfix,
            &[
                "203.0.113.5 WIN-7Q2KD8FA1",
                "192.0.2.25 mail.example.org",
                "198.51.100.77 ylmf-pc",
                "2001:db8:25::6 mail6.example.org",
                "203.0.113.66 =2+5,\"x\"",
            ],
            [15, 5, 2, 1, 1, 2],
        ),
        (
            "exim.log",
            Format::Exim,
            &["192.0.2.25 mail.example.org", "203.0.113.5 localhost.localdomain", "203.0.113.9 User"],
            [9, 3, 0, 0, 1, 1],
        ),
        ("sendmail.log", Format::Sendmail, &[], [3, 0, 0, 0, 0, 2]),
        (
            "exchange.log",
            Format::Exchange,
            &["192.0.2.25 mail.example.org", "2001:db8:25::6 mail6.example.org"],
            [14, 2, 0, 0, 1, 0],
        ),
        ("mailbox.log", Format::Received, &["192.0.2.25 mail.example.org", "203.0.113.5 User"], [27, 2, 0, 0, 1, 0]),
    ];
    for (name, format, wanted, counts) in cases {
        let [lines, pairs, repeated, private, authenticated, without_helo] = *counts;
        let counts = Counts { lines, pairs, repeated, private, authenticated, without_helo };
        for format in [*format, Format::Auto] {
            let read = words(name, format);
            assert_eq!(
                (read.0, read.1.iter().map(String::as_str).collect::<Vec<_>>()),
                (counts, wanted.to_vec()),
                "{name}"
            );
        }
    }
}

#[test]
fn hostile_octets_come_back_as_they_were_said() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("mail.log.1.gz");
    let said: [&[u8]; 6] =
        [b"a,b\"c", b"esc\x1b]52;x", b"m\xFCller.de", "müller.de".as_bytes(), b"back\\slash\\x41", b"nul\0"];
    let mut gzip = flate2::write::GzEncoder::new(fs::File::create(&log).unwrap(), flate2::Compression::fast());
    for helo in said {
        gzip.write_all(b"Nov 24 06:25:02 mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from u[192.0.2.1]: 550 no; helo=<")
            .unwrap();
        gzip.write_all(helo).unwrap();
        gzip.write_all(b">\n").unwrap();
    }
    gzip.finish().unwrap();
    let (_, read) = pairs(&log, Format::Auto);
    assert_eq!(read.iter().map(|(_, helo)| helo.as_slice()).collect::<Vec<_>>(), said);
}

fn mxcensus(words: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(PROGRAM)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that does not read its input is not at fault.
    let _gone = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

#[test]
fn pairs_go_down_a_pipe_into_a_scan() {
    let log = fs::read(fixture("postfix.log")).unwrap();
    let special = ["--allow-special", "192.0.2.0/24", "--allow-special", "203.0.113.0/24"];
    let seen = mxcensus(&[&["observe", "-"], &special[..]].concat(), &log);
    let said = String::from_utf8(seen.stderr).unwrap();
    assert_eq!(seen.status.code(), Some(0), "{said}");
    assert_eq!(
        said,
        "complete: lines read 15 = pairs written 3 + repeated 1 + dropped 7 (private 5, authenticated 0, without helo 2) \
         + unparsed 4\n"
    );
    let words = [&["scan", "-i", "-", "--lab", "--quiet", "--format", "jsonl"], &special[..]].concat();
    let scan = mxcensus(&words, &seen.stdout);
    let rows = String::from_utf8(scan.stdout).unwrap();
    assert_eq!(scan.status.code(), Some(0), "{}", String::from_utf8_lossy(&scan.stderr));
    assert_eq!(rows.matches(r#""basis":"observed""#).count(), 3, "{rows}");
    assert!(
        rows.contains(r#""introduction":"WIN-7Q2KD8FA1""#) && rows.contains(r#""introduction":"=2+5,\"x\"""#),
        "{rows}"
    );
}

#[test]
fn special_addresses_are_dropped_unless_allowed() {
    let path = fixture("exim.log");
    let seen = mxcensus(&["observe", "-q", path.to_str().unwrap()], b"");
    assert_eq!((&seen.stdout[..], &seen.stderr[..]), (&b"ip,helo\n"[..], &b""[..]));
    let seen = mxcensus(&["observe", "-q", path.to_str().unwrap(), "--allow-special", "all"], b"");
    assert_eq!(String::from_utf8(seen.stdout).unwrap().lines().count(), 4);
}

#[test]
fn a_log_that_cannot_be_read_ends_it_without_a_result() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("seen.csv");
    let good = fixture("exim.log");
    for bad in ["/no/such.log", "/tmp", "/proc/self/mem"] {
        let words = ["observe", good.to_str().unwrap(), bad, "-o", out.to_str().unwrap()];
        let output = mxcensus(&words, b"");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.starts_with("mxcensus: ") && said.contains(bad) && said.lines().count() == 1, "{said}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{bad}");
    }
    let output = mxcensus(&["observe", good.to_str().unwrap(), "-o", "/no/such/seen.csv"], b"");
    assert_eq!(output.status.code(), Some(2));
    let output = mxcensus(&["observe", good.to_str().unwrap(), "--relay", "mx1"], b"");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--relay \"mx1\""));
}

#[test]
fn a_reader_that_goes_away_is_a_good_end() {
    let log = fs::read(fixture("postfix.log")).unwrap();
    let script = format!("{PROGRAM} observe - --allow-special all | true; exit ${{PIPESTATUS[0]}}");
    let mut child =
        Command::new("bash").args(["-c", &script]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut many = Vec::new();
    // Enough different pairs to fill the pipe.
    for n in 0..20_000 {
        let line = String::from_utf8_lossy(&log)
            .lines()
            .nth(1)
            .unwrap()
            .replace("WIN-7Q2KD8FA1", &format!("host-{n}.example"));
        many.extend(line.into_bytes());
        many.push(b'\n');
    }
    let _gone = child.stdin.take().unwrap().write_all(&many);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_log_is_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("mail.log");
    fs::copy(fixture("postfix.log"), &log).unwrap();
    let before = fs::read(&log).unwrap();
    let output = Command::new(PROGRAM).arg("observe").arg(&log).arg("-o").arg(&log).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("is read by LOG and would be overwritten"), "{said}");
    assert_eq!(fs::read(&log).unwrap(), before);
}
