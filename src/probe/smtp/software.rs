//! Which software a greeting smells of.
//! Comes in: a greeting's text and name, lower case. Goes out: a label for statistics, never evidence.
//! The table is in order: services that hide behind another product's words stand before that product.
//! `NAME ESMTP` alone is said by too many (qmail, Courier, Cisco, hidden Postfix) to guess from.

/// A sign in a greeting.
#[derive(Debug)]
enum Sign {
    /// The text behind the name holds this.
    Says(&'static str),
    /// The name ends in this.
    Named(&'static str),
    /// The name is this, or begins with this and a dot.
    Called(&'static str),
    /// `esmtp (` and 32 hex digits in parentheses.
    HexTag,
}

use Sign::{Called, HexTag, Named, Says};

const TABLE: &[(Sign, &str)] = &[
    (Named(".protection.outlook.com"), "microsoft-365"),
    (Named(".pphosted.com"), "proofpoint"),
    (Named(".mimecast.com"), "mimecast"),
    (Named(".messagelabs.com"), "symantec-cloud"),
    (Named(".yahoo.com"), "yahoo"),
    (Called("rblsmtpd"), "rblsmtpd"),
    (Says("- gsmtp"), "google"),
    (Says("simpleemailservice"), "amazon-ses"),
    (Says("microsoft esmtp mail service"), "microsoft-smtp"),
    (Says("symantec messaging gateway"), "symantec-gateway"),
    (Says("sending mta's poor reputation"), "cisco-esa"),
    (Says("checkpoint firewall-1"), "checkpoint"),
    (Says("lotus domino"), "domino"),
    (Says("ibm domino"), "domino"),
    (Says("hcl domino"), "domino"),
    (Says("[xmail "), "xmail"),
    (Says("nemesis esmtp"), "nemesis"),
    (Says("esmtp mdaemon"), "mdaemon"),
    (Says("hmailserver"), "hmailserver"),
    (Says("opensmtpd"), "opensmtpd"),
    (Says("esmtp haraka"), "haraka"),
    (Says("esmtp exim "), "exim"),
    (Says("sendmail"), "sendmail"),
    (Says("postfix"), "postfix"),
    (Says("esmtp smtpd;"), "fortimail"),
    (HexTag, "barracuda"),
];

/// The software behind a greeting's name and the text around it, both lower case.
pub(super) fn guess(name: &str, text: &str) -> Option<&'static str> {
    let found = |sign: &Sign| match sign {
        Says(words) => text.contains(words),
        Named(end) => name.ends_with(end),
        Called(start) => name.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')),
        HexTag => has_hex_tag(text),
    };
    TABLE.iter().find(|(sign, _)| found(sign)).map(|(_, software)| *software)
}

/// `esmtp (` and 32 hex digits: a Barracuda hides its version behind a digest.
fn has_hex_tag(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("esmtp (") else { return false };
    let Some((tag, _)) = rest.split_once(')') else { return false };
    tag.len() == 32 && tag.bytes().all(|byte| byte.is_ascii_hexdigit())
}
