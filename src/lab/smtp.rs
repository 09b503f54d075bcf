//! The mail servers of the world.
//! Comes in: connections to loopback addresses. Goes out: one conversation each, as the server's scenario has it.
//! No mail is taken: what would begin a transaction is refused. Connections from elsewhere are dropped unheard.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::chance::{draw_bytes, fraction};
use super::counts::Counter;
use super::place::{self, Site};
use super::scenarios::{Server, Speech};
use super::speech::Words;
use super::world::World;
use super::{Faults, Numbering};

/// Conversations at a time; others wait to be accepted.
const MOST: usize = 20_000;
/// A command line with its CRLF (RFC 5321 §4.5.3.1.4).
const LINE: usize = 512;
/// How long a client may be silent (RFC 5321 §4.5.3.2.7).
const PATIENCE: Duration = Duration::from_secs(300);
const HANDSHAKE: Duration = Duration::from_secs(30);
/// How long an endless reply is sent at most, and how much of it.
const ENDLESS: usize = 1 << 20;
const ENDLESS_TIME: Duration = Duration::from_secs(600);
/// Between the lines of a teaser: two seconds, and what a client may miss of them that is late to read the first.
const TEASE: Duration = Duration::from_secs(3);
const DRIP: Duration = Duration::from_secs(5);
const LATE: Duration = Duration::from_secs(50);
/// How late a server greets that is slow by the settings.
pub(super) const SLOW: Duration = Duration::from_secs(3);

/// What draws are for.
const SLOWNESS: u64 = 21;
const RESETTING: u64 = 22;

/// What all servers share.
pub(super) struct Servers {
    pub(super) world: World,
    pub(super) faults: Faults,
    pub(super) counter: Arc<Counter>,
    pub(super) good: TlsAcceptor,
    pub(super) expired: TlsAcceptor,
    /// Connections to the server that puts off two of three.
    pub(super) deferred: AtomicU64,
}

/// What a client said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Ehlo,
    Helo,
    Starttls,
    Quit,
    Harmless,
    Transaction,
    Verify,
    Unknown,
}

/// Why a conversation in plain text ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Quit,
    Starttls,
}

