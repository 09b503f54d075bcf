//! A name server on loopback that misbehaves as its test tells it to, and the engine that has to bear it.
//! Comes in: a function from a query to packets (from which port, how late) and, for TCP, to steps. Goes out: its address.
//! It ends with the runtime of its test. It never tells right from wrong: its test does.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mxcensus::model::dns::{Answer, Data, Question, RecordType};
use mxcensus::model::name::Name;
use mxcensus::model::observed::Observed;
use mxcensus::model::words::Cause;
use mxcensus::probe::dns::{Engine, Lookup as _, Settings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::{sleep, timeout};

use crate::message::{Asked, Reply};

/// No lookup of these tests has a reason to take that long: who does, hangs.
const FOREVER: Duration = Duration::from_secs(30);

/// An engine that asks these servers, with this patience for a lookup.
pub(crate) async fn engine(upstreams: &[SocketAddr], millis: u64, tries: u32) -> Engine {
    let timeout = Duration::from_millis(millis);
    let settings = Settings {
        upstreams: upstreams.iter().copied().map(Into::into).collect(),
        timeout,
        tries,
        ..Settings::default()
    };
    Engine::start(settings).await.unwrap()
}

/// A question about a name without odd labels.
pub(crate) fn question(text: &str, kind: RecordType) -> Question {
    let labels = text.split('.').filter(|label| !label.is_empty()).map(str::as_bytes);
    Question { name: Name::from_labels(labels), kind }
}

/// Asks, and fails the test if there is no end to it.
pub(crate) async fn ask(engine: &Engine, text: &str, kind: RecordType) -> Answer<Data> {
    let question = question(text, kind);
    timeout(FOREVER, engine.lookup(&question)).await.unwrap_or_else(|_| panic!("the lookup of {text} hangs"))
}

/// The values of an answer that has to have some.
pub(crate) fn values(answer: &Answer<Data>) -> &[Data] {
    &answer.seen().unwrap_or_else(|| panic!("{answer:?} holds no records")).values
}

/// The cause of an answer that has to be a failure.
pub(crate) fn cause(answer: &Answer<Data>) -> Cause {
    match answer {
        Observed::Failed(failure) => failure.cause,
        other => panic!("{other:?} is no failure"),
    }
}

/// From where a packet is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Where the query went.
    There,
    /// The same address, another port.
    OtherPort,
    /// Another address, the same port.
    OtherAddress,
}

/// A datagram to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Packet {
    pub(crate) bytes: Vec<u8>,
    pub(crate) from: Origin,
    pub(crate) after: Duration,
}

impl Packet {
    /// At once, from where the query went.
    pub(crate) fn new(reply: Reply) -> Self {
        Self { bytes: reply.0, from: Origin::There, after: Duration::ZERO }
    }

    /// From elsewhere.
    pub(crate) fn from(reply: Reply, from: Origin) -> Self {
        Self { from, ..Self::new(reply) }
    }

    /// After a time.
    pub(crate) fn late(reply: Reply, millis: u64) -> Self {
        Self { after: Duration::from_millis(millis), ..Self::new(reply) }
    }
}

/// What is done on a connection, one after the other; then the next query is read.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Octets are sent.
    Send(Vec<u8>),
    /// Time passes.
    Wait(Duration),
    /// The connection is closed.
    Close,
}

impl Step {
    /// A reply behind its length.
    pub(crate) fn framed(reply: &Reply) -> Self {
        Self::Send([reply.end().to_be_bytes().as_slice(), &reply.0].concat())
    }

    /// A reply behind its length, octet by octet.
    pub(crate) fn drip(reply: &Reply, millis: u64) -> Vec<Self> {
        let framed = [reply.end().to_be_bytes().as_slice(), &reply.0].concat();
        let drops = framed.into_iter().map(|octet| Self::Send(vec![octet]));
        drops.flat_map(|drop| [drop, Self::Wait(Duration::from_millis(millis))]).collect()
    }
}

