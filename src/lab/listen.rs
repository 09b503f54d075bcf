//! The sockets of the world's mail servers.
//! Comes in: nothing but the loopback device. Goes out: one socket for all servers over IPv4, one for each over IPv6,
//! a port where nobody listens, and one where connections are never answered.
//! One wildcard socket stands for a hundred thousand servers: which one was called shows in its local address.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;
/// Connections tried to fill a queue that holds one.
const FILLERS: usize = 4;
const FILL_WAIT: Duration = Duration::from_millis(100);

fn socket(domain: Domain) -> io::Result<Socket> {
    Socket::new(domain, Type::STREAM, Some(Protocol::TCP))
}

/// Keeps other machines out; where the system does not let us, the servers look at each connection's own address.
fn keep_to_loopback(socket: &Socket) {
    drop(socket.bind_device(Some(b"lo")));
}

fn listener(socket: Socket) -> io::Result<TcpListener> {
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

/// The socket of all servers over IPv4.
pub(super) fn wildcard() -> io::Result<TcpListener> {
    let socket = socket(Domain::IPV4)?;
    keep_to_loopback(&socket);
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into())?;
    listener(socket)
}

/// The socket of one server over IPv6.
pub(super) fn six() -> io::Result<TcpListener> {
    let socket = socket(Domain::IPV6)?;
    socket.bind(&SocketAddr::from((Ipv6Addr::LOCALHOST, 0)).into())?;
    listener(socket)
}

/// A port on every address where nobody listens, held so that nobody else can.
pub(super) fn closed() -> io::Result<(Socket, u16)> {
    let socket = socket(Domain::IPV4)?;
    keep_to_loopback(&socket);
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into())?;
    let address =
        socket.local_addr()?.as_socket().ok_or_else(|| io::Error::other("a TCP socket without an address"))?;
    Ok((socket, address.port()))
}

/// A socket whose queue is full of our own connections: the system drops all further ones.
#[derive(Debug)]
pub(super) struct Silent {
    pub(super) endpoint: SocketAddr,
    _listener: Socket,
    _fillers: Vec<Socket>,
}

impl Silent {
    pub(super) fn start(address: Ipv4Addr) -> io::Result<Self> {
        let listener = socket(Domain::IPV4)?;
        listener.bind(&SocketAddr::from((address, 0)).into())?;
        listener.listen(0)?;
        let endpoint = listener.local_addr()?;
        let mut fillers = Vec::with_capacity(FILLERS);
        for _ in 0..FILLERS {
            let filler = socket(Domain::IPV4)?;
            // The first connections succeed, the rest show that the queue is full.
            let full = filler.connect_timeout(&endpoint, FILL_WAIT).is_err();
            fillers.push(filler);
            if full {
                break;
            }
        }
        let endpoint = endpoint.as_socket().ok_or_else(|| io::Error::other("a TCP socket without an address"))?;
        Ok(Self { endpoint, _listener: listener, _fillers: fillers })
    }
}
