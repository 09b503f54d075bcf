//! The simplest client that holds the session mxcensus holds: the limit of what is possible on this machine.
//! Comes in: the farm's port and its servers. Goes out: how many sessions, and how fast.
//! Connect, read the greeting, EHLO, read, QUIT: no deadline, no evidence, no memory, no allocation per session.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Instant;

use clap::Args;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use serde_json::json;

use crate::list::World;

const EHLO: &[u8] = b"EHLO probe.ietf.org\r\n";
const QUIT: &[u8] = b"QUIT\r\n";

/// Whom to call, and how.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// The farm's port
    #[arg(long)]
    port: u16,
    /// Sessions at a time, of all threads
    #[arg(long, default_value_t = 1000)]
    in_flight: usize,
    /// Threads that share the work
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Read the reply to QUIT as well, as mxcensus does; else the connection is closed behind the command
    #[arg(long)]
    goodbye: bool,
    #[command(flatten)]
    world: World,
}

/// What the threads share: the next server, and what came of the sessions.
#[derive(Debug, Default)]
struct Shared {
    next: AtomicU64,
    complete: AtomicU64,
    failed: AtomicU64,
}

/// Holds a session with each server; the line says how fast.
pub(crate) fn run(options: &Options) -> io::Result<String> {
    rlimit::increase_nofile_limit(u64::MAX)?;
    let addresses: Arc<[Ipv4Addr]> = options.world.servers().map(|(address, _)| address).collect();
    let shared = Arc::new(Shared::default());
    let began = Instant::now();
    let threads: Vec<_> = (0..options.threads.max(1))
        .map(|_| {
            let (options, addresses, shared) = (options.clone(), Arc::clone(&addresses), Arc::clone(&shared));
            thread::spawn(move || Crowd::new(&options, addresses, shared)?.run())
        })
        .collect();
    for thread in threads {
        thread.join().expect("a thread ends without a panic")?;
    }
    let seconds = began.elapsed().as_secs_f64();
    let [complete, failed] = [&shared.complete, &shared.failed].map(|count| count.load(Relaxed));
    #[expect(clippy::cast_precision_loss, reason = "counts of a bench are far below 2^52")]
    let per_second = (complete as f64 / seconds).round();
    Ok(json!({ "sessions": complete, "failed": failed, "seconds": seconds, "per_second": per_second }).to_string())
}

/// Which reply a session waits for.
#[derive(Debug, Clone, Copy)]
enum Step {
    Greeting,
    Offer,
    Goodbye,
}

/// A session, and the reply it waits for.
#[derive(Debug)]
struct Call {
    stream: TcpStream,
    step: Step,
    reply: [u8; 512],
    length: usize,
}

/// The sessions of one thread.
struct Crowd {
    port: u16,
    goodbye: bool,
    addresses: Arc<[Ipv4Addr]>,
    shared: Arc<Shared>,
    poll: Poll,
    calls: Vec<Option<Call>>,
    open: usize,
}

impl Crowd {
    fn new(options: &Options, addresses: Arc<[Ipv4Addr]>, shared: Arc<Shared>) -> io::Result<Self> {
        let calls = (0..options.in_flight.div_ceil(options.threads.max(1))).map(|_| None).collect();
        let (port, goodbye) = (options.port, options.goodbye);
        Ok(Self { port, goodbye, addresses, shared, poll: Poll::new()?, calls, open: 0 })
    }

    fn run(mut self) -> io::Result<()> {
        for place in 0..self.calls.len() {
            self.call(place)?;
        }
        let mut events = Events::with_capacity(1024);
        while self.open > 0 {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &events {
                self.go_on(event.token().0)?;
            }
        }
        Ok(())
    }

    /// Calls the next server.
    fn call(&mut self, place: usize) -> io::Result<()> {
        let next = usize::try_from(self.shared.next.fetch_add(1, Relaxed)).unwrap_or(usize::MAX);
        let Some(&address) = self.addresses.get(next) else { return Ok(()) };
        let mut stream = TcpStream::connect(SocketAddr::from((address, self.port)))?;
        self.poll.registry().register(&mut stream, Token(place), Interest::READABLE)?;
        if let Some(free) = self.calls.get_mut(place) {
            *free = Some(Call { stream, step: Step::Greeting, reply: [0; 512], length: 0 });
            self.open += 1;
        }
        Ok(())
    }

    fn go_on(&mut self, place: usize) -> io::Result<()> {
        let Some(Some(call)) = self.calls.get_mut(place) else { return Ok(()) };
        let went_on = call.go_on(self.goodbye);
        let counter = match went_on {
            Ok(false) => return Ok(()),
            Ok(true) => &self.shared.complete,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(_) => &self.shared.failed,
        };
        counter.fetch_add(1, Relaxed);
        if let Some(call) = self.calls.get_mut(place) {
            *call = None;
        }
        self.open -= 1;
        self.call(place)
    }
}

impl Call {
    /// Reads what has come; true when the session is over.
    fn go_on(&mut self, goodbye: bool) -> io::Result<bool> {
        let room = self.reply.get_mut(self.length..).unwrap_or_default();
        let length = self.stream.read(room)?;
        if length == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.length += length;
        if !is_whole(self.reply.get(..self.length).unwrap_or_default()) {
            return Ok(false);
        }
        self.length = 0;
        let (command, next) = match self.step {
            Step::Greeting => (EHLO, Step::Offer),
            Step::Offer => (QUIT, Step::Goodbye),
            Step::Goodbye => return Ok(true),
        };
        self.stream.write_all(command)?;
        self.step = next;
        Ok(matches!(next, Step::Goodbye) && !goodbye)
    }
}

/// Whether the last line is there: a code without a hyphen.
fn is_whole(reply: &[u8]) -> bool {
    let [lines @ .., b'\n'] = reply else { return false };
    let start = lines.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    lines.get(start + 3) == Some(&b' ')
}
