//! A name server that knows a small world of domains and exchanges: `d7.ietf.org` has the exchange `m7.big.org`, the domains from 40
//! on have `mx.o41.org` and so on, and exchange 7 is at 127.66.7.1.

use std::net::{Ipv4Addr, SocketAddr};

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, MX, SOA};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;

pub(crate) async fn start() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            let question = Message::from_vec(buffer.get(..length).unwrap()).unwrap();
            socket.send_to(&reply(question).to_vec().unwrap(), from).await.unwrap();
        }
    });
    address
}

fn reply(question: Message) -> Message {
    let asked = question.queries.first().unwrap().clone();
    let mut reply = question;
    reply.metadata.message_type = MessageType::Response;
    reply.metadata.recursion_available = true;
    reply.additionals.clear();
    match data(&asked.name().to_ascii().to_ascii_lowercase(), asked.query_type()) {
        Some(data) => reply.answers.push(Record::from_rdata(asked.name().clone(), 300, data)),
        None => reply.metadata.response_code = ResponseCode::NXDomain,
    }
    reply
}

fn number(name: &str, before: &str, after: &str) -> Option<u8> {
    name.strip_prefix(before)?.strip_suffix(after)?.parse().ok()
}

fn data(name: &str, kind: RecordType) -> Option<RData> {
    let of = |text: &str| Name::from_ascii(text).unwrap();
    match kind {
        RecordType::SOA if name == "." => Some(RData::SOA(SOA::new(of("a."), of("b."), 1, 1, 1, 1, 1))),
        RecordType::MX => number(name, "d", ".ietf.org.").map(|number| {
            let exchange = if number < 40 { format!("m{number}.big.org.") } else { format!("mx.o{number}.org.") };
            RData::MX(MX::new(10, of(&exchange)))
        }),
        RecordType::A => number(name, "m", ".big.org.")
            .or_else(|| number(name, "mx.o", ".org."))
            .map(|number| RData::A(A(Ipv4Addr::new(127, 66, number, 1)))),
        _ => None,
    }
}
