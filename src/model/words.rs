//! The closed sets of words that rows, findings and evidence are told in.
//! Comes in: nothing. Goes out: one enum per column of words, each with `as_str` and `ALL`.
//! A word is lowercase kebab-case and stable for ever; adding one is free, renaming one is not.
//! No set has a word for "other": what does not fit is a new word. Long because it is data: one set a column.

/// Some closed set of words, for who has to tell of it rather than to use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Set {
    /// The words, in the order of their declaration.
    pub words: &'static [&'static str],
    /// What each means, in the same order: its documentation here.
    pub meanings: &'static [&'static str],
}

impl Set {
    /// Each word with its meaning.
    pub fn entries(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.words.iter().copied().zip(self.meanings.iter().copied())
    }
}

/// Declares a closed set of words: the enum, its spelling, and what `schema` prints of it, the meanings out of the
/// documentation included.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[doc = $doc:literal])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[doc = $doc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every word of the set, in the order of its declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// Every word of the set as text, in the same order.
            pub const WORDS: &'static [&'static str] = &[$($word),+];
            /// The set, with what each word means.
            pub const SET: $crate::model::words::Set =
                $crate::model::words::Set { words: Self::WORDS, meanings: &[$(concat!($($doc),*).trim_ascii()),+] };

            /// The word of this spelling.
            pub fn called(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.as_str() == word)
            }

            /// The word as it stands in a row.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}
pub(crate) use words;

words! {
    /// What kind of target a row is about.
    TargetKind {
        /// A mail domain: its MX data and the servers behind it.
        Domain = "domain",
        /// One address.
        Address = "address",
        /// An address that came out of a network.
        Network = "network",
        /// An introduction somebody else has seen: address and HELO name.
        Observed = "observed",
    }
}

words! {
    /// What the domain's MX question came to.
    MxStatus {
        /// MX records.
        Ok = "ok",
        /// No MX record, but an address: the domain is its own exchange (RFC 5321 §5.1).
        Implicit = "implicit",
        /// One MX record whose exchange is the root: accepts no mail (RFC 7505).
        NullMx = "null-mx",
        /// No MX record and no address.
        None = "none",
        /// The domain does not exist.
        Nxdomain = "nxdomain",
        /// The name servers failed.
        Servfail = "servfail",
        /// The name servers refused.
        Refused = "refused",
        /// No answer in time, or none that could be used.
        Timeout = "timeout",
        /// An answer that is no MX data: an alias loop, or only unusable exchanges.
        Invalid = "invalid",
        /// Not a domain, or not asked.
        Na = "na",
    }
}

words! {
    /// What the addresses of an exchange came to.
    ExchangeStatus {
        /// At least one address.
        Ok = "ok",
        /// The exchange's name does not exist.
        Nxdomain = "nxdomain",
        /// The name exists without an address.
        Nodata = "nodata",
        /// The name servers failed.
        Servfail = "servfail",
        /// The name servers refused.
        Refused = "refused",
        /// No answer in time, or none that could be used.
        Timeout = "timeout",
        /// Not a name that may be asked: a literal, a broken name, an alias loop.
        Invalid = "invalid",
        /// No exchange here, or not asked.
        Na = "na",
    }
}

words! {
    /// What a PTR question came to.
    PtrStatus {
        /// At least one PTR record.
        Ok = "ok",
        /// The reverse name does not exist.
        Nxdomain = "nxdomain",
        /// The reverse name exists without a PTR record.
        Nodata = "nodata",
        /// The name servers failed.
        Servfail = "servfail",
        /// The name servers refused.
        Refused = "refused",
        /// No answer in time, or none that could be used.
        Timeout = "timeout",
        /// No address here, or not asked.
        Na = "na",
    }
}

words! {
    /// What the PTR name says about the address.
    PtrClass {
        /// A name somebody chose.
        Named = "named",
        /// A template over the address, in space said to be static.
        GenericStatic = "generic-static",
        /// A template over the address, in pool or access space.
        GenericDynamic = "generic-dynamic",
        /// No PTR name.
        None = "none",
    }
}

words! {
    /// What the TCP connection came to.
    ConnectStatus {
        /// Established.
        Open = "open",
        /// Refused by the other side.
        Refused = "refused",
        /// No answer within the limit.
        Timeout = "timeout",
        /// No route to the host or network.
        Unreachable = "unreachable",
        /// Reset before a complete greeting.
        Reset = "reset",
        /// On the exclusion list: not contacted.
        Excluded = "excluded",
        /// A special-purpose address: not contacted.
        Special = "special",
        /// Our own fault (descriptors, route, local ports): says nothing about the server.
        SelfFault = "self-fault",
        /// Not asked for.
        NotAsked = "not-asked",
    }
}