/// Serves one socket; `site` is the server behind it, None for the socket of all servers over IPv4.
pub(super) async fn serve(listener: TcpListener, site: Option<Site>, servers: Arc<Servers>) {
    let mut conversations = JoinSet::new();
    loop {
        while conversations.try_join_next().is_some() {}
        if conversations.len() >= MOST {
            conversations.join_next().await;
        }
        match listener.accept().await {
            Ok((stream, _)) => {
                conversations.spawn(converse(stream, site, Arc::clone(&servers)));
            }
            // Out of descriptors: somebody has to close one first.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Holds one conversation; an error of the connection ends it and is nobody else's business.
async fn converse(stream: TcpStream, site: Option<Site>, servers: Arc<Servers>) {
    let world = servers.world;
    let Some((site, server)) = called(&stream, site, &world) else { return };
    let address = world.address(site);
    servers.counter.connection(address);
    drop(stream.set_nodelay(true));
    drop(servers.hold(stream, site, server, address).await);
}

/// Which server was called, by the address that was dialled.
fn called(stream: &TcpStream, site: Option<Site>, world: &World) -> Option<(Site, &'static Server)> {
    if let Some(site) = site {
        return world.server(site).map(|server| (site, server));
    }
    let IpAddr::V4(dialled) = stream.local_addr().ok()?.ip().to_canonical() else { return None };
    let home = place::from_loopback(dialled)?;
    let shown = if world.numbering() == Numbering::Reserved { home } else { dialled };
    world.at(IpAddr::V4(shown))
}

impl Servers {
    async fn hold(
        &self,
        mut stream: TcpStream,
        site: Site,
        server: &'static Server,
        address: IpAddr,
    ) -> io::Result<()> {
        let mut words = Words::of(&self.world, site, server);
        if words.speech == Speech::DeferredTwice && self.deferred.fetch_add(1, Ordering::Relaxed) % 3 == 2 {
            words.speech = Speech::Plain;
        }
        if self.happens(self.faults.slow, SLOWNESS, address) && silent_for(&mut stream, SLOW).await? {
            return Ok(());
        }
        if self.happens(self.faults.reset, RESETTING, address) {
            // Half of them let the client hear something first.
            if fraction(self.chance(RESETTING + 1, address)) < 0.5 {
                stream.write_all(&words.greeting()).await?;
                let mut lines = Lines::new(&mut stream);
                timeout(PATIENCE, lines.next()).await??;
            }
            return stream.set_zero_linger();
        }
        match words.speech {
            Speech::Refuses | Speech::Silent | Speech::Closes => Ok(()),
            Speech::Ssh => {
                stream.write_all(&words.greeting()).await?;
                // It hangs up on what is no SSH.
                timeout(PATIENCE, stream.read(&mut [0; LINE])).await?.map(drop)
            }
            Speech::Endless => {
                let lines = words.early_line().repeat(16);
                endless(&mut stream, &lines).await
            }
            Speech::EndlessLine => {
                stream.write_all(format!("220 {} ", words.name).as_bytes()).await?;
                endless(&mut stream, &[b'x'; 1024]).await
            }
            Speech::Tarpit => timeout(ENDLESS_TIME, drip(&mut stream, &words)).await?,
            Speech::Teaser => {
                stream.write_all(&words.early_line()).await?;
                if silent_for(&mut stream, TEASE).await? {
                    return stream.write_all(b"521 5.5.1 you talk too soon\r\n").await;
                }
                self.speak(stream, &words).await
            }
            Speech::Late => {
                if silent_for(&mut stream, LATE).await? {
                    return Ok(());
                }
                self.speak(stream, &words).await
            }
            _ => self.speak(stream, &words).await,
        }
    }

    /// Greets and answers until QUIT, over TLS if the client wants it and the server has it.
    async fn speak(&self, mut stream: TcpStream, words: &Words) -> io::Result<()> {
        stream.write_all(&words.greeting()).await?;
        if answer(&mut stream, words, false).await? == Ended::Quit {
            return stream.shutdown().await;
        }
        let acceptor = match words.speech {
            Speech::TlsGarbage => {
                // After the client's first bytes: garbage before them would be an injection, not a failed handshake.
                timeout(PATIENCE, stream.read(&mut [0; LINE])).await??;
                stream.write_all(b"\x00garbage, not a handshake\r\n").await?;
                return drain(&mut stream).await;
            }
            Speech::TlsExpired => &self.expired,
            _ => &self.good,
        };
        // On the heap: few conversations come here at any one time, and the state of TLS is large.
        Box::pin(async {
            let mut stream = timeout(HANDSHAKE, acceptor.accept(stream)).await??;
            answer(&mut stream, words, true).await?;
            stream.shutdown().await
        })
        .await
    }

    fn happens(&self, share: f64, purpose: u64, address: IpAddr) -> bool {
        share > 0.0 && fraction(self.chance(purpose, address)) < share
    }

    fn chance(&self, purpose: u64, address: IpAddr) -> u64 {
        let octets = match address {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        };
        draw_bytes(self.world.seed(), purpose, &octets)
    }
}

/// Answers commands until QUIT or STARTTLS. A closed connection is an error.
async fn answer<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, words: &Words, secure: bool) -> io::Result<Ended> {
    let mut lines = Lines::new(stream);
    let offers = matches!(words.speech, Speech::Tls | Speech::TlsExpired | Speech::TlsGarbage) && !secure;
    loop {
        let command = timeout(PATIENCE, lines.next()).await??;
        let reply = match command {
            Command::Quit => {
                lines.stream.write_all(b"221 2.0.0 bye\r\n").await?;
                return Ok(Ended::Quit);
            }
            _ if words.refuses() => b"503 5.5.1 only QUIT is welcome\r\n".to_vec(),
            Command::Ehlo => words.ehlo(secure),
            Command::Helo => words.helo(),
            Command::Starttls if offers => {
                lines.stream.write_all(b"220 2.0.0 go ahead\r\n").await?;
                // What came with the command is dropped with the lines: it was not protected (RFC 3207 §4.2).
                return Ok(Ended::Starttls);
            }
            Command::Harmless => b"250 2.0.0 as you wish\r\n".to_vec(),
            Command::Verify => b"252 2.5.0 perhaps\r\n".to_vec(),
            Command::Transaction => b"550 5.7.1 no mail for the lab\r\n".to_vec(),
            Command::Starttls | Command::Unknown => b"502 5.5.1 command not implemented\r\n".to_vec(),
        };
        lines.stream.write_all(&reply).await?;
    }
}

/// Commands off a stream, one a line, without memory beyond one line.
struct Lines<'a, S> {
    stream: &'a mut S,
    held: [u8; LINE],
    length: usize,
}

impl<'a, S: AsyncRead + Unpin> Lines<'a, S> {
    const fn new(stream: &'a mut S) -> Self {
        Self { stream, held: [0; LINE], length: 0 }
    }

    async fn next(&mut self) -> io::Result<Command> {
        loop {
            let held = self.held.get(..self.length).unwrap_or(&[]);
            if let Some(end) = held.iter().position(|&byte| byte == b'\n') {
                let command = Command::read(held.get(..end).unwrap_or(&[]));
                self.held.copy_within(end + 1..self.length, 0);
                self.length -= end + 1;
                return Ok(command);
            }
            let room = self.held.get_mut(self.length..).filter(|room| !room.is_empty());
            // A line without an end in sight is nothing this server would answer.
            let room = room.ok_or(io::ErrorKind::InvalidData)?;
            match self.stream.read(room).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => self.length += count,
            }
        }
    }
}

