//! Reads Exchange's protocol log of a Receive connector.
//! Comes in: its lines. Goes out: per session the client's address and its last EHLO or HELO.
//! A session's pair is held until the session ends, because only then it is known whether the client authenticated.
//! Held are a bounded number of sessions; beyond it the oldest is let go as it stands.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use super::Seen;
use super::cut::address;

/// Sessions held at a time. A server has some hundred open; the log writes no end for some that break.
const HELD: usize = 1_024;

/// Where the cells that matter stand.
#[derive(Debug, Clone, Copy)]
struct Columns {
    session: usize,
    remote: usize,
    event: usize,
    data: usize,
    context: usize,
}

/// As Exchange writes them since 2007, for a log without its head.
const USUAL: Columns = Columns { session: 2, remote: 5, event: 6, data: 7, context: 8 };

/// The sessions of one log.
#[derive(Debug)]
pub(super) struct Sessions {
    columns: Columns,
    held: VecDeque<(Box<[u8]>, Seen)>,
}

impl Sessions {
    /// No session yet.
    pub(super) const fn new() -> Self {
        Self { columns: USUAL, held: VecDeque::new() }
    }

    /// Takes a line; the pairs that are settled by it go to `settled`. False where it is no line of such a log.
    pub(super) fn take(&mut self, line: &[u8], settled: &mut impl FnMut(Seen)) -> bool {
        if let Some(comment) = line.strip_prefix(b"#") {
            if let Some(names) = comment.strip_prefix(b"Fields: ") {
                self.columns = columns(names).unwrap_or(USUAL);
            }
            return [&b"Fields: "[..], b"Software: ", b"Version: ", b"Log-type: ", b"Date: "]
                .iter()
                .any(|known| comment.starts_with(known));
        }
        if !line.contains(&b',') {
            return false;
        }
        let Some((session, event)) = event(line, self.columns) else { return false };
        let at = self.held.iter().position(|(held, _)| **held == *session);
        match (event, at) {
            (Event::Introduction(seen), at) => {
                if let Some((_, earlier)) = at.and_then(|at| self.held.remove(at)) {
                    settled(earlier);
                }
                if self.held.len() == HELD
                    && let Some((_, oldest)) = self.held.pop_front()
                {
                    settled(oldest);
                }
                self.held.push_back((session, seen));
            }
            (Event::Authenticated, Some(at)) => {
                if let Some((_, seen)) = self.held.get_mut(at) {
                    seen.authenticated = true;
                }
            }
            (Event::End, Some(at)) => {
                if let Some((_, seen)) = self.held.remove(at) {
                    settled(seen);
                }
            }
            (Event::Authenticated | Event::End, None) | (Event::Other, _) => {}
        }
        true
    }

    /// The log has ended: what is held is settled.
    pub(super) fn finish(&mut self, settled: &mut impl FnMut(Seen)) {
        self.held.drain(..).for_each(|(_, seen)| settled(seen));
    }
}

/// What a line means for its session.
enum Event {
    Introduction(Seen),
    Authenticated,
    End,
    Other,
}

fn columns(names: &[u8]) -> Option<Columns> {
    let names: Vec<&[u8]> = names.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).collect();
    let find = |wanted: &str| names.iter().position(|name| name.eq_ignore_ascii_case(wanted.as_bytes()));
    Some(Columns {
        session: find("session-id")?,
        remote: find("remote-endpoint")?,
        event: find("event")?,
        data: find("data")?,
        context: find("context").unwrap_or(usize::MAX),
    })
}

/// The session of a line, and what it means for it; None where it is no record of such a log.
fn event(line: &[u8], columns: Columns) -> Option<(Box<[u8]>, Event)> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).buffer_capacity(1024).from_reader(line);
    let mut record = csv::ByteRecord::new();
    if !reader.read_byte_record(&mut record).ok()? {
        return None;
    }
    let remote = endpoint(record.get(columns.remote)?);
    let (sign, data) = (record.get(columns.event)?, record.get(columns.data)?);
    let session = record.get(columns.session)?.into();
    let event = match (sign, remote) {
        (b"<", Some(address)) => introduction(data).map_or(Event::Other, |helo| {
            Event::Introduction(Seen { address, helo: Some(helo.into()), authenticated: false })
        }),
        (b">", _) if data.starts_with(b"235 ") => Event::Authenticated,
        (b"*", _) if record.get(columns.context) == Some(b"authenticated") => Event::Authenticated,
        (b"-", _) => Event::End,
        (b"<" | b">" | b"*" | b"+", _) => Event::Other,
        _ => return None,
    };
    Some((session, event))
}

