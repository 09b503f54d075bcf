//! The farm's servers.
//! Comes in: connections to loopback addresses. Goes out: one conversation each, as the mode behind the address has it.
//! What is without an end ends with the visitor, or at the cap. Connections from elsewhere are dropped unheard.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Settings;
use super::chain::Chain;
use super::modes::{Act, Crowd, Leave, MODES, Mode, Script, Shake};
use super::visits::{Left, Note, Treatment, Visits};

/// Conversations at a time; others wait to be accepted.
const MOST: usize = 20_000;
/// Octets of a command that are read in one go, and kept.
const LINE: usize = 512;
/// How long a visitor may be silent, or not take what he is sent.
const PATIENCE: Duration = Duration::from_secs(600);
/// What the system keeps of what was said and not taken: little, so that what was said is what was taken.
const SEND_BUFFER: usize = 16 * 1024;
/// How long a session in a mode takes at least that looks at crowds: without it there would never be one. And how long words may be
/// on their way before a reset overtakes them.
const BREATH: Duration = Duration::from_millis(200);
/// Clients whose visits are counted.
const CLIENTS: usize = 1 << 16;

/// What all servers share.
pub(super) struct Shared {
    settings: Settings,
    pub(super) chain: Chain,
    pub(super) visits: Visits,
    /// Sessions that are held just now, by mode.
    open: Vec<AtomicUsize>,
    /// How often each client came, by mode.
    came: Mutex<HashMap<(Ipv4Addr, &'static str), u32>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn new(settings: Settings, chain: Chain) -> Self {
        let open = MODES.iter().map(|_| AtomicUsize::new(0)).collect();
        Self { settings, chain, visits: Visits::new(settings.recording), open, came: Mutex::default() }
    }

    /// How often this client has come to a mode, this time included.
    fn comes(&self, client: Ipv4Addr, mode: &Mode) -> u32 {
        let mut came = self.came.lock().unwrap_or_else(PoisonError::into_inner);
        if came.len() >= CLIENTS {
            came.clear();
        }
        let count = came.entry((client, mode.word)).or_default();
        *count = count.saturating_add(1);
        *count
    }
}

/// Serves one socket.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut conversations = JoinSet::new();
    loop {
        while conversations.try_join_next().is_some() {}
        if conversations.len() >= MOST {
            conversations.join_next().await;
        }
        match listener.accept().await {
            Ok((stream, _)) => {
                conversations.spawn(receive(stream, Arc::clone(&shared)));
            }
            // Out of descriptors: somebody has to close one first.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Receives one visitor.
async fn receive(stream: TcpStream, shared: Arc<Shared>) {
    let four = |end: io::Result<std::net::SocketAddr>| match end.ok()?.ip().to_canonical() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    };
    let (Some(address), Some(client)) = (four(stream.local_addr()), four(stream.peer_addr())) else { return };
    let Some(mode) = Mode::at(address) else { return };
    drop(stream.set_nodelay(true));
    drop(SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER));
    let note = shared.visits.begin(mode.word, address);
    let open = MODES.iter().zip(&shared.open).find(|(known, _)| known.word == mode.word).map(|(_, open)| open);
    let before = open.map_or(0, |open| open.fetch_add(1, Ordering::Relaxed));
    let server = Server { shared: &shared, mode, name: mode.host(), note };
    let treatment = match mode.script.crowd {
        Crowd::Slowed if before >= shared.settings.crowd => Treatment::Slowed,
        Crowd::Banned(_) if shared.comes(client, mode) > shared.settings.welcome => Treatment::Banned,
        _ => Treatment::Usual,
    };
    note.treated(treatment);
    // On the heap: a session may turn to TLS, whose state is large.
    let left = Box::pin(server.hold(stream, treatment)).await;
    note.left(left.unwrap_or(Left::Reset));
    if let Some(open) = open {
        open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What comes after a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Handshake,
    Leave(Leave),
}

/// A server with a visitor.
struct Server<'a> {
    shared: &'a Shared,
    mode: &'static Mode,
    name: String,
    note: Note<'a>,
}

