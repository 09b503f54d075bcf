//! What an EHLO or HELO reply says (RFC 5321 §4.1.1.1).
//! Comes in: the reply. Goes out: the host word of its first line, and its keywords. Pure.
//! Unknown keywords are kept as they are; a firewall's blanked STARTTLS is told from a missing one.

use super::greeting::is_phrase;
use super::reply::{bytes_of, words};
use crate::model::introduction::Naming;
use crate::model::smtp::{Reply, escape};
use crate::model::texts::Texts;
use crate::model::words::IntroductionClass as Class;

/// Keywords kept of one reply.
const KEYWORDS_CAP: usize = 100;

/// Keywords that stand on the first line where a server leaves its name out.
const KNOWN: &[&str] = &[
    "PIPELINING",
    "SIZE",
    "8BITMIME",
    "STARTTLS",
    "AUTH",
    "ENHANCEDSTATUSCODES",
    "DSN",
    "CHUNKING",
    "BINARYMIME",
    "SMTPUTF8",
    "VRFY",
    "EXPN",
    "ETRN",
    "HELP",
    "DELIVERBY",
    "REQUIRETLS",
    "LIMITS",
    "XCLIENT",
    "XFORWARD",
];

/// The first word of a positive EHLO or HELO reply, escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EhloName {
    /// A name, proper or not.
    Name(Box<str>),
    /// A word that cannot be a name: a product or a phrase.
    NotName(Box<str>),
    /// No word, or already a keyword.
    Missing,
}

/// The host word of a positive EHLO or HELO reply.
pub fn ehlo_name(reply: &Reply, naming: Naming) -> EhloName {
    let line = bytes_of(reply.lines.first().unwrap_or_default());
    let Some(word) = words(&line).next() else { return EhloName::Missing };
    if is_keyword(word) {
        return EhloName::Missing;
    }
    let mut bare = word;
    while let [rest @ .., b',' | b';'] = bare {
        bare = rest;
    }
    let is_name =
        !is_phrase(bare) && !matches!(naming.classify(bare).0, Class::Empty | Class::IllegalChar | Class::Masked);
    if is_name { EhloName::Name(escape(bare)) } else { EhloName::NotName(escape(word)) }
}

/// What a server offers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offer {
    /// Keywords, upper case, each once, in the order sent.
    pub keywords: Texts,
    /// AUTH mechanisms, upper case.
    pub auth: Texts,
    /// A line outside the `ehlo-line` grammar.
    pub bad: bool,
    /// STARTTLS blanked by a firewall.
    pub masked_starttls: bool,
}

impl Offer {
    /// Whether a keyword is offered.
    pub fn has(&self, keyword: &str) -> bool {
        self.keywords.contains(keyword)
    }
}

/// Reads the keyword lines of an EHLO reply.
pub fn offer(reply: &Reply) -> Offer {
    let mut offer = Offer { keywords: Texts::with_room(reply.lines.octets()), ..Offer::default() };
    for (at, line) in reply.lines.iter().enumerate() {
        let line = bytes_of(line);
        let Some(word) = words(&line).next() else {
            offer.bad |= at > 0;
            continue;
        };
        if at == 0 && !is_keyword(word) {
            continue;
        }
        // `AUTH=LOGIN`, the form of servers older than RFC 2554.
        let (keyword, old_auth) = match word.split_at_checked(5) {
            Some((head, mechanism)) if head.eq_ignore_ascii_case(b"AUTH=") => (b"AUTH".as_slice(), Some(mechanism)),
            _ => (word, None),
        };
        offer.bad |= !is_ehlo_line(&line, keyword);
        offer.masked_starttls |= is_blanked(keyword);
        if keyword.eq_ignore_ascii_case(b"AUTH") {
            let mechanisms = old_auth.into_iter().chain(words(&line).skip(1)).filter(|word| !word.is_empty());
            for mechanism in mechanisms {
                push(&mut offer.auth, mechanism);
            }
        }
        push(&mut offer.keywords, keyword);
    }
    offer
}

/// Adds a word once, up to the cap.
fn push(list: &mut Texts, word: &[u8]) {
    if list.len() < KEYWORDS_CAP {
        let word = escape(&word.to_ascii_uppercase());
        if !list.contains(&word) {
            list.push(&word);
        }
    }
}

/// `ehlo-line = ehlo-keyword *( SP ehlo-param )` (RFC 5321 §4.1.1.1).
fn is_ehlo_line(line: &[u8], keyword: &[u8]) -> bool {
    let proper = keyword.first().is_some_and(u8::is_ascii_alphanumeric)
        && keyword.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    proper && line.split(|&byte| byte == b' ').all(|param| !param.is_empty() && param.iter().all(u8::is_ascii_graphic))
}

