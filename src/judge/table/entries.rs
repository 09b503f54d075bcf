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
const SEVERAL_RUNS: Gathered = Gathered::No("needs several runs");
const SEVERAL_RECORDS: Gathered = Gathered::No("needs several records of one client");
const RECEIVER: Gathered = Gathered::No("needs to know the receiver who recorded it");
const OPT_IN: Gathered = Gathered::No("needs opt-in probes");
const WHOLE_RUN: Gathered = Gathered::No("concerns the run, not a server: see `doctor`");

/// `Code [severity: Rule = force, …] ["when" severity: …] gathered, condition, why, example, remedy;` where `a / b`
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
        "a client sent MAIL or RCPT without HELO or EHLO", "RFC 5321 §4.1.1.1, §4.1.4",
        "helo=<>", "configure the client's own host name";
    HeloEmptyArgument [E: Introduces = F] => YES,
        "a client sent HELO or EHLO with a blank argument", "RFC 5321 §4.1.1.1",
        "EHLO", "set the host name in the mail server's configuration";
    HeloEarlyTalker [W:] => Gathered::No("records of introductions do not hold it"),
        "a client talked before the greeting was complete", "RFC 5321 §4.3.1; receivers drop such clients",
        "", "wait for the 220 reply; look for a bot or a broken proxy";
    HeloUnstable [W:] => SEVERAL_RECORDS,
        "one address introduced itself with three or more names of two or more organisations within 7 days",
        "Spamhaus CSS lists such addresses", "an infected client behind NAT",
        "give mail an outbound address of its own and block port 25 for everybody else";
    ConnectTimeout [W: Introduces = U] => YES,
        "no answer to the connection attempt within the limit", "a dead address delays every sender",
        "", "open port 25, or remove the address from the MX";
    ConnectRefused [W: Introduces = U] => YES,
        "the connection was refused", "a dead address delays every sender",
        "nothing listens on port 25", "start the mail server, or remove the address from the MX";
    ConnectUnreachable [W: Introduces = U] => YES,
        "the network says that host or network cannot be reached", "a dead address delays every sender",
        "", "mend the routing, or remove the address from the MX";
    ConnectReset [W: Introduces = U] => YES,
        "the connection was reset before a complete greeting", "a rate limiter or intrusion filter does this",
        "", "retry later; exempt mail from the filter";
    GreetingNone [E: Introduces = U] ["closed again at least 15 minutes later" E: Introduces = F] => YES,
        "the server closed an accepted connection without a byte",
        "RFC 5321 §3.1, §3.8: a server owes 220, 4xx or 5xx", "a TCP wrapper", "answer 421 or 554 instead of closing";
    GreetingTimeout [W: Introduces = U] ["at least 300 s were waited" E: Introduces = F] => YES,
        "no complete greeting within the limit", "RFC 5321 §4.5.3.2.1: clients wait 5 minutes",
        "name lookups that stall at accept", "mend the resolver that the mail server uses";
    GreetingSlow [W:] ["10 s to 30 s" I:] => YES,
        "the greeting was complete only after more than 30 s", "RFC 5321 §4.5.3.2.1; some senders give up earlier",
        "", "reduce the lookups done at accept, or the load";
    GreetingTeaser [I:] => YES,
        "a first line at once, and the last one with the same name 2 to 10 s later",
        "a trap for clients that talk too early (Postfix postscreen)", "", "none needed";
    GreetingNot220 [W: Introduces = U] ["a 2xx code: the name is judged all the same" W:] => YES,
        "the first reply is not 220", "RFC 5321 §3.1, §4.2",
        "421 try again later", "let a first contact get through, or say 554 and why";
    GreetingScannerBlocked [I: Introduces = U] => YES,
        "a refusal that speaks of our address, our reverse name or our reputation", "the receiver's policy against us",
        "554 blocked using a blocklist", "mend the scanner's side; the server is not to blame";
    GreetingNoService [I: Introduces = X] => YES,
        "521, or 554 or 556 with words that there is no mail service, and nothing about us",
        "RFC 5321 §3.1; RFC 7504", "521 host does not accept mail",
        "remove the host from the MX, or publish a null MX";
    GreetingWrongProtocol [E: Introduces = F] => YES,
        "another protocol answers on the mail port", "RFC 5321 §3.1",
        "SSH-2.0-OpenSSH_9.6", "mend the port mapping";
    GreetingBadSyntax [E: Introduces = F] => YES,
        "the first line does not begin with a reply code", "RFC 5321 §4.2",
        "Permission denied", "answer with reply codes";
    GreetingNoSeparator [W:] => YES,
        "text follows the reply code without a space or hyphen", "RFC 5321 §4.2",
        "220mail.example.org", "insert the space";
    GreetingBareCode [W:] => YES,
        "the reply code stands alone", "RFC 5321 §4.2: senders should not", "220", "add the host name";
    GreetingNoName [E: Introduces = F] ["the EHLO reply names the host, or was not heard" W:] => YES,
        "a complete greeting without a host name or address literal", "RFC 5321 §4.3.1",
        "220 ESMTP", "put the host's FQDN first";
    GreetingMasked [W: Introduces = U] ["the EHLO reply names the host" W:] => YES,
        "the greeting's text is blanked by a firewall", "PIX and ASA mail inspection; RFC 5321 §4.3.1",
        "220 ****************", "switch the firewall's SMTP inspection off";
    GreetingNameNotFirst [W:] => YES,
        "the host name is not the greeting's first word", "RFC 5321 §4.3.1",
        "220 Welcome to mail.example.org", "put the name first";
    GreetingEhloNameDiffers [W:] ["both names belong to one organisation" I:] => YES,
        "greeting and EHLO reply name different hosts", "RFC 5321 §4.1.1.1, §4.3.1: both identify the server",
        "two machines behind one address", "let all machines behind the address say the same name";
    GreetingBareLf [W:] => YES,
        "a reply line ends in LF without CR, or holds a CR", "RFC 5321 §2.3.8; the root of SMTP smuggling",
        "", "end lines in CRLF";
    GreetingLineTooLong [W:] => YES,
        "a reply line of more than 512 octets with its CRLF", "RFC 5321 §4.5.3.1.5",
        "an advertisement as greeting", "shorten it";
    GreetingEndless [W: Introduces = U] => YES,
        "a reply beyond our caps on lines and bytes", "no client can read it to its end",
        "endless `220-` lines", "end the reply";
    GreetingCodeMixed [W:] => YES,
        "different codes inside one multi-line reply", "RFC 5321 §4.2.1",
        "220-mail.example.org, then 250 ready", "use one code";
    GreetingNonAscii [W:] => YES,
        "an octet of 0x80 or above in a reply", "RFC 5321 §4.2; RFC 6531 §3.7.1", "", "use ASCII";
    GreetingControlChars [W:] => YES,
        "NUL or another control character in a reply", "RFC 5321 §4.2", "", "look for a broken proxy";
    EhloNameMissing [I:] => YES,
        "the EHLO reply starts with nothing or with a keyword instead of a name", "RFC 5321 §4.1.1.1",
        "250-PIPELINING", "put the host's FQDN on the first line";
    EhloNameNotDomain [W:] => YES,
        "the first word of the EHLO reply is no domain name", "RFC 5321 §4.1.1.1",
        "250-Hello there", "put the host's FQDN first";
    EhloRejected [W:] => YES,
        "EHLO was refused and HELO accepted", "RFC 5321 §2.2.1, §3.2: EHLO is required",
        "502 command not implemented", "enable ESMTP";
    EhloHeloRejected [W: Introduces = U] => YES,
        "EHLO and HELO were both refused", "a policy against us", "", "check the scanner with `doctor`";
    HeloExtendedReply [W:] => YES,
        "a reply of several lines to HELO", "RFC 5321 §3.2 forbids it", "", "mend the server";
    HeloNotFqdn [E: Fqdn = F] => YES,
        "the introduction is a single label", "RFC 5321 §2.3.5; Postfix reject_non_fqdn_helo_hostname",
        "MAILSRV", "use the host's full name under a public domain";
    HeloLocalhost [E: Fqdn = F] => YES,
        "the introduction is `localhost` in some form", "RFC 6761 §6.3; blocklists list it",
        "localhost.localdomain", "set the host name";
    HeloIsAddressLiteral [E / W: Fqdn = F] => YES,
        "the introduction is an address literal", "RFC 5321 §2.3.5, §4.1.4: only for hosts without a name",
        "[203.0.113.4]", "name the host";
    HeloLiteralSpecial [E: Fqdn = F] => YES,
        "an address literal of a special-purpose address", "RFC 6890; receivers refuse it",
        "[10.0.0.5]", "use the host's public name";
    HeloLiteralMalformed [E: Fqdn = F] => YES,
        "brackets, but no address literal inside", "RFC 5321 §4.1.3",
        "[2001:db8::1] without `IPv6:`", "use the host's FQDN";
    HeloBareIp [E: Fqdn = F] => YES,
        "an address without brackets", "RFC 5321 §4.1.3", "203.0.113.4", "use the host's FQDN";
    HeloIsEmailAddress [E: Fqdn = F] => YES,
        "an e-mail address instead of a host name", "RFC 5321 §4.1.1.1",
        "admin@example.org", "use the host's FQDN";
    HeloIsUrl [E: Fqdn = F] => YES,
        "a URL instead of a host name", "RFC 5321 §4.1.2", "http://mail.example.org", "use the host's FQDN";
    HeloHasPort [E: Fqdn = F] => YES,
        "a host name with a port", "RFC 5321 §4.1.2", "mail.example.org:25", "drop the port";
    HeloUnderscore [E: Fqdn = F] => YES,
        "an underscore in an otherwise legal name", "RFC 5321 §4.1.2 excludes it by name",
        "mail_out.example.org", "use a hyphen";
    HeloIllegalChar [E: Fqdn = F] => YES,
        "a character that no host name has", "RFC 5321 §4.1.2",
        "$myhostname", "mend the template the name comes from";
    HeloULabel [E: Fqdn = F] => YES,
        "an internationalised name in Unicode", "RFC 6531 §3.7.1", "müller.example", "use its A-label form";
    HeloIllegalOctet [E: Fqdn = F] => YES,
        "octets above 0x7F that are not UTF-8", "RFC 5321 §2.4", "", "use ASCII";
    HeloEmptyLabel [E: Fqdn = F] => YES,
        "a leading dot, or two dots in a row", "RFC 1035 §2.3.1", ".example.org", "remove the dot";
    HeloTrailingDot [W:] => YES,
        "a good name with a final dot", "RFC 5321 §4.1.2: a Domain has no final dot; some receivers refuse it",
        "mail.example.org.", "drop the dot";
    HeloLabelTooLong [E: Fqdn = F] => YES, "a label over 63 characters", "RFC 1035 §2.3.4", "", "shorten it";
    HeloNameTooLong [E: Fqdn = F] => YES,
        "a name over 253 characters", "RFC 1035 §2.3.4; RFC 5321 §4.5.3.1.2", "", "shorten it";
    HeloHyphenEdge [E: Fqdn = F] => YES,
        "a label that starts or ends with a hyphen", "RFC 1123 §2.1; RFC 5321 §4.1.2",
        "-mail.example.org", "rename the host";
    HeloReservedLdh [W:] => YES,
        "a label with `--` in third and fourth place that is no A-label", "RFC 5890 §2.3.1",
        "ab--cd.example.org", "rename the host";
    HeloBadALabel [E: Fqdn = F] => YES,
        "a label that starts with `xn--` and does not decode", "RFC 5891 §4", "xn--mail.example.org", "encode it anew";
    HeloNumericTld [E: Fqdn = F] => YES,
        "the last label is a number", "RFC 1123 §2.1; RFC 3696 §2", "8.8.4", "use the host's FQDN";
    HeloSpecialUse [E: Fqdn = F, Exists = F] => YES,
        "a name under a special-use domain", "RFC 6761, 6762, 7686, 8375, 9476",
        "exch1.corp.local", "use the host's public FQDN";
    HeloPrivateTld [E: Fqdn = F, Exists = F] => YES,
        "a name under a top-level domain that exists in private networks only", "it is not in the root zone",
        "mail.lan", "use the host's public FQDN";
    HeloUnknownTld [E: Fqdn = F] => YES,
        "a name under a top-level domain that does not exist", "RFC 5321 §2.3.5", "mail.example.c0m", "correct it";
    HeloExampleDomain [E: Fqdn = F] => YES,
        "a name under example.com, example.net or example.org", "RFC 2606; RFC 6761 §6.5",
        "mail.example.com", "use the real domain";
    HeloPlaceholder [W:] => YES,
        "a name nobody has replaced yet", "it names no host of its user", "mail.yourdomain.com",
        "edit the configuration";
    HeloPublicSuffix [E: Fqdn = F] ["a suffix of the list's private section" W:] => YES,
        "the introduction is a suffix under which the public registers", "Public Suffix List",
        "co.uk", "use a host name";
    HeloReverseZone [E: Fqdn = F] => YES,
        "a name in a reverse zone", "RFC 1035 §3.5: such names belong to addresses",
        "4.113.0.203.in-addr.arpa", "use the host's forward name";
    HeloApexDomain [I:] => YES,
        "the introduction is the organisation's domain itself", "allowed while its address matches",
        "example.org", "optional: give the host a label of its own";
    HeloIsReceiverName [E: Fqdn = F] => RECEIVER,
        "a client introduced itself with the receiver's own name or address", "a mark of spam software",
        "", "use the client's own name";
    HeloForeignBrand [E: Fqdn = F] => YES,
        "a client introduced itself with the domain of a big provider, and its PTR names another organisation",
        "a mark of spam software", "gmail.com", "use the client's own name";
    HeloNxdomain [E: Exists = F] => YES,
        "the introduced name does not exist", "RFC 5321 §2.3.5; Postfix reject_unknown_helo_hostname",
        "", "publish an address record for it";
    HeloNodata [E: Exists = F] => YES,
        "the introduced name exists without address and MX", "RFC 5321 §2.3.5", "",
        "publish an address record for it";
    HeloNoAddress [E: Matches = F] => YES,
        "the introduced name has an MX and no address", "RFC 5321 §2.3.5: it must resolve to an address",
        "a mail domain as introduction", "introduce the server with its host name";
    HeloIsCname [W:] => YES,
        "the introduced name is an alias", "RFC 5321 §2.3.5 asks for the primary host name", "",
        "use the canonical name";
    HeloCnameBroken [E: Exists = F] => YES,
        "an alias that loops, has over eight links, or leads nowhere", "RFC 1034 §3.6.2", "", "repair the alias";
    HeloDnsFailure [W: Exists = U, Matches = U] ["the name exists; its address in our family cannot be told" W: Matches = U]
        ["only the other address family failed" W:] => YES,
        "the introduced name's servers fail, refuse or stay silent", "RFC 2308 §7; receivers answer 450", "",
        "repair the zone's name servers";
    HeloDnssecBogus [E: Exists = F] => YES,
        "the introduced name's answer does not validate", "RFC 4035 §5.5: validating receivers see no data",
        "an expired signature", "sign the zone anew";
    HeloForwardMismatch [E: Matches = F] => YES,
        "the introduced name's addresses do not hold the peer's", "RFC 5321 §2.3.5, §4.1.4", "",
        "add the address to the name, or introduce the server with the name of its address";
    HeloForwardMismatchSameOrg [E / W: Matches = F / N] => YES,
        "as before, but a confirmed PTR name of the address belongs to the same organisation",
        "common behind a shared name; observed clients have no such excuse", "a pool behind one name",
        "give each machine its own name";
    HeloFamilyMissing [E: Matches = F] => YES,
        "the introduced name has addresses, but none in the peer's family", "the match is per family", "",
        "add the missing A or AAAA, or send over the other family";
    HeloAddressSpecial [E: Matches = F] => YES,
        "every address of the introduced name is special-purpose", "RFC 6890", "A 10.0.0.5 from an inside view",
        "publish the public address";
    HeloLiteralMismatch [E: Matches = F] => YES,
        "the address literal is not the peer's address", "RFC 5321 §4.1.3", "a host behind NAT",
        "introduce the server with its FQDN";
    HeloWildcard [I:] => Gathered::No("needs a question for a random sibling name"),
        "a random sibling of the introduced name has the same addresses", "such a name proves little", "",
        "publish the record by its name";
    PtrMissing [E: Reverse = F] => YES,
        "the reverse zone exists, and the address has no PTR", "RFC 1912 §2.1; big receivers refuse such clients", "",
        "ask the holder of the address for a PTR";
    PtrZoneMissing [E: Reverse = F] => YES,
        "no reverse zone is delegated: the denial comes from a registry's zone",
        "RFC 1912 §2.1; big receivers refuse such clients", "", "the provider must delegate the reverse zone";
    PtrZoneLame [E: Reverse = U] ["in three runs at least 24 hours apart" E: Reverse = F] => YES,
        "the reverse zone is delegated, and no server answers for it", "RFC 1912 §2.8; RFC 9499", "",
        "mend the NS records of the reverse zone";
    PtrDnsFailure [W: Reverse = U] => YES,
        "the PTR question failed", "RFC 8601 §2.7.3: temperror", "", "retry; mend the reverse zone's servers";
    PtrCname [I:] => YES,
        "the PTR was reached over an alias", "RFC 2317: classless delegation", "", "none needed";
    PtrCnameBroken [E: Reverse = F] => YES,
        "the reverse name is an alias that leads nowhere", "RFC 2317", "",
        "the customer must serve the child zone";
    PtrInvalidName [E: Reverse = F] ["another PTR name of the address is a host name" E:] => YES,
        "the PTR names something that is no host name", "RFC 1123 §2.1; RFC 1912 §2.1",
        "PTR localhost", "name the host";
    PtrMultiple [I:] ["more than ten" W:] => YES,
        "the address has several PTR records", "RFC 2181 §10.2 allows it; receivers look at few", "",
        "one PTR per mail address";
    PtrMultiOrg [W:] => YES,
        "PTR names of two or more organisations", "receivers cannot tell whose server it is", "",
        "one PTR per mail address";
    FcrdnsMismatch [E: Reverse = F] => YES,
        "the PTR names have addresses, but none leads back", "RFC 8601 §2.7.3: fail", "",
        "publish the address under the PTR name";
    FcrdnsTargetNxdomain [E: Reverse = F] => YES,
        "no PTR name has an address", "RFC 8601 §2.7.3: fail", "", "publish the address under the PTR name";
    FcrdnsUnknown [W: Reverse = U] => YES,
        "the lookups of the PTR names failed, and none confirms", "RFC 8601 §2.7.3: temperror", "",
        "retry; mend the forward zone's servers";
    PtrGeneric [W:] => YES,
        "the PTR name is made from the address by a template", "some receivers refuse generic names",
        "203-0-113-4.static.isp.example", "ask for a PTR with the host's name";
    PtrDynamic [W:] => YES,
        "the PTR name is a template of pool or access space", "many receivers refuse dynamic names",
        "dsl-203-0-113-4.isp.example", "get a static address with a PTR, or send through the provider's relay";
    PtrHeloDiffers [W:] ["both names belong to one organisation" I:] => YES,
        "no confirmed PTR name is the introduced name", "receivers want introduction, PTR and address to agree", "",
        "align all three";
    DynamicAddressSpace [E: Reverse = F] => YES,
        "a dynamic PTR name (score of 80 or more), and on a policy list", "receivers refuse direct mail from such space",
        "a mail server on a DSL line", "send through the provider's relay, or move the host";
    DnsblListed [E: Unlisted = F] => YES,
        "listings as a source of spam or as exploited, relay or hijacked add up to a weight of 1.0",
        "RFC 5782; receivers refuse listed clients", "", "mend the cause, then ask each list for removal";
    DnsblListedMinor [W:] => YES,
        "such listings add up to less than 1.0", "a single small list decides nothing", "",
        "watch it; ask the list for removal";
    DnsblOpenRelay [E: Unlisted = F] => YES,
        "a list of some weight says open relay or open proxy", "RFC 5321 §7.9; receivers refuse listed clients", "",
        "close the relay";
    DnsblPolicyListed [W:] => YES,
        "listed as space that should not send mail directly", "no evidence of abuse, yet receivers refuse it", "",
        "ask for an exception, or send through a relay";
    DnsblNetworkListed [I:] => YES,
        "the network around the address is listed", "about the neighbours, not this server", "", "none needed";
    DnsblAttackListed [W:] => YES,
        "listed for attacks on other services", "the host may be compromised", "", "inspect the host";
    DnsblStaleSuspect [W:] => SEVERAL_RUNS,
        "names and reverse zone were mended since an earlier run, and the address is still listed",
        "lists are slow to forget", "", "ask for removal";
    DnsblAllowListed [I:] => YES, "listed as trusted", "a mitigating fact", "", "none needed";
    DnsblUnknownCode [I:] => YES,
        "a list answered a code that our table does not know", "RFC 5782 §2.1: codes are the list's own", "",
        "bring the list's table up to date";
    DnsblRefused [I: Unlisted = P] => YES,
        "a list refuses to answer us", "its terms of use", "127.255.255.254",
        "use a key, or a resolver of your own";
    DnsblZoneUnhealthy [I: Unlisted = P] => YES,
        "a list failed its health test, and its answers do not count", "RFC 5782 §5", "",
        "none at the server; drop the list if it stays so";
    DnsblAnswerInvalid [I: Unlisted = P] => YES,
        "an answer outside 127/8, of more than eight addresses, or 127.0.0.1", "RFC 5782 §2.1, §5",
        "a parked domain", "none at the server; drop the list if it stays so";
    DnsblQuorumMissed [W: Unlisted = U] => YES,
        "too few healthy lists answered to call the address unlisted", "absence of evidence is no evidence", "",
        "run again with lists that answer";
    RhsblListed [W:] => YES,
        "the organisational domain of the introduction, of a confirmed PTR name or of the exchange is on a list of domain \
         names; asked only of lists that are named",
        "domain reputation: receivers weigh it, and no rule is broken by it", "example.org@dbl.spamhaus.org=127.0.1.2",
        "look it up at the list, mend the cause, ask for removal";
    RelayOpen [E: Unlisted = F] => OPT_IN,
        "a test message was relayed for strangers", "RFC 5321 §7.9", "", "restrict relaying";
    RelayAcceptsRcpt [W:] => OPT_IN,
        "a foreign recipient was accepted, without a message", "no proof: many servers refuse later", "",
        "check the relay policy";
    MxNxdomain [E: Mx = F] => YES, "the domain does not exist", "RFC 5321 §5.1", "", "register or delegate it";
    MxDnsFailure [W: Mx = U] => YES,
        "the domain's MX question failed", "RFC 5321 §5.1: senders queue and retry", "", "mend the name servers";
    MxNone [I: Mx = X] => YES,
        "no MX record and no address", "not a mail domain", "", "publish a null MX if it takes no mail";
    MxImplicit [I:] => YES,
        "no MX record, but an address", "RFC 5321 §5.1: the domain is its own exchange", "", "publish an MX record";
    MxNull [I: Mx = X] => YES,
        "one MX record whose exchange is the root", "RFC 7505 §3: the domain takes no mail", "MX 0 .", "none needed";
    MxNullPlusOthers [E: Mx = F] => YES,
        "a null MX beside other MX records", "RFC 7505 §3", "", "keep one of the two";
    MxNullNonzero [W:] => YES, "a null MX with a preference other than 0", "RFC 7505 §3", "MX 10 .", "set it to 0";
    MxDomainIsCname [I:] => YES, "the mail domain is an alias", "RFC 5321 §5.1 allows it", "", "better avoided";
    MxIsCname [E: Mx = F] => YES,
        "the exchange is an alias", "RFC 2181 §10.3; RFC 5321 §5.1", "", "use the canonical name";
    MxIsIpLiteral [E: Mx = F] => YES,
        "the exchange is an address", "RFC 1035 §3.3.9; RFC 5321 §5.1", "MX 10 203.0.113.4.", "use a host name";
    MxBadName [E: Mx = F] => YES,
        "the exchange is no proper FQDN", "RFC 5321 §2.3.5", "mail_in.example.org", "use the host's public FQDN";
    MxTargetNxdomain [E: Mx = F] => YES,
        "the exchange's name does not exist", "RFC 5321 §5.1", "", "create the host, or remove the record";
    MxTargetNodata [E: Mx = F] => YES,
        "the exchange has no address", "RFC 5321 §5.1: it must have one", "", "add an address record";
    MxTargetDnsFailure [W: Mx = U] => YES,
        "the exchange's address questions failed", "RFC 5321 §5.1", "", "mend the name servers";
    MxDangling [E: Mx = F] => YES,
        "the exchange's organisational domain does not exist", "whoever registers it gets the mail", "",
        "remove the record at once";
    MxPrivateAddress [E: Mx = F] => YES,
        "all addresses of the exchange are private", "RFC 1918; RFC 4193; RFC 6598", "A 192.168.7.4",
        "publish the public address";
    MxLoopbackAddress [E: Mx = F] => YES,
        "the exchange is `localhost`, or has a loopback or unspecified address", "RFC 6890", "A 127.0.0.1",
        "remove it; publish a null MX if the domain takes no mail";
    MxSpecialAddress [E: Mx = F] => YES,
        "all addresses of the exchange are special-purpose", "RFC 6890", "A 192.0.2.4", "publish the public address";
    MxMixedSpecial [W:] => YES,
        "some addresses of the exchange are public, some special-purpose", "senders waste tries on them", "",
        "drop the special-purpose addresses";
    MxAllUnreachable [E: Mx = U] ["in a second run too" E: Mx = F] => YES,
        "no address of any exchange accepts a connection", "RFC 5321 §5.1", "", "start the service";
    MxPrimaryUnreachable [W:] => YES,
        "the first exchange is dead, a later one works", "an outage, or nolisting", "", "mend it";
    MxBackupUnreachable [W:] => YES,
        "a backup exchange is dead", "it only delays mail", "", "mend it, or remove the record";
    MxSingleIp [I:] => YES,
        "several exchanges, one address", "no redundancy", "", "a backup elsewhere, or one record";
    MxDuplicate [I:] => YES, "the same exchange twice", "noise", "", "remove one";
    MxTooMany [W:] => YES,
        "more than ten exchanges or twenty addresses", "senders try few (Postfix: five addresses)", "", "trim them";
    MxIpv6Only [W:] => YES, "no exchange has an IPv4 address", "many senders have no IPv6", "", "add an A record";
    MxNoIpv6 [I:] => YES, "no exchange has an IPv6 address", "IPv6-only senders cannot reach it", "", "add an AAAA record";
    SmtpNoStarttls [W:] => YES, "EHLO offers no STARTTLS", "RFC 3207; RFC 8461", "", "enable TLS";
    SmtpStarttlsMasked [W:] => YES,
        "STARTTLS is blanked by a firewall", "ASA mail inspection", "250-XXXXXXXA",
        "switch the firewall's SMTP inspection off";
    SmtpStarttlsFailed [W:] => YES,
        "the TLS handshake fails after STARTTLS was accepted", "RFC 3207 §4", "", "mend certificate or protocols";
    TlsOldProtocol [W:] => Gathered::No("we speak TLS 1.2 and 1.3 only: such a server shows as smtp-starttls-failed"),
        "the best TLS version is below 1.2", "RFC 8996", "", "upgrade";
    TlsCertExpired [I:] => YES,
        "the certificate is past its end", "senders mostly ignore it; MTA-STS does not", "", "renew it";
    TlsCertUntrusted [I:] => YES,
        "no path from the certificate to a public root", "it matters with MTA-STS (RFC 8461)", "",
        "use a public certificate authority, or DANE";
    TlsCertName [I:] => YES,
        "no name of the certificate matches the exchange", "RFC 8461 §4.1", "", "reissue it with the exchange's name";
    SmtpAuthCleartext [W:] => YES,
        "AUTH PLAIN or LOGIN is offered before TLS", "RFC 8314; RFC 4954 §4", "", "offer it under TLS only";
    SmtpEhloBadKeyword [I:] => YES,
        "an EHLO line outside the grammar", "RFC 5321 §4.1.1.1", "", "mend the line";
    SmtpDesync [W:] => YES,
        "bytes after a complete reply and before our next command", "RFC 5321 §4.3.1", "", "look for a broken proxy";
    SmtpTarpit [I: Introduces = U] => YES, "less than one byte a second over 60 s", "a defence", "", "none needed";
    SmtpQuitNo221 [I:] => YES, "QUIT was not answered with 221", "RFC 5321 §4.1.1.10", "", "answer it";
    SmtpNoPostmaster [W:] => OPT_IN, "mail for postmaster is refused", "RFC 5321 §4.5.1", "", "create the mailbox";
    SmtpNullSenderRefused [W:] => OPT_IN, "the null sender is refused", "RFC 5321 §4.5.5", "", "accept bounces";
    SmtpVrfyMissing [I:] => OPT_IN, "VRFY is not implemented", "RFC 5321 §4.5.1, §3.5.3", "", "answer 252";
    ScannerPort25Blocked
        [E: Introduces = U, Fqdn = U, Exists = U, Matches = U, Unlisted = U, Reverse = U, Mx = U] => WHOLE_RUN,
        "a reference host cannot be reached on port 25 from here", "many providers block outbound port 25", "",
        "scan from elsewhere";
    ScannerSelfFailed [E:] => WHOLE_RUN,
        "the scanner fails its own rules", "politeness", "", "mend the scanner's name and address first";
    ScannerExcluded
        [I: Introduces = X, Fqdn = X, Exists = X, Matches = X, Unlisted = X, Reverse = X, Mx = X]
        ["only this exchange or address is excluded"
         I: Introduces = X, Fqdn = X, Exists = X, Matches = X, Unlisted = X, Reverse = X] => YES,
        "on the exclusion list: not contacted", "its owner asked for it", "", "none needed";
    RunResolverDegraded
        [E: Introduces = U, Fqdn = U, Exists = U, Matches = U, Unlisted = U, Reverse = U, Mx = U] => WHOLE_RUN,
        "our resolver fails its canary questions", "its answers could be false", "", "mend the resolver";
};
