//! A disk that is full, a file that may not grow, and a run that goes on once there is room.

use std::fs;
use std::process::Command;

use super::run::{PROGRAM, Scan, assert_same, rows, undisturbed};

const TARGETS: usize = 3_000;

/// The scan as a shell would type it.
fn typed(scan: &Scan) -> String {
    let words: Vec<String> =
        [PROGRAM.to_owned()].into_iter().chain(scan.words()).map(|word| format!("'{word}'")).collect();
    words.join(" ") + " --resume --checkpoint 50ms"
}

#[test]
fn a_full_disk_ends_the_run_and_the_next_start_goes_on_once_there_is_room() {
    let (wanted, _) = undisturbed(TARGETS, &[]);
    for (output, size) in [("out.csv", "400k"), ("out.jsonl.zst", "60k"), ("out.parquet", "120k")] {
        let folder = tempfile::tempdir().unwrap();
        let [disk, kept] = ["disk", "kept"].map(|name| folder.path().join(name));
        fs::create_dir(&disk).unwrap();
        fs::create_dir(&kept).unwrap();
        let scan = Scan::new(&disk, output, TARGETS);
        // Mounts of a namespace of its own, which end with it.
        let shell = format!(
            "mount -t tmpfs -o size={size} none '{disk}'
             {scan} 2>'{kept}/first'; echo $? >'{kept}/code'
             ls '{disk}' >'{kept}/names'
             mount -o remount,size=64m '{disk}'
             {scan} 2>'{kept}/second' || echo $? >>'{kept}/code'
             cp '{disk}'/* '{kept}'",
            disk = disk.display(),
            kept = kept.display(),
            scan = typed(&scan)
        );
        let ended = Command::new("unshare").args(["--mount", "sh", "-c", &shell]).output().unwrap();
        let read = |name: &str| fs::read_to_string(kept.join(name)).unwrap_or_default();
        let said = format!("{ended:?}\n{}\n{}", read("first"), read("second"));
        assert_eq!(read("code"), "4\n", "{output}: {said}");
        assert!(read("first").contains("No space left on device"), "{output}: {said}");
        assert_eq!(read("first").lines().filter(|line| line.starts_with("mxcensus: ")).count(), 1, "{output}: {said}");
        assert!(!read("names").lines().any(|name| name == output), "{output}: a part stands under the final name");
        assert!(read("second").contains("resumed: "), "{output}: {said}");
        assert_same(&rows(&kept.join(output)), &wanted, output);
    }
}

#[test]
fn a_file_that_may_not_grow_ends_the_run_and_the_next_start_goes_on() {
    let (wanted, _) = undisturbed(TARGETS, &[]);
    let folder = tempfile::tempdir().unwrap();
    let scan = Scan::new(folder.path(), "out.csv", TARGETS);
    // In blocks of 512 octets (POSIX ulimit).
    let shell = format!("ulimit -f 600; exec {}", typed(&scan));
    let ended = Command::new("sh").args(["-c", &shell]).output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(4), "{said}");
    assert!(said.contains("out.csv") && said.contains("File too large"), "{said}");
    scan.assert_unfinished();
    scan.run(0);
    assert!(scan.said().contains("resumed: "), "{}", scan.said());
    scan.assert_finished();
    assert_same(&scan.rows(), &wanted, "out.csv");
}
