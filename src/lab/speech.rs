//! What the servers of the world say.
//! Comes in: a server and its names. Goes out: the bytes of its greeting and of its replies.
//! When to say what is `smtp`'s.

use super::place::Site;
use super::scenarios::{Announces, Role, Server, Speech};
use super::world::World;

/// The address that S54's server claims to have on its blocklist.
const BLOCKED: &str = "203.0.113.250";

/// A server's words.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) speech: Speech,
    /// What it introduces itself as.
    pub(super) name: String,
}

impl Words {
    pub(super) fn of(world: &World, site: Site, server: &Server) -> Self {
        // Over IPv6 the same server speaks.
        let own = match site {
            Site::Six(number) => Site::Main(number),
            site => site,
        };
        let name = match server.announces {
            Announces::Name(role) => world.name(own, role),
            Announces::Text(text) => text.to_owned(),
            Announces::Literal => format!("[{}]", world.address(site)),
            Announces::BareAddress => world.address(site).to_string(),
            Announces::Postmaster => format!("postmaster@{}", world.name(own, Role::Domain)),
        };
        Self { speech: server.speech, name }
    }

    /// The whole greeting, for speeches that send it at once.
    pub(super) fn greeting(&self) -> Vec<u8> {
        let name = &self.name;
        match self.speech {
            Speech::Unnamed | Speech::Nameless => b"220 ESMTP\r\n".to_vec(),
            Speech::Masked => b"220 ****************\r\n".to_vec(),
            Speech::Blocked => format!("554-{name}\r\n554 blocked using bl1, {BLOCKED}\r\n").into_bytes(),
            Speech::DeferredTwice => b"421 4.7.0 try later\r\n".to_vec(),
            Speech::BareLf => format!("220 {name} ESMTP\n").into_bytes(),
            Speech::Ssh => b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(),
            Speech::NoService => b"521 host does not accept mail\r\n".to_vec(),
            Speech::Junk => [format!("220 {name} ESMTP ").as_bytes(), b"\0gr\xFC\xDFt\r\n"].concat(),
            _ => format!("220 {name} ESMTP\r\n").into_bytes(),
        }
    }

    /// A line of a greeting that goes on.
    pub(super) fn early_line(&self) -> Vec<u8> {
        format!("220-{} ESMTP\r\n", self.name).into_bytes()
    }

    /// The reply to EHLO; `secure` inside TLS.
    pub(super) fn ehlo(&self, secure: bool) -> Vec<u8> {
        let name = match self.speech {
            Speech::HeloOnly => return b"502 5.5.1 command not implemented\r\n".to_vec(),
            Speech::Nameless => "Hello there",
            Speech::OtherEhlo => "web9.hoster.test",
            _ => &self.name,
        };
        let tls = matches!(self.speech, Speech::Tls | Speech::TlsExpired | Speech::TlsGarbage);
        let keyword = match self.speech {
            Speech::Masked => "250-XXXXXXXA\r\n",
            _ if tls && !secure => "250-STARTTLS\r\n",
            _ => "",
        };
        format!("250-{name}\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n{keyword}250 8BITMIME\r\n").into_bytes()
    }

    /// The reply to HELO.
    pub(super) fn helo(&self) -> Vec<u8> {
        format!("250 {}\r\n", self.name).into_bytes()
    }

    /// Whether the greeting refuses us: nothing but QUIT is welcome then.
    pub(super) const fn refuses(&self) -> bool {
        matches!(self.speech, Speech::Blocked | Speech::DeferredTwice | Speech::NoService)
    }
}
