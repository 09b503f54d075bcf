//! R1: the server connects and introduces itself.
//! Comes in: the connection, the greeting, and who named the host. Goes out: connect-* and greeting-* findings.
//! A refusal says nothing about the server's own name, so it leaves the rule unknown.

use super::super::case::{Case, is_positive};
use super::super::findings::{Findings, Found};
use super::AGAIN_MS;
use crate::model::evidence::Earlier;
use crate::model::finding::Code;
use crate::model::history::Fact;
use crate::model::introduction::Introduction;
use crate::model::smtp::{NameAt, Reply};
use crate::model::words::{Basis, Cause, ConnectStatus, IntroducedBy, IntroductionClass, Profile, Rule};

/// What RFC 5321 §4.5.3.2.1 gives a server for its greeting, less what our own clock may miss.
const PATIENCE_MS: u32 = 299_000;

pub(in super::super) fn judge(case: &Case<'_>, out: &mut Findings) {
    let session = &case.host.session;
    if case.host.basis == Basis::Observed {
        return observed(case, out);
    }
    let failed = |code, cause| Found::of(code).because(cause).detail(session.connect_detail.as_deref().unwrap_or(""));
    match session.connect {
        ConnectStatus::Open => conversation(case, out),
        ConnectStatus::Timeout => out.add(failed(Code::ConnectTimeout, Cause::ConnectTimeout)),
        ConnectStatus::Refused => out.add(failed(Code::ConnectRefused, Cause::ConnectRefused)),
        ConnectStatus::Unreachable => out.add(failed(Code::ConnectUnreachable, Cause::ConnectUnreachable)),
        ConnectStatus::Reset => out.add(failed(Code::ConnectReset, Cause::ConnectReset)),
        ConnectStatus::SelfFault => out.missing(Rule::Introduces, session.cause.unwrap_or(Cause::SelfFault)),
        ConnectStatus::NotAsked | ConnectStatus::Excluded | ConnectStatus::Special => match session.cause {
            // Of the family that is not dialled here nothing is missing: the other one is judged.
            Some(cause @ (Cause::NoLocalV4 | Cause::NoLocalV6)) => out.na(Rule::Introduces, cause),
            cause => out.missing(Rule::Introduces, cause.unwrap_or(Cause::NotAsked)),
        },
    }
}

/// A client's introduction was recorded: it is there, or it was blank.
fn observed(case: &Case<'_>, out: &mut Findings) {
    match &case.host.introduction {
        None => out.missing(Rule::Introduces, Cause::NoIntroduction),
        Some(Introduction { class: IntroductionClass::Empty, text, .. }) => {
            out.add(Found::of(Code::HeloEmptyArgument).detail(format!("recorded as {text:?}")));
        }
        Some(_) => {}
    }
}

fn conversation(case: &Case<'_>, out: &mut Findings) {
    let session = &case.host.session;
    let Some(greeting) = &session.greeting else {
        return cut_off(case, session.cause.unwrap_or(Cause::GreetingNone), out);
    };
    oddities(case, greeting, out);
    if let Some(protocol) = session.greeted.protocol {
        return out.add(Found::of(Code::GreetingWrongProtocol).detail(protocol.as_str()));
    }
    if let Some(cause @ (Cause::TooLong | Cause::Tarpit)) = session.cause {
        return cut_off(case, cause, out);
    }
    // Three bytes settle whether there is a code.
    let coded = (200..600).contains(&greeting.code) && greeting.code % 100 < 60;
    if !coded && (greeting.complete || greeting.raw.len() >= 3) {
        return out.add(Found::of(Code::GreetingBadSyntax).detail(first_line(greeting)));
    }
    if !greeting.complete && (!coded || case.introduction().is_none() || timed_out(session.cause)) {
        return cut_off(case, session.cause.unwrap_or(Cause::Closed), out);
    }
    match greeting.code {
        300.. => refused(case, greeting, out),
        code => {
            if code != 220 {
                out.add(Found::of(Code::GreetingNot220).form(1).detail(first_line(greeting)));
            }
            pace(greeting, out);
            named(case, out);
        }
    }
}

/// There is no complete greeting, or no readable conversation, for this cause.
fn cut_off(case: &Case<'_>, cause: Cause, out: &mut Findings) {
    let session = &case.host.session;
    let waited = session.elapsed_ms.saturating_sub(session.connect_ms.unwrap_or(0));
    let last = session.helo.as_ref().or(session.ehlo.as_ref()).or(session.greeting.as_ref());
    let (lines, bytes) = last.map_or((0, 0), |reply| (reply.lines.len(), reply.raw.len()));
    let found = match cause {
        Cause::Tarpit => Found::of(Code::SmtpTarpit).detail(format!("{bytes} octets in {} s", waited / 1000)),
        Cause::TooLong => Found::of(Code::GreetingEndless).detail(format!("cut off after {lines} lines")),
        Cause::GreetingNone => silent(case, waited),
        Cause::Closed if session.greeting.is_none() => silent(case, waited),
        Cause::Reset | Cause::ConnectReset => {
            Found::of(Code::ConnectReset).detail(format!("reset after {bytes} octets of a reply"))
        }
        cause if timed_out(Some(cause)) => {
            // Only the profile that waits as long as the RFC wants may turn slowness into a failure.
            let patient = case.policy.profile == Profile::Patient && waited >= PATIENCE_MS;
            Found::of(Code::GreetingTimeout).form(usize::from(patient)).detail(format!("waited {} s", waited / 1000))
        }
        cause => return out.missing(Rule::Introduces, cause),
    };
    out.add(found.because(cause));
}

