//! Starts the real servers, says where they are, and stops them.
//! Comes in: the configuration in `fixtures/servers`. Goes out: rows of a scan of them, and what they saw of it.
//! Processes and files are `scripts/servers run`'s, which ends with this process however this one ends.

use std::collections::HashMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::run::{PATIENCE, PAUSE, Run, free_port, has_answer};

const NSD: Ipv4Addr = Ipv4Addr::new(127, 25, 0, 53);
const UNBOUND: Ipv4Addr = Ipv4Addr::new(127, 25, 0, 54);
const RBLDNSD: Ipv4Addr = Ipv4Addr::new(127, 25, 0, 63);
/// The mail servers' listeners, in the order of `fixtures/servers/README.md`.
const MAIL: [Ipv4Addr; 12] = [
    Ipv4Addr::new(127, 25, 1, 1),
    Ipv4Addr::new(127, 25, 1, 2),
    Ipv4Addr::new(127, 25, 1, 3),
    Ipv4Addr::new(127, 25, 1, 4),
    Ipv4Addr::new(127, 25, 1, 5),
    Ipv4Addr::new(127, 25, 2, 1),
    Ipv4Addr::new(127, 25, 2, 2),
    Ipv4Addr::new(127, 25, 2, 3),
    Ipv4Addr::new(127, 26, 2, 4),
    Ipv4Addr::new(127, 25, 3, 1),
    Ipv4Addr::new(127, 25, 3, 2),
    Ipv4Addr::new(127, 25, 3, 3),
];

/// The running servers; dropping it stops them.
pub(crate) struct Servers {
    run: Run,
    smtp: u16,
    nsd: SocketAddrV4,
    unbound: SocketAddrV4,
    rbldnsd: SocketAddrV4,
}

/// One row of a scan's CSV, by column name.
pub(crate) struct Row(HashMap<String, String>);

impl Row {
    /// The text of a column.
    pub(crate) fn column(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_else(|| panic!("the output has no column {name}"))
    }

    /// The elements of a list column.
    pub(crate) fn list(&self, name: &str) -> Vec<&str> {
        self.column(name).split(';').filter(|element| !element.is_empty()).collect()
    }
}

impl Servers {
    /// Starts them all and waits until each answers.
    pub(crate) fn start() -> Self {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
        let directory = tempfile::tempdir().unwrap();
        let (smtp, nsd) = (free_port(Ipv4Addr::new(127, 25, 1, 1)), SocketAddrV4::new(NSD, free_port(NSD)));
        let unbound = SocketAddrV4::new(UNBOUND, free_port(UNBOUND));
        let rbldnsd = SocketAddrV4::new(RBLDNSD, free_port(RBLDNSD));
        let ports =
            [("@SMTP@", smtp), ("@NSD@", nsd.port()), ("@UNBOUND@", unbound.port()), ("@RBLDNSD@", rbldnsd.port())];
        fill_in(&repository.join("fixtures/servers"), directory.path(), &ports);
        let names = ["mx1.mxcensus-fixture.org", "exim1.mxcensus-fixture.org"].map(String::from);
        let certified = rcgen::generate_simple_self_signed(names).unwrap();
        fs::write(directory.path().join("certificate.pem"), certified.cert.pem()).unwrap();
        fs::write(directory.path().join("key.pem"), certified.signing_key.serialize_pem()).unwrap();

        let mut servers = Self { run: Run::start(directory), smtp, nsd, unbound, rbldnsd };
        servers.wait_until_up();
        servers
    }

    /// Scans what stands in `input` with the built program; its rows.
    pub(crate) fn scan(&self, options: &[&str], input: &str) -> Vec<Row> {
        let (targets, output) = (self.file("targets.csv"), self.file("out.csv"));
        fs::write(&targets, input).unwrap();
        // A scanner that hangs must not hang the suite.
        let mut command = Command::new("timeout");
        command.args(["--signal=KILL", "120", env!("CARGO_BIN_EXE_mxcensus"), "scan"]);
        command.args(["--resolver", &self.unbound.to_string(), "--port", &self.smtp.to_string()]);
        command.args(["--allow-special", "127.0.0.0/8", "--helo", "scanner.census.test", "--progress", "none"]);
        command.args(["--smtp-rate", "0", "--per-network", "0", "--per-provider", "0", "--dnsbl-rate", "0"]);
        // What real lists may be asked today is no business of a test.
        command.arg("--state").arg(self.file("state"));
        command.args(options).arg("-i").arg(&targets).arg("-o").arg(&output);
        let done = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "the scan ended with {}: {said}", done.status);
        let mut reader = csv::Reader::from_path(&output).unwrap();
        reader.deserialize().map(|row| Row(row.unwrap())).collect()
    }

    /// What Postfix wrote about each finished session of the service whose host name begins with `host`, in the order they
    /// ended; without the one that asked whether it was up.
    pub(crate) fn sessions_of(&self, host: &str) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        let service = format!(" {host} postfix/smtpd[");
        loop {
            let log = fs::read_to_string(self.file("inside/postfix.log")).unwrap_or_default();
            let of = |event: &'static str| {
                log.lines().filter(|line| line.contains(&service)).filter(move |line| line.contains(event))
            };
            let ended: Vec<String> = of(": disconnect from ").map(String::from).collect();
            // Postfix writes its log in its own time: every session that began must have ended.
            if !ended.is_empty() && ended.len() == of(": connect from ").count() {
                return ended.into_iter().skip(1).collect();
            }
            assert!(Instant::now() < deadline, "Postfix has not logged the end of its sessions:\n{log}");
            std::thread::sleep(PAUSE);
        }
    }

    /// Every listener that speaks TCP.
    pub(crate) fn listeners(&self) -> Vec<SocketAddr> {
        let mail = MAIL.iter().map(|address| SocketAddrV4::new(*address, self.smtp));
        mail.chain([self.nsd, self.unbound]).map(SocketAddr::V4).collect()
    }

    /// A file of this fixture's own directory.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.run.file(name)
    }

    fn wait_until_up(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        // Unbound comes last: asked before the others answer, it would remember that they do not.
        let (nsd, rbldnsd, unbound) = (self.nsd, self.rbldnsd, self.unbound);
        self.run.wait(deadline, "NSD", || has_answer(nsd, "mx1.mxcensus-fixture.org"));
        self.run.wait(deadline, "rbldnsd", || has_answer(rbldnsd, "2.0.0.127.dnsbl.mxcensus-fixture.org"));
        self.run.wait(deadline, "Unbound", || has_answer(unbound, "mx1.mxcensus-fixture.org"));
        for address in self.listeners() {
            self.run.wait(deadline, &address.to_string(), || {
                TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
            });
        }
    }
}

/// Copies the configuration and writes the ports into it.
fn fill_in(from: &Path, to: &Path, ports: &[(&str, u16)]) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let copy = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&copy).unwrap();
            fill_in(&entry.path(), &copy, ports);
        } else {
            let text = fs::read_to_string(entry.path()).unwrap();
            let text = ports.iter().fold(text, |text, (mark, port)| text.replace(mark, &port.to_string()));
            fs::write(copy, text).unwrap();
        }
    }
}
