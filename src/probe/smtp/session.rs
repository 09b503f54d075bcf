//! The order of an SMTP session (RFC 5321 §3.1, §3.2, RFC 3207): greeting, EHLO, perhaps HELO, STARTTLS, QUIT.
//! Comes in: an endpoint or a stream, and who calls. Goes out: one `Session`, whatever happened.
//! We speak only when the greeting's last line is there, one command at a time, and leave with QUIT and FIN.
//! No mail transaction is begun and nobody is logged in.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::alarm::Alarm;
use super::connect::{Failure, connect};
use super::dialogue::{Dialogue, End, ms};
use super::ehlo::{EhloName, ehlo_name, offer};
use super::reply::lower_text;
use super::{failure, greeting, refusal, tls};
use crate::model::introduction::Naming;
use crate::model::name::Name;
use crate::model::smtp::{Reply, Session, Tls};
use crate::model::words::{Cause, ConnectStatus, Profile, SmtpStatus, TlsStatus};

/// How long each step may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The TCP connection.
    pub connect: Duration,
    /// The greeting, to its last line (RFC 5321 §4.5.3.2.1 gives servers 300 s).
    pub greeting: Duration,
    /// The reply to EHLO or HELO.
    pub command: Duration,
    /// The reply to STARTTLS.
    pub starttls: Duration,
    /// The TLS handshake.
    pub handshake: Duration,
    /// The reply to QUIT.
    pub quit: Duration,
    /// All of it, from the established connection on; QUIT included.
    pub session: Duration,
}

impl Limits {
    /// The limits of a profile.
    pub const fn of(profile: Profile) -> Self {
        let seconds = Duration::from_secs;
        match profile {
            Profile::Census | Profile::Rfc5321 => Self {
                connect: seconds(10),
                greeting: seconds(45),
                command: seconds(30),
                starttls: seconds(20),
                handshake: seconds(15),
                quit: seconds(5),
                session: seconds(120),
            },
            Profile::Patient => Self {
                connect: seconds(30),
                greeting: seconds(300),
                command: seconds(300),
                starttls: seconds(60),
                handshake: seconds(60),
                quit: seconds(10),
                session: seconds(600),
            },
        }
    }
}

/// Who calls, and how.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The name we greet with.
    pub helo: Name,
    /// Negotiates TLS where it is offered; None: never.
    pub tls: Option<Arc<tls::Client>>,
    /// How long each step may take.
    pub limits: Limits,
    /// What is special about names in this run.
    pub naming: Naming,
}

/// Connects to `endpoint` once and holds a session there. `port` is the port the target was asked for, which may differ from
/// the endpoint's; `server_name` is the exchange's name, for TLS.
pub async fn hold(endpoint: SocketAddr, port: u16, caller: &Caller, server_name: Option<&Name>) -> Box<Session> {
    let start = Instant::now();
    let mut alarm = Alarm::new(start + caller.limits.connect);
    let stream = match connect(endpoint, caller.limits.connect, &mut alarm).await {
        Ok(stream) => stream,
        Err(failure) => return Box::new(unmade(port, failure, ms(start.elapsed()))),
    };
    let own = |stream: &TcpStream| stream.local_addr().ok().map(|address| address.ip());
    talk(stream, alarm, own, port, ms(start.elapsed()), caller, server_name).await
}

/// What is left of a connection that did not come about. A reset comes from somebody who had accepted: whether it is met with the
/// connection or with the first read is a matter of microseconds, and has to come to the same.
fn unmade(port: u16, failure: Failure, elapsed_ms: u32) -> Session {
    let none = Session::none(port, failure.status);
    Session {
        status: if failure.status == ConnectStatus::Reset { SmtpStatus::Reset } else { none.status },
        cause: Some(failure.cause),
        connect_detail: Some(failure.detail),
        elapsed_ms,
        ..none
    }
}

