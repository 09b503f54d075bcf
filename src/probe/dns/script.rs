//! A name server on loopback that does what a test tells it to.
//! Comes in: a function from a query to the datagrams sent back. Goes out: the server's address and what it was asked.
//! UDP and TCP share one port. It ends with the runtime of its test.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};

use super::wire::{HEADER, Message};

/// One query as the server sees it.
pub(super) struct Asked {
    pub(super) bytes: Vec<u8>,
    pub(super) tcp: bool,
}

impl Asked {
    /// Where the question section ends.
    fn question_end(&self) -> usize {
        Message(&self.bytes).name_end(HEADER).unwrap() + 4
    }

    /// The question section.
    pub(super) fn question(&self) -> &[u8] {
        &self.bytes[HEADER..self.question_end()]
    }

    /// The asked name in lower case.
    pub(super) fn name(&self) -> String {
        Message(&self.bytes).name(HEADER).unwrap().to_string()
    }

    pub(super) fn edns(&self) -> bool {
        self.bytes[11] == 1
    }

    pub(super) fn checking_disabled(&self) -> bool {
        self.bytes[3] & 0x10 != 0
    }

    /// A reply: recursion available, this rcode, the question repeated.
    pub(super) fn reply(&self, rcode: u8) -> Reply {
        let mut bytes = self.bytes[..self.question_end()].to_vec();
        bytes[2..12].copy_from_slice(&[0x81, 0x80 | rcode, 0, 1, 0, 0, 0, 0, 0, 0]);
        Reply(bytes)
    }
}

/// A reply being written.
#[derive(Clone)]
pub(super) struct Reply(pub(super) Vec<u8>);

impl Reply {
    fn record(mut self, count: usize, owner: &[u8], kind: u16, ttl: u32, data: &[u8]) -> Self {
        self.0[count + 1] += 1;
        self.0.extend_from_slice(owner);
        self.0.extend_from_slice(&kind.to_be_bytes());
        self.0.extend_from_slice(&[0, 1]);
        self.0.extend_from_slice(&ttl.to_be_bytes());
        self.0.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
        self.0.extend_from_slice(data);
        self
    }

    /// A record in the answer section.
    pub(super) fn answer(self, owner: &str, kind: u16, data: &[u8]) -> Self {
        self.record(6, &name(owner), kind, 300, data)
    }

    /// A record of the asked name itself, by a pointer to it.
    pub(super) fn own(self, kind: u16, data: &[u8]) -> Self {
        self.record(6, &[0xC0, 12], kind, 300, data)
    }

    /// A record in the authority section.
    pub(super) fn authority(self, owner: &str, kind: u16, data: &[u8]) -> Self {
        self.record(8, &name(owner), kind, 300, data)
    }

    /// A record in the additional section.
    pub(super) fn additional(self, owner: &str, kind: u16, data: &[u8]) -> Self {
        self.record(10, &name(owner), kind, 300, data)
    }

    /// An OPT record with an extended error.
    pub(super) fn extended(self, code: u16, text: &str) -> Self {
        let mut data = vec![0, 15];
        data.extend_from_slice(&u16::try_from(text.len() + 2).unwrap().to_be_bytes());
        data.extend_from_slice(&code.to_be_bytes());
        data.extend_from_slice(text.as_bytes());
        self.record(10, &[0], 41, 0, &data)
    }

    /// More flags in the third and fourth octet.
    pub(super) fn flags(mut self, third: u8, fourth: u8) -> Self {
        self.0[2] |= third;
        self.0[3] |= fourth;
        self
    }

    pub(super) fn truncated(self) -> Self {
        self.flags(0x02, 0)
    }
}

/// A name on the wire; its labels are split at dots.
pub(super) fn name(text: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in text.split('.').filter(|label| !label.is_empty()) {
        wire.push(u8::try_from(label.len()).unwrap());
        wire.extend_from_slice(label.as_bytes());
    }
    wire.push(0);
    wire
}

/// A query's bytes, and whether it came by TCP.
type Query = (Vec<u8>, bool);

/// The server: what it was asked so far, and where it is.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    asked: Arc<Mutex<Vec<Query>>>,
}

impl Server {
    /// Starts a server that answers each query with these replies.
    pub(super) async fn start(script: impl Fn(&Asked) -> Vec<Reply> + Send + Sync + 'static) -> Self {
        // TCP and UDP ports are given out apart; a free pair is soon found.
        let (tcp, udp) = loop {
            let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
                break (tcp, udp);
            }
        };
        let server = Self { address: udp.local_addr().unwrap(), asked: Arc::default() };
        let script = Arc::new(script);
        tokio::spawn({
            let (server, script) = (server.clone(), Arc::clone(&script));
            async move {
                let mut buffer = vec![0; 4096];
                loop {
                    let Ok((length, peer)) = udp.recv_from(&mut buffer).await else { continue };
                    for reply in script(&server.note(&buffer[..length], false)) {
                        udp.send_to(&reply.0, peer).await.unwrap();
                    }
                }
            }
        });
        tokio::spawn({
            let server = server.clone();
            async move {
                loop {
                    let (mut stream, _) = tcp.accept().await.unwrap();
                    let Ok(length) = stream.read_u16().await else { continue };
                    let mut query = vec![0; usize::from(length)];
                    stream.read_exact(&mut query).await.unwrap();
                    for reply in script(&server.note(&query, true)) {
                        stream.write_u16(u16::try_from(reply.0.len()).unwrap()).await.unwrap();
                        stream.write_all(&reply.0).await.unwrap();
                    }
                }
            }
        });
        server
    }

    fn note(&self, bytes: &[u8], tcp: bool) -> Asked {
        self.asked.lock().unwrap().push((bytes.to_vec(), tcp));
        Asked { bytes: bytes.to_vec(), tcp }
    }

    /// The queries so far.
    pub(super) fn asked(&self) -> Vec<Query> {
        self.asked.lock().unwrap().clone()
    }
}
