//! Mail servers on every address of loopback, which write down who came when.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// How the servers take a client.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Manner {
    /// As they should.
    Plain,
    /// The same, with a greeting so late.
    Slow(Duration),
    /// Each /24 takes so many connections and then refuses for a limit.
    BansAfter(usize),
    /// Each address puts the first connection off.
    GreylistsOnce,
}

type Arrivals = Arc<Mutex<Vec<(IpAddr, Instant)>>>;

pub(crate) struct Farm {
    port: u16,
    arrivals: Arrivals,
    /// What keeps a silent farm's queue full.
    _queue: Vec<Socket>,
}

impl Farm {
    pub(crate) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let arrivals = Arrivals::default();
        let log = Arc::clone(&arrivals);
        tokio::spawn(async move {
            let mut met: HashMap<String, usize> = HashMap::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let called = stream.local_addr().unwrap().ip();
                log.lock().unwrap().push((called, Instant::now()));
                let text = called.to_string();
                let group = match manner {
                    Manner::BansAfter(_) => text.rsplit_once('.').unwrap().0.to_owned(),
                    _ => text,
                };
                let before = met.entry(group).or_default();
                *before += 1;
                let (greeting, late) = match manner {
                    Manner::BansAfter(most) if *before > most => ("450 4.7.0 too many connections from you\r\n", None),
                    Manner::GreylistsOnce if *before == 1 => ("450 4.7.1 greylisted\r\n", None),
                    Manner::Slow(time) => (WELCOME, Some(time)),
                    _ => (WELCOME, None),
                };
                tokio::spawn(converse(stream, greeting, late));
            }
        });
        Self { port, arrivals, _queue: Vec::new() }
    }

    /// Servers that never answer: the queue of those who wait to be accepted is full, and the system drops whoever comes.
    pub(crate) fn silent() -> Self {
        let socket = || Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let listener = socket();
        listener.bind(&SocketAddr::from(([0, 0, 0, 0], 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let port = listener.local_addr().unwrap().as_socket().unwrap().port();
        let mut queue = vec![listener];
        loop {
            let filler = socket();
            let waited =
                filler.connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)).into(), Duration::from_millis(200));
            queue.push(filler);
            if waited.is_err() {
                return Self { port, arrivals: Arrivals::default(), _queue: queue };
            }
        }
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// When somebody called an address that is one of these.
    pub(crate) fn arrivals(&self, which: impl Fn(IpAddr) -> bool) -> Vec<Instant> {
        self.arrivals.lock().unwrap().iter().filter(|(address, _)| which(*address)).map(|(_, at)| *at).collect()
    }
}

const WELCOME: &str = "220 mail.ietf.org ESMTP\r\n";

async fn converse(mut stream: TcpStream, greeting: &str, late: Option<Duration>) {
    tokio::time::sleep(late.unwrap_or_default()).await;
    let mut reply = greeting.to_owned();
    let mut buffer = [0; 512];
    loop {
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
        let heard = stream.read(&mut buffer).await.unwrap_or(0);
        reply = match buffer.get(..heard.min(4)).unwrap_or_default() {
            b"" => return,
            b"EHLO" => "250 mail.ietf.org\r\n".to_owned(),
            _ => "221 bye\r\n".to_owned(),
        };
    }
}