/// Holds a session over a stream that is connected; `own` is our address on it.
pub async fn converse<S: AsyncRead + AsyncWrite + Unpin + Send>(
    stream: S,
    own: Option<IpAddr>,
    port: u16,
    connect_ms: u32,
    caller: &Caller,
    server_name: Option<&Name>,
) -> Session {
    let alarm = Alarm::new(Instant::now() + caller.limits.greeting);
    *talk(stream, alarm, |_: &S| own, port, connect_ms, caller, server_name).await
}

/// Holds a session by an alarm that has been used; `own` finds our address on the stream, where it is a question.
async fn talk<S: AsyncRead + AsyncWrite + Unpin + Send>(
    stream: S,
    alarm: Alarm,
    own: impl Fn(&S) -> Option<IpAddr>,
    port: u16,
    connect_ms: u32,
    caller: &Caller,
    server_name: Option<&Name>,
) -> Box<Session> {
    let start = Instant::now();
    let session = Box::new(Session { connect_ms: Some(connect_ms), ..Session::none(port, ConnectStatus::Open) });
    let mut conversation = Conversation { caller, own, session };
    let mut dialogue = Dialogue::new(stream, start + caller.limits.session, alarm);

    let mut in_sync = conversation.greeting(&mut dialogue).await;
    if in_sync && conversation.welcome() {
        in_sync = conversation.introduce(&mut dialogue).await;
        if in_sync && conversation.session.status == SmtpStatus::Ok && conversation.offers_tls() {
            // On the heap: few sessions come here at any one time, and TLS state is large.
            in_sync = Box::pin(conversation.secure(&mut dialogue, server_name)).await;
        }
    }
    if in_sync {
        conversation.quit(&mut dialogue).await;
    }
    let mut session = conversation.session;
    session.desynchronised |= dialogue.desynchronised;
    // The FIN: what was to be read has been read.
    drop(dialogue);
    session.elapsed_ms = connect_ms.saturating_add(ms(start.elapsed()));
    session
}

/// A session on its way. Its steps return whether we may still speak: the last reply was complete.
struct Conversation<'a, O> {
    caller: &'a Caller,
    own: O,
    session: Box<Session>,
}

