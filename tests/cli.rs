//! The program as a shell meets it: exit codes, streams, bad input.
#![expect(clippy::unwrap_used, reason = "a test may fail by panic, also in its own functions")]

use std::fs;
use std::io::{BufRead as _, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_mxcensus");

fn mxcensus(words: &[&str]) -> Output {
    Command::new(PROGRAM).args(words).stdin(Stdio::null()).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Scans a file in the lab's world and gives what came of it, with the output's path.
fn scan(folder: &Path, input: &[u8], more: &[&str]) -> (Output, std::path::PathBuf) {
    let (list, out) = (folder.join("list.csv"), folder.join("out.csv"));
    fs::write(&list, input).unwrap();
    let mut words = vec!["scan", "--lab", "-i", list.to_str().unwrap(), "-o", out.to_str().unwrap()];
    words.extend(more);
    (mxcensus(&words), out)
}

/// One line, and no trace of a result.
fn assert_refused(output: &Output, code: i32, says: &str, result: &Path) {
    let stderr = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(says), "{stderr:?} does not say {says:?}");
    assert_eq!(stderr.lines().filter(|line| line.starts_with("mxcensus: ")).count(), 1, "{stderr}");
    assert!(!result.exists(), "a partial result stands under the final name");
}

#[test]
fn an_empty_file_and_a_lone_header_are_complete_and_said_to_be_empty() {
    let folder = tempfile::tempdir().unwrap();
    for input in [&b""[..], b"domain,comment\n"] {
        let (output, out) = scan(folder.path(), input, &[]);
        let stderr = stderr(&output);
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        assert!(stderr.contains("list.csv holds no records"), "{stderr}");
        assert!(stderr.contains("records read 0"), "{stderr}");
        assert_eq!(fs::read_to_string(out).unwrap().lines().count(), 1, "the header of the output");
    }
}

#[test]
fn bad_records_are_rejected_one_by_one_and_the_scan_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut input = b"domain\ns01.lab.test\nuser@s02.lab.test\nnul\0.lab.test\nwrong\xff.lab.test\n".to_vec();
    input.extend(vec![b'x'; 1 << 20]);
    input.extend(b"\n\"s44.lab.test\"\n");
    let (output, out) = scan(folder.path(), &input, &["--ipv4-only"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("records read 6 = done 2 + rejected 4 + excluded 0"), "{}", stderr(&output));
    let rejects = fs::read_to_string(folder.path().join("out.csv.rejects.csv")).unwrap();
    let records: Vec<&str> = rejects.lines().skip(1).map(|line| line.split(',').nth(1).unwrap()).collect();
    assert_eq!(records, ["2", "3", "4", "5"], "{rejects}");
    let rows = fs::read_to_string(out).unwrap();
    assert!(rows.contains("s01.lab.test") && rows.contains("s44.lab.test"), "{rows}");
}

#[test]
fn what_cannot_be_read_is_said_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.csv");
    for (input, says) in [("/tmp", "/tmp"), ("/no/such/list.csv", "/no/such/list.csv")] {
        let output = mxcensus(&["scan", "--lab", "-i", input, "-o", out.to_str().unwrap()]);
        assert_refused(&output, 2, says, &out);
    }
    // A file that opens and then cannot be read, whoever asks.
    let output = mxcensus(&["scan", "--lab", "-i", "/proc/self/mem", "-o", out.to_str().unwrap()]);
    assert_refused(&output, 2, "/proc/self/mem", &out);
}

#[test]
fn a_missing_column_is_named_with_those_that_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let (output, out) = scan(folder.path(), b"domain,note\ns01.lab.test,x\n", &["--column", "fqdn"]);
    assert_refused(&output, 2, "fqdn", &out);
    assert!(stderr(&output).contains("note"), "{}", stderr(&output));
}

