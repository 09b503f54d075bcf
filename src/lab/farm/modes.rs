//! What each mode does at each step of a session.
//! Comes in: nothing. Goes out: `MODES`, a table: a word, what it means, and the script.
//! A mode's address follows from its place in the table: new ones are added at the end, and none is renamed.
//! Long because it is data: each mode reads on its own.

use self::Act::{Drip, Endless, Keywords, Late, QuickDrip, Say, Then};
use self::Leave::{Close, Reset, Stall};

/// A way to misbehave.
#[derive(Debug)]
pub struct Mode {
    /// Its name, stable for ever.
    pub word: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    pub(super) script: Script,
}

/// What a server does, step by step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Script {
    pub(super) greeting: Act,
    pub(super) ehlo: Act,
    pub(super) helo: Act,
    pub(super) starttls: Act,
    pub(super) shake: Shake,
    /// EHLO inside TLS.
    pub(super) inside: Act,
    pub(super) quit: Act,
    pub(super) crowd: Crowd,
}

/// What a server does when it is its turn. In every text `%` stands for its own name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    /// Says this.
    Say(&'static [u8]),
    /// Says this, but late.
    Late(&'static [u8]),
    /// Says this octet by octet, again and again, below an octet a second.
    Drip(&'static [u8]),
    /// The same, faster than an octet a second.
    QuickDrip(&'static [u8]),
    /// Says the one, and then the other again and again.
    Endless(&'static [u8], &'static [u8]),
    /// Offers so many keywords.
    Keywords(u32),
    /// Says this, and then is done with the visitor.
    Then(&'static [u8], Leave),
}

/// How a server is done with a visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    /// With a RST.
    Reset,
    /// With a FIN.
    Close,
    /// It does not leave; it says nothing any more.
    Stall,
}

/// What a server shows in a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shake {
    /// Its certificate and the one above it.
    Whole,
    /// Its certificate alone.
    Broken,
    /// A certificate that nobody but itself vouches for.
    Own,
    /// An expired certificate.
    Expired,
    /// No handshake: to the visitor's first message it says this, and then does that.
    Says(&'static [u8], Leave),
}

/// What becomes of those who come in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Crowd {
    /// All are served alike.
    Served,
    /// Who comes into a crowd is greeted late.
    Slowed,
    /// Who has come too often hears this, and the server closes.
    Banned(&'static [u8]),
}

const GREETING: &[u8] = b"220 % ESMTP\r\n";
const EHLO: &[u8] = b"250-%\r\n250-PIPELINING\r\n250 8BITMIME\r\n";
const EHLO_TLS: &[u8] = b"250-%\r\n250-PIPELINING\r\n250 STARTTLS\r\n";
const GO: &[u8] = b"220 2.0.0 go ahead\r\n";
const LATER: &[u8] = b"450 4.3.2 try again later\r\n";
const SHUTTING: &[u8] = b"421 4.3.2 shutting down\r\n";
const NO: &[u8] = b"550 5.7.1 no\r\n";
const UNKNOWN: &[u8] = b"502 5.5.1 command not implemented\r\n";
/// A message of TLS 1.2 that ends long before its length says: the beginning of a `ServerHello` (RFC 5246 §7.4.1.3).
const HALF_HELLO: &[u8] = b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03";
/// A fatal alert: `protocol_version`, in a record of TLS 1.0 (RFC 2246 §7.2).
const OLD_ALERT: &[u8] = b"\x15\x03\x01\x00\x02\x02\x46";
/// A `ServerHello` that settles on TLS 1.0 and `TLS_RSA_WITH_AES_128_CBC_SHA` (RFC 2246 §7.4.1.3, RFC 3268).
const OLD_HELLO: &[u8] = b"\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01\
    0123456789abcdef0123456789abcdef\x00\x00\x2f\x00";

/// Sound, without TLS.
const GOOD: Script = Script {
    greeting: Say(GREETING),
    ehlo: Say(EHLO),
    helo: Say(b"250 %\r\n"),
    starttls: Say(UNKNOWN),
    shake: Shake::Whole,
    inside: Say(EHLO),
    quit: Say(b"221 2.0.0 bye\r\n"),
    crowd: Crowd::Served,
};
/// Sound, with TLS.
const TLS: Script = Script { ehlo: Say(EHLO_TLS), starttls: Say(GO), ..GOOD };

const fn greets(act: Act) -> Script {
    Script { greeting: act, ..GOOD }
}

const fn at_ehlo(act: Act) -> Script {
    Script { ehlo: act, ..GOOD }
}

/// Knows HELO only.
const fn at_helo(act: Act) -> Script {
    Script { ehlo: Say(UNKNOWN), helo: act, ..GOOD }
}

const fn at_starttls(act: Act) -> Script {
    Script { starttls: act, ..TLS }
}

const fn shakes(shake: Shake) -> Script {
    Script { shake, ..TLS }
}

const fn inside(act: Act) -> Script {
    Script { inside: act, ..TLS }
}

const fn at_quit(act: Act) -> Script {
    Script { quit: act, ..GOOD }
}

#[expect(clippy::large_types_passed_by_value, reason = "it runs in the compiler alone")]
const fn mode(word: &'static str, about: &'static str, script: Script) -> Mode {
    Mode { word, about, script }
}

/// Every mode; its number, from 1, is the third octet of its addresses.
pub static MODES: &[Mode] = &[
    mode("good", "nothing wrong, to compare with", GOOD),
    mode("good-tls", "nothing wrong, with STARTTLS and a whole chain", TLS),
    // Slow.
    mode("never-greets", "accepts and says nothing", greets(Then(b"", Stall))),
    mode("greets-late", "greets late", greets(Late(GREETING))),
    mode("answers-late", "answers EHLO late", at_ehlo(Late(EHLO))),
    mode("drip", "greets octet by octet, below one a second, without an end", greets(Drip(b"220-% ESMTP\r\n"))),
    mode("drip-quick", "the same, faster than one a second", greets(QuickDrip(b"220-% ESMTP\r\n"))),
    mode("drip-in-ehlo", "answers EHLO in such a drip", at_ehlo(Drip(b"250-%\r\n"))),
    // Endless.
    mode("endless-line", "a greeting's line without an end", greets(Endless(b"220 % ", &[b'x'; 1024]))),
    mode("endless-greeting", "lines of a greeting without a last one", greets(Endless(b"", b"220-% ESMTP\r\n"))),
    mode(
        "endless-noise",
        "a greeting's first line, then lines without a code",
        greets(Endless(b"220-%\r\n", b"noise\r\n")),
    ),
    mode("endless-newlines", "empty lines", greets(Endless(b"", &[b'\n'; 1024]))),
    mode("endless-zeros", "zeros", greets(Endless(b"", &[0; 1024]))),
    mode("endless-ehlo-line", "a keyword without an end", at_ehlo(Endless(b"250-%\r\n250-", &[b'X'; 1024]))),
    mode(
        "endless-ehlo",
        "lines of an EHLO reply without a last one",
        at_ehlo(Endless(b"250-%\r\n", b"250-SIZE 1\r\n")),
    ),
    mode("many-keywords", "an EHLO reply of 10,000 keywords", at_ehlo(Keywords(10_000))),
    mode("many-lines", "an EHLO reply of 64 lines, and 63 keywords", at_ehlo(Keywords(63))),
    mode(
        "endless-inside-tls",
        "the EHLO reply inside TLS has no end",
        inside(Endless(b"250-%\r\n", b"250-SIZE 1\r\n")),
    ),
    mode("endless-quit", "the reply to QUIT has no end", at_quit(Endless(b"", b"221-bye\r\n"))),
    mode(
        "talks-endlessly",
        "behind a good greeting, empty lines without an end",
        greets(Endless(GREETING, &[b'\n'; 1024])),
    ),
    mode("long-line", "a greeting's line of 600 octets", greets(Say(&long_line()))),
    // Resets.
    mode("reset-at-greeting", "resets in place of a greeting", greets(Then(b"", Reset))),
    mode("reset-mid-greeting", "resets within the greeting", greets(Then(b"220-% ESMTP\r\n220 wel", Reset))),
    mode("reset-at-ehlo", "resets in place of an EHLO reply", at_ehlo(Then(b"", Reset))),
    mode("reset-mid-ehlo", "resets within the EHLO reply", at_ehlo(Then(b"250-%\r\n250-SIZ", Reset))),
    mode("reset-at-helo", "knows no EHLO, and resets at HELO", at_helo(Then(b"", Reset))),
    mode("reset-at-starttls", "resets at STARTTLS", at_starttls(Then(b"", Reset))),
    mode("reset-in-handshake", "resets at the first message of a handshake", shakes(Shake::Says(b"", Reset))),
    mode("reset-mid-handshake", "resets within its first message", shakes(Shake::Says(HALF_HELLO, Reset))),
    mode("reset-inside-tls", "resets at EHLO inside TLS", inside(Then(b"", Reset))),
    mode("reset-at-quit", "resets at QUIT", at_quit(Then(b"", Reset))),
    // Closes.
    mode("close-at-greeting", "closes without a word", greets(Then(b"", Close))),
    mode("close-mid-greeting", "closes within the greeting", greets(Then(b"220-% ESMTP\r\n220 wel", Close))),
    mode("close-mid-code", "closes behind two digits of a code", greets(Then(b"22", Close))),
    mode("close-behind-greeting", "greets and closes", greets(Then(GREETING, Close))),
    mode("close-at-ehlo", "closes in place of an EHLO reply", at_ehlo(Then(b"", Close))),
    mode(
        "cut-after-hyphen",
        "closes behind the hyphen of a further line",
        at_ehlo(Then(b"250-%\r\n250-PIPELINING\r\n250-", Close)),
    ),
    mode(
        "cut-between-lines",
        "closes where a further line was promised",
        at_ehlo(Then(b"250-%\r\n250-STARTTLS\r\n", Close)),
    ),
    mode(
        "cut-without-crlf",
        "closes within the last line of an EHLO reply",
        at_ehlo(Then(b"250-%\r\n250 STARTTLS", Close)),
    ),
    mode("close-at-helo", "knows no EHLO, and closes at HELO", at_helo(Then(b"", Close))),
    mode("close-at-starttls", "closes at STARTTLS", at_starttls(Then(b"", Close))),
    mode("close-in-handshake", "closes at the first message of a handshake", shakes(Shake::Says(b"", Close))),
    mode("close-mid-handshake", "closes within its first message", shakes(Shake::Says(HALF_HELLO, Close))),
    mode("close-inside-tls", "closes at EHLO inside TLS", inside(Then(b"", Close))),
    mode("close-at-quit", "closes at QUIT without 221", at_quit(Then(b"", Close))),
    // Stalls.
    mode("stall-mid-greeting", "falls silent within the greeting", greets(Then(b"220-% ESMTP\r\n220 wel", Stall))),
    mode("stall-at-ehlo", "does not answer EHLO", at_ehlo(Then(b"", Stall))),
    mode("stall-mid-ehlo", "falls silent within the EHLO reply", at_ehlo(Then(b"250-%\r\n250-SIZ", Stall))),
    mode("stall-at-helo", "knows no EHLO, and does not answer HELO", at_helo(Then(b"", Stall))),
    mode("stall-at-starttls", "does not answer STARTTLS", at_starttls(Then(b"", Stall))),
    mode("stall-in-handshake", "falls silent behind the 220 to STARTTLS", shakes(Shake::Says(b"", Stall))),
    mode("stall-mid-handshake", "falls silent within its first message", shakes(Shake::Says(HALF_HELLO, Stall))),
    mode("stall-inside-tls", "does not answer EHLO inside TLS", inside(Then(b"", Stall))),
    mode("stall-at-quit", "does not answer QUIT", at_quit(Then(b"", Stall))),
    // Puts off: 4xx.
    mode("defer-at-greeting", "450 for a greeting", greets(Say(LATER))),
    mode("defer-at-ehlo", "450 to EHLO", at_ehlo(Say(LATER))),
    mode("defer-at-helo", "knows no EHLO, and says 450 to HELO", at_helo(Say(LATER))),
    mode("defer-at-starttls", "454 to STARTTLS", at_starttls(Say(b"454 4.7.0 TLS not available\r\n"))),
    mode("defer-inside-tls", "450 to EHLO inside TLS", inside(Say(LATER))),
    mode("defer-at-quit", "450 to QUIT", at_quit(Say(LATER))),
    // Puts off and closes: 421 (RFC 5321 §3.8).
    mode("shut-at-greeting", "421 for a greeting, and closes", greets(Then(SHUTTING, Close))),
    mode("shut-at-ehlo", "421 to EHLO, and closes", at_ehlo(Then(SHUTTING, Close))),
    mode("shut-at-helo", "knows no EHLO, says 421 to HELO, and closes", at_helo(Then(SHUTTING, Close))),
    mode("shut-at-starttls", "421 to STARTTLS, and closes", at_starttls(Then(SHUTTING, Close))),
    mode("shut-inside-tls", "421 to EHLO inside TLS, and closes", inside(Then(SHUTTING, Close))),
    mode("shut-at-quit", "421 to QUIT, and closes", at_quit(Then(SHUTTING, Close))),
    // Refuses: 5xx.
    mode("refuse-at-greeting", "554 for a greeting", greets(Say(b"554 % no service for you\r\n"))),
    mode(
        "refuse-for-the-list",
        "554 for a greeting, over two lines, for a blocklist",
        greets(Say(b"554-%\r\n554 blocked, see the DNSBL\r\n")),
    ),
    mode("no-service", "521 for a greeting: no mail here", greets(Say(b"521 % does not accept mail\r\n"))),
    mode("refuse-at-ehlo", "502 to EHLO, and knows HELO", at_helo(GOOD.helo)),
    mode("refuse-at-ehlo-for-good", "554 to EHLO", at_ehlo(Say(b"554 5.7.1 no\r\n"))),
    mode("refuse-at-helo", "502 to EHLO and 550 to HELO", at_helo(Say(NO))),
    mode("refuse-at-starttls", "offers STARTTLS, and says 502 to it", at_starttls(Say(UNKNOWN))),
    mode("refuse-inside-tls", "550 to EHLO inside TLS", inside(Say(NO))),
    mode("refuse-at-quit", "500 to QUIT", at_quit(Say(b"500 5.5.1 what?\r\n"))),
    mode("close-when-refusing", "554 for a greeting, and closes", greets(Then(b"554 % no service for you\r\n", Close))),
    // Wrong replies.
    mode("greets-250", "greets with 250", greets(Say(b"250 % ESMTP\r\n"))),
    mode("greets-354", "greets with 354", greets(Say(b"354 % go on\r\n"))),
    mode("greets-600", "greets with a code there is not", greets(Say(b"600 % ESMTP\r\n"))),
    mode("answers-354", "answers EHLO with 354", at_ehlo(Say(b"354 go on\r\n"))),
    mode("mixed-codes", "220- and then 250 for a greeting", greets(Say(b"220-% ESMTP\r\n250 ready\r\n"))),
    mode(
        "mixed-codes-in-ehlo",
        "250-, 550- and 250 to EHLO",
        at_ehlo(Say(b"250-%\r\n550-PIPELINING\r\n250 8BITMIME\r\n")),
    ),
    mode("bare-code", "220 and nothing else", greets(Say(b"220\r\n"))),
    mode("no-separator", "the code runs into the name", greets(Say(b"220% ESMTP\r\n"))),
    mode(
        "bare-lf",
        "lines end in LF",
        Script { greeting: Say(b"220 % ESMTP\n"), ehlo: Say(b"250-%\n250-PIPELINING\n250 8BITMIME\n"), ..GOOD },
    ),
    mode("bare-cr", "a CR within the greeting", greets(Say(b"220 % ESMTP\r220 other.farm.test\r\n"))),
    mode("nul", "NUL in the greeting", greets(Say(b"220 % ESMTP \0\0\r\n"))),
    mode("eight-bit", "octets above 127 in the greeting", greets(Say(b"220 % ESMTP gr\xFC\xDFt\r\n"))),
    mode("escapes", "terminal controls in the greeting", greets(Say(b"220 % \x1b]0;owned\x07\x1b[31m\r\n"))),
    mode(
        "bad-keywords",
        "keywords that are none",
        at_ehlo(Say(b"250-%\r\n250-\x1b[31mRED\r\n250-PIPELINING\r\n250 A;B\r\n")),
    ),
    mode("masked-starttls", "STARTTLS blanked by a firewall", at_ehlo(Say(b"250-%\r\n250 XXXXXXXA\r\n"))),
    mode(
        "talks-early",
        "a reply behind the greeting that nobody asked for",
        greets(Say(b"220 % ESMTP\r\n250-wrong.farm.test\r\n250 STARTTLS\r\n")),
    ),
    mode(
        "talks-on",
        "text behind the EHLO reply",
        at_ehlo(Say(b"250-%\r\n250 8BITMIME\r\n250 wrong.farm.test\r\nand more\r\n")),
    ),
    // Not SMTP.
    mode("http", "HTTP", greets(Then(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", Close))),
    mode("tls-at-once", "a TLS alert for a greeting", greets(Then(b"\x15\x03\x03\x00\x02\x02\x0a", Close))),
    mode("ssh", "SSH", greets(Say(b"SSH-2.0-OpenSSH_9.6\r\n"))),
    mode("imap", "IMAP", greets(Say(b"* OK [CAPABILITY IMAP4rev1] ready\r\n"))),
    mode("pop3", "POP3", greets(Say(b"+OK POP3 ready\r\n"))),
    mode("ftp", "FTP, which greets with 220 as well", greets(Say(b"220 % FTP server ready\r\n"))),
    mode("garbage", "binary garbage", greets(Then(b"\x00\xff\x13\x37\xde\xad\xbe\xef\r\n\x80\x81", Stall))),
    mode("garbage-text", "text without a code", greets(Then(b"Permission denied\r\n", Close))),
    // STARTTLS.
    mode(
        "starttls-injects",
        "a plaintext reply in the segment of the 220",
        at_starttls(Say(b"220 go ahead\r\n250-wrong.farm.test\r\n250 AUTH PLAIN\r\n")),
    ),
    mode("starttls-injects-much", "four KiB of plaintext behind the 220", at_starttls(Say(&much_injected()))),
    mode(
        "starttls-then-plaintext",
        "220 to STARTTLS, and 554 in plaintext to the handshake",
        shakes(Shake::Says(b"554 5.7.0 TLS not available\r\n", Stall)),
    ),
    mode(
        "starttls-garbage",
        "220 to STARTTLS, and garbage to the handshake",
        shakes(Shake::Says(b"\x00garbage\r\n", Stall)),
    ),
    mode("starttls-old-alert", "an alert: it knows TLS 1.0 only", shakes(Shake::Says(OLD_ALERT, Close))),
    mode("starttls-old-hello", "settles on TLS 1.0, whatever was offered", shakes(Shake::Says(OLD_HELLO, Stall))),
    mode("starttls-again", "offers STARTTLS again inside TLS", inside(Say(EHLO_TLS))),
    mode(
        "talks-early-inside-tls",
        "a reply inside TLS that nobody asked for, behind the one to EHLO",
        inside(Say(b"250-%\r\n250 8BITMIME\r\n250 wrong\r\n")),
    ),
    mode("broken-chain", "its certificate without the one above it", shakes(Shake::Broken)),
    mode("self-signed", "a certificate that vouches for itself", shakes(Shake::Own)),
    mode("expired", "a certificate whose time is over", shakes(Shake::Expired)),
    // In numbers.
    mode("tarpits-under-load", "greets late whoever comes into a crowd", Script { crowd: Crowd::Slowed, ..GOOD }),
    mode(
        "bans",
        "421 to whoever has come too often",
        Script { crowd: Crowd::Banned(b"421 4.7.0 too many connections from your IP\r\n"), ..GOOD },
    ),
    mode(
        "bans-for-good",
        "554 to whoever has come too often",
        Script { crowd: Crowd::Banned(b"554 5.7.1 you come too often\r\n"), ..GOOD },
    ),
];

/// A line of 600 octets: beyond what RFC 5321 §4.5.3.1.5 has, below what clients bear. The name makes it a few longer.
const fn long_line() -> [u8; 600] {
    let mut line = much(b"220 % ESMTP ");
    line.split_at_mut(598).1.copy_from_slice(b"\r\n");
    line
}

/// A positive reply to STARTTLS and, in the same breath, more than a reader's buffer holds.
const fn much_injected() -> [u8; 4096] {
    much(b"220 go ahead\r\n")
}

/// A beginning, and then nothing but `x`.
const fn much<const N: usize>(start: &[u8]) -> [u8; N] {
    let mut text = [b'x'; N];
    text.split_at_mut(start.len()).0.copy_from_slice(start);
    text
}
