//! A name server that gives every name an address, after a delay, and loses a share of the questions.
//! Comes in: datagrams, and standard input as its leash. Goes out: replies, and how many at the end.
//! It knows no zone: the whole of its work is the waiting. It must be much cheaper than what is measured with it.

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;

/// The largest buffers that an unprivileged program gets; the system cuts it to its limit.
const BUFFER: usize = 64 << 20;
/// Packets received, or sent, in one go.
const BATCH: usize = 64;
/// How long it looks away when there is nothing to do.
const NAP: Duration = Duration::from_micros(100);

/// How to answer.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Where to listen; the address is printed when it does
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// How late every reply is, in milliseconds
    #[arg(long, default_value_t = 0)]
    delay: u64,
    /// The share of questions that are lost, from 0 to 1
    #[arg(long, default_value_t = 0.0)]
    loss: f64,
    /// Which ones are lost
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The only zone whose names have an address, if not all names have one; nothing else exists
    #[arg(long)]
    zone: Option<String>,
    /// What every reply says
    #[arg(long, value_enum, default_value_t = Rcode::Noerror)]
    rcode: Rcode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Rcode {
    /// One address
    Noerror,
    /// A server in trouble
    Servfail,
}

/// A reply and when it is due. All are delayed alike, so the order of arrival is the order of time.
type Due = (Instant, SocketAddr, Vec<u8>);

#[derive(Debug, Default)]
struct Counts {
    received: AtomicU64,
    lost: AtomicU64,
    sent: AtomicU64,
}

impl Counts {
    fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Relaxed);
    }
}

/// Answers until standard input ends; the line says how much there was.
pub(crate) fn run(options: &Options) -> io::Result<String> {
    let socket = UdpSocket::bind(options.listen)?;
    let buffers = socket2::SockRef::from(&socket);
    buffers.set_recv_buffer_size(BUFFER)?;
    buffers.set_send_buffer_size(BUFFER)?;
    socket.set_nonblocking(true)?;
    writeln!(io::stdout(), "{}", socket.local_addr()?)?;
    let counts = Arc::new(Counts::default());
    let (shared, options) = (Arc::clone(&counts), options.clone());
    thread::spawn(move || serve(&socket, &options, &shared));
    io::copy(&mut io::stdin(), &mut io::sink())?;
    let [received, lost, sent] = [&counts.received, &counts.lost, &counts.sent].map(|count| count.load(Relaxed));
    Ok(json!({ "received": received, "lost": lost, "sent": sent }).to_string())
}

/// One thread that never waits for a packet: being woken for each would cost both ends more than the packet.
fn serve(socket: &UdpSocket, options: &Options, counts: &Counts) {
    let delay = Duration::from_millis(options.delay);
    let mut chance = StdRng::seed_from_u64(options.seed);
    let mut waiting: VecDeque<Due> = VecDeque::new();
    let mut buffer = [0_u8; 4096];
    loop {
        let mut idle = true;
        for _ in 0..BATCH {
            let (length, peer) = match socket.recv_from(&mut buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An ICMP message about a reply nobody waits for any more.
                Err(_) => continue,
            };
            idle = false;
            Counts::count(&counts.received);
            if chance.random_bool(options.loss) {
                Counts::count(&counts.lost);
            } else if let Some(reply) = buffer.get(..length).and_then(|query| reply(query, options)) {
                waiting.push_back((Instant::now() + delay, peer, reply));
            }
        }
        let now = Instant::now();
        // No more than come in, or the buffer overflows meanwhile.
        for _ in 0..BATCH {
            if waiting.front().is_none_or(|(when, ..)| *when > now) {
                break;
            }
            idle = false;
            if let Some((_, peer, reply)) = waiting.pop_front()
                && socket.send_to(&reply, peer).is_ok()
            {
                Counts::count(&counts.sent);
            }
        }
        if idle {
            thread::sleep(NAP);
        }
    }
}

/// The question again with one address, or with the code; None for what is no question.
fn reply(query: &[u8], options: &Options) -> Option<Vec<u8>> {
    let mut end = 12;
    while let Some(&length @ 1..) = query.get(end) {
        end += 1 + usize::from(length);
    }
    let question = query.get(12..end + 5)?;
    let edns = query.get(11) == Some(&1);
    let (name, kind) = (query.get(12..end)?, query.get(end + 2)?);
    let good = options.rcode == Rcode::Noerror && options.zone.as_ref().is_none_or(|zone| is_in(zone, name));
    // Of a zone it is known that its names have addresses, and of which family.
    let has_address = good && (options.zone.is_none() || *kind == 1);
    // Outside of it there is nothing, but the root, of which nothing is known: who denies the root is believed by nobody.
    let rcode = match () {
        () if good => 0,
        () if options.rcode == Rcode::Noerror && !name.is_empty() => 3,
        () => 2,
    };
    let mut reply = Vec::with_capacity(12 + question.len() + 27);
    reply.extend(query.get(..2)?);
    // A response, with recursion desired and available.
    reply.extend([0x81, 0x80 | rcode, 0, 1, 0, u8::from(has_address), 0, 0, 0, u8::from(edns)]);
    reply.extend(question);
    if has_address {
        reply.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1]);
    }
    if edns {
        reply.extend([0, 0, 41, 4, 0xD0, 0, 0, 0, 0, 0, 0]);
    }
    Some(reply)
}

/// Whether a name of a question ends in the labels of the zone.
fn is_in(zone: &str, name: &[u8]) -> bool {
    let labels = zone.split('.').flat_map(|label| {
        let length = u8::try_from(label.len()).unwrap_or(u8::MAX);
        std::iter::once(length).chain(label.bytes())
    });
    let zone: Vec<u8> = labels.collect();
    name.len() >= zone.len() && name.iter().rev().zip(zone.iter().rev()).all(|(a, b)| a.eq_ignore_ascii_case(b))
}
