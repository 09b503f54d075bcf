//! The resolver of the world: UDP and TCP on one port of loopback.
//! Comes in: packets. Goes out: answers, failures by the settings, and silence where a packet is lost.
//! It looks like a recursive resolver: recursion available, no answer authoritative. It never asks anybody.
//! One thread with a blocking socket serves UDP: the least that a packet can cost.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use super::chance::{draw, draw_bytes, fraction};
use super::counts::Counter;
use super::wire::{NoQuery, Query, error};
use super::zone::{Found, Zones, kind};
use super::{Error, Faults, Settings, Turn};

/// Where the resolver listens.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 53, 0, 1);
/// Bytes of questions that may wait: the kernel cuts it to its own limit.
const WAITING: usize = 4 << 20;
/// Ports tried until one is free for UDP and TCP alike.
const TRIES: usize = 16;
/// TCP connections at a time; others wait to be accepted.
const MOST_STREAMS: usize = 256;
const STREAM_IDLE: Duration = Duration::from_secs(10);

/// What stands below the list that may turn.
const TURNS: &str = ".bl2.lab.test";

/// What draws are for.
const LOSS: u64 = 11;
const FAILURE: u64 = 12;

/// What answers packets.
#[derive(Debug)]
pub(super) struct Responder {
    pub(super) zones: Zones,
    pub(super) seed: u64,
    pub(super) faults: Faults,
    pub(super) counter: Arc<Counter>,
    /// Packets so far: each is lost, or not, by its number.
    packets: AtomicU64,
    /// Record types whose first packet has been lost at the one name where that happens.
    lost: AtomicU64,
    turn: Option<Turn>,
    /// Questions so far to the list that turns.
    asked: AtomicU64,
}

impl Responder {
    pub(super) const fn new(zones: Zones, settings: &Settings, counter: Arc<Counter>) -> Self {
        let &Settings { seed, faults, turn, .. } = settings;
        let [packets, lost, asked] = [const { AtomicU64::new(0) }; 3];
        Self { zones, seed, faults, counter, packets, lost, turn, asked }
    }

    /// What the list that turns answers once it has.
    fn turned(&self, query: &Query<'_>) -> Option<Found> {
        let turn = self.turn.filter(|_| query.name.ends_with(TURNS))?;
        let has_turned = self.asked.fetch_add(1, Ordering::Relaxed) >= turn.after;
        (has_turned && query.asked == kind::A).then(|| Found::address(turn.code.into()))
    }

    /// Writes the answer to a message; false when there is none.
    fn respond(&self, message: &[u8], udp: bool, out: &mut Vec<u8>) -> bool {
        let query = match Query::read(message) {
            Ok(query) => query,
            Err(NoQuery::Ignore) => return false,
            Err(NoQuery::Error { id, rcode }) => {
                error(id, rcode, out);
                return true;
            }
        };
        self.counter.question(&query.name, query.asked);
        if udp && self.faults.lost > 0.0 {
            let packet = self.packets.fetch_add(1, Ordering::Relaxed);
            if fraction(draw(self.seed, LOSS, packet)) < self.faults.lost {
                return false;
            }
        }
        if self.faults.servfail > 0.0 {
            let purpose = FAILURE << 16 | u64::from(query.asked);
            if fraction(draw_bytes(self.seed, purpose, query.name.as_bytes())) < self.faults.servfail {
                query.fail(out);
                return true;
            }
        }
        let turned = self.turned(&query);
        let plain = || self.zones.answer(&query.name, query.asked, query.is_unchecked());
        let found = turned.unwrap_or_else(plain);
        if udp && found.lost_once {
            let bit = 1 << (query.asked % 64);
            if self.lost.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
                return false;
            }
        }
        query.answer(&found, udp, out);
        true
    }
}

/// The running resolver; stops when dropped.
#[derive(Debug)]
pub(super) struct Resolver {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    streams: AbortHandle,
}

impl Resolver {
    pub(super) async fn start(responder: Responder) -> Result<Self, Error> {
        let failed = |source| Error::Listen { what: "the resolver", address: ADDRESS.into(), source };
        let (datagrams, streams) = bind().await.map_err(failed)?;
        let address = datagrams.local_addr().map_err(failed)?;
        let responder = Arc::new(responder);
        let stop = Arc::new(AtomicBool::new(false));
        let (serving, stopping) = (Arc::clone(&responder), Arc::clone(&stop));
        let thread = std::thread::Builder::new()
            .name("lab-dns".into())
            .spawn(move || serve_datagrams(&datagrams, &serving, &stopping))
            .map_err(failed)?;
        let streams = tokio::spawn(serve_streams(streams, responder)).abort_handle();
        Ok(Self { address, stop, thread: Some(thread), streams })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.streams.abort();
        self.stop.store(true, Ordering::Relaxed);
        // An empty packet wakes the thread.
        let woken = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.send_to(&[], self.address));
        if let (Ok(_), Some(thread)) = (woken, self.thread.take()) {
            // It holds nothing of ours when it has panicked.
            drop(thread.join());
        }
    }
}

async fn bind() -> io::Result<(UdpSocket, TcpListener)> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_recv_buffer_size(WAITING)?;
        socket.set_send_buffer_size(WAITING)?;
        socket.bind(&SocketAddr::from((ADDRESS, 0)).into())?;
        let datagrams = UdpSocket::from(socket);
        match TcpListener::bind(datagrams.local_addr()?).await {
            Ok(streams) => return Ok((datagrams, streams)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn serve_datagrams(socket: &UdpSocket, responder: &Responder, stop: &AtomicBool) {
    let mut message = [0; 4096];
    let mut out = Vec::with_capacity(4096);
    while !stop.load(Ordering::Relaxed) {
        // An error here is about an earlier packet, whose sender has closed its socket.
        let Ok((length, from)) = socket.recv_from(&mut message) else { continue };
        if responder.respond(message.get(..length).unwrap_or(&[]), true, &mut out) {
            // A full buffer loses the packet, as any network would.
            drop(socket.send_to(&out, from));
        }
    }
}

async fn serve_streams(listener: TcpListener, responder: Arc<Responder>) {
    let mut streams = JoinSet::new();
    loop {
        while streams.try_join_next().is_some() {}
        if streams.len() >= MOST_STREAMS {
            streams.join_next().await;
        }
        match listener.accept().await {
            Ok((stream, _)) => {
                streams.spawn(tokio::time::timeout(STREAM_IDLE, serve_stream(stream, Arc::clone(&responder))));
            }
            // Out of descriptors: somebody has to close one first.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Messages with their length in front (RFC 7766 §8), one after the other.
async fn serve_stream(mut stream: TcpStream, responder: Arc<Responder>) -> io::Result<()> {
    let mut message = Vec::new();
    let mut out = Vec::new();
    loop {
        let length = stream.read_u16().await?;
        message.resize(usize::from(length), 0);
        stream.read_exact(&mut message).await?;
        if responder.respond(&message, false, &mut out) {
            let length = u16::try_from(out.len()).map_err(io::Error::other)?;
            stream.write_all(&[&length.to_be_bytes(), out.as_slice()].concat()).await?;
        }
    }
}
