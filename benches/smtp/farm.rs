//! A hundred thousand mail servers behind one port: what a client of them costs shows best beside cheap ones.
//! Comes in: connections, and standard input as its leash. Goes out: replies, and what was counted at the end.
//! Every command is taken to come in one piece, and is known by its first letter; no reply has to wait for room.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream as Blocking};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use serde_json::json;
use socket2::{Domain, Protocol, Socket, Type};

use crate::list::{Kind, World};

/// As many as the system allows; it cuts the number to its limit.
const BACKLOG: i32 = 65_535;
const LISTENER: Token = Token(usize::MAX);
/// One name for all, so that a client that looks it up does so once.
const GREETING: &[u8] = b"220 mx.zone.test ESMTP Postfix\r\n";
const OFFER: &[u8] = b"250-mx.zone.test\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-VRFY\r\n250-ETRN\r\n\
    250-STARTTLS\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-DSN\r\n250 CHUNKING\r\n";
const BYE: &[u8] = b"221 2.0.0 Bye\r\n";
const WHAT: &[u8] = b"502 5.5.2 Error: command not recognized\r\n";
/// How long it looks away when there is nothing to do: to wake a thread that sleeps is the caller's work, and would be counted
/// as the client's.
const NAP: Duration = Duration::from_micros(100);
/// Between two octets of a tarpit.
const DRIP: Duration = Duration::from_secs(3);

/// What kind of servers.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// The port; it is printed when all servers are up
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// How late every reply is, in milliseconds
    #[arg(long, default_value_t = 0)]
    delay: u64,
    /// Threads that serve
    #[arg(long, default_value_t = 2)]
    threads: usize,
    #[command(flatten)]
    world: World,
}

#[derive(Debug, Default)]
struct Counts {
    accepted: AtomicU64,
    /// Sessions that were ended by QUIT.
    quits: AtomicU64,
    /// Clients that closed without it.
    left: AtomicU64,
    /// Connections that were reset by the client.
    resets: AtomicU64,
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

/// Serves until standard input ends; the line says how much there was.
pub(crate) fn run(options: &Options) -> io::Result<String> {
    rlimit::increase_nofile_limit(u64::MAX)?;
    let first = listener(Ipv4Addr::UNSPECIFIED, options.port, BACKLOG)?;
    let port = first.local_addr()?.as_socket().map_or(0, |address| address.port());
    let mut listeners = vec![first];
    for _ in 1..options.threads.max(1) {
        listeners.push(listener(Ipv4Addr::UNSPECIFIED, port, BACKLOG)?);
    }
    let dead = options.world.servers().filter(|(_, kind)| *kind == Kind::Dead);
    let dead = dead.map(|(address, _)| silent(address, port)).collect::<io::Result<Vec<_>>>()?;

    let counts = Arc::new(Counts::default());
    for listener in listeners {
        let (counts, options) = (Arc::clone(&counts), options.clone());
        listener.set_nonblocking(true)?;
        let mut farm = Farm::new(TcpListener::from_std(listener.into()), options, counts)?;
        thread::spawn(move || farm.serve().expect("the system goes on"));
    }
    writeln!(io::stdout(), "{port}")?;
    io::copy(&mut io::stdin(), &mut io::sink())?;
    let all = [&counts.accepted, &counts.quits, &counts.left, &counts.resets].map(|count| count.load(Relaxed));
    let [accepted, quits, left, resets] = all;
    Ok(json!({ "accepted": accepted, "quits": quits, "left": left, "resets": resets, "dead": dead.len() }).to_string())
}

/// Threads share the port, each with a socket of its own; one of a single address goes before them.
fn listener(address: Ipv4Addr, port: u16, backlog: i32) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(&SocketAddr::from((address, port)).into())?;
    socket.listen(backlog)?;
    Ok(socket)
}

/// A server whose queue, of one place, is taken for good: the system drops every further SYN.
fn silent(address: Ipv4Addr, port: u16) -> io::Result<Socket> {
    let socket = listener(address, port, 0)?;
    // It keeps its place though it is closed at once, for nobody ever takes it.
    drop(Blocking::connect((address, port))?);
    Ok(socket)
}

/// A client that is being served.
#[derive(Debug)]
struct Client {
    stream: TcpStream,
    /// Tells it from who was served in its place before.
    number: u64,
    tarpit: bool,
    /// Has said QUIT, and may be gone before the answer.
    quit: bool,
}

