//! A name server that gives every name an address, after a delay, and loses a share of the questions.
//! Comes in: datagrams, and standard input as its leash. Goes out: replies, and how many at the end.
//! It knows no zone: the whole of its work is the waiting. It must be much cheaper than what is measured with it.

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;

/// The largest buffers that an unprivileged program gets; the system cuts it to its limit.
const BUFFER: usize = 64 << 20;
/// Sleeping for less than this makes more switches than packets.
const NAP: Duration = Duration::from_micros(200);

/// How to answer.
#[derive(Debug, Args)]
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
struct Queue {
    waiting: Mutex<VecDeque<Due>>,
    filled: Condvar,
}

impl Queue {
    fn push(&self, due: Due) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push_back(due);
        if waiting.len() == 1 {
            self.filled.notify_one();
        }
    }

    /// Waits until something is due, and takes all that is.
    fn take(&self, taken: &mut Vec<Due>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let now = Instant::now();
            while waiting.front().is_some_and(|(when, ..)| *when <= now) {
                taken.extend(waiting.pop_front());
            }
            if !taken.is_empty() {
                return;
            }
            let Some(&(when, ..)) = waiting.front() else {
                waiting = self.filled.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(waiting);
            thread::sleep((when - now).max(NAP));
            waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[derive(Debug, Default)]
struct Counts {
    received: AtomicU64,
    lost: AtomicU64,
    sent: AtomicU64,
}

/// Answers until standard input ends; the line says how much there was.
pub(crate) fn run(options: &Options) -> io::Result<String> {
    let socket = Arc::new(UdpSocket::bind(options.listen)?);
    let buffers = socket2::SockRef::from(&*socket);
    buffers.set_recv_buffer_size(BUFFER)?;
    buffers.set_send_buffer_size(BUFFER)?;
    writeln!(io::stdout(), "{}", socket.local_addr()?)?;
    let (queue, counts) = (Arc::new(Queue::default()), Arc::new(Counts::default()));
    if options.delay > 0 {
        let (socket, queue, counts) = (Arc::clone(&socket), Arc::clone(&queue), Arc::clone(&counts));
        thread::spawn(move || {
            let mut due = Vec::new();
            loop {
                queue.take(&mut due);
                due.drain(..).for_each(|(_, peer, reply)| send(&socket, &counts, &reply, peer));
            }
        });
    }
    let (delay, loss, rcode) = (Duration::from_millis(options.delay), options.loss, options.rcode);
    let mut chance = StdRng::seed_from_u64(options.seed);
    let shared = Arc::clone(&counts);
    thread::spawn(move || {
        let mut buffer = [0_u8; 4096];
        loop {
            // An error here is an ICMP message about a reply nobody waits for any more.
            let Ok((length, peer)) = socket.recv_from(&mut buffer) else { continue };
            shared.received.fetch_add(1, Relaxed);
            if chance.random_bool(loss) {
                shared.lost.fetch_add(1, Relaxed);
                continue;
            }
            let Some(reply) = buffer.get(..length).and_then(|query| reply(query, rcode)) else { continue };
            if delay.is_zero() {
                send(&socket, &shared, &reply, peer);
            } else {
                queue.push((Instant::now() + delay, peer, reply));
            }
        }
    });
    io::copy(&mut io::stdin(), &mut io::sink())?;
    let [received, lost, sent] = [&counts.received, &counts.lost, &counts.sent].map(|count| count.load(Relaxed));
    Ok(json!({ "received": received, "lost": lost, "sent": sent }).to_string())
}

fn send(socket: &UdpSocket, counts: &Counts, reply: &[u8], peer: SocketAddr) {
    if socket.send_to(reply, peer).is_ok() {
        counts.sent.fetch_add(1, Relaxed);
    }
}

/// The question again with one address, or with the code; None for what is no question.
fn reply(query: &[u8], rcode: Rcode) -> Option<Vec<u8>> {
    let mut end = 12;
    while let Some(&length @ 1..) = query.get(end) {
        end += 1 + usize::from(length);
    }
    let question = query.get(12..end + 5)?;
    let edns = query.get(11) == Some(&1);
    let good = rcode == Rcode::Noerror;
    let mut reply = Vec::with_capacity(12 + question.len() + 27);
    reply.extend(query.get(..2)?);
    // A response, with recursion desired and available.
    reply.extend([0x81, if good { 0x80 } else { 0x82 }, 0, 1, 0, u8::from(good), 0, 0, 0, u8::from(edns)]);
    reply.extend(question);
    if good {
        reply.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1]);
    }
    if edns {
        reply.extend([0, 0, 41, 4, 0xD0, 0, 0, 0, 0, 0, 0]);
    }
    Some(reply)
}