impl Command {
    fn read(line: &[u8]) -> Self {
        let verb = line.trim_ascii().split(|byte| *byte == b' ').next().unwrap_or(&[]);
        match verb.to_ascii_uppercase().as_slice() {
            b"EHLO" => Self::Ehlo,
            b"HELO" => Self::Helo,
            b"STARTTLS" => Self::Starttls,
            b"QUIT" => Self::Quit,
            b"NOOP" | b"RSET" => Self::Harmless,
            b"MAIL" | b"RCPT" | b"DATA" | b"BDAT" | b"AUTH" => Self::Transaction,
            b"VRFY" => Self::Verify,
            _ => Self::Unknown,
        }
    }
}

/// Waits this long; true when the client spoke or left meanwhile.
async fn silent_for(stream: &mut TcpStream, time: Duration) -> io::Result<bool> {
    // Peeked at rather than asked for readiness, which may be reported where there is nothing to read.
    match timeout(time, stream.peek(&mut [0])).await {
        Ok(heard) => heard.map(|_| true),
        Err(_) => Ok(false),
    }
}

/// Reads until the client leaves.
async fn drain(stream: &mut TcpStream) -> io::Result<()> {
    let mut waste = [0; LINE];
    while timeout(PATIENCE, stream.read(&mut waste)).await?? > 0 {}
    Ok(())
}

/// Sends the same bytes again and again, up to the cap, then waits for the client to leave.
async fn endless(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    for _ in 0..ENDLESS / bytes.len() {
        timeout(PATIENCE, stream.write_all(bytes)).await??;
    }
    drain(stream).await
}

/// One byte of a greeting every five seconds, until the client leaves.
async fn drip(stream: &mut TcpStream, words: &Words) -> io::Result<()> {
    let line = words.early_line();
    for byte in line.iter().cycle() {
        stream.write_all(&[*byte]).await?;
        if silent_for(stream, DRIP).await? {
            break;
        }
    }
    Ok(())
}
