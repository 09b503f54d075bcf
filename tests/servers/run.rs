//! One run of `scripts/servers run`: waits until the servers answer, shows their logs on failure, stops them when dropped.
//! Comes in: a directory with the configuration of the servers wanted. Goes out: the running servers.
//! What is configured and what is asked of them is the caller's.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long the servers may take to come up, and a log line to be written.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at something that tells nobody when it happens.
pub(crate) const PAUSE: Duration = Duration::from_millis(50);

/// The running servers; dropping it stops them.
pub(crate) struct Run {
    directory: tempfile::TempDir,
    supervisor: Child,
}

impl Run {
    /// Starts the servers whose configuration stands in the directory.
    pub(crate) fn start(directory: tempfile::TempDir) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/servers");
        fs::create_dir(directory.path().join("log")).unwrap();
        let complaints = fs::File::create(directory.path().join("log/supervisor.out")).unwrap();
        let mut command = Command::new(script);
        command.arg("run").arg(directory.path()).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(complaints);
        let supervisor = command.spawn().unwrap();
        Self { directory, supervisor }
    }

    /// A file of the directory.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Waits until a server is up; fails when the run has ended or takes too long.
    pub(crate) fn wait(&mut self, deadline: Instant, what: &str, is_up: impl Fn() -> bool) {
        while !is_up() {
            if let Some(status) = self.supervisor.try_wait().unwrap() {
                panic!("`scripts/servers run` ended with {status}{}", self.logs());
            }
            assert!(Instant::now() < deadline, "{what} did not come up within {PATIENCE:?}{}", self.logs());
            std::thread::sleep(PAUSE);
        }
    }

    /// The last lines of every log.
    fn logs(&self) -> String {
        let files = ["log", "inside"].into_iter().filter_map(|name| fs::read_dir(self.file(name)).ok()).flatten();
        let mut text = String::new();
        for path in files.filter_map(|entry| Some(entry.ok()?.path())) {
            let content = fs::read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
            let lines: Vec<&str> = content.lines().collect();
            let last = lines.get(lines.len().saturating_sub(15)..).unwrap_or_default();
            write!(text, "\n--- {}\n{}", path.display(), last.join("\n")).unwrap();
        }
        text
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::io::stderr().write_all(self.logs().as_bytes()).ok();
        }
        // The end of its input tells the supervisor to stop them; it ends when they are stopped and its tree is gone.
        drop(self.supervisor.stdin.take());
        self.supervisor.wait().ok();
    }
}

/// A port that nobody uses now, on this address, by either transport.
pub(crate) fn free_port(address: Ipv4Addr) -> u16 {
    for _ in 0..50 {
        let port = TcpListener::bind((address, 0)).unwrap().local_addr().unwrap().port();
        if UdpSocket::bind((address, port)).is_ok() {
            return port;
        }
    }
    panic!("no port of {address} is free for both TCP and UDP");
}

/// Whether a name server has an address for a name (RFC 1035 §4.1), so that nothing of the program under test is trusted here.
pub(crate) fn has_answer(server: SocketAddrV4, name: &str) -> bool {
    let mut question = vec![0x4d, 0x58, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        question.push(u8::try_from(label.len()).unwrap());
        question.extend_from_slice(label.as_bytes());
    }
    question.extend_from_slice(&[0, 0, 1, 0, 1]);
    let socket = UdpSocket::bind((Ipv4Addr::new(127, 25, 0, 1), 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let mut answer = [0; 512];
    let read = socket.connect(server).and_then(|()| socket.send(&question)).and_then(|_| socket.recv(&mut answer));
    // At least one answer record; an error has none.
    read.is_ok_and(|length| length > 12) && u16::from_be_bytes([answer[6], answer[7]]) > 0
}
