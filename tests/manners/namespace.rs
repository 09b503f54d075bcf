//! A network namespace for a test, with nothing but a loopback device of its own.

use std::process::Command;

/// Runs an ignored test of this program inside a namespace of its own, after this shell command.
pub(crate) fn run(test: &str, prepare: &str) {
    let program = std::env::current_exe().unwrap();
    let shell = format!(
        "set -e; ip link set lo up; {prepare}; exec '{}' --ignored --exact {test} --nocapture",
        program.display()
    );
    let ended = Command::new("unshare").args(["--net", "sh", "-c", &shell]).output().unwrap();
    let said = [ended.stdout, ended.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(ended.status.success() && said.contains("1 passed"), "{said}");
}
