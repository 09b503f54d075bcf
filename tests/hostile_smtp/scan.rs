//! One scan of a farm, by the program itself.
//! Comes in: the addresses. Goes out: their rows, what the servers saw of the scanner, how long it took and what it held.
//! Nobody's name is looked up: those of the farm are special-use (RFC 6761), and the resolver is the lab's own.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use mxcensus::lab::Lab;
use mxcensus::lab::farm::{Farm, Left, MODES, Mode, Settings, Visit};
use serde_json::Value;
use tokio::runtime::Runtime;

/// The scanner's patience with a greeting, and with a whole session.
pub(crate) const GREETING: Duration = Duration::from_secs(5);
pub(crate) const SESSION: Duration = Duration::from_secs(8);
/// How late the farm is where it is late.
pub(crate) const LATE: Duration = Duration::from_millis(1_500);
/// A scan that takes longer hangs.
const FOREVER: Duration = Duration::from_secs(120);

/// An octet a second is the least that the scanner bears: the one drip is below that, the other above.
const SETTINGS: fn() -> Settings = || Settings {
    late: LATE,
    drip: Duration::from_millis(1_600),
    quick_drip: Duration::from_millis(300),
    recording: true,
    ..Settings::default()
};

/// Where all farms live. They outlive the test that has started them.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

/// All modes, each at its first address, in one scan.
pub(crate) static ALL: LazyLock<Scan> = LazyLock::new(|| scan(MODES.iter().map(Mode::address)));

/// What came of a scan.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) rows: BTreeMap<Ipv4Addr, Vec<Value>>,
    /// The evidence as it was stored, in JSONL.
    pub(crate) evidence: String,
    pub(crate) visits: Vec<Visit>,
    pub(crate) took: Duration,
    /// The most that the scanner held in memory, in KiB.
    pub(crate) held: u64,
}

impl Scan {
    /// The only row of an address.
    pub(crate) fn row(&self, address: Ipv4Addr) -> &Value {
        let rows = &self.rows[&address];
        assert_eq!(rows.len(), 1, "the rows of {address}: {rows:?}");
        &rows[0]
    }

    /// The only visit to an address.
    pub(crate) fn visit(&self, address: Ipv4Addr) -> &Visit {
        let visits: Vec<&Visit> = self.visits.iter().filter(|visit| visit.address == address).collect();
        assert_eq!(visits.len(), 1, "the visits to {address}: {visits:?}");
        visits[0]
    }

    /// All rows.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Value> {
        self.rows.values().flatten()
    }
}

/// A mode.
pub(crate) fn mode(word: &str) -> &'static Mode {
    Mode::named(word).unwrap_or_else(|| panic!("the farm has no mode {word}"))
}

/// Scans these addresses of a new farm.
pub(crate) fn scan(targets: impl Iterator<Item = Ipv4Addr>) -> Scan {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let list: Vec<String> = targets.map(|address| address.to_string()).collect();
    fs::write(path("list"), list.join("\n")).unwrap();
    let (farm, lab) = RUNTIME.block_on(async {
        let lab = Lab::start(mxcensus::lab::Settings::new(1, 1)).await.unwrap();
        (Farm::start(SETTINGS()).unwrap(), lab)
    });
    fs::write(path("authority.pem"), farm.authority()).unwrap();

    let begun = Instant::now();
    let seconds = |time: Duration| format!("{}s", time.as_secs());
    let mut scanner = Command::new(env!("CARGO_BIN_EXE_mxcensus"))
        .args(["scan", "-i", &path("list"), "-o", &path("rows.jsonl"), "--evidence", &path("evidence.jsonl")])
        .args(["--probes", "smtp", "--allow-special", "127.0.0.0/8", "--port", &farm.port().to_string()])
        .args(["--smtp-rate", "0", "--per-network", "0", "--per-provider", "0", "--helo", "scanner.lab.test"])
        .args(["--resolver", &lab.resolver().to_string(), "--connect-timeout", "5s"])
        .args(["--greeting-timeout", &seconds(GREETING), "--session-timeout", &seconds(SESSION), "--quiet"])
        // The only authority it trusts.
        .env("SSL_CERT_FILE", path("authority.pem"))
        .env_remove("SSL_CERT_DIR")
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let held = watch(&mut scanner, begun);
    let took = begun.elapsed();

    let rows = rows_of(&fs::read_to_string(path("rows.jsonl")).unwrap());
    let evidence = fs::read_to_string(path("evidence.jsonl")).unwrap();
    // The scanner has gone; the farm may need a moment to see that.
    let gone = || farm.visits().iter().all(|visit| visit.left != Left::Not);
    let patience = Instant::now() + Duration::from_secs(10);
    while !gone() && Instant::now() < patience {
        thread::sleep(Duration::from_millis(10));
    }
    Scan { rows, evidence, visits: farm.visits(), took, held }
}

/// The rows of an output in JSONL, by address.
pub(crate) fn rows_of(text: &str) -> BTreeMap<Ipv4Addr, Vec<Value>> {
    let mut rows: BTreeMap<Ipv4Addr, Vec<Value>> = BTreeMap::new();
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        rows.entry(row["address"].as_str().unwrap().parse().unwrap()).or_default().push(row);
    }
    rows
}

/// Waits for the end of a scan; gives the most that it held in memory, in KiB.
fn watch(scanner: &mut Child, begun: Instant) -> u64 {
    let mut held = 0;
    loop {
        let status = fs::read_to_string(format!("/proc/{}/status", scanner.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        held = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(held);
        if let Some(end) = scanner.try_wait().unwrap() {
            assert!(end.success(), "the scan ended with {end}");
            return held;
        }
        if begun.elapsed() > FOREVER {
            scanner.kill().unwrap();
            panic!("the scan hangs");
        }
        thread::sleep(Duration::from_millis(10));
    }
}