words! {
    /// How far the SMTP session got, and what ended it.
    SmtpStatus {
        /// Greeting and an EHLO or HELO reply, both positive.
        Ok = "ok",
        /// The connection stayed or was closed without a byte of greeting.
        NoGreeting = "no-greeting",
        /// A 5xx reply refused us.
        Rejected = "rejected",
        /// A 4xx reply put us off.
        Deferred = "deferred",
        /// Closed by the server in the middle of the conversation.
        Closed = "closed",
        /// What came is not SMTP.
        Protocol = "protocol",
        /// A line or reply went beyond its cap.
        TooLong = "too-long",
        /// A step or the session ran out of time, or fell below the minimum data rate.
        Deadline = "deadline",
        /// The connection was reset in the middle of the conversation.
        Reset = "reset",
        /// No session was held.
        NotAsked = "not-asked",
    }
}

words! {
    /// What STARTTLS came to.
    TlsStatus {
        /// Handshake done.
        Ok = "ok",
        /// The EHLO reply has no STARTTLS.
        NotOffered = "not-offered",
        /// STARTTLS was offered and then refused.
        Refused = "refused",
        /// The handshake failed.
        HandshakeFailed = "handshake-failed",
        /// Plaintext followed the STARTTLS reply and was dropped; the handshake succeeded.
        Injected = "injected",
        /// Not negotiated.
        NotAsked = "not-asked",
    }
}

words! {
    /// Why a TLS handshake failed, which is never "no STARTTLS".
    TlsFailure {
        /// The server has only versions below TLS 1.2, by its own word: it chose one of them, or sent the alert
        /// `protocol_version` to an offer of TLS 1.2 and 1.3.
        OldProtocol = "old-protocol",
        /// No cipher suite, group or signature scheme in common, or none that the server would use.
        NoCommonCipher = "no-common-cipher",
        /// The server ended it with another alert, whose name is kept.
        Alert = "alert",
        /// What came is not TLS.
        NotTls = "not-tls",
        /// TLS, and against its own rules.
        ProtocolError = "protocol-error",
        /// Closed in the middle of it.
        Closed = "closed",
        /// Reset in the middle of it.
        Reset = "reset",
        /// Not done in time, or the way to the server was lost.
        Timeout = "timeout",
        /// Our own fault: says nothing about the server.
        SelfFault = "self-fault",
    }
}

words! {
    /// Why it is not proven that a server holds the key of the certificate it shows.
    Unproven {
        /// An RSA key below 2048 bits: too weak for our cryptography to verify anything by it.
        WeakKey = "weak-key",
        /// Signed over MD5, SHA-1 or SHA-224, which we did not offer.
        WeakSignature = "weak-signature",
        /// A key or scheme that our cryptography does not know, strong as it may be.
        Unsupported = "unsupported",
        /// The certificate is in no form that our cryptography reads: broken, or of X.509 version 1.
        Unreadable = "unreadable",
        /// The signature is not of this key: the certificate may be somebody else's.
        BadSignature = "bad-signature",
    }
}

words! {
    /// Whether the certificate would be trusted; never a reason to stop.
    CertTrust {
        /// A path to a trusted root, within its dates, and a matching name.
        Trusted = "trusted",
        /// Signed by itself.
        SelfSigned = "self-signed",
        /// No path to a trusted root.
        UnknownIssuer = "unknown-issuer",
        /// Outside its dates.
        Expired = "expired",
        /// Trusted, but for another name than the exchange's.
        NameMismatch = "name-mismatch",
        /// Not a certificate that can be judged.
        Invalid = "invalid",
    }
}

words! {
    /// Where the judged introduction comes from.
    IntroducedBy {
        /// The greeting.
        Greeting = "greeting",
        /// The EHLO (else HELO) reply.
        Ehlo = "ehlo",
        /// Somebody's record of a client's HELO or EHLO.
        Observed = "observed",
        /// There is no introduction.
        None = "none",
    }
}

words! {
    /// Whose words are judged.
    Basis {
        /// A server's own words, on the address we dialled: a proxy for what it says as a client.
        Announced = "announced",
        /// A client's introduction that somebody recorded: exact.
        Observed = "observed",
    }
}

