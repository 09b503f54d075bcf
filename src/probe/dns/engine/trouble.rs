//! Why a question has no reply, and whose fault that is.
//! Comes in: what the tries came to, or a stream's error. Goes out: a failure with its cause.
//! What is to be done about it is not decided here.

use std::io;

use crate::model::observed::Failure;
use crate::model::smtp::escape;
use crate::model::words::Cause;
use crate::probe::dns::reply::{Trouble, WayOut};

/// Why there was no reply at all.
pub(super) fn fruitless(silent: bool, closed: Option<Box<str>>, unsent: Option<Box<str>>) -> Failure {
    let (cause, detail) = match (closed, unsent) {
        _ if silent => (Cause::Timeout, None),
        (Some(words), _) => (Cause::ResolverDown, Some(words)),
        (None, Some(words)) => (Cause::SelfFault, Some(words)),
        (None, None) => (Cause::Timeout, None),
    };
    Failure { detail, ..Failure::of(cause) }
}

/// A TCP exchange that failed: our own fault where the system lacked something, else the cause that led to TCP.
pub(super) fn tcp_trouble(cause: Cause, error: &io::Error) -> Trouble {
    let cause = if is_own(error) { Cause::SelfFault } else { cause };
    let detail = Some(format!("TCP: {}", escape(error.to_string().as_bytes())).into());
    Trouble { failure: Failure { detail, ..Failure::of(cause) }, way_out: WayOut::Again }
}

/// Whether the system lacked something.
pub(super) fn is_own(error: &io::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, HostUnreachable, NetworkUnreachable, OutOfMemory, PermissionDenied};
    // ENFILE and EMFILE have no kind of their own.
    matches!(error.kind(), AddrNotAvailable | HostUnreachable | NetworkUnreachable | OutOfMemory | PermissionDenied)
        || matches!(error.raw_os_error(), Some(23 | 24))
}