/// Something to say, and when. All are delayed alike, so the order of arrival is the order of time.
type Due = (Instant, usize, u64, &'static [u8]);

/// One thread's servers.
struct Farm {
    listener: TcpListener,
    poll: Poll,
    options: Options,
    counts: Arc<Counts>,
    clients: Vec<Option<Client>>,
    free: Vec<usize>,
    next: u64,
    due: VecDeque<Due>,
    drips: VecDeque<Due>,
}

impl Farm {
    fn new(mut listener: TcpListener, options: Options, counts: Arc<Counts>) -> io::Result<Self> {
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let (clients, free, due, drips) = (Vec::new(), Vec::new(), VecDeque::new(), VecDeque::new());
        Ok(Self { listener, poll, options, counts, clients, free, next: 0, due, drips })
    }

    fn serve(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            match self.poll.poll(&mut events, Some(Duration::ZERO)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    Token(place) => self.hear(place),
                }
            }
            let now = Instant::now();
            let mut idle = events.is_empty();
            while let Some((_, place, number, text)) = pop(&mut self.due, now) {
                idle = false;
                self.say(place, number, text);
            }
            while let Some((_, place, number, text)) = pop(&mut self.drips, now) {
                let (octet, rest) = text.split_at(1.min(text.len()));
                self.say(place, number, octet);
                // Never to its end.
                let rest = if rest.len() > 2 { rest } else { GREETING };
                self.drips.push_back((now + DRIP, place, number, rest));
            }
            if idle {
                thread::sleep(NAP);
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                // Gone before it was taken.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            add(&self.counts.accepted);
            let place = self.free.pop().unwrap_or(self.clients.len());
            self.poll.registry().register(&mut stream, Token(place), Interest::READABLE)?;
            let number = self.next;
            self.next += 1;
            let tarpit = self.options.world.has_tarpits() && self.is_tarpit(&stream)?;
            let client = Some(Client { stream, number, tarpit, quit: false });
            match self.clients.get_mut(place) {
                Some(free) => *free = client,
                None => self.clients.push(client),
            }
            if tarpit {
                self.drips.push_back((Instant::now(), place, number, GREETING));
            } else {
                self.answer(place, number, GREETING);
            }
        }
    }

    /// Which server was called shows in the connection's own address.
    fn is_tarpit(&self, stream: &TcpStream) -> io::Result<bool> {
        Ok(match stream.local_addr()?.ip() {
            IpAddr::V4(address) => self.options.world.kind(address) == Kind::Tarpit,
            IpAddr::V6(_) => false,
        })
    }

    fn hear(&mut self, place: usize) {
        let Some(Some(client)) = self.clients.get_mut(place) else { return };
        let (number, tarpit) = (client.number, client.tarpit);
        let mut buffer = [0_u8; 512];
        let text = match client.stream.read(&mut buffer) {
            Ok(0) if client.quit => return self.leave(place, |counts| &counts.quits),
            Ok(0) => return self.leave(place, |counts| &counts.left),
            Ok(_) => match buffer.first() {
                Some(b'E' | b'H') => OFFER,
                Some(b'Q') => {
                    client.quit = true;
                    BYE
                }
                _ => WHAT,
            },
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(_) => return self.leave(place, |counts| &counts.resets),
        };
        if !tarpit {
            self.answer(place, number, text);
        }
    }

    fn answer(&mut self, place: usize, number: u64, text: &'static [u8]) {
        if self.options.delay == 0 {
            return self.say(place, number, text);
        }
        let when = Instant::now() + Duration::from_millis(self.options.delay);
        self.due.push_back((when, place, number, text));
    }

    fn say(&mut self, place: usize, number: u64, text: &[u8]) {
        let Some(Some(client)) = self.clients.get_mut(place) else { return };
        if client.number != number {
            return;
        }
        if client.stream.write(text).is_err() {
            self.leave(place, |counts| &counts.resets);
        } else if text == BYE {
            self.leave(place, |counts| &counts.quits);
        }
    }

    fn leave(&mut self, place: usize, counter: impl Fn(&Counts) -> &AtomicU64) {
        add(counter(&self.counts));
        if let Some(client) = self.clients.get_mut(place)
            && client.take().is_some()
        {
            self.free.push(place);
        }
    }
}

/// The first of the queue, when its time has come.
fn pop(queue: &mut VecDeque<Due>, now: Instant) -> Option<Due> {
    if queue.front()?.0 > now {
        return None;
    }
    queue.pop_front()
}