/// The server.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// How many of its queries came by TCP.
    by_tcp: Arc<AtomicUsize>,
    /// Keeps the port's TCP side: nobody else may listen there.
    _closed: Option<socket2::Socket>,
}

impl Server {
    /// A server on UDP alone: its TCP port is closed.
    pub(crate) async fn udp(script: impl Fn(&Asked) -> Vec<Packet> + Send + Sync + 'static) -> Self {
        let tcp = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let (tcp, udp) = loop {
            let udp = UdpSocket::bind(any).await.unwrap();
            if tcp.bind(&udp.local_addr().unwrap().into()).is_ok() {
                break (tcp, udp);
            }
        };
        Self { _closed: Some(tcp), ..Self::start(udp, script).await }
    }

    /// A server on both.
    pub(crate) async fn both(
        script: impl Fn(&Asked) -> Vec<Packet> + Send + Sync + 'static,
        by_tcp: impl Fn(&Asked) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        // TCP and UDP ports are given out apart; a free pair is soon found.
        let (tcp, udp) = loop {
            let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
                break (tcp, udp);
            }
        };
        let server = Self::start(udp, script).await;
        let (asked, count, by_tcp) = (Arc::clone(&server.asked), Arc::clone(&server.by_tcp), Arc::new(by_tcp));
        tokio::spawn(async move {
            while let Ok((stream, _)) = tcp.accept().await {
                let (asked, count, by_tcp) = (Arc::clone(&asked), Arc::clone(&count), Arc::clone(&by_tcp));
                tokio::spawn(async move {
                    let note = |query: &Asked| {
                        count.fetch_add(1, Relaxed);
                        asked.lock().unwrap().push(query.clone());
                        by_tcp(query)
                    };
                    // Whoever hangs up in the midst of it may do so.
                    drop(converse(stream, note).await);
                });
            }
        });
        server
    }

    /// A server whose datagrams are all cut short, so that what it does by TCP counts.
    pub(crate) async fn tcp(by_tcp: impl Fn(&Asked) -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self::both(|asked| vec![Packet::new(asked.reply(0).truncated())], by_tcp).await
    }

    async fn start(udp: UdpSocket, script: impl Fn(&Asked) -> Vec<Packet> + Send + Sync + 'static) -> Self {
        let address = udp.local_addr().unwrap();
        let server = Self { address, asked: Arc::default(), by_tcp: Arc::default(), _closed: None };
        let other_port = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let other_address = UdpSocket::bind(("127.0.0.2", address.port())).await.unwrap();
        let sockets = Arc::new([udp, other_port, other_address]);
        let asked = Arc::clone(&server.asked);
        tokio::spawn(async move {
            let mut buffer = vec![0; 4096];
            loop {
                let Ok((length, peer)) = sockets[0].recv_from(&mut buffer).await else { continue };
                let query = Asked { bytes: buffer[..length].to_vec() };
                asked.lock().unwrap().push(query.clone());
                for Packet { bytes, from, after } in script(&query) {
                    let sockets = Arc::clone(&sockets);
                    let send = async move { sockets[from as usize].send_to(&bytes, peer).await };
                    if after.is_zero() {
                        send.await.unwrap();
                    } else {
                        tokio::spawn(async move {
                            sleep(after).await;
                            // The peer may be gone by now.
                            drop(send.await);
                        });
                    }
                }
            }
        });
        server
    }

    /// The queries so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// How many of them came by TCP.
    pub(crate) fn by_tcp(&self) -> usize {
        self.by_tcp.load(Relaxed)
    }
}

async fn converse(mut stream: TcpStream, script: impl Fn(&Asked) -> Vec<Step>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        let mut bytes = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut bytes).await?;
        for step in script(&Asked { bytes }) {
            match step {
                Step::Send(octets) => stream.write_all(&octets).await?,
                Step::Wait(time) => sleep(time).await,
                Step::Close => return stream.shutdown().await,
            }
        }
    }
}
