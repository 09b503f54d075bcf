//! A server that speaks as a case has it, and the session that comes of it.
//! Comes in: replies, word for word. Goes out: the `Session` that the probe makes of them, with its times.
//! The conversation is held in memory and under a clock that jumps, by the probe's own code: nothing is retold here.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::sleep;

use super::super::scene::NAMING;
use super::file::{Server, Texts};
use crate::model::name::Name;
use crate::model::smtp::{Session, unescape};
use crate::model::words::{Cause, ConnectStatus, Profile, SmtpStatus};
use crate::probe::smtp::{Caller, Limits, converse};

/// Where we connect from.
const OWN: &str = "203.0.113.250";
/// Longer than any limit of ours.
const FOR_EVER: Duration = Duration::from_secs(86_400);

/// One thing a server does.
enum Step {
    Say(Vec<u8>),
    Wait(Duration),
    /// A byte at a time, with this pause before each.
    Drip(Duration, Vec<u8>),
    Close,
}

/// `text`, `text(closes)`, `(closes)`, `(6 s)`, `(says no more)`, `(70 times) text`, `(a byte every 5 s) text`.
/// CRLF is added to a text that does not end in an escaped octet, and to none that breaks off.
fn steps(texts: &[String]) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    for text in texts {
        let (order, rest) = match text.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
            Some((order, rest)) => (order, rest.trim_start()),
            None => ("", text.as_str()),
        };
        let seconds =
            |text: &str| text.parse().map(Duration::from_secs_f64).map_err(|error| format!("{text}: {error}"));
        match order {
            "closes" => steps.push(Step::Close),
            "says no more" => steps.push(Step::Wait(FOR_EVER)),
            "" => match rest.strip_suffix("(closes)") {
                Some(begun) => steps.extend([Step::Say(unescape(begun)), Step::Close]),
                None => steps.push(Step::Say(line(rest))),
            },
            order => {
                if let Some(times) = order.strip_suffix(" times") {
                    let times = times.parse().map_err(|error| format!("{order}: {error}"))?;
                    steps.push(Step::Say(line(rest).repeat(times)));
                } else if let Some(pause) = order.strip_prefix("a byte every ").and_then(|o| o.strip_suffix(" s")) {
                    steps.push(Step::Drip(seconds(pause)?, line(rest)));
                } else if let Some(pause) = order.strip_suffix(" s") {
                    steps.push(Step::Wait(seconds(pause)?));
                } else {
                    return Err(format!("({order}) is nothing a server can do"));
                }
            }
        }
    }
    Ok(steps)
}

fn line(text: &str) -> Vec<u8> {
    let mut bytes = unescape(text);
    if !text.ends_with("\\x0A") {
        bytes.extend(b"\r\n");
    }
    bytes
}

/// The replies of a server, in the order of their commands.
struct Script {
    greeting: Vec<Step>,
    ehlo: Vec<Step>,
    helo: Vec<Step>,
    quit: Vec<Step>,
}

impl Script {
    fn of(server: &Server, own: &str) -> Result<Self, String> {
        let said = server.says.as_deref().unwrap_or(own);
        let or = |texts: &Option<Texts>, usual: &[String]| {
            steps(texts.as_ref().map_or(usual, Texts::all)).map_err(|error| format!("server: {error}"))
        };
        let ehlo = [format!("250-{said}"), "250-PIPELINING".to_owned(), "250 STARTTLS".to_owned()];
        Ok(Self {
            greeting: or(&server.greeting, &[format!("220 {said} ESMTP")])?,
            ehlo: or(&server.ehlo, &ehlo)?,
            helo: or(&server.helo, &[format!("250 {said}")])?,
            quit: or(&server.quit, &["221 bye".to_owned()])?,
        })
    }

    /// Speaks to the end of its part, and then no more.
    async fn play(&self, mut stream: DuplexStream) {
        let mut part = Some(&self.greeting);
        while let Some(steps) = part {
            if perform(steps, &mut stream).await.is_none() {
                break;
            }
            part = match line_of(&mut stream).await.as_deref() {
                Some("EHLO") => Some(&self.ehlo),
                Some("HELO") => Some(&self.helo),
                Some("QUIT") => Some(&self.quit),
                _ => None,
            };
        }
        drop(stream);
        std::future::pending::<()>().await;
    }
}

/// None once the server has closed, or the client is gone.
async fn perform(steps: &[Step], stream: &mut DuplexStream) -> Option<()> {
    for step in steps {
        match step {
            Step::Say(bytes) => stream.write_all(bytes).await.ok()?,
            Step::Wait(pause) => sleep(*pause).await,
            Step::Drip(pause, bytes) => {
                for byte in bytes {
                    sleep(*pause).await;
                    stream.write_all(&[*byte]).await.ok()?;
                }
            }
            Step::Close => return None,
        }
    }
    Some(())
}

/// The verb of the client's next line.
async fn line_of(stream: &mut DuplexStream) -> Option<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(stream.read_u8().await.ok()?);
    }
    let text = String::from_utf8(line).ok()?;
    text.split_whitespace().next().map(str::to_owned)
}

/// The session with a server that is called `own` unless the case says otherwise.
pub(super) fn session(server: &Server, own: &str, profile: Profile) -> Result<Session, String> {
    let cause = match server.connect.unwrap_or(ConnectStatus::Open) {
        ConnectStatus::Open => return held(server, own, profile),
        ConnectStatus::Reset => {
            let reset = Session { status: SmtpStatus::Reset, cause: Some(Cause::ConnectReset), ..failed(server) };
            return Ok(Session { connect_ms: Some(3), ..reset });
        }
        ConnectStatus::Timeout => Cause::ConnectTimeout,
        ConnectStatus::Refused => Cause::ConnectRefused,
        ConnectStatus::Unreachable => Cause::ConnectUnreachable,
        ConnectStatus::SelfFault => Cause::SelfFault,
        ConnectStatus::NotAsked => Cause::NotAsked,
        ConnectStatus::Excluded => Cause::Excluded,
        ConnectStatus::Special => Cause::SpecialAddress,
    };
    Ok(Session { cause: Some(cause), ..failed(server) })
}

fn failed(server: &Server) -> Session {
    let status = server.connect.unwrap_or(ConnectStatus::NotAsked);
    Session { connect_detail: Some(format!("connect: {status}").into()), ..Session::none(25, status) }
}

fn held(server: &Server, own: &str, profile: Profile) -> Result<Session, String> {
    let script = Script::of(server, own)?;
    let caller = Caller {
        helo: Name::trusted("probe.lab.test".to_owned()),
        tls: None,
        limits: Limits::of(profile),
        naming: NAMING,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    Ok(runtime.unwrap().block_on(async {
        let (ours, theirs) = duplex(1 << 20);
        tokio::select! {
            session = converse(ours, Some(OWN.parse().unwrap()), 25, 3, &caller, None) => session,
            () = script.play(theirs) => unreachable!("it waits for ever"),
        }
    }))
}