/// What the client said behind EHLO or HELO.
fn introduction(data: &[u8]) -> Option<&[u8]> {
    let verb = data.get(..4)?;
    let rest = data.get(4..)?;
    let greets = verb.eq_ignore_ascii_case(b"EHLO") || verb.eq_ignore_ascii_case(b"HELO");
    (greets && (rest.is_empty() || rest.starts_with(b" "))).then(|| rest.trim_ascii())
}

/// `192.0.2.1:40312` or `[2001:db8::1]:40312`.
fn endpoint(text: &[u8]) -> Option<IpAddr> {
    let socket = str::from_utf8(text).ok().and_then(|text| text.parse::<SocketAddr>().ok());
    socket.map(|socket| socket.ip().to_canonical()).or_else(|| address(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::brief;
    use super::*;

    fn read(lines: &[&str]) -> Vec<String> {
        let mut all = Vec::new();
        let mut sessions = Sessions::new();
        let mut settled = |seen| all.push(brief(Some(seen)));
        for line in lines {
            assert!(sessions.take(line.as_bytes(), &mut settled), "{line}");
        }
        sessions.finish(&mut settled);
        all
    }

    #[test]
    fn a_session_gives_its_last_introduction() {
        let lines = [
            "#Software: Microsoft Exchange Server",
            "#Fields: date-time,connector-id,session-id,sequence-number,local-endpoint,remote-endpoint,event,data,context",
            r"2026-11-24T11:50:01.000Z,EX01\Default Frontend EX01,08DC01,0,10.0.0.2:25,192.0.2.1:40312,+,,",
            r"2026-11-24T11:50:01.000Z,EX01\Default Frontend EX01,08DC01,2,10.0.0.2:25,192.0.2.1:40312,<,EHLO mail.example.org,",
            r"2026-11-24T11:50:01.000Z,EX01\Default Frontend EX01,08DC02,2,[2001:db8::2]:25,[2001:db8::1]:40313,<,HELO two,",
            r"2026-11-24T11:50:01.000Z,EX01\Default Frontend EX01,08DC01,4,10.0.0.2:25,192.0.2.1:40312,<,EHLO inside.tls,",
            r"2026-11-24T11:50:01.000Z,EX01\Default Frontend EX01,08DC01,9,10.0.0.2:25,192.0.2.1:40312,-,,Remote",
        ];
        assert_eq!(read(&lines), ["192.0.2.1 mail.example.org", "192.0.2.1 inside.tls", "2001:db8::1 two"]);
    }

    #[test]
    fn a_session_that_authenticates_later_is_known_as_such() {
        let lines = [
            r"2026-11-24T11:50:01.000Z,EX01\Client,S,2,10.0.0.2:587,192.0.2.1:40312,<,EHLO pc,",
            r"2026-11-24T11:50:01.000Z,EX01\Client,S,6,10.0.0.2:587,192.0.2.1:40312,>,235 2.7.0 Authentication successful,",
            r"2026-11-24T11:50:01.000Z,EX01\Client,S,9,10.0.0.2:587,192.0.2.1:40312,-,,Local",
        ];
        assert_eq!(read(&lines), ["192.0.2.1 pc authenticated"]);
    }

    #[test]
    fn columns_may_stand_elsewhere_and_data_may_be_quoted() {
        let lines = [
            "#Fields: event,data,session-id,remote-endpoint",
            r#"<,"EHLO a,""b""",S,192.0.2.1:9"#,
            "<,EHLO ,T,192.0.2.2:9",
            "<,EHLOX y,U,192.0.2.3:9",
        ];
        assert_eq!(read(&lines), ["192.0.2.1 a,\"b\"", "192.0.2.2 <>"]);
    }

    #[test]
    fn sessions_without_an_end_are_let_go() {
        let mut count = 0;
        let mut sessions = Sessions::new();
        for n in 0..HELD + 10 {
            let line = format!("d,c,S{n},1,l,192.0.2.1:9,<,EHLO h{n},");
            assert!(sessions.take(line.as_bytes(), &mut |_| count += 1));
        }
        assert_eq!((count, sessions.held.len()), (10, HELD));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_not(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..9)) {
            let mut sessions = Sessions::new();
            for line in &lines {
                sessions.take(line, &mut |_| ());
                sessions.take(&[b"#Fields: ", &line[..]].concat(), &mut |_| ());
                sessions.take(&[b"d,c,s,1,l,192.0.2.1:9,<,", &line[..]].concat(), &mut |_| ());
            }
        }
    }
}
