//! Opens one TCP connection and says what became of it.
//! Comes in: an endpoint and a limit. Goes out: a stream, or a connection status with its cause.
//! Whether the server or this machine is at fault is decided here and nowhere else.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

use super::alarm::Alarm;
use crate::model::words::{Cause, ConnectStatus};

/// A machine without a route to an address learns so at once, from itself; a router's word takes a round trip.
const OWN_ROUTE_LIMIT: Duration = Duration::from_millis(5);

/// A connection that did not come about.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) status: ConnectStatus,
    pub(super) cause: Cause,
    /// What the system said of it.
    pub(super) detail: Box<str>,
}

/// Connects within `limit`, by an alarm that may be used for more.
pub(super) async fn connect(endpoint: SocketAddr, limit: Duration, alarm: &mut Alarm) -> Result<TcpStream, Failure> {
    let start = Instant::now();
    match alarm.before(start + limit, TcpStream::connect(endpoint)).await {
        Some(Ok(stream)) => Ok(stream),
        Some(Err(error)) => {
            let (status, cause) = fault(&error, start.elapsed());
            Err(Failure { status, cause, detail: error.to_string().into() })
        }
        None => Err(Failure {
            status: ConnectStatus::Timeout,
            cause: Cause::ConnectTimeout,
            detail: format!("no answer within {} s", limit.as_secs_f32()).into(),
        }),
    }
}

/// The system has no more descriptors (ENFILE, EMFILE), local ports (EADDRINUSE, EADDRNOTAVAIL, and EAGAIN from connect(2)) or
/// memory (ENOMEM, ENOBUFS) for a socket: the numbers of Linux.
const SHORTAGES: &[i32] = &[11, 12, 23, 24, 98, 99, 105];

/// Whose fault an error is that came `after` the attempt began. What is not known to be the server's is ours: a shortage, a
/// local filter (EPERM), no route or no such family here.
fn fault(error: &io::Error, after: Duration) -> (ConnectStatus, Cause) {
    match error.kind() {
        ErrorKind::ConnectionRefused => (ConnectStatus::Refused, Cause::ConnectRefused),
        ErrorKind::TimedOut => (ConnectStatus::Timeout, Cause::ConnectTimeout),
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => (ConnectStatus::Reset, Cause::ConnectReset),
        ErrorKind::HostUnreachable => (ConnectStatus::Unreachable, Cause::ConnectUnreachable),
        // ENETUNREACH and EACCES mean our own routes and filters when they come at once, and an ICMP message (RFC 792,
        // RFC 4443 §3.1) when they do not.
        ErrorKind::NetworkUnreachable | ErrorKind::PermissionDenied if after > OWN_ROUTE_LIMIT => {
            (ConnectStatus::Unreachable, Cause::ConnectUnreachable)
        }
        ErrorKind::NetworkUnreachable => (ConnectStatus::SelfFault, Cause::NoRoute),
        _ if error.raw_os_error().is_some_and(|number| SHORTAGES.contains(&number)) => {
            (ConnectStatus::SelfFault, Cause::OutOfSockets)
        }
        _ => (ConnectStatus::SelfFault, Cause::SelfFault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn within(endpoint: SocketAddr, limit: Duration) -> Result<TcpStream, Failure> {
        connect(endpoint, limit, &mut Alarm::new(Instant::now() + limit)).await
    }

    #[test]
    fn a_fault_of_ours_is_never_the_servers() {
        let (at_once, later) = (Duration::from_micros(100), Duration::from_millis(30));
        for (cause, numbers) in [
            (Cause::OutOfSockets, &[24, 23, 99, 105, 12, 98, 11][..]),
            (Cause::NoRoute, &[101]),
            (Cause::SelfFault, &[1, 13, 97]),
        ] {
            for number in numbers {
                let error = io::Error::from_raw_os_error(*number);
                assert_eq!(fault(&error, at_once), (ConnectStatus::SelfFault, cause), "{error}");
            }
        }
        let told_by_a_router = io::Error::from_raw_os_error(101);
        assert_eq!(fault(&told_by_a_router, later).0, ConnectStatus::Unreachable);
        let descriptors = io::Error::from_raw_os_error(24);
        assert_eq!(fault(&descriptors, later).0, ConnectStatus::SelfFault);
    }

    #[test]
    fn the_servers_answers_are_told_apart() {
        for (number, status) in [
            (111, ConnectStatus::Refused),
            (110, ConnectStatus::Timeout),
            (104, ConnectStatus::Reset),
            (113, ConnectStatus::Unreachable),
        ] {
            assert_eq!(fault(&io::Error::from_raw_os_error(number), Duration::ZERO).0, status);
        }
    }

    #[tokio::test]
    async fn a_closed_port_refuses() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let failure = within(free, Duration::from_secs(5)).await.unwrap_err();
        assert_eq!((failure.status, failure.cause), (ConnectStatus::Refused, Cause::ConnectRefused));
        assert!(failure.detail.contains("refused"), "{}", failure.detail);
    }

    #[tokio::test(start_paused = true)]
    async fn no_answer_within_the_limit_is_a_timeout() {
        let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let endpoint = listener.local_addr().unwrap().as_socket().unwrap();
        // Fills the queue, which nobody empties: later attempts get no answer.
        let _queued = std::net::TcpStream::connect(endpoint).unwrap();
        let failure = within(endpoint, Duration::from_secs(10)).await.unwrap_err();
        assert_eq!((failure.status, failure.cause), (ConnectStatus::Timeout, Cause::ConnectTimeout));
    }
}