/// A keyword on the first line, where the name should be.
fn is_keyword(word: &[u8]) -> bool {
    let head = word.split(|&byte| byte == b'=').next().unwrap_or(word);
    KNOWN.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(head)) || is_blanked(word)
}

/// `XXXXXXXA` and other runs of `X` or `*` over a keyword.
fn is_blanked(word: &[u8]) -> bool {
    let run = word.strip_suffix(b"A").unwrap_or(word);
    run.len() >= 4 && (run.iter().all(|&byte| byte == b'X') || run.iter().all(|&byte| byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::super::reply::tests::reply;
    use super::*;

    const NAMING: Naming = Naming::built_in();

    #[test]
    fn the_first_line_names_the_server_or_not() {
        let name = |text: &str| EhloName::Name(text.into());
        let not = |text: &str| EhloName::NotName(text.into());
        for (line, wanted) in [
            ("250-mx1.ietf.org", name("mx1.ietf.org")),
            ("250-mx.google.com at your service, [203.0.113.9]", name("mx.google.com")),
            ("250-mail.ietf.org Hello host [203.0.113.9], pleased to meet you", name("mail.ietf.org")),
            ("250-Haraka says hi Unknown [127.0.0.1]", not("Haraka")),
            ("250-Hello there", not("Hello")),
            ("250-OK", not("OK")),
            ("250-0.0.0.0", name("0.0.0.0")),
            ("250 mail.ietf.org", name("mail.ietf.org")),
            ("250-WIN-7Q2KD8FA1 Hello [203.0.113.9]", name("WIN-7Q2KD8FA1")),
            ("250-fire.ietf.org", name("fire.ietf.org")),
            ("250-mail.ietf.org, hello", name("mail.ietf.org")),
            ("250-PIPELINING", EhloName::Missing),
            ("250-XXXXXXXA", EhloName::Missing),
            ("250-AUTH=LOGIN PLAIN", EhloName::Missing),
            ("250-", EhloName::Missing),
            ("250", EhloName::Missing),
        ] {
            let bytes = format!("{line}\r\n250 OK\r\n");
            assert_eq!(ehlo_name(&reply(bytes.as_bytes()), NAMING), wanted, "{line}");
        }
    }

    #[test]
    fn keywords_are_kept_once_in_order_and_upper_case() {
        let offer = offer(&reply(
            b"250-mail.ietf.org\r\n250-size 1000\r\n250-AUTH=LOGIN PLAIN\r\n250-AUTH PLAIN cram-md5\r\n250-X-What ever\r\n250-SIZE 1000\r\n250 STARTTLS\r\n",
        ));
        assert_eq!(offer.keywords.join(" "), "SIZE AUTH X-WHAT STARTTLS");
        assert_eq!(offer.auth.join(" "), "LOGIN PLAIN CRAM-MD5");
        assert!(offer.has("STARTTLS") && !offer.bad && !offer.masked_starttls);
    }

    #[test]
    fn a_keyword_in_place_of_the_name_is_offered_all_the_same() {
        let offer = offer(&reply(b"250-AUTH=LOGIN PLAIN\r\n250 STARTTLS\r\n"));
        assert_eq!((offer.keywords.join(" "), offer.auth.join(" ")), ("AUTH STARTTLS".into(), "LOGIN PLAIN".into()));
        assert!(!offer.bad, "the obsolete form is accepted");
    }

    #[test]
    fn a_blanked_starttls_is_told_from_a_missing_one() {
        for (bytes, masked) in [
            (b"250-a.example\r\n250 XXXXXXXA\r\n".as_slice(), true),
            (b"250-XXXXXXXA\r\n250 SIZE\r\n", true),
            (b"250-a.example\r\n250 ********\r\n", true),
            (b"250-a.example\r\n250 XEXCH50\r\n", false),
            (b"250-a.example\r\n250 XXX\r\n", false),
        ] {
            assert_eq!(offer(&reply(bytes)).masked_starttls, masked, "{}", escape(bytes));
        }
    }

    #[test]
    fn lines_outside_the_grammar_are_noted() {
        for (line, bad) in [
            ("SIZE 1000", false),
            ("8BITMIME", false),
            ("AUTH=PLAIN", false),
            ("-SIZE", true),
            ("SI_ZE", true),
            ("SIZE  1000", true),
            (" SIZE", true),
            ("", true),
        ] {
            let bytes = format!("250-a.example\r\n250 {line}\r\n");
            assert_eq!(offer(&reply(bytes.as_bytes())).bad, bad, "{line:?}");
        }
    }

    #[test]
    fn a_name_alone_is_no_keyword() {
        assert_eq!(offer(&reply(b"250 mail.ietf.org\r\n")), Offer::default());
    }
}