impl<O> Conversation<'_, O> {
    /// Waits for the greeting's last line: who talks into a teaser is taken for a spammer.
    async fn greeting<S: AsyncRead + AsyncWrite + Unpin>(&mut self, dialogue: &mut Dialogue<S>) -> bool
    where
        O: Fn(&S) -> Option<IpAddr>,
    {
        let (reply, end) = dialogue.listen(self.caller.limits.greeting).await;
        let session = &mut self.session;
        session.greeted = greeting::read_as(&reply, || (self.own)(dialogue.beneath()), self.caller.naming);
        let silent = reply.raw.is_empty();
        let not_smtp = reply.oddities.no_code || session.greeted.protocol.is_some();
        (session.status, session.cause) = match end {
            _ if not_smtp && end != End::TooLong => (SmtpStatus::Protocol, None),
            End::Complete => (SmtpStatus::Ok, None),
            End::Closed if silent => (SmtpStatus::NoGreeting, Some(Cause::GreetingNone)),
            End::Reset => {
                session.connect = ConnectStatus::Reset;
                (SmtpStatus::Reset, Some(Cause::ConnectReset))
            }
            End::Late | End::SessionOver if silent => (SmtpStatus::NoGreeting, Some(Cause::GreetingTimeout)),
            End::Late => (SmtpStatus::Deadline, Some(Cause::GreetingTimeout)),
            _ => broken(end),
        };
        session.greeting = Some(reply);
        session.status == SmtpStatus::Ok
    }

    /// Whether the greeting is one to go on from; else notes what it is.
    fn welcome(&mut self) -> bool {
        let session = &mut self.session;
        let code = session.greeting.as_ref().map_or(0, |reply| reply.code);
        let ours = session.greeted.about_us.then_some(Cause::ScannerBlocked);
        match code {
            // Another positive code than 220 is wrong and harmless.
            200..300 => return true,
            400..500 => (session.status, session.cause) = (SmtpStatus::Deferred, Some(ours.unwrap_or(Cause::Deferred))),
            500.. => (session.status, session.cause) = (SmtpStatus::Rejected, Some(ours.unwrap_or(Cause::Rejected))),
            // 3yz asks for more of something that was never begun.
            _ => session.status = SmtpStatus::Protocol,
        }
        false
    }

    /// EHLO, and HELO only where EHLO is not understood or not allowed (RFC 5321 §3.2).
    async fn introduce<S: AsyncRead + AsyncWrite + Unpin>(&mut self, dialogue: &mut Dialogue<S>) -> bool
    where
        O: Fn(&S) -> Option<IpAddr>,
    {
        let ehlo = self.hello("EHLO");
        let (reply, end) = dialogue.ask(ehlo.as_bytes(), self.caller.limits.command).await;
        self.judge(&reply, end, dialogue);
        if end == End::Complete && matches!(reply.code, 200..300) {
            let offer = offer(&reply);
            let session = &mut self.session;
            session.tls.status = if offer.has("STARTTLS") { TlsStatus::NotAsked } else { TlsStatus::NotOffered };
            session.bad_keyword = offer.bad;
            session.masked_starttls = offer.masked_starttls;
            session.extensions = offer.keywords;
            session.auth = offer.auth;
        }
        let refused = end == End::Complete && matches!(reply.code, 500 | 501 | 502 | 504 | 550);
        self.session.ehlo = Some(reply);
        if !refused {
            return end == End::Complete;
        }

        let helo = self.hello("HELO");
        let (reply, end) = dialogue.ask(helo.as_bytes(), self.caller.limits.command).await;
        self.judge(&reply, end, dialogue);
        if end == End::Complete && reply.code >= 400 && reply.code != 421 {
            self.session.cause = Some(Cause::EhloRejected);
        }
        self.session.helo = Some(reply);
        end == End::Complete
    }

    /// Notes what the reply to EHLO or HELO means.
    fn judge<S: AsyncRead + AsyncWrite + Unpin>(&mut self, reply: &Reply, end: End, dialogue: &Dialogue<S>)
    where
        O: Fn(&S) -> Option<IpAddr>,
    {
        let own = || (self.own)(dialogue.beneath());
        let ours = || refusal::speaks_of_us(reply.code, &lower_text(reply), own()).then_some(Cause::ScannerBlocked);
        (self.session.status, self.session.cause) = match (end, reply.code) {
            (End::Complete, 200..300) => (SmtpStatus::Ok, None),
            (End::Complete, 400..500) => (SmtpStatus::Deferred, Some(ours().unwrap_or(Cause::Deferred))),
            (End::Complete, 500..) => (SmtpStatus::Rejected, Some(ours().unwrap_or(Cause::Rejected))),
            (End::Complete, _) => (SmtpStatus::Protocol, None),
            (end, _) => broken(end),
        };
        if self.session.status == SmtpStatus::Ok {
            match ehlo_name(reply, self.caller.naming) {
                EhloName::Name(name) => self.session.ehlo_name = Some(name),
                EhloName::NotName(word) => self.session.ehlo_not_name = Some(word),
                EhloName::Missing => {}
            }
        }
    }

    fn offers_tls(&self) -> bool {
        self.caller.tls.is_some() && self.session.extensions.contains("STARTTLS")
    }

    /// STARTTLS, the handshake, and a second EHLO inside (RFC 3207 §4.2). The plaintext facts stay as they are, whatever
    /// happens here. Returns whether the plaintext side may still be spoken to.
    async fn secure<S: AsyncRead + AsyncWrite + Unpin + Send>(
        &mut self,
        dialogue: &mut Dialogue<S>,
        server_name: Option<&Name>,
    ) -> bool {
        let Some(client) = self.caller.tls.clone() else { return true };
        let limits = self.caller.limits;
        let (reply, end) = dialogue.ask(b"STARTTLS\r\n", limits.starttls).await;
        if end != End::Complete || reply.code != 220 {
            let refused = end == End::Complete;
            self.session.tls = if refused {
                Tls { detail: Some(line_of(&reply).into()), ..Tls::none(TlsStatus::Refused) }
            } else {
                failure::unanswered(end, format!("no reply to STARTTLS: {}", word_of(end)))
            };
            self.defer_at_421(&reply);
            return refused;
        }

        // Whatever follows the reply in plaintext is not protected by what comes now.
        let injected = u32::try_from(dialogue.drop_arrived().await).unwrap_or(u32::MAX);
        let deadline = (Instant::now() + limits.handshake).min(dialogue.over());
        let over = dialogue.over();
        let (mut facts, stream) = client.handshake(dialogue.stream(), server_name, deadline).await;
        facts.injected_bytes = injected;
        if facts.status == TlsStatus::Ok && injected > 0 {
            facts.status = TlsStatus::Injected;
        }
        self.session.tls = facts;
        let Some(stream) = stream else { return false };

        let mut inside = Dialogue::new(stream, over, Alarm::new(over));
        let ehlo = self.hello("EHLO");
        let (reply, end) = inside.ask(ehlo.as_bytes(), limits.command).await;
        if end == End::Complete && matches!(reply.code, 200..300) {
            self.session.tls.extensions = offer(&reply).keywords;
        } else {
            let what = if end == End::Complete { line_of(&reply) } else { word_of(end).to_owned() };
            self.session.tls.detail = Some(format!("EHLO inside TLS: {what}").into());
            self.defer_at_421(&reply);
        }
        if end == End::Complete {
            self.quit(&mut inside).await;
        }
        inside.close(limits.quit).await;
        self.session.desynchronised |= inside.desynchronised;
        false
    }

    /// 421 means that the server closes, at whatever command (RFC 5321 §3.8).
    fn defer_at_421(&mut self, reply: &Reply) {
        if reply.complete && reply.code == 421 {
            (self.session.status, self.session.cause) = (SmtpStatus::Deferred, Some(Cause::Deferred));
        }
    }

    async fn quit<S: AsyncRead + AsyncWrite + Unpin>(&mut self, dialogue: &mut Dialogue<S>) {
        self.session.quit_sent = true;
        let (reply, end) = dialogue.ask(b"QUIT\r\n", self.caller.limits.quit).await;
        self.session.quit_code = (end == End::Complete && reply.code > 0).then_some(reply.code);
    }

    fn hello(&self, verb: &str) -> String {
        format!("{verb} {}\r\n", self.caller.helo)
    }
}

