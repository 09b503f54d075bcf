//! The table itself: one entry per code, in the order of their declaration.
//! Comes in: nothing. Goes out: `TABLE`.
//! Long because it is data: each entry reads on its own, and nothing but the order ties it to its neighbours.
//! A code is never renamed nor used for something else; new ones are added at the end of `Code` and here.

use Force::{Fail as F, Na as X, Nothing as N, Part as P, Unknown as U};
use Severity::{Error as E, Info as I, Warning as W};

use super::{Effect, Entry, Force, Form, Gathered};
use crate::model::finding::Code;
use crate::model::words::{Rule, Severity};

const YES: Gathered = Gathered::Yes;
const OPT_IN: Gathered = Gathered::No("needs opt-in probes");
const WHOLE_RUN: Gathered = Gathered::No("concerns the run, not a server");

/// `Code [severity: Rule = force, …] ["when" severity: …] => gathered, condition, why, example, remedy;` where `a / b`
/// means observed / announced.
macro_rules! entries {
    ($($code:ident
        $([$($when:literal)? $observed:ident $(/ $announced:ident)? : $($rule:ident = $force:ident $(/ $proxy:ident)?),*])+
        => $gathered:expr, $condition:literal, $why:literal, $example:literal, $remedy:literal;)+) => {
        &[$(Entry {
            code: Code::$code,
            forms: &[$(Form {
                when: entries!(@or "" $(, $when)?),
                observed: $observed,
                announced: entries!(@or $observed $(, $announced)?),
                effects: &[$(Effect {
                    rule: Rule::$rule,
                    observed: $force,
                    announced: entries!(@or $force $(, $proxy)?),
                }),*],
            }),+],
            gathered: $gathered,
            condition: $condition,
            why: $why,
            example: $example,
            remedy: $remedy,
        }),+]
    };
    (@or $usual:tt) => { $usual };
    (@or $usual:tt, $other:tt) => { $other };
}

