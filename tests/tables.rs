//! Tables of names that a run takes out of a directory: `--tables`.
#![expect(clippy::unwrap_used, reason = "a test may fail by panic, also in its own functions")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn scan(tables: &Path, output: &Path) -> Output {
    let words = ["scan", "--lab", "s01.lab.test", "--progress", "none", "--tables"];
    let command = &mut Command::new(env!("CARGO_BIN_EXE_mxcensus"));
    command.args(words).arg(tables).arg("-o").arg(output).stdin(Stdio::null()).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn manifest(output: &Path) -> Value {
    let path = format!("{}.manifest.json", output.display());
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_file_replaces_the_table_of_its_name_and_the_manifest_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (tables, output) = (folder.path().join("tables"), folder.path().join("out.csv"));
    fs::create_dir(&tables).unwrap();
    // What stands beside the files of a mounted Kubernetes ConfigMap.
    fs::create_dir(tables.join("..data")).unwrap();
    let said = scan(&tables, &output);
    assert_eq!(said.status.code(), Some(0), "{}", stderr(&said));
    assert!(!fs::read_to_string(&output).unwrap().contains("placeholder"));
    assert_eq!(manifest(&output)["configuration"]["tables"]["ptr.txt"]["from"], "built-in");

    let file = tables.join("placeholders.txt");
    fs::write(&file, "date: 2027-01-01\nsuffix: s01.lab.test\n").unwrap();
    let said = scan(&tables, &output);
    assert_eq!(said.status.code(), Some(0), "{}", stderr(&said));
    let rows = fs::read_to_string(&output).unwrap();
    assert!(rows.contains(",placeholder,") && rows.contains("helo-placeholder"), "{rows}");
    let in_force = &manifest(&output)["configuration"]["tables"];
    assert_eq!(in_force.as_object().unwrap().len(), 6);
    assert_eq!(in_force["placeholders.txt"]["from"], file.display().to_string());
    assert_eq!(in_force["placeholders.txt"]["date"], "2027-01-01");
    assert_eq!(in_force["special-use.txt"]["from"], "built-in");
}

#[test]
fn what_makes_no_sense_is_one_line_and_exit_2() {
    let folder = tempfile::tempdir().unwrap();
    let (tables, output) = (folder.path().join("tables"), folder.path().join("out.csv"));
    for (name, bytes, says) in [
        ("tlds.txt", &b"date: 2027-01-01\ncom\nNET\n"[..], "tlds.txt, line 3: \"NET\" is not one label in lower case"),
        ("ptr.txt", b"mail: mx\n", "ptr.txt, line 1: the table ends without a line `date: YYYY-MM-DD`"),
        ("private-tlds.txt", b"date: 2027-01-01\nlan \xFF\n", "private-tlds.txt, line 2: not in UTF-8"),
        ("public-suffix.dat", b"com\n", "public-suffix.dat, line 1: the rule \"com\" stands before"),
        ("tld.txt", b"date: 2027-01-01\ncom\n", "tld.txt is no table of names; --tables takes special-use.txt, "),
    ] {
        fs::create_dir(&tables).unwrap();
        fs::write(tables.join(name), bytes).unwrap();
        let said = scan(&tables, &output);
        let line = stderr(&said);
        assert_eq!(said.status.code(), Some(2), "{line}");
        assert!(line.contains(says) && line.lines().count() == 1, "{line}");
        assert!(!output.exists());
        fs::remove_dir_all(&tables).unwrap();
    }
    let said = scan(&tables, &output);
    assert_eq!(said.status.code(), Some(2));
    assert!(stderr(&said).contains("given by --tables: No such file"), "{}", stderr(&said));
    fs::create_dir_all(tables.join("ptr.txt")).unwrap();
    assert_eq!(scan(&tables, &output).status.code(), Some(2), "a directory is no table");
}

#[test]
fn a_table_that_is_read_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ptr.txt");
    fs::write(&file, "kept").unwrap();
    let said = scan(folder.path(), &file);
    assert_eq!(said.status.code(), Some(2));
    assert!(stderr(&said).contains("read by --tables"), "{}", stderr(&said));
    assert_eq!(fs::read_to_string(&file).unwrap(), "kept");
}