/// What a reply that never was complete means after the greeting has begun.
const fn broken(end: End) -> (SmtpStatus, Option<Cause>) {
    match end {
        End::Complete => (SmtpStatus::Ok, None),
        End::TooLong => (SmtpStatus::TooLong, Some(Cause::TooLong)),
        End::Closed => (SmtpStatus::Closed, Some(Cause::Closed)),
        End::Reset => (SmtpStatus::Reset, Some(Cause::Reset)),
        End::Late | End::SessionOver => (SmtpStatus::Deadline, Some(Cause::Deadline)),
        End::Tarpit => (SmtpStatus::Deadline, Some(Cause::Tarpit)),
    }
}

/// How a reading ended, for a sentence.
const fn word_of(end: End) -> &'static str {
    match end {
        End::Complete => "complete",
        End::TooLong => "too long",
        End::Closed => "closed",
        End::Reset => "reset",
        End::Late | End::SessionOver => "timed out",
        End::Tarpit => "too slow",
    }
}

/// A reply's first line, capped.
pub(in crate::probe) fn line_of(reply: &Reply) -> String {
    let text: String = reply.lines.first().unwrap_or_default().chars().take(200).collect();
    format!("{} {text}", reply.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_that_the_connection_meets_is_the_one_that_the_first_read_would_have_met() {
        for (status, cause, smtp) in [
            (ConnectStatus::Reset, Cause::ConnectReset, SmtpStatus::Reset),
            (ConnectStatus::Refused, Cause::ConnectRefused, SmtpStatus::NotAsked),
            (ConnectStatus::Timeout, Cause::ConnectTimeout, SmtpStatus::NotAsked),
        ] {
            let session = unmade(25, Failure { status, cause, detail: "".into() }, 7);
            assert_eq!((session.connect, session.status, session.cause), (status, smtp, Some(cause)));
        }
    }
}
