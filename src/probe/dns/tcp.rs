//! One question over a TCP connection of its own (RFC 7766).
//! Comes in: an upstream and a question section. Goes out: the reply that repeats it, or what the system said.
//! A connection per question is enough here: it is asked only for what did not fit a datagram.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::wire::{self, Fit, Manner};

/// Asks, and waits this long for everything together. Letters may come back in another case: a forger would have to
/// sit inside the connection. The two octets of the length keep a reply below 64 KiB.
pub(super) async fn ask(
    upstream: SocketAddr,
    question: &[u8],
    manner: Manner,
    patience: Duration,
) -> io::Result<Vec<u8>> {
    let exchange = async {
        let id = rand::random();
        let mut packet = Vec::new();
        wire::query(&mut packet, id, question, manner);
        let length = u16::try_from(packet.len()).map_err(io::Error::other)?;
        let mut stream = TcpStream::connect(upstream).await?;
        stream.set_nodelay(true)?;
        let framed = [length.to_be_bytes().as_slice(), &packet].concat();
        stream.write_all(&framed).await?;
        let mut reply = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut reply).await?;
        if wire::id(&reply) != Some(id) || wire::fit(&reply, question) == Fit::Other {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the reply is to another question"));
        }
        Ok(reply)
    };
    tokio::time::timeout(patience, exchange).await?
}
