//! `scan --show-config`: what it prints is whole, tells no key and sends no packet, and `--config` reads it back to the same run.
#![expect(clippy::unwrap_used, reason = "a test may fail by panic, also in its own functions")]

mod shell;

use std::fs;
use std::net::UdpSocket;

use clap::CommandFactory as _;
use mxcensus::cli::Cli;
use serde_json::Value;
use shell::{Folder, mxcensus, stderr};

/// What is printed for these options.
fn shown(words: &[&str]) -> String {
    let output = mxcensus(&[&["scan", "--show-config"], words].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// What the manifest says was in effect, but for the port that the lab's resolver happened to have.
fn effective(folder: &Folder, name: &str, words: &[&str]) -> Value {
    let out = folder.text(name);
    let done = mxcensus(&[&["scan"], words, &["-q", "-o", &out]].concat());
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    let manifest = fs::read(format!("{out}.manifest.json")).unwrap();
    let mut manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let effective = manifest.get_mut("effective").unwrap();
    effective.as_object_mut().unwrap().shift_remove("resolver").unwrap();
    effective.take()
}

/// The line of an option.
fn line<'a>(page: &'a str, option: &str) -> &'a str {
    page.lines().find(|line| line.trim_start_matches("# ").starts_with(&format!("{option} "))).unwrap_or_default()
}

#[test]
fn what_is_shown_is_read_back_to_the_same_run() {
    let folder = Folder::new();
    let (list, given, back) = (folder.text("list.csv"), folder.text("given.toml"), folder.text("back.toml"));
    fs::write(&list, "target\ns01.lab.test\ns02.lab.test\n").unwrap();
    fs::write(
        &given,
        format!(
            "lab = true\nlab-domains = 100\ninput = '{list}'\nprofile = 'patient'\nstarttls = false\nretries = 1\n\
             dnsbl = ['bl1.lab.test', 'bl2.lab.test']\nverbose = true\nretry-after = '1500ms'\nsmtp-rate = 12.5\n"
        ),
    )
    .unwrap();
    for words in [
        vec!["--lab", "--lab-domains", "60"],
        vec!["--config", &given],
        vec!["--config", &given, "--seed", "7", "--no-dnsbl", "--ipv4-only", "--probes", "mx,smtp", "--order", "input"],
        vec![
            "--config",
            &given,
            "-q",
            "--starttls",
            "--concurrency",
            "20",
            "--dns-timeout",
            "2m",
            "--session-timeout",
            "90s",
        ],
    ] {
        fs::write(&back, shown(&words)).unwrap();
        let once = effective(&folder, "once.csv", &words);
        let again = effective(&folder, "again.csv", &["--config", &back]);
        assert_eq!(once, again, "{words:?}");
        // And what it says of itself is the same again, but for who said it.
        let plain =
            |page: &str| page.lines().map(|line| line.split("  # ").next().unwrap().to_owned()).collect::<Vec<_>>();
        let (first, second) = (shown(&words), shown(&["--config", &back]));
        let but_resolver =
            |page: &str| plain(page).into_iter().filter(|line| !line.contains("resolver =")).collect::<Vec<_>>();
        assert_eq!(but_resolver(&first), but_resolver(&second), "{words:?}");
    }
}

#[test]
fn each_value_says_where_it_comes_from() {
    let folder = Folder::new();
    let given = folder.text("given.toml");
    fs::write(&given, "port = 2525\nseed = 3\nresolver = '127.0.0.1:53'\n").unwrap();
    let page = shown(&["a.example", "--config", &given, "--seed", "4", "--helo", "a.example.org", "-o", "x.csv.zst"]);
    for (option, expected) in [
        ("port", "port = 2525  # config file"),
        ("seed", "seed = 4  # command line"),
        ("helo", "helo = \"a.example.org\"  # command line"),
        ("resolver", "resolver = [\"127.0.0.1:53\"]  # config file"),
        ("dns-timeout", "dns-timeout = \"15s\"  # default"),
        ("starttls", "starttls = true  # default"),
        ("greeting-timeout", "# greeting-timeout = \"45s\"  # by the profile"),
        ("rejects", "# rejects = \"x.csv.zst.rejects.csv\"  # beside the output"),
        ("format", "# format = \"csv\"  # by the name of the output"),
        ("column", "# column is not set"),
    ] {
        assert_eq!(line(&page, option), expected);
    }
    assert!(line(&page, "concurrency").ends_with("  # derived from descriptors and --memory"), "{page}");
    assert!(page.contains("# Targets of the command line, which are no part of it: 1\n"), "{page}");
    assert!(page.parse::<toml::Table>().is_ok(), "{page}");
}

#[test]
fn no_option_of_a_scan_is_missing() {
    let page = shown(&["--lab"]);
    let mut all = Cli::command();
    all.build();
    let scan = all.find_subcommand("scan").unwrap();
    let options: Vec<&str> = scan.get_arguments().filter_map(clap::Arg::get_long).collect();
    assert!(options.len() > 50, "{options:?}");
    for option in options {
        let no_part = ["config", "show-config", "help", "version", "resume"].contains(&option);
        assert_eq!(line(&page, option).is_empty(), no_part, "{option}");
    }
}

#[test]
fn a_key_is_not_shown_and_has_to_be_put_back() {
    let folder = Folder::new();
    let key = "zyxwvutsrqponmlkjihgfedcba";
    let zone = format!("{key}.zen.dq.spamhaus.net");
    let words = ["--lab", "--dnsbl", &zone, "--dnsbl", "bl1.lab.test"];
    let page = shown(&words);
    assert!(!page.contains(key), "{page}");
    assert_eq!(line(&page, "dnsbl"), "dnsbl = [\"KEY.zen.dq.spamhaus.net\", \"bl1.lab.test\"]  # command line");
    let back = folder.text("back.toml");
    fs::write(&back, page).unwrap();
    let refused = mxcensus(&["scan", "--config", &back]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("needs your key in the place of KEY"), "{}", stderr(&refused));
}

#[test]
fn nothing_is_sent_and_nothing_written() {
    let folder = Folder::new();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let (resolver, out, state) =
        (socket.local_addr().unwrap().to_string(), folder.text("out.csv"), folder.text("state"));
    let words = ["a.example", "--resolver", &resolver, "--helo", "a.example.org", "-o", &out, "--state", &state];
    assert!(line(&shown(&words), "output").starts_with("output = "));
    assert!(socket.recv(&mut [0; 512]).is_err(), "a question came");
    assert_eq!(fs::read_dir(folder.path("")).unwrap().count(), 0);
}