words! {
    /// What kind of text an introduction is, first hit wins (RFC 5321 §4.1.2, §4.1.3).
    IntroductionClass {
        /// Nothing, or only blanks.
        Empty = "empty",
        /// Bytes above 0x7F that are not UTF-8.
        IllegalOctet = "illegal-octet",
        /// A character no host name has.
        IllegalChar = "illegal-char",
        /// Blanked by a firewall.
        Masked = "masked",
        /// An IPv4 address literal.
        LiteralV4 = "literal-v4",
        /// An IPv6 address literal.
        LiteralV6 = "literal-v6",
        /// A literal inside a special-purpose block.
        LiteralSpecial = "literal-special",
        /// Brackets, but no address literal.
        LiteralMalformed = "literal-malformed",
        /// A URL.
        Url = "url",
        /// An e-mail address.
        EmailAddress = "email-address",
        /// An address without brackets.
        BareIp = "bare-ip",
        /// A name and a port.
        HostPort = "host-port",
        /// Unicode instead of A-labels.
        ULabel = "u-label",
        /// Over 253 characters.
        NameTooLong = "name-too-long",
        /// Two dots in a row, or one at the front.
        EmptyLabel = "empty-label",
        /// A label over 63 characters.
        LabelTooLong = "label-too-long",
        /// A name with an underscore.
        Underscore = "underscore",
        /// A label that starts or ends with a hyphen.
        HyphenEdge = "hyphen-edge",
        /// `localhost` in any form.
        Localhost = "localhost",
        /// One label.
        SingleLabel = "single-label",
        /// The last label is a number.
        NumericTld = "numeric-tld",
        /// `??--` that is not `xn--`.
        ReservedLdh = "reserved-ldh",
        /// `xn--` that does not decode.
        BadALabel = "bad-a-label",
        /// A name in a reverse zone.
        ReverseZone = "reverse-zone",
        /// Under a special-use domain.
        SpecialUse = "special-use",
        /// Under example.com, .net, .org.
        ExampleDomain = "example-domain",
        /// A name nobody has replaced yet.
        Placeholder = "placeholder",
        /// Under a top-level domain that only exists in private networks.
        PrivateTld = "private-tld",
        /// Under a top-level domain that does not exist.
        UnknownTld = "unknown-tld",
        /// A public suffix itself.
        PublicSuffix = "public-suffix",
        /// A good name with a final dot.
        TrailingDot = "trailing-dot",
        /// A proper fully qualified domain name.
        Fqdn = "fqdn",
    }
}

words! {
    /// What the introduced name's address questions came to.
    IntroductionStatus {
        /// At least one address.
        Ok = "ok",
        /// The name does not exist.
        Nxdomain = "nxdomain",
        /// The name exists without an address.
        Nodata = "nodata",
        /// The name servers failed.
        Servfail = "servfail",
        /// The name servers refused.
        Refused = "refused",
        /// No answer in time, or none that could be used.
        Timeout = "timeout",
        /// No name that may be asked, or not asked.
        Na = "na",
    }
}

words! {
    /// A rule's outcome.
    Verdict {
        /// The rule holds.
        Pass = "pass",
        /// The rule is broken, on evidence.
        Fail = "fail",
        /// Cannot be told, for a cause that is kept.
        Unknown = "unknown",
        /// The rule does not apply here.
        Na = "na",
    }
}

words! {
    /// The five rules in one word.
    Overall {
        /// All five pass.
        Conformant = "conformant",
        /// Any of the five fails.
        Misconfigured = "misconfigured",
        /// None fails and some cannot be told.
        Undetermined = "undetermined",
        /// Nothing to judge.
        Na = "na",
    }
}

words! {
    /// The rules: the five of 2008, the reverse zone, and the domain's MX data.
    Rule {
        /// R1: the server introduces itself.
        Introduces = "introduces",
        /// R2: the introduction is a proper FQDN.
        Fqdn = "fqdn",
        /// R3: the FQDN exists in DNS.
        Exists = "exists",
        /// R4: its address is the address it speaks from.
        Matches = "matches",
        /// R5: the address is on no blocklist that counts.
        Unlisted = "unlisted",
        /// RV: the reverse zone works and its names confirm the address.
        Reverse = "reverse",
        /// MX: the domain's MX data is sane.
        Mx = "mx",
    }
}

words! {
    /// How much a finding matters.
    Severity {
        /// Breaks a rule or loses mail.
        Error = "error",
        /// Costs trust at some receivers.
        Warning = "warning",
        /// Worth knowing.
        Info = "info",
    }
}