impl Server<'_> {
    async fn hold(&self, mut stream: TcpStream, treatment: Treatment) -> io::Result<Left> {
        let script = &self.mode.script;
        let greeting = match (script.crowd, treatment) {
            (Crowd::Banned(words), Treatment::Banned) => Act::Then(words, Leave::Close),
            (Crowd::Slowed, Treatment::Slowed) => {
                self.wait(&mut stream, self.shared.settings.late).await?;
                script.greeting
            }
            (Crowd::Slowed, _) => {
                self.wait(&mut stream, BREATH).await?;
                script.greeting
            }
            _ => script.greeting,
        };
        let mut next = match self.act(&mut stream, greeting).await? {
            Some(leave) => Next::Leave(leave),
            None => self.answer(&mut stream, script, false).await?,
        };
        if next == Next::Handshake {
            next = Next::Leave(match self.acceptor(script.shake) {
                Ok(acceptor) => {
                    let mut inside = timeout(PATIENCE, acceptor.accept(&mut stream)).await??;
                    match self.answer(&mut inside, script, true).await? {
                        Next::Leave(Leave::Close) => {
                            inside.shutdown().await?;
                            // What the visitor has to say to that.
                            while let Ok(Some(_)) = self.hear(&mut inside, &mut Vec::new()).await {}
                            Leave::Close
                        }
                        Next::Leave(leave) => leave,
                        Next::Handshake => Leave::Close,
                    }
                }
                Err((words, leave)) => {
                    timeout(PATIENCE, stream.read(&mut [0; 2 * LINE])).await??;
                    self.act(&mut stream, Act::Then(words, leave)).await?.unwrap_or(leave)
                }
            });
            return self.leave(stream, next, false).await;
        }
        self.leave(stream, next, true).await
    }

    /// Shows the visitor out; `heard`: what he still says is plaintext, and is noted.
    async fn leave(&self, mut stream: TcpStream, next: Next, heard: bool) -> io::Result<Left> {
        match next {
            Next::Leave(Leave::Reset) => {
                stream.set_zero_linger()?;
                return Ok(Left::Cut);
            }
            Next::Leave(Leave::Close) => stream.shutdown().await?,
            _ => {}
        }
        let mut waste = [0; LINE];
        loop {
            let length = timeout(PATIENCE, stream.read(&mut waste)).await??;
            match waste.get(..length) {
                None | Some([]) => return Ok(Left::Fin),
                Some(line) if heard => self.note.heard(line),
                Some(_) => {}
            }
        }
    }

    /// Who shakes hands; or what is said instead.
    fn acceptor(&self, shake: Shake) -> Result<&tokio_rustls::TlsAcceptor, (&'static [u8], Leave)> {
        let chain = &self.shared.chain;
        match shake {
            Shake::Whole => Ok(&chain.whole),
            Shake::Broken => Ok(&chain.broken),
            Shake::Own => Ok(&chain.own),
            Shake::Expired => Ok(&chain.expired),
            Shake::Says(words, leave) => Err((words, leave)),
        }
    }

    /// Answers commands until one ends the session or leads to a handshake.
    async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        script: &Script,
        secure: bool,
    ) -> io::Result<Next> {
        let mut held = Vec::new();
        loop {
            let Some(line) = self.hear(stream, &mut held).await? else { return Ok(Next::Leave(Leave::Stall)) };
            let verb = line.split(|byte| *byte == b' ').next().unwrap_or_default().to_ascii_uppercase();
            let act = match verb.as_slice() {
                b"EHLO" if secure => script.inside,
                b"EHLO" => script.ehlo,
                b"HELO" => script.helo,
                b"STARTTLS" if !secure => script.starttls,
                b"QUIT" => script.quit,
                b"MAIL" | b"RCPT" | b"DATA" | b"AUTH" => Act::Say(b"550 5.7.1 no mail for the farm\r\n"),
                _ => Act::Say(b"502 5.5.1 command not implemented\r\n"),
            };
            let leave = self.act(stream, act).await?;
            match (verb.as_slice(), act, leave) {
                (_, _, Some(leave)) => return Ok(Next::Leave(leave)),
                (b"QUIT", ..) => return Ok(Next::Leave(Leave::Close)),
                (b"STARTTLS", Act::Say([b'2', ..]), None) => return Ok(Next::Handshake),
                _ => {}
            }
        }
    }

    /// The next line of the visitor, without its end; None once he has left.
    async fn hear<S: AsyncRead + Unpin>(&self, stream: &mut S, held: &mut Vec<u8>) -> io::Result<Option<Vec<u8>>> {
        loop {
            // What is too long for a line is as good as one.
            let end = held.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
            if let Some(end) = end.or_else(|| (held.len() >= LINE).then_some(held.len())) {
                let rest = held.split_off(end);
                let line = std::mem::replace(held, rest);
                let line = line.trim_ascii_end().to_vec();
                self.note.heard(&line);
                return Ok(Some(line));
            }
            let mut piece = [0; LINE];
            let length = timeout(PATIENCE, stream.read(&mut piece)).await??;
            match piece.get(..length) {
                None | Some([]) => return Ok(None),
                Some(piece) => held.extend_from_slice(piece),
            }
        }
    }

    /// Does what is to be done at a step; says how to leave, if that is the end.
    async fn act<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut S, act: Act) -> io::Result<Option<Leave>> {
        match act {
            Act::Say(words) => self.say(stream, words).await.map(|()| None),
            Act::Late(words) => {
                if self.wait(stream, self.shared.settings.late).await? {
                    return Ok(Some(Leave::Stall));
                }
                self.say(stream, words).await.map(|()| None)
            }
            Act::Drip(words) => self.drip(stream, words, self.shared.settings.drip).await,
            Act::QuickDrip(words) => self.drip(stream, words, self.shared.settings.quick_drip).await,
            Act::Endless(first, words) => {
                self.say(stream, first).await?;
                let words = self.named(words).repeat(1 + LINE / words.len());
                for _ in 0..self.shared.settings.most / words.len() {
                    self.send(stream, &words).await?;
                }
                Ok(Some(Leave::Stall))
            }
            Act::Keywords(count) => {
                let mut reply = b"250-%\r\n".to_vec();
                for number in 1..count {
                    reply.extend(format!("250-X-KEYWORD-{number}\r\n").into_bytes());
                }
                reply.extend(b"250 8BITMIME\r\n");
                self.say(stream, &reply).await.map(|()| None)
            }
            Act::Then(words, leave) => {
                self.say(stream, words).await?;
                if leave == Leave::Reset && !words.is_empty() {
                    sleep(BREATH).await;
                }
                Ok(Some(leave))
            }
        }
    }

    /// Octet by octet, until the visitor leaves.
    async fn drip<S>(&self, stream: &mut S, words: &[u8], pause: Duration) -> io::Result<Option<Leave>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let words = self.named(words);
        for octet in words.iter().cycle().take(self.shared.settings.most) {
            self.send(stream, &[*octet]).await?;
            if self.wait(stream, pause).await? {
                break;
            }
        }
        Ok(Some(Leave::Stall))
    }

    /// Waits this long; true when the visitor left meanwhile. What he says is noted, and not answered.
    async fn wait<S: AsyncRead + Unpin>(&self, stream: &mut S, time: Duration) -> io::Result<bool> {
        let mut piece = [0; LINE];
        let left = async {
            loop {
                let length = stream.read(&mut piece).await?;
                match piece.get(..length) {
                    None | Some([]) => return Ok(true),
                    Some(words) => self.note.heard(words),
                }
            }
        };
        timeout(time, left).await.unwrap_or(Ok(false))
    }

    async fn say<S: AsyncWrite + Unpin>(&self, stream: &mut S, words: &[u8]) -> io::Result<()> {
        self.send(stream, &self.named(words)).await
    }

    async fn send<S: AsyncWrite + Unpin>(&self, stream: &mut S, bytes: &[u8]) -> io::Result<()> {
        timeout(PATIENCE, async {
            stream.write_all(bytes).await?;
            stream.flush().await
        })
        .await??;
        self.note.said(bytes.len());
        Ok(())
    }

    /// The text with the server's name in its places.
    fn named(&self, words: &[u8]) -> Vec<u8> {
        let parts: Vec<&[u8]> = words.split(|byte| *byte == b'%').collect();
        parts.join(self.name.as_bytes())
    }
}