/// Every finding there is, in the order of `Code::ALL`.
pub static TABLE: &[Entry] = entries! {
    HeloMissing [E: Introduces = F] => Gathered::No("an empty record does not tell a missing HELO from an empty one"),
        "a client sent MAIL or RCPT without HELO or EHLO", "RFC 5321 §4.1.1.1, §4.1.4", "helo=<>",
        "configure the client's own host name (Postfix myhostname, Exim primary_hostname)";
    HeloEmptyArgument [E: Introduces = F] => YES,
        "a client sent HELO or EHLO with a blank argument", "RFC 5321 §4.1.1.1", "helo=< >",
        "set the host name (Postfix myhostname or smtp_helo_name, Exim primary_hostname or helo_data)";
    HeloEarlyTalker [W:] => Gathered::No("records of introductions do not hold it"),
        "a client talked before the greeting was complete",
        "RFC 5321 §4.3.1: a client waits for the greeting; receivers drop those that do not",
        "PREGREET 11 after 0.07 from [198.51.100.7]: EHLO ylmf-pc",
        "wait for the 220 reply; look for a bot on the host or a proxy that pipelines";
    HeloUnstable [W:] => YES,
        "by the list of recorded introductions, up to this one, the client goes by three or more names of two or more organisations",
        "Spamhaus CSS lists addresses that change their names",
        "mail.example.org, user-pc.example.net and smtp.example.com from one address",
        "give mail an outbound address of its own, block port 25 for everybody else, and look for the infected client";
    ConnectTimeout [W: Introduces = U] => YES,
        "no answer to the connection attempt within the limit", "a dead address delays every sender",
        "connect to 198.51.100.7 port 25: timed out", "open port 25 in the firewall, or remove the address from the MX";
    ConnectRefused [W: Introduces = U] => YES,
        "the connection was refused", "a dead address delays every sender",
        "connect to 198.51.100.7 port 25: connection refused",
        "start the mail server and let it listen on this address (Postfix inet_interfaces), or remove it from the MX";
    ConnectUnreachable [W: Introduces = U] => YES,
        "the network says that host or network cannot be reached", "a dead address delays every sender",
        "connect to 198.51.100.7 port 25: no route to host", "mend the routing, or remove the address from the MX";
    ConnectReset [W: Introduces = U] => YES,
        "the connection was reset before a complete greeting", "a rate limiter or an intrusion filter does this",
        "reset after the connection was accepted",
        "exempt port 25 from the filter, or let it answer 421 instead of resetting; then scan again";
    GreetingNone [E: Introduces = U] ["an earlier run met the same at least 15 minutes before (--previous)" E: Introduces = F] => YES,
        "the server closed an accepted connection without a byte", "RFC 5321 §3.1, §3.8: a server owes 220, 4xx or 5xx",
        "a TCP wrapper that closes without a word",
        "answer 421 or 554 instead of closing, and check whether the service behind the wrapper runs";
    GreetingTimeout [W: Introduces = U] ["at least 300 s were waited" E: Introduces = F] => YES,
        "no complete greeting within the limit", "RFC 5321 §4.5.3.2.1: clients wait 5 minutes", "45 s without a byte",
        "mend the resolver that the mail server asks for names at accept, or reduce the load";
    GreetingSlow [W:] ["10 s to 30 s" I:] => YES,
        "the greeting was complete only after more than 30 s", "RFC 5321 §4.5.3.2.1; some senders give up earlier",
        "220 mail.example.org, 31 s after the connection",
        "do fewer lookups at accept: a local resolver, fewer blocklists, no ident question";
    GreetingTeaser [I:] => YES,
        "a first line at once, and the last one with the same name 2 to 10 s later",
        "a trap for clients that talk too early (Postfix postscreen)",
        "220-mail.example.org, and six seconds later 220 mail.example.org", "none needed";
    GreetingNot220 [W: Introduces = U] ["a 2xx code: the name is judged all the same" W:] => YES,
        "the first reply is not 220", "RFC 5321 §3.1, §4.2", "421 mail.example.org try again later",
        "let a first contact get through; a server that refuses for good says 554 and why";
    GreetingScannerBlocked [I: Introduces = U] => YES,
        "a refusal that speaks of our address, our reverse name or our reputation", "the receiver's policy against us",
        "554 client [203.0.113.250] blocked using zen.spamhaus.org",
        "none at the server; give the scanner's address a name of its own, a matching reverse name, and have it removed from blocklists";
    GreetingNoService [I: Introduces = X] => YES,
        "521, or 554 or 556 with words that there is no mail service, and nothing about us",
        "RFC 5321 §3.1; RFC 7504 §3", "521 mail.example.org does not accept mail",
        "remove the host from the MX; a domain without mail publishes `MX 0 .`";
    GreetingWrongProtocol [E: Introduces = F] => YES,
        "another protocol answers on the mail port", "RFC 5321 §3.1", "SSH-2.0-OpenSSH_9.6",
        "mend the port mapping: port 25 must lead to the mail server";
    GreetingBadSyntax [E: Introduces = F] => YES,
        "the first line does not begin with a reply code", "RFC 5321 §4.2: a reply begins with three digits",
        "Permission denied",
        "let the mail server itself answer the port; what answers now is a script or a broken wrapper";
    GreetingNoSeparator [W:] => YES,
        "text follows the reply code without a space or hyphen", "RFC 5321 §4.2", "220mail.example.org ESMTP",
        "put a space between code and text (Postfix smtpd_banner, Exim smtp_banner must not begin with the code)";
    GreetingBareCode [W:] => YES,
        "the reply code stands alone", "RFC 5321 §4.2: senders should not", "220",
        "give the banner its host name (Postfix smtpd_banner = $myhostname ESMTP)";
    GreetingNoName [E: Introduces = F] ["the EHLO reply names the host, or was not heard" W:] => YES,
        "a complete greeting without a host name or address literal",
        "RFC 5321 §4.3.1: the official name follows the code", "220 ESMTP",
        "put the host's FQDN first (Postfix smtpd_banner = $myhostname ESMTP; Exim smtp_banner likewise)";
    GreetingMasked [W: Introduces = U] ["the EHLO reply names the host" W:] => YES,
        "the greeting's text is blanked by a firewall", "PIX and ASA mail inspection; RFC 5321 §4.3.1",
        "220 ****************", "switch the inspection off (PIX: no fixup protocol smtp; ASA: no inspect esmtp)";
    GreetingNameNotFirst [W:] => YES,
        "the host name is not the greeting's first word", "RFC 5321 §4.3.1", "220 Welcome to mail.example.org",
        "put the host's FQDN before any other word (Postfix smtpd_banner, Exim smtp_banner)";
    GreetingEhloNameDiffers [W:] ["both names belong to one organisation" I:] => YES,
        "greeting and EHLO reply name different hosts", "RFC 5321 §4.1.1.1, §4.3.1: both identify the server",
        "220 mail.example.org, then 250-web9.hoster.example", "let all machines behind the address say the same name";
    GreetingBareLf [W:] => YES,
        "a reply line ends in LF without CR, or holds a CR",
        "RFC 5321 §2.3.8; tolerance of bare LF is the root of SMTP smuggling", "220 mail.example.org ESMTP\\n",
        "end every line in CRLF: upgrade the server, or the proxy that rewrites its replies";
    GreetingLineTooLong [W:] => YES,
        "a reply line of more than 512 octets with its CRLF", "RFC 5321 §4.5.3.1.5",
        "an advertisement of 600 octets in one line", "shorten the banner, or break it into several lines of the reply";
    GreetingEndless [W: Introduces = U] => YES,
        "a reply beyond our caps of 64 lines, 1024 octets a line and 16 KiB", "no client can read it to its end",
        "`220-` lines without a last one", "end the reply with a line that has a space behind its code";
    GreetingCodeMixed [W:] => YES,
        "different codes inside one multi-line reply", "RFC 5321 §4.2.1", "220-mail.example.org, then 250 ready",
        "use one code on all lines of a reply";
    GreetingNonAscii [W:] => YES,
        "an octet of 0x80 or above in a reply", "RFC 5321 §4.2; RFC 6531 §3.7.1",
        "220 mail.example.org Gr\\xFC\\xDF Gott", "write banner and replies in ASCII";
    GreetingControlChars [W:] => YES,
        "NUL or another control character in a reply", "RFC 5321 §4.2", "220 mail.example.org ESMTP\\x00",
        "look for a proxy or a load balancer that damages the stream";
    EhloNameMissing [I:] => YES,
        "the EHLO reply starts with nothing or with a keyword instead of a name",
        "RFC 5321 §4.1.1.1: the name comes first", "250-PIPELINING",
        "put the host's FQDN on the first line of the reply";
    EhloNameNotDomain [W:] => YES,
        "the first word of the EHLO reply is no domain name", "RFC 5321 §4.1.1.1", "250-Hello there",
        "put the host's FQDN first; upgrade or configure the server";
    EhloRejected [W:] => YES,
        "EHLO was refused and HELO accepted", "RFC 5321 §2.2.1, §3.2: EHLO is required", "502 command not implemented",
        "enable ESMTP; where a firewall refuses EHLO, switch its inspection off";
    EhloHeloRejected [W: Introduces = U] => YES,
        "EHLO and HELO were both refused", "a policy against us", "550 go away, to EHLO and to HELO",
        "none at the server, if it is meant; check the scanner's own name and address";
    HeloExtendedReply [W:] => YES,
        "a reply of several lines to HELO", "RFC 5321 §3.2 forbids it", "250-mail.example.org, then 250 SIZE",
        "answer HELO in one line; upgrade the server";
    HeloNotFqdn [E: Fqdn = F] => YES,
        "the introduction is a single label", "RFC 5321 §2.3.5; Postfix reject_non_fqdn_helo_hostname refuses it",
        "MAILSRV",
        "use the host's full public name (Postfix myhostname, Exim primary_hostname, Exchange: the connector's FQDN)";
    HeloLocalhost [E: Fqdn = F] => YES,
        "the introduction is `localhost` in some form", "RFC 6761 §6.3: it is every machine's name; blocklists list it",
        "localhost.localdomain", "set the host's full name (Postfix myhostname, Exim primary_hostname)";
    HeloIsAddressLiteral [E / W: Fqdn = F] => YES,
        "the introduction is an address literal", "RFC 5321 §2.3.4, §4.1.4: only for hosts without a name",
        "[203.0.113.4]", "name the host, and configure the name (Postfix myhostname, Exim primary_hostname)";
    HeloLiteralSpecial [E: Fqdn = F] => YES,
        "an address literal of a special-purpose address", "RFC 6890; receivers refuse it", "[10.0.0.5]",
        "use the host's public name; an address behind a translator means nothing outside";
    HeloLiteralMalformed [E: Fqdn = F] => YES,
        "brackets, but no address literal inside", "RFC 5321 §4.1.3", "[2001:db8::1], which lacks `IPv6:`",
        "use the host's FQDN";
    HeloBareIp [E: Fqdn = F] => YES,
        "an address without brackets", "RFC 5321 §4.1.3: an address stands in brackets", "203.0.113.4",
        "use the host's FQDN (Postfix myhostname, Exim primary_hostname)";
    HeloIsEmailAddress [E: Fqdn = F] => YES,
        "an e-mail address instead of a host name", "RFC 5321 §4.1.1.1", "admin@example.org",
        "use the host's FQDN; the postmaster's address belongs elsewhere";
    HeloIsUrl [E: Fqdn = F] => YES,
        "a URL instead of a host name", "RFC 5321 §4.1.2", "http://mail.example.org",
        "use the host's FQDN, without scheme and path";
    HeloHasPort [E: Fqdn = F] => YES,
        "a host name with a port", "RFC 5321 §4.1.2", "mail.example.org:25", "drop the port from the configured name";
    HeloUnderscore [E: Fqdn = F] => YES,
        "an underscore in an otherwise legal name",
        "RFC 5321 §4.1.2 excludes it; Exim refuses it unless helo_allow_chars says otherwise", "mail_out.example.org",
        "rename the host with a hyphen, in configuration, DNS and PTR";
    HeloIllegalChar [E: Fqdn = F] => YES,
        "a character that no host name has", "RFC 5321 §4.1.2: letters, digits and hyphens", "$myhostname",
        "mend the template or script the name comes from: a macro was not expanded";
    HeloULabel [E: Fqdn = F] => YES,
        "an internationalised name in Unicode", "RFC 6531 §3.7.1: greetings are ASCII", "müller.example",
        "configure the A-label form, xn--mller-kva.example";
    HeloIllegalOctet [E: Fqdn = F] => YES,
        "octets above 0x7F that are not UTF-8", "RFC 5321 §2.4: commands and replies are ASCII", "m\\xFCller.example",
        "use a name of ASCII letters, digits and hyphens";
    HeloEmptyLabel [E: Fqdn = F] => YES,
        "a leading dot, or two dots in a row", "RFC 1035 §2.3.1", ".example.org",
        "remove the dot; a variable before it was empty";
    HeloTrailingDot [W:] => YES,
        "a good name with a final dot", "RFC 5321 §4.1.2: a Domain has no final dot; some receivers refuse it",
        "mail.example.org.", "drop the dot: it is for zone files";
    HeloLabelTooLong [E: Fqdn = F] => YES,
        "a label over 63 characters", "RFC 1035 §2.3.4", "a label of 64 characters before .example.org",
        "give the host a shorter name";
    HeloNameTooLong [E: Fqdn = F] => YES,
        "a name over 253 characters", "RFC 1035 §2.3.4; RFC 5321 §4.5.3.1.2", "254 characters and dots",
        "give the host a shorter name";
    HeloHyphenEdge [E: Fqdn = F] => YES,
        "a label that starts or ends with a hyphen", "RFC 1123 §2.1; RFC 5321 §4.1.2", "-mail.example.org",
        "rename the host";
    HeloReservedLdh [W:] => YES,
        "a label with `--` in third and fourth place that is no A-label", "RFC 5890 §2.3.1", "ab--cd.example.org",
        "rename the host";
    HeloBadALabel [E: Fqdn = F] => YES,
        "a label that starts with `xn--` and does not decode", "RFC 5890 §2.3.2.1; RFC 5891 §4", "xn--mail.example.org",
        "encode the Unicode name anew, or use a plain ASCII name";
    HeloNumericTld [E: Fqdn = F] => YES,
        "the last label is a number", "RFC 1123 §2.1; RFC 3696 §2: no top-level domain is a number", "8.8.4",
        "use the host's FQDN";
    HeloSpecialUse [E: Fqdn = F, Exists = F] => YES,
        "a name under a special-use domain", "RFC 6761, 6762, 7686, 8375, 9476: public DNS never has it",
        "exch1.corp.local", "use the host's public FQDN (Exchange: the FQDN of send and receive connectors)";
    HeloPrivateTld [E: Fqdn = F, Exists = F] => YES,
        "a name under a top-level domain that exists in private networks only", "it is not in the root zone",
        "mail.lan", "use the host's public FQDN";
    HeloUnknownTld [E: Fqdn = F] => YES,
        "a name under a top-level domain that does not exist", "RFC 5321 §2.3.5: a name that can be resolved",
        "mail.example.c0m", "correct the name";
    HeloExampleDomain [E: Fqdn = F] => YES,
        "a name under example.com, example.net or example.org", "RFC 2606 §3; RFC 6761 §6.5: for manuals",
        "mail.example.com", "put the real domain where the manual's example stands";
    HeloPlaceholder [W:] => YES,
        "a name nobody has replaced yet", "it names no host of its user", "mail.yourdomain.com",
        "put the real domain where the manual's placeholder stands";
    HeloPublicSuffix [E: Fqdn = F] ["a suffix of the list's private section" W:] => YES,
        "the introduction is a suffix under which the public registers", "Public Suffix List: nobody's host", "co.uk",
        "use the host's full name under a domain of your own";
    HeloReverseZone [E: Fqdn = F] => YES,
        "a name in a reverse zone", "RFC 1035 §3.5: such names belong to addresses", "4.113.0.203.in-addr.arpa",
        "use the host's forward name";
    HeloApexDomain [I:] => YES,
        "the introduction is the organisation's domain itself", "allowed while its address matches", "example.org",
        "optional: give the host a label of its own";
    HeloIsReceiverName [E: Fqdn = F] => YES,
        "a client introduced itself with the name, the domain or the address of the receiver, whom --receiver names", "a mark of spam software",
        "mx.receiver.example, said to mx.receiver.example", "use the client's own name";
    HeloForeignBrand [E: Fqdn = F] => YES,
        "a client introduced itself with the domain of a big provider, and its PTR names another organisation",
        "a mark of spam software", "gmail.com, from an address whose PTR is dsl-203-0-113-4.isp.example",
        "use the client's own name";
    HeloNxdomain [E: Exists = F] => YES,
        "the introduced name does not exist", "RFC 5321 §2.3.5; Postfix reject_unknown_helo_hostname answers 450",
        "smtp.example.org: NXDOMAIN",
        "publish A or AAAA for the name, or introduce the server with a name that has them";
    HeloNodata [E: Exists = F] => YES,
        "the introduced name exists without A, AAAA and MX",
        "RFC 5321 §2.3.5; Postfix reject_unknown_helo_hostname answers 450", "smtp.example.org: a TXT record only",
        "publish A or AAAA for the name";
    HeloNoAddress [E: Matches = F] => YES,
        "the introduced name has MX records and no address", "RFC 5321 §2.3.5: the name resolves to an address record",
        "example.org: MX 10 mail.example.org, no A",
        "introduce the server with its host name, not with the mail domain";
    HeloIsCname [W:] => YES,
        "the introduced name is an alias", "RFC 5321 §2.3.5: only the primary name; RFC 2821 §4.1.4 forbade aliases",
        "smtp.example.org -> mail.example.org", "introduce the server with the canonical name";
    HeloCnameBroken [E: Exists = F] => YES,
        "the introduced name is an alias that loops, is longer than eight links, or leads nowhere", "RFC 1034 §3.6.2",
        "smtp.example.org -> gone.example.org: NXDOMAIN",
        "let the alias point at a name with an address, or replace it by A and AAAA";
    HeloDnsFailure
        [W: Exists = U, Matches = U]
        ["the name exists; its address in our family cannot be told" W: Matches = U]
        ["only the other address family failed" W:] => YES,
        "the introduced name's servers fail, refuse or stay silent", "RFC 2308 §7; receivers answer 450",
        "smtp.example.org: SERVFAIL", "repair the zone's name servers; ask each of them for the name";
    HeloDnssecBogus [E: Exists = F] => YES,
        "the introduced name's answer does not validate", "RFC 4035 §5.5: validating receivers see no data",
        "an expired RRSIG over smtp.example.org",
        "sign the zone anew, and mend what should have done so; else remove the DS record";
    HeloForwardMismatch [E: Matches = F] => YES,
        "the introduced name's addresses do not hold the peer's", "RFC 5321 §2.3.5, §4.1.4",
        "mail.example.org is 203.0.113.18, peer is 198.51.100.7",
        "add the address to the name, or introduce the server with the name of its address";
    HeloForwardMismatchSameOrg [E / W: Matches = F / N] => YES,
        "as before, but a confirmed PTR name of the address belongs to the same organisation",
        "common behind a shared name; observed clients have no such excuse",
        "mx.example.org from 198.51.100.7, whose PTR is n1.example.org",
        "give each machine its own name, and let it say that one";
    HeloFamilyMissing [E: Matches = F] => YES,
        "the introduced name has addresses, but none in the peer's family",
        "the match is per family, and big receivers check both", "mail.example.org has A only, peer is 2001:db8::7",
        "add the missing A or AAAA, or send over the other family (Postfix inet_protocols)";
    HeloAddressSpecial [E: Matches = F] => YES,
        "every address of the introduced name is special-purpose", "RFC 6890: nobody outside can reach it",
        "mail.example.org A 10.0.0.5", "publish the public address; keep the inside view of the zone inside";
    HeloLiteralMismatch [E: Matches = F] => YES,
        "the address literal is not the peer's address", "RFC 5321 §4.1.3", "[192.168.1.2] from 198.51.100.7",
        "introduce the server with its FQDN; a host behind NAT does not know its address";
    HeloWildcard [I:] => YES,
        "a random sibling of the introduced name has the same addresses", "such a name proves little",
        "mail.example.org and x7k2q9.example.org both have 198.51.100.7", "publish the host's record by its name";
    PtrMissing [E: Reverse = F] => YES,
        "the reverse zone exists, and the address has no PTR",
        "RFC 1912 §2.1; big receivers refuse such clients (550 5.7.25)",
        "7.100.51.198.in-addr.arpa denied by 100.51.198.in-addr.arpa",
        "ask the holder of the address (provider, hoster) for a PTR with the server's name";
    PtrZoneMissing [E: Reverse = F] => YES,
        "no reverse zone is delegated: the denial comes from a registry's zone",
        "RFC 1912 §2.1; big receivers refuse such clients", "7.2.0.192.in-addr.arpa denied by 192.in-addr.arpa",
        "the provider must have the reverse zone delegated by the registry, and then publish the PTR";
    PtrZoneLame [E: Reverse = U] ["two earlier runs met the same, all three at least 24 hours apart (--previous)" E: Reverse = F] => YES,
        "the reverse zone is delegated, and no server answers for it", "RFC 1912 §2.8; RFC 9499",
        "100.51.198.in-addr.arpa is delegated to servers that refuse it",
        "mend the NS records of the reverse zone, or serve the zone where they point";
    PtrDnsFailure [W: Reverse = U] => YES,
        "the PTR question failed", "RFC 8601 §2.7.3: temperror", "7.100.51.198.in-addr.arpa: SERVFAIL",
        "scan again; mend the reverse zone's servers if it stays so";
    PtrCname [I:] => YES,
        "the PTR was reached over an alias", "RFC 2317: classless delegation",
        "7.100.51.198.in-addr.arpa -> 7.0-31.100.51.198.in-addr.arpa", "none needed";
    PtrCnameBroken [E: Reverse = F] => YES,
        "the reverse name is an alias that leads nowhere", "RFC 2317",
        "7.100.51.198.in-addr.arpa -> 7.0-31.100.51.198.in-addr.arpa: NXDOMAIN",
        "whoever the child zone is delegated to must serve it, or the provider drop the alias";
    PtrInvalidName [E: Reverse = F] ["another PTR name of the address is a host name" E:] => YES,
        "the PTR names something that is no host name", "RFC 1123 §2.1; RFC 1912 §2.1", "PTR localhost",
        "let the PTR name the host by its FQDN";
    PtrMultiple [I:] ["more than ten" W:] => YES,
        "the address has several PTR records", "RFC 2181 §10.2 allows it; receivers look at few",
        "PTR mail.example.org, PTR www.example.org", "keep one PTR for a mail server's address";
    PtrMultiOrg [W:] => YES,
        "PTR names of two or more organisations", "receivers cannot tell whose server it is",
        "PTR mail.example.org, PTR www.example.net", "keep one PTR for a mail server's address";
    FcrdnsMismatch [E: Reverse = F] => YES,
        "the PTR names have addresses, but none leads back",
        "RFC 8601 §2.7.3: fail; Postfix reject_unknown_client_hostname", "PTR h1.example.org, which is 203.0.113.31",
        "publish the address under the PTR name, or change the PTR";
    FcrdnsTargetNxdomain [E: Reverse = F] => YES,
        "no PTR name has an address", "RFC 8601 §2.7.3: fail", "PTR h1.example.org, which does not exist",
        "publish the address under the PTR name";
    FcrdnsUnknown [W: Reverse = U] => YES,
        "the lookups of the PTR names failed, and none confirms", "RFC 8601 §2.7.3: temperror",
        "PTR h1.example.org: timeout", "scan again; mend the forward zone's servers if it stays so";
    PtrGeneric [W:] => YES,
        "the PTR name is made from the address by a template", "some receivers refuse generic names",
        "203-0-113-4.static.isp.example", "ask the provider for a PTR with the host's own name";
    PtrDynamic [W:] => YES,
        "the PTR name is a template of pool or access space", "many receivers refuse dynamic names",
        "dsl-203-0-113-4.isp.example",
        "get a static address with a PTR of its own, or send through the provider's relay (Postfix relayhost)";
    PtrHeloDiffers [W:] ["both names belong to one organisation" I:] => YES,
        "no confirmed PTR name is the introduced name", "receivers want introduction, PTR and address to agree",
        "PTR h1.isp.example, introduced as mail.example.org", "let PTR, introduction and address record carry one name";
    DynamicAddressSpace [E: Reverse = F] => YES,
        "a dynamic PTR name (score of 80 or more), and on a policy list",
        "receivers refuse direct mail from such space",
        "dsl-203-0-113-4.pool.isp.example, on zen.spamhaus.org with 127.0.0.11",
        "send through the provider's relay (Postfix relayhost), or move the server to a fixed address";
    DnsblListed [E: Unlisted = F] => YES,
        "listings as a source of spam or as exploited, relay or hijacked add up to a weight of 1.0",
        "RFC 5782; receivers refuse listed clients", "zen.spamhaus.org=127.0.0.2",
        "find and mend the cause first (open relay, hacked account, infected host), then ask each list for removal";
    DnsblListedMinor [W:] => YES,
        "such listings add up to less than 1.0", "a single small list decides nothing", "bl.spamcop.net=127.0.0.2",
        "look for the cause, and watch it; most small lists forget by themselves";
    DnsblOpenRelay [E: Unlisted = F] => YES,
        "a list of some weight says open relay or open proxy", "RFC 5321 §7.9; receivers refuse listed clients",
        "dnsbl.dronebl.org=127.0.0.9",
        "close the relay (Postfix smtpd_relay_restrictions: reject_unauth_destination) or proxy, then ask for removal";
    DnsblPolicyListed [W:] => YES,
        "listed as space that should not send mail directly", "no evidence of abuse, yet receivers refuse it",
        "zen.spamhaus.org=127.0.0.11", "have the holder of the range exempt the address, or send through a relay";
    DnsblNetworkListed [I:] => YES,
        "the network around the address is listed", "about the neighbours, not this server",
        "dnsbl-2.uceprotect.net=127.0.0.2", "none needed here; the provider can mend it";
    DnsblAttackListed [W:] => YES,
        "listed for attacks on other services", "the host may be compromised", "bl.blocklist.de=127.0.0.14",
        "inspect the host for intruders and for bots behind it";
    DnsblStaleSuspect [W:] => YES,
        "an earlier run (--previous) found the address listed and its names or reverse zone at fault; they are mended, and it is still listed",
        "lists are slow to forget", "reverse zone mended since the last run, still zen.spamhaus.org=127.0.0.3",
        "ask the list for removal";
    DnsblAllowListed [I:] => YES,
        "listed as trusted", "a mitigating fact", "list.dnswl.org=127.0.5.2", "none needed";
    DnsblUnknownCode [I:] => YES,
        "a list answered a code that our table does not know", "RFC 5782 §2.1: codes are the list's own",
        "bl.example=127.0.0.77", "none at the server; bring the list's table up to date (--dnsbl-file)";
    DnsblRefused [I: Unlisted = P] => YES,
        "a list refuses to answer us", "its terms of use", "zen.spamhaus.org=127.255.255.254",
        "none at the server; use a key, or a resolver of your own with a proper reverse name";
    DnsblZoneUnhealthy [I: Unlisted = P] => YES,
        "a list failed its health test, and its answers do not count", "RFC 5782 §5", "bl.example lists 127.0.0.1",
        "none at the server; drop the list if it stays so";
    DnsblAnswerInvalid [I: Unlisted = P] => YES,
        "an answer outside 127/8, of more than eight addresses, or 127.0.0.1", "RFC 5782 §2.1, §5",
        "bl.example=203.0.113.80, a parked domain's web server", "none at the server; drop the list if it stays so";
    DnsblQuorumMissed [W: Unlisted = U] => YES,
        "too few healthy lists answered to call the address unlisted", "absence of evidence is no evidence",
        "weight 1.0 of 1.5 answered", "none at the server; scan again with lists that answer (a key, an own resolver)";
    RhsblListed [W:] => YES,
        "the organisational domain of the introduction, of a confirmed PTR name or of the exchange is on a list of domain \
         names; asked only of lists that are named",
        "domain reputation: receivers weigh it, and no rule is broken by it", "example.org@dbl.spamhaus.org=127.0.1.2",
        "look the domain up at the list, mend the cause, ask for removal";
    RelayOpen [E: Unlisted = F] => OPT_IN,
        "a test message was relayed for strangers", "RFC 5321 §7.9",
        "a token message from one stranger to another arrives",
        "restrict relaying (Postfix smtpd_relay_restrictions with reject_unauth_destination, Exim relay_from_hosts)";
    RelayAcceptsRcpt [W:] => OPT_IN,
        "a foreign recipient was accepted, without a message", "no proof: many servers refuse later",
        "RCPT TO:<probe@elsewhere.example>: 250",
        "check the relay policy (Postfix smtpd_relay_restrictions, Exim relay_from_hosts)";
    MxNxdomain [E: Mx = F] => YES,
        "the domain does not exist", "RFC 5321 §5.1", "example.org: NXDOMAIN",
        "register the domain, or have its parent delegate it; else drop it from the list";
    MxDnsFailure [W: Mx = U] => YES,
        "the domain's MX question failed, or the address question that an empty answer leads to",
        "RFC 5321 §5.1: senders queue and retry", "example.org MX: SERVFAIL", "mend the domain's name servers";
    MxNone [I: Mx = X] => YES,
        "no MX record and no address", "RFC 5321 §5.1: not a mail domain", "example.org: no MX, no A, no AAAA",
        "publish `MX 0 .` if the domain takes no mail";
    MxImplicit [I:] => YES,
        "no MX record, but an address", "RFC 5321 §5.1: the domain is its own exchange",
        "example.org: no MX, A 198.51.100.7", "publish an MX record; `MX 0 .` if the domain takes no mail";
    MxNull [I: Mx = X] => YES,
        "one MX record whose exchange is the root", "RFC 7505 §3: the domain takes no mail", "MX 0 .", "none needed";
    MxNullPlusOthers [E: Mx = F] => YES,
        "a null MX beside other MX records", "RFC 7505 §3: no other MX beside it", "MX 0 ., MX 10 mail.example.org",
        "keep one of the two";
    MxNullNonzero [W:] => YES,
        "a null MX with a preference other than 0", "RFC 7505 §3", "MX 10 .", "set the preference to 0";
    MxDomainIsCname [I:] => YES,
        "the mail domain is an alias", "RFC 5321 §5.1 allows it", "example.org -> example.net",
        "better give the domain records of its own";
    MxIsCname [E: Mx = F] => YES,
        "the exchange is an alias", "RFC 2181 §10.3; RFC 5321 §5.1",
        "MX 10 mail.example.org, an alias of host7.example.net", "name the canonical host in the MX record";
    MxIsIpLiteral [E: Mx = F] => YES,
        "the exchange is an address", "RFC 1035 §3.3.9; RFC 5321 §5.1: an MX names a host", "MX 10 203.0.113.4.",
        "give the address a name, and put that into the MX record";
    MxBadName [E: Mx = F] => YES,
        "the exchange's name is no proper public FQDN", "RFC 5321 §2.3.5, §5.1", "MX 10 mail_in.example.org",
        "use the host's public FQDN";
    MxTargetNxdomain [E: Mx = F] => YES,
        "the exchange's name does not exist", "RFC 5321 §5.1", "MX 10 mail.example.org: NXDOMAIN",
        "create the host's address records, or remove the MX record";
    MxTargetNodata [E: Mx = F] => YES,
        "the exchange has no address", "RFC 5321 §5.1: it must have one", "MX 10 mail.example.org: no A, no AAAA",
        "add an address record, or remove the MX record";
    MxTargetDnsFailure [W: Mx = U] => YES,
        "the exchange's address questions failed", "RFC 5321 §5.1: senders queue and retry",
        "MX 10 mail.example.org: SERVFAIL", "mend the name servers of the exchange's zone";
    MxDangling [E: Mx = F] => YES,
        "the exchange's organisational domain does not exist", "whoever registers it gets the mail",
        "MX 10 mail.gone.example, where gone.example is free", "remove the record at once";
    MxPrivateAddress [E: Mx = F] => YES,
        "all addresses of the exchange are private", "RFC 1918; RFC 4193; RFC 6598", "mail.example.org A 192.168.7.4",
        "publish the public address; keep the inside view of the zone inside";
    MxLoopbackAddress [E: Mx = F] => YES,
        "the exchange is `localhost`, or has a loopback or unspecified address",
        "RFC 6890; RFC 6761 §6.3: senders would talk to themselves", "mail.example.org A 127.0.0.1",
        "remove it; publish `MX 0 .` if the domain takes no mail";
    MxSpecialAddress [E: Mx = F] => YES,
        "all addresses of the exchange are special-purpose", "RFC 6890", "mail.example.org A 192.0.2.4",
        "publish the public address";
    MxMixedSpecial [W:] => YES,
        "some addresses of the exchange are public, some special-purpose", "senders waste tries on them",
        "mail.example.org A 198.51.100.7, A 10.0.0.1", "drop the special-purpose addresses";
    MxAllUnreachable [E: Mx = U] ["an earlier run, at least 15 minutes before, could not reach any either (--previous)" E: Mx = F] => YES,
        "no address of any exchange accepts a connection", "RFC 5321 §5.1", "every address of every exchange times out",
        "start the service, open port 25, or publish `MX 0 .`";
    MxPrimaryUnreachable [W:] => YES,
        "the first exchange is dead, a later one works", "an outage, or nolisting", "MX 10 refuses, MX 20 answers",
        "mend the first exchange; keep nolisting only if it is meant";
    MxBackupUnreachable [W:] => YES,
        "a backup exchange is dead", "it only delays mail", "MX 10 answers, MX 20 times out",
        "mend the backup, or remove its record";
    MxSingleIp [I:] => YES,
        "several exchanges, one address", "no redundancy",
        "MX 10 a.example.org, MX 20 b.example.org, both 198.51.100.7",
        "put the backup on another machine, or keep one record";
    MxDuplicate [I:] => YES,
        "the same exchange twice", "noise", "MX 10 mail.example.org, MX 20 mail.example.org",
        "remove one of the records";
    MxTooMany [W:] => YES,
        "more than ten exchanges or twenty addresses",
        "senders try few (Postfix smtp_mx_address_limit: five addresses)", "eleven MX records",
        "keep the few that matter";
    MxIpv6Only [W:] => YES,
        "no exchange has an IPv4 address", "many senders have no IPv6", "mail.example.org: AAAA only",
        "add an A record for at least one exchange";
    MxNoIpv6 [I:] => YES,
        "no exchange has an IPv6 address", "IPv6-only senders cannot reach it", "mail.example.org: A only",
        "optional: add an AAAA record, with its PTR";
    SmtpNoStarttls [W:] => YES,
        "EHLO offers no STARTTLS", "RFC 3207; RFC 8461", "250-mail.example.org, 250 PIPELINING",
        "enable TLS (Postfix smtpd_tls_security_level = may and smtpd_tls_chain_files, Exim tls_advertise_hosts = *)";
    SmtpStarttlsMasked [W:] => YES,
        "STARTTLS is blanked by a firewall", "ASA mail inspection", "250 XXXXXXXA",
        "switch the firewall's inspection off (ASA: no inspect esmtp)";
    SmtpStarttlsFailed [W:] => YES,
        "STARTTLS is offered, and then neither refused nor followed by a handshake that succeeds", "RFC 3207 §4",
        "220 ready to start TLS, then an alert",
        "mend certificate and key, and offer TLS 1.2 or 1.3; the detail says why it failed, and holds the alert";
    TlsOldProtocol [W:] => YES,
        "the server refuses TLS 1.2 and 1.3 for their version, by its alert or by choosing an older one",
        "RFC 8996; RFC 5246 §7.2.2, §E.1; RFC 8446 §6.2", "an alert protocol_version",
        "upgrade the TLS library, and offer TLS 1.2 and 1.3";
    TlsCertExpired [I:] => YES,
        "the certificate is past its end", "senders mostly ignore it; MTA-STS does not",
        "notAfter a day before the scan", "renew the certificate, by an ACME client best";
    TlsCertUntrusted [I:] => YES,
        "no path from the certificate to a public root", "it matters with MTA-STS (RFC 8461 §4.2)", "self-signed",
        "use a public certificate authority, or publish TLSA records (DANE, RFC 7672)";
    TlsCertName [I:] => YES,
        "no name of the certificate matches the exchange", "RFC 8461 §4.2; RFC 9525 §6.3",
        "www.example.org, for MX 10 mail.example.org",
        "reissue it with the exchange's name among its subject alternative names";
    SmtpAuthCleartext [W:] => YES,
        "AUTH PLAIN or LOGIN is offered before TLS", "RFC 8314; RFC 4954 §4", "250-AUTH PLAIN LOGIN",
        "offer AUTH under TLS only, or not on port 25 (Postfix smtpd_tls_auth_only = yes)";
    SmtpEhloBadKeyword [I:] => YES,
        "an EHLO line outside the grammar", "RFC 5321 §4.1.1.1", "250-SIZE  1000, with two blanks",
        "write keyword and parameters with one blank between them";
    SmtpDesync [W:] => YES,
        "bytes after a complete reply and before our next command, or behind the reply to STARTTLS",
        "RFC 5321 §4.3.1; RFC 3207 §4.2", "250 ok, which nobody asked for",
        "look for a broken proxy; behind STARTTLS, for somebody who injects commands";
    SmtpTarpit [I: Introduces = U] => YES,
        "less than one byte a second while we waited for a reply", "a defence", "2, 2, 0: one digit every ten seconds",
        "none needed";
    SmtpQuitNo221 [I:] => YES,
        "QUIT was not answered with 221, and no 421 came before it", "RFC 5321 §4.1.1.10", "QUIT: 250 ok",
        "answer 221 before closing";
    SmtpNoPostmaster [W:] => OPT_IN,
        "mail for postmaster is refused", "RFC 5321 §4.5.1", "RCPT TO:<postmaster@example.org>: 550",
        "create the mailbox, or an alias to somebody who reads it";
    SmtpNullSenderRefused [W:] => OPT_IN,
        "the null sender is refused", "RFC 5321 §4.5.5: bounces have it", "MAIL FROM:<>: 550", "accept the null sender";
    SmtpVrfyMissing [I:] => OPT_IN,
        "VRFY is not implemented", "RFC 5321 §4.5.1, §3.5.3", "VRFY postmaster: 500",
        "answer 252 if addresses are not to be told";
    ScannerPort25Blocked
        [E: Introduces = U, Fqdn = U, Exists = U, Matches = U, Unlisted = U, Reverse = U, Mx = U] => WHOLE_RUN,
        "a reference host cannot be reached on port 25 from here", "many providers block outbound port 25",
        "no reference host answers", "scan from elsewhere, or have the provider open port 25";
    ScannerSelfFailed [E:] => WHOLE_RUN,
        "the scanner fails its own rules", "politeness", "the scanner's own PTR is missing",
        "give the scanner an FQDN whose address is its own, with a reverse name that leads back, and no listing";
    ScannerExcluded
        [I: Introduces = X, Fqdn = X, Exists = X, Matches = X, Unlisted = X, Reverse = X, Mx = X]
        ["only this exchange or address is excluded"
         I: Introduces = X, Fqdn = X, Exists = X, Matches = X, Unlisted = X, Reverse = X] => YES,
        "on the exclusion list: not contacted", "its owner asked for it", "example.org in the file of --exclude",
        "none needed";
    RunResolverDegraded
        [E: Introduces = U, Fqdn = U, Exists = U, Matches = U, Unlisted = U, Reverse = U, Mx = U] => WHOLE_RUN,
        "our resolver fails its canary questions", "its answers could be false", "canary questions fail",
        "mend the resolver, and scan again";
};