/// Closed without a byte: once may be an accident.
fn silent(case: &Case<'_>, waited: u32) -> Found {
    let before = case.policy.history.first(Fact::GreetingNone(case.host.address));
    let silent = |earlier: &&Earlier| earlier.cause == Some(Cause::GreetingNone);
    let in_this_run = case.host.earlier.iter().find(silent).map(|earlier| earlier.scanned_at);
    let again = before.into_iter().chain(in_this_run).any(|at| at.saturating_add(AGAIN_MS) <= case.host.scanned_at);
    Found::of(Code::GreetingNone).form(usize::from(again)).detail(format!("closed after {waited} ms"))
}

const fn timed_out(cause: Option<Cause>) -> bool {
    matches!(cause, Some(Cause::GreetingTimeout | Cause::Deadline | Cause::Timeout))
}

fn refused(case: &Case<'_>, greeting: &Reply, out: &mut Findings) {
    let greeted = &case.host.session.greeted;
    let text = first_line(greeting);
    out.add(match greeting.code {
        400.. if greeted.about_us => {
            Found::of(Code::GreetingScannerBlocked).because(Cause::ScannerBlocked).detail(text)
        }
        // RFC 7504 §3: 521 means by itself that no mail is accepted here.
        521 => Found::of(Code::GreetingNoService).because(Cause::NoMailService).detail(text),
        554 | 556 if greeted.no_service => {
            Found::of(Code::GreetingNoService).because(Cause::NoMailService).detail(text)
        }
        400..500 => Found::of(Code::GreetingNot220).because(Cause::Deferred).detail(text),
        _ => Found::of(Code::GreetingNot220).because(Cause::Rejected).detail(text),
    });
}

/// A greeting that welcomes us: does it, or the EHLO reply, name the host?
fn named(case: &Case<'_>, out: &mut Findings) {
    let session = &case.host.session;
    let introduction = case.introduction();
    let said = session.greeting.as_ref().map_or_else(String::new, first_line);
    if session.greeted.masked {
        let by_ehlo = usize::from(introduction.is_some());
        return out.add(Found::of(Code::GreetingMasked).form(by_ehlo).because(Cause::GreetingMasked).detail(said));
    }
    let in_greeting = session.greeted.name.is_some();
    match introduction {
        Some(introduction) if in_greeting => {
            if session.greeted.at == NameAt::Later {
                out.add(Found::of(Code::GreetingNameNotFirst).detail(&*introduction.text));
            }
            other_name(case, introduction, out);
        }
        Some(_) => out.add(Found::of(Code::GreetingNoName).form(1).detail(said)),
        None => {
            let answered = session.ehlo.iter().chain(&session.helo).any(is_positive);
            out.add(Found::of(Code::GreetingNoName).form(usize::from(!answered)).detail(said));
            if !answered {
                out.missing(Rule::Introduces, session.cause.unwrap_or(Cause::Closed));
            }
        }
    }
}

/// The EHLO reply names somebody else than the greeting.
fn other_name(case: &Case<'_>, introduction: &Introduction, out: &mut Findings) {
    let Some(ehlo) = &case.host.ehlo else { return };
    let bare = |text: &str| text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    if introduction.by != IntroducedBy::Greeting || bare(&introduction.text) == bare(&ehlo.text) {
        return;
    }
    let names = introduction.name().zip(ehlo.name());
    let same = names.is_some_and(|(greeting, ehlo)| case.same_organisation(&greeting, &ehlo));
    let detail = format!("{} in the greeting, {} in the EHLO reply", introduction.text, ehlo.text);
    out.add(Found::of(Code::GreetingEhloNameDiffers).form(usize::from(same)).detail(detail));
}

/// How long the greeting took, and whether its first line was a trap.
fn pace(greeting: &Reply, out: &mut Findings) {
    let seconds = greeting.complete_ms / 1000;
    if greeting.complete_ms > 10_000 {
        let form = usize::from(greeting.complete_ms <= 30_000);
        out.add(Found::of(Code::GreetingSlow).form(form).detail(format!("{seconds} s")));
    }
    let word = |line: Option<&str>| line.and_then(|line| line.split_whitespace().next()).map(str::to_owned);
    let same = word(greeting.lines.first()) == word(greeting.lines.last());
    let pause = greeting.complete_ms.saturating_sub(greeting.first_line_ms);
    if greeting.lines.len() > 1 && same && (2_000..=10_000).contains(&pause) {
        out.add(Found::of(Code::GreetingTeaser).detail(format!("the last line {pause} ms after the first")));
    }
}

/// Departures from the reply syntax, in any reply; those of the first line in the greeting only.
fn oddities(case: &Case<'_>, greeting: &Reply, out: &mut Findings) {
    let session = &case.host.session;
    for (holds, code) in [
        (greeting.oddities.no_separator, Code::GreetingNoSeparator),
        (greeting.oddities.bare_code, Code::GreetingBareCode),
    ] {
        if holds {
            out.add(Found::of(code).detail(first_line(greeting)));
        }
    }
    let replies =
        [("greeting", Some(greeting)), ("EHLO reply", session.ehlo.as_ref()), ("HELO reply", session.helo.as_ref())];
    for (which, reply) in replies {
        let Some(Reply { oddities: odd, .. }) = reply else { continue };
        for (holds, code) in [
            (odd.bare_lf, Code::GreetingBareLf),
            (odd.long_line, Code::GreetingLineTooLong),
            (odd.mixed_codes, Code::GreetingCodeMixed),
            (odd.non_ascii, Code::GreetingNonAscii),
            (odd.control, Code::GreetingControlChars),
        ] {
            if holds {
                out.add(Found::of(code).detail(format!("in the {which}")));
            }
        }
    }
}

fn first_line(reply: &Reply) -> String {
    let text = reply.lines.first().unwrap_or_default();
    if reply.code == 0 { text.to_owned() } else { format!("{} {text}", reply.code) }
}