words! {
    /// Why something is not known, or does not apply: the cause behind every `unknown` and every `na`.
    Cause {
        /// No answer in time.
        Timeout = "timeout",
        /// SERVFAIL.
        Servfail = "servfail",
        /// REFUSED.
        Refused = "refused",
        /// FORMERR.
        Formerr = "formerr",
        /// NOTIMP, or an rcode without a meaning here.
        Notimp = "notimp",
        /// No server answers for a delegated zone (RFC 9499; EDE 22, 23).
        Lame = "lame",
        /// The answer does not validate (EDE 6 to 12).
        Bogus = "bogus",
        /// The resolver filters this answer (EDE 15 to 18).
        Filtered = "filtered",
        /// Truncated over UDP, and TCP failed.
        Truncated = "truncated",
        /// An answer that does not parse.
        Malformed = "malformed",
        /// Our resolver cannot be reached.
        ResolverDown = "resolver-down",
        /// Our own fault: descriptors, memory, a bug.
        SelfFault = "self-fault",
        /// Our own fault: this machine ran out of descriptors, local ports or memory for sockets.
        OutOfSockets = "out-of-sockets",
        /// Our own fault: this machine has no route there.
        NoRoute = "no-route",
        /// Our own fault: no connection to this port gets out of this machine.
        PortBlocked = "port-blocked",
        /// Not contacted: its network or its provider turned this scanner away a short while before.
        TurnedAway = "turned-away",
        /// The evidence was not asked for (`--probes`, `--no-dnsbl`, a cap).
        NotAsked = "not-asked",
        /// On the exclusion list.
        Excluded = "excluded",
        /// A special-purpose address: not contacted.
        SpecialAddress = "special-address",
        /// No address to connect to.
        NoAddress = "no-address",
        /// The TCP connection timed out.
        ConnectTimeout = "connect-timeout",
        /// The TCP connection was refused.
        ConnectRefused = "connect-refused",
        /// No route to the server.
        ConnectUnreachable = "connect-unreachable",
        /// Reset before a complete greeting.
        ConnectReset = "connect-reset",
        /// Closed without a greeting, on the only try so far.
        GreetingNone = "greeting-none",
        /// No complete greeting within our limit, which is below the RFC's 300 s.
        GreetingTimeout = "greeting-timeout",
        /// Masked by a firewall, and EHLO gave no name either.
        GreetingMasked = "greeting-masked",
        /// A 4xx reply: later, maybe.
        Deferred = "deferred",
        /// A 5xx reply that gives no reason about us.
        Rejected = "rejected",
        /// A reply that refuses us for our own address or reputation.
        ScannerBlocked = "scanner-blocked",
        /// Beyond the caps on lines and replies.
        TooLong = "too-long",
        /// Below the minimum data rate.
        Tarpit = "tarpit",
        /// The session's deadline passed.
        Deadline = "deadline",
        /// Closed in the middle of the conversation.
        Closed = "closed",
        /// Reset in the middle of the conversation.
        Reset = "reset",
        /// Both EHLO and HELO were refused.
        EhloRejected = "ehlo-rejected",
        /// No introduction has been seen.
        NoIntroduction = "no-introduction",
        /// Too few healthy blocklists answered.
        QuorumMissed = "quorum-missed",
        /// The blocklist failed its test entries, before or after it was asked.
        ListUnhealthy = "list-unhealthy",
        /// What may be asked of the blocklist in a day has been asked.
        BudgetSpent = "budget-spent",
        /// The target is no domain, so it has no MX data.
        NotADomain = "not-a-domain",
        /// The domain says by a null MX that it takes no mail (RFC 7505).
        NullMx = "null-mx",
        /// The domain has neither MX records nor an address.
        NoMailDomain = "no-mail-domain",
        /// By its own data there is no server that anybody could reach.
        NoServer = "no-server",
        /// The server says that it does not take mail (RFC 7504).
        NoMailService = "no-mail-service",
        /// The server gave no name.
        NoName = "no-name",
        /// The introduction is nothing that DNS can be asked for.
        NotAName = "not-a-name",
        /// The introduced name does not exist.
        NameAbsent = "name-absent",
        /// The profile does not ask for it.
        Profile = "profile",
        /// An IPv4 server, and this scan has or dials no IPv4.
        NoLocalV4 = "no-local-v4",
        /// An IPv6 server, and this scan has or dials no IPv6.
        NoLocalV6 = "no-local-v6",
    }
}

words! {
    /// Sets of deadlines and effects.
    Profile {
        /// For large surveys: short deadlines, slowness is unknown.
        Census = "census",
        /// The RFC's own deadlines: slowness can become a failure.
        Patient = "patient",
        /// Only what RFC 5321 itself demands has an effect.
        Rfc5321 = "rfc5321",
    }
}