#[test]
fn an_output_that_cannot_be_written_is_found_before_the_scan() {
    let output = mxcensus(&["scan", "--lab", "s01.lab.test", "-o", "/no/such/folder/out.csv"]);
    assert_refused(&output, 2, "/no/such/folder/out.csv", Path::new("/no/such/folder/out.csv"));
    let folder = tempfile::tempdir().unwrap();
    let output = mxcensus(&["scan", "--lab", "s01.lab.test", "-o", folder.path().to_str().unwrap(), "--format", "csv"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

#[test]
fn a_full_disk_ends_the_run_with_one_line_and_no_result() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["out.csv", "out.jsonl", "out.parquet", "out.csv.gz"] {
        let out = folder.path().join(name);
        let script =
            format!("ulimit -f 8; exec {PROGRAM} scan --lab --lab-domains 3000 --progress none -o {}", out.display());
        let output = Command::new("bash").args(["-c", &script]).output().unwrap();
        assert_refused(&output, 4, name, &out);
    }
}

#[test]
fn a_resolver_that_is_not_there_ends_the_run_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.csv");
    let words =
        ["scan", "example.org", "--resolver", "127.0.0.9:9", "--helo", "a.example.org", "-o", out.to_str().unwrap()];
    let output = mxcensus(&words);
    assert_refused(&output, 2, "127.0.0.9:9", &out);
}

#[test]
fn a_reader_that_goes_away_is_a_good_end() {
    let mut child = Command::new(PROGRAM)
        .args(["scan", "--lab", "--lab-domains", "5000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 64];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    assert!(first.starts_with(b"schema_version,"), "{}", String::from_utf8_lossy(&first));
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(!stderr(&output).contains("mxcensus:"), "{}", stderr(&output));
}

#[test]
fn a_list_can_come_from_standard_input_and_rows_go_to_standard_output() {
    let mut child = Command::new(PROGRAM)
        .args(["scan", "--lab", "-i", "-", "--quiet", "--format", "jsonl"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"s01.lab.test\n198.51.100.8\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stderr(&output), "", "quiet is quiet");
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 2);
}

#[test]
fn findings_can_decide_the_exit_code() {
    let bad = mxcensus(&["scan", "--lab", "s08.lab.test", "--quiet", "--fail-on", "error"]);
    assert_eq!(bad.status.code(), Some(1), "{}", stderr(&bad));
    let good = mxcensus(&["scan", "--lab", "s01.lab.test", "--quiet", "--fail-on", "error"]);
    assert_eq!(good.status.code(), Some(0), "{}", stderr(&good));
}

#[test]
fn an_excluded_target_is_a_row_that_was_not_contacted() {
    let folder = tempfile::tempdir().unwrap();
    let exclude = folder.path().join("exclude.txt");
    fs::write(&exclude, "# opted out\ns01.lab.test\n198.51.100.8/32\n").unwrap();
    let list = b"s01.lab.test\n198.51.100.8\ns13.lab.test\n";
    let (output, out) = scan(folder.path(), list, &["--exclude", exclude.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("records read 3 = done 1 + rejected 0 + excluded 2"), "{}", stderr(&output));
    let rows = fs::read_to_string(out).unwrap();
    assert_eq!(rows.matches("scanner-excluded").count(), 2, "{rows}");
}

#[test]
fn special_addresses_are_not_dialled_unless_allowed() {
    let words = ["scan", "127.0.0.1", "10.0.0.1", "--lab", "--quiet", "--format", "jsonl"];
    let output = mxcensus(&words);
    let rows = String::from_utf8(output.stdout).unwrap();
    assert_eq!(rows.matches(r#""connect_status":"special""#).count(), 2, "{rows}");
}

#[test]
fn a_configuration_file_has_the_names_of_the_command_line_which_wins() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("census.toml");
    fs::write(&file, "lab = true\nformat = 'parquet'\nquiet = true\n").unwrap();
    let words = ["scan", "s01.lab.test", "--config", file.to_str().unwrap(), "--format", "jsonl"];
    let output = mxcensus(&words);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(output.stdout.starts_with(b"{"), "{}", String::from_utf8_lossy(&output.stdout));
    fs::write(&file, "colour = 'blue'\n").unwrap();
    let output = mxcensus(&words);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("the key `colour`"), "{}", stderr(&output));
}

#[test]
fn without_targets_there_is_advice() {
    let output = mxcensus(&["scan"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--lab"), "{}", stderr(&output));
}

#[test]
fn a_scanner_without_a_name_of_its_own_does_not_start() {
    let output = mxcensus(&["scan", "example.org", "--helo", "localhost", "--resolver", "127.0.0.9:9"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--helo"), "{}", stderr(&output));
}

#[test]
fn an_interrupt_drains_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.csv");
    let words = ["scan", "--lab", "--lab-domains", "2000000", "--progress", "none", "-o", out.to_str().unwrap()];
    let mut child = Command::new(PROGRAM).args(words).stderr(Stdio::piped()).spawn().unwrap();
    let part = folder.path().join("out.csv.part");
    let begun = || fs::metadata(&part).is_ok_and(|file| file.len() > 100_000);
    let started = std::time::Instant::now();
    while !begun() {
        assert!(started.elapsed().as_secs() < 60, "no rows after a minute");
        std::thread::yield_now();
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let status = child.wait().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(status.code(), Some(3), "{said}");
    assert!(said.contains("cut short: records read"), "{said}");
    assert!(said.contains("dropped 0"), "what was in flight is finished: {said}");
    assert!(!out.exists(), "an incomplete result stands under the final name");
}

/// Whether this thread waits for standard input.
fn reads_its_input(id: u32, thread: &str) -> bool {
    let tasks = fs::read_dir(format!("/proc/{id}/task")).unwrap();
    tasks.filter_map(|task| Some(task.ok()?.path())).any(|task| {
        let told = |what: &str| fs::read_to_string(task.join(what)).unwrap_or_default();
        told("comm").trim() == thread && told("syscall").starts_with("0 0x0 ")
    })
}

/// Waits for the end of a program that was told to end.
fn ended(child: &mut std::process::Child) -> std::process::ExitStatus {
    let started = std::time::Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if started.elapsed().as_secs() > 30 {
            child.kill().unwrap();
            panic!("still waiting for input");
        }
        std::thread::yield_now();
    }
}

#[test]
fn signals_end_a_run_that_has_not_got_a_byte_yet() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.csv");
    let out_text = out.to_str().unwrap();
    for (words, thread) in
        [(&["scan", "--lab", "-i", "-", "-o", out_text][..], "opener"), (&["judge", "-", "-o", out_text], "judge")]
    {
        let mut child = Command::new(PROGRAM).args(words).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let begun = std::time::Instant::now();
        while !reads_its_input(child.id(), thread) {
            assert!(begun.elapsed().as_secs() < 60, "{thread} never waited for input");
            std::thread::yield_now();
        }
        // The second one is enough, but two at once may count as one.
        let signalled = std::time::Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            assert!(signalled.elapsed().as_secs() < 30, "{thread} is still there");
            Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        };
        assert_eq!(status.code(), Some(3), "{thread}");
        assert!(!out.exists());
        drop(input);
    }
}

#[test]
fn an_interrupt_ends_a_run_whose_input_is_silent() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.csv");
    let words = ["scan", "--lab", "-i", "-", "--progress", "none", "-o", out.to_str().unwrap()];
    let mut child = Command::new(PROGRAM).args(words).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"s01.lab.test\n").unwrap();
    let begun = std::time::Instant::now();
    while !reads_its_input(child.id(), "reader") {
        assert!(begun.elapsed().as_secs() < 60, "it never waited for input");
        std::thread::yield_now();
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let status = ended(&mut child);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(status.code(), Some(3), "{said}");
    assert!(said.contains("dropped 0"), "{said}");
    assert!(fs::metadata(folder.path().join("out.csv.part")).unwrap().len() > 0, "{said}");
    drop(input);
}

#[test]
fn an_input_that_breaks_off_leaves_the_rows_so_far_in_a_whole_file() {
    let folder = tempfile::tempdir().unwrap();
    let (list, out) = (folder.path().join("list.csv.gz"), folder.path().join("out.jsonl.zst"));
    let lines: Vec<String> = (0..20_000).map(|number| format!("host{number}.lab.test\n")).collect();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(lines.concat().as_bytes()).unwrap();
    let mut packed = packed.finish().unwrap();
    packed.truncate(packed.len() / 2);
    fs::write(&list, packed).unwrap();
    let output = mxcensus(&["scan", "--lab", "-i", list.to_str().unwrap(), "-o", out.to_str().unwrap()]);
    assert_refused(&output, 2, "list.csv.gz", &out);
    let part = fs::File::open(folder.path().join("out.jsonl.zst.part")).unwrap();
    let rows = String::from_utf8(zstd::decode_all(part).unwrap()).unwrap();
    assert!(rows.lines().count() > 1_000, "{} rows", rows.lines().count());
}

#[test]
fn a_file_that_is_read_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let list = "target\ns01.lab.test\n";
    for (read, output, rejects) in [
        ("a.csv", "a.csv", None),
        ("a.csv.part", "a.csv", None),
        ("a.csv.manifest.json", "a.csv", None),
        ("a.csv.rejects.csv", "a.csv", None),
        ("a.csv", "out.csv", Some("a.csv")),
        ("a.csv.part", "out.csv", Some("a.csv")),
    ] {
        fs::write(at(read), list).unwrap();
        let (input, output) = (at(read), at(output));
        let mut words = vec!["scan", "--lab", "-i", &input, "-o", &output];
        let rejects = rejects.map(at);
        words.extend(rejects.iter().flat_map(|path| ["--rejects", path]));
        let refused = mxcensus(&words);
        assert_eq!(refused.status.code(), Some(2), "{words:?}: {}", stderr(&refused));
        assert!(stderr(&refused).contains("overwritten"), "{}", stderr(&refused));
        assert_eq!(fs::read_to_string(at(read)).unwrap(), list);
        fs::remove_file(at(read)).unwrap();
    }
    let (output, linked) = (at("out.csv"), format!("{}/./out.csv", folder.path().display()));
    let refused = mxcensus(&["scan", "--lab", "s01.lab.test", "-o", &output, "--rejects", &linked]);
    assert_refused(&refused, 2, "--rejects", Path::new(&output));
    let refused = mxcensus(&["scan", "--lab", "s01.lab.test", "-o", &output, "--rejects", "/no/such/folder/r.csv"]);
    assert_refused(&refused, 2, "/no/such/folder/r.csv", Path::new(&output));
}

#[test]
fn beside_a_device_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let device = folder.path().join("null.csv");
    std::os::unix::fs::symlink("/dev/null", &device).unwrap();
    let output = mxcensus(&["scan", "--lab", "s01.lab.test", "not_a/target", "-o", device.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "only the link itself");
}

#[test]
fn numbers_that_no_machine_can_hold_are_refused_in_one_line() {
    for (option, value) in [
        ("--memory", "0"),
        ("--memory", "18446744073709551615"),
        ("--concurrency", "0"),
        ("--concurrency", "18446744073709551615"),
        ("--dns-rate", "-1"),
        ("--port", "0"),
        ("--shard", "0/3"),
    ] {
        let output = mxcensus(&["scan", "--lab", "s01.lab.test", option, value]);
        assert_eq!(output.status.code(), Some(2), "{option} {value}: {}", stderr(&output));
        let first = stderr(&output).lines().next().unwrap_or_default().to_owned();
        assert!(first.contains(option), "{first}");
    }
    let output = mxcensus(&["scan", "--lab", "-i", "-", "-i", "-"]);
    assert_refused(&output, 2, "only once", Path::new("-"));
}

#[test]
fn hostile_servers_stay_up_at_the_addresses_they_are_listed_under() {
    let listed = mxcensus(&["lab", "--hostile", "good", "greets-250", "--list"]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert_eq!(listed.lines().next(), Some("target,mode,about"));
    let addresses: Vec<&str> = listed.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(addresses.len(), 2, "{listed}");

    let mut child =
        Command::new(PROGRAM).args(["lab", "--hostile", "greets-250"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = std::io::BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(said.next().unwrap().starts_with(addresses[1]));
    let port = said.find_map(|line| line.strip_prefix("port")?.split_whitespace().next()?.parse::<u16>().ok()).unwrap();
    let mut greeting = [0; 29];
    let mut server = std::net::TcpStream::connect((addresses[1], port)).unwrap();
    server.read_exact(&mut greeting).unwrap();
    assert_eq!(greeting, *b"250 greets-250.farm.test ESMT");
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert_eq!(ended(&mut child).code(), Some(0));

    let unknown = mxcensus(&["lab", "--hostile", "god"]);
    assert_refused(&unknown, 2, "\"god\"", Path::new("-"));
}

#[test]
fn the_manual_that_cannot_be_written_is_one_line_and_a_page_is_printed_or_kept() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let unwritable = mxcensus(&["man", "--out", file.to_str().unwrap()]);
    assert_refused(&unwritable, 2, "cannot write the manual into ", Path::new("-"));
    assert_eq!(mxcensus(&["man", "scan", "--out", "."]).status.code(), Some(2), "a page of one command is printed");
    let nobody = mxcensus(&["man", "scam"]);
    assert_refused(&nobody, 2, "there is no command \"scam\"", Path::new("-"));

    let manual = folder.path().join("new/man1");
    assert!(mxcensus(&["man", "--out", manual.to_str().unwrap()]).status.success());
    let page = fs::read(manual.join("mxcensus-scan.1")).unwrap();
    assert_eq!(page, mxcensus(&["man", "scan"]).stdout);
}

#[test]
fn every_printing_command_takes_a_reader_that_goes_away_well() {
    for words in [
        "lab --truth",
        "lab --list 50000",
        "lab --hostile --list",
        "explain --format json",
        "schema --format json",
        "man",
    ] {
        let mut command = Command::new(PROGRAM);
        let mut child = command.args(words.split(' ')).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()), "{words}");
    }
}

#[test]
fn an_error_is_one_line_whatever_the_path_holds() {
    let output = mxcensus(&["scan", "--lab", "s01.lab.test", "-o", "/no\nsuch/out.csv"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
}

#[test]
fn rejects_that_find_no_room_are_our_fault_and_not_the_inputs() {
    let folder = tempfile::tempdir().unwrap();
    let rejects = folder.path().join("rejects.csv");
    std::os::unix::fs::symlink("/dev/full", &rejects).unwrap();
    let input = "no_target/\n".repeat(2000);
    let (output, out) = scan(folder.path(), input.as_bytes(), &["--rejects", rejects.to_str().unwrap()]);
    assert_refused(&output, 4, "rejects.csv", &out);
}

#[test]
fn a_resolver_that_denies_everything_is_not_believed() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let resolver = socket.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
            // The question sent back as NXDOMAIN, with the recursion bit and without the additional record.
            let question = buffer.iter().skip(12).position(|byte| *byte == 0).unwrap_or(0);
            let mut reply = buffer.get(..length.min(12 + question + 5)).unwrap().to_vec();
            reply.splice(2..4, [0x81, 0x83]);
            reply.splice(6..12, [0; 6]);
            if socket.send_to(&reply, peer).is_err() {
                return;
            }
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.csv");
    let words =
        ["scan", "s01.lab.test", "--resolver", &resolver, "--helo", "a.example.org", "-o", out.to_str().unwrap()];
    assert_refused(&mxcensus(&words), 2, &resolver, &out);
}

#[test]
fn the_catalogue_is_shown_without_a_packet_in_each_format_and_within_a_hundred_columns() {
    let key = "abcdefghijklmnopqrstuvwxyz";
    let keyed = format!("{key}.zen.dq.spamhaus.net");
    let page = |format: &str| {
        let words = ["lists", "--offline", "--format", format, "--dnsbl", &keyed, "--dnsbl", "bl.spamcop.net"];
        let output = mxcensus(&words);
        assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
        let page = String::from_utf8(output.stdout).unwrap();
        assert!(!page.contains(key) && page.contains("KEY.zen.dq.spamhaus.net"), "{page}");
        page
    };
    let text = page("text");
    let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > 100).collect();
    assert!(wide.is_empty() && !text.contains('\u{1b}'), "{wide:?}");
    for told in ["127.0.0.10 to 127.0.0.11 policy", "bit 8 phishing", "check.spamhaus.org", "*.sorbs.net: closed"] {
        assert!(text.contains(told), "{told}: {text}");
    }
    assert!(!text.contains("health"), "nothing was tested");
    let json: serde_json::Value = serde_json::from_str(&page("json")).unwrap();
    let lists = json.get("lists").and_then(serde_json::Value::as_array).unwrap();
    let is = |list: &&serde_json::Value, name: &str| list.get(name) == Some(&serde_json::Value::Bool(true));
    let zones = lists.iter().filter(|list| is(list, "asked")).map(|list| list.get("zone").unwrap().as_str().unwrap());
    assert_eq!(zones.collect::<Vec<_>>(), ["KEY.zen.dq.spamhaus.net", "bl.spamcop.net"]);
    let sheet = page("csv");
    let records: Vec<csv::StringRecord> =
        csv::Reader::from_reader(sheet.as_bytes()).records().map(Result::unwrap).collect();
    let denied = json.get("denied").and_then(serde_json::Value::as_array).unwrap();
    let denied: usize = denied.iter().map(|deny| deny.get("zones").unwrap().as_array().unwrap().len()).sum();
    assert_eq!(records.len(), lists.len() + denied);
    let refused = mxcensus(&["lists", "--offline", "--dnsbl", "dnsbl.sorbs.net"]);
    assert_refused(&refused, 2, "closed on 5 June 2024", Path::new("-"));
}

#[test]
fn lists_tells_which_of_them_a_scan_would_believe() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let turn = Some(mxcensus::lab::Turn { after: 0, code: [203, 0, 113, 80] });
    let settings = mxcensus::lab::Settings { turn, ..mxcensus::lab::Settings::new(1, 80) };
    let lab = runtime.block_on(mxcensus::lab::Lab::start(settings)).unwrap();
    let (resolver, state) = (lab.resolver().to_string(), folder.path().to_str().unwrap());
    let mut words = vec!["lists", "--resolver", &resolver, "--state", state, "--format", "json"];
    words.extend(["--dnsbl", "bl1.lab.test", "--dnsbl", "bl2.lab.test", "--dnsbl", "nothing.lab.test"]);
    let output = mxcensus(&words);
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
    let page: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let health: Vec<(String, bool)> = page
        .get("lists")
        .unwrap()
        .as_array()
        .unwrap()
        .iter()
        .take(3)
        .map(|list| {
            let healthy = list.get("healthy").unwrap().as_bool().unwrap();
            (list.get("health").unwrap().as_str().unwrap().to_owned(), healthy)
        })
        .collect();
    let [(one, true), (two, false), (three, false)] = &health[..] else { panic!("{health:?}") };
    assert!(one.contains("answers its test entries"), "{one}");
    assert!(two.contains("203.0.113.80, outside 127.0.0.0/8"), "{two}");
    assert!(three.contains("does not list 127.0.0.2"), "{three}");
    let budget = fs::read_to_string(folder.path().join("budget.json")).unwrap();
    assert!(budget.contains("bl1.lab.test#"), "tests are questions too: {budget}");
}

#[test]
fn a_key_stands_in_nothing_that_is_written() {
    let key = "zyxwvutsrqponmlkjihgfedcba";
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let own = format!("[[list]]\nzone = 'KEY.private.lab.test'\nkey = '{key}'\n");
    fs::create_dir(folder.path().join("own")).unwrap();
    fs::write(at("own/lists.toml"), own).unwrap();
    let zone = format!("{key}.zen.dq.spamhaus.net");
    let other = format!("{key}.sbl.dq.spamhaus.net");
    for output in ["out.csv", "out.jsonl", "out.parquet"] {
        let (output, lists) = (at(output), at("own/lists.toml"));
        let mut words = vec!["scan", "--lab", "--lab-domains", "150", "-v", "-o", &output, "--progress", "plain"];
        words.extend(["--dnsbl", &zone, "--dnsbl", &other, "--dnsbl-file", &lists, "--dnsbl", "bl1.lab.test"]);
        let done = mxcensus(&words);
        let said = stderr(&done);
        assert_eq!(done.status.code(), Some(0), "{said}");
        assert!(said.contains("KEY.zen.dq.spamhaus.net") && !said.contains(key), "{said}");
    }
    let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() > 6, "{files:?}");
    for path in files.iter().filter(|path| path.is_file()) {
        let bytes = fs::read(path).unwrap();
        let found = bytes.windows(key.len()).any(|window| window.eq_ignore_ascii_case(key.as_bytes()));
        assert!(!found, "{} holds the key", path.display());
    }
    // A configuration file that cannot be understood is told of without the line that holds it.
    for config in [format!("dnsbl = {zone}\n"), format!("dnsbl = ['{zone}'\n"), format!("dnsb = '{zone}'\n")] {
        fs::write(at("own/config.toml"), config).unwrap();
        let refused = mxcensus(&["scan", "--lab", "s01.lab.test", "--config", &at("own/config.toml")]);
        assert_eq!(refused.status.code(), Some(2));
        assert!(!stderr(&refused).contains(key), "{}", stderr(&refused));
    }
}

#[test]
fn a_budget_of_a_day_is_a_hard_stop_that_the_next_run_finds() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let settings = mxcensus::lab::Settings::new(1, 200);
    let lab = runtime.block_on(mxcensus::lab::Lab::start(settings)).unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(at("lists.toml"), "[[list]]\nzone = 'bl1.lab.test'\ndaily = 40\n").unwrap();
    let (resolver, lists, state, out) = (lab.resolver().to_string(), at("lists.toml"), at("state"), at("out.csv"));
    let mut words = vec!["scan", "198.51.100.0/26", "--resolver", &resolver, "--dnsbl-file", &lists, "--state", &state];
    words.extend(["--allow-special", "all", "--probes", "dnsbl", "--helo", "a.example.org", "--dnsbl-rate", "0"]);
    words.extend(["-o", &out]);
    let mut unasked = Vec::new();
    for _ in 0..2 {
        let done = mxcensus(&words);
        assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
        let rows = fs::read_to_string(&out).unwrap();
        unasked.push(rows.lines().filter(|row| row.contains("bl1.lab.test=budget-spent")).count());
    }
    let [first, second] = unasked[..] else { panic!() };
    assert!((24..64).contains(&first), "{first} of 64 rows of the first run");
    assert_eq!(second, 64, "and all of the second");
}
