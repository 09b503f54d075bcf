//! The rules themselves: what each asks, and what its four outcomes mean.
//! Comes in: nothing. Goes out: `RULES`, in the order of `Rule::ALL`, and the text that `explain` and the README print.
//! Which finding breaks which rule stands in `TABLE`; this says what the findings add up to.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Value, json};

use super::{STRING, TABLE};
use crate::model::finding::Code;
use crate::model::words::Rule;

/// One rule, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct About {
    /// The rule; its word is the name of its column.
    pub rule: Rule,
    /// What others call it: the number in the text of 2008, or two letters.
    pub id: &'static str,
    /// The demand.
    pub asks: &'static str,
    /// When it passes.
    pub pass: &'static str,
    /// When it fails.
    pub fail: &'static str,
    /// When it cannot be told.
    pub unknown: &'static str,
    /// When it does not apply.
    pub na: &'static str,
}

/// Every rule, in the order of `Rule::ALL`.
pub static RULES: &[About] = &[
    About {
        rule: Rule::Introduces,
        id: "R1",
        asks: "the remote mail server must connect and introduce itself",
        pass: "the server names itself in its greeting or its EHLO reply, or a client's HELO was recorded",
        fail: "a complete conversation without a name, another protocol, silence for as long as RFC 5321 allows or in two runs",
        unknown: "no connection, a reset, a refusal of us, a 4xx reply, or silence that we did not sit out",
        na: "the server says that it takes no mail, or the domain has no server",
    },
    About {
        rule: Rule::Fqdn,
        id: "R2",
        asks: "the introduction must be a proper fully qualified domain name",
        pass: "the name is a host name of two labels or more below a public suffix",
        fail: "it is something else: one label, an address, `localhost`, a private or special-use domain, a bad character",
        unknown: "no introduction was seen, or nobody says whether its top-level domain exists",
        na: "there is no introduction",
    },
    About {
        rule: Rule::Exists,
        id: "R3",
        asks: "the FQDN given must exist in DNS",
        pass: "the name has an address or an MX record",
        fail: "it does not exist, has neither, does not validate, or stands under a domain that is not public",
        unknown: "its name servers fail, refuse or stay silent",
        na: "there is no introduction, or it is nothing that DNS can be asked for",
    },
    About {
        rule: Rule::Matches,
        id: "R4",
        asks: "the IP address of the FQDN must be the IP address it is connecting from",
        pass: "one of the name's addresses is the server's, or they share a confirmed organisation behind one name",
        fail: "the name's addresses of that family are known, and the server's is not among them",
        unknown: "the addresses of the server's family cannot be told",
        na: "there is no name, or it does not exist",
    },
    About {
        rule: Rule::Unlisted,
        id: "R5",
        asks: "the address must not be globally blacklisted as an open relay or spammer",
        pass: "healthy lists of enough weight answered, and their listings weigh less than 1.0",
        fail: "listings as a source of spam, exploited, open relay or hijacked weigh 1.0 or more",
        unknown: "too few healthy lists answered",
        na: "there is no server, or its address is special-purpose",
    },
    About {
        rule: Rule::Reverse,
        id: "RV",
        asks: "the address must have a reverse name that leads back to it",
        pass: "one of its PTR names has the address",
        fail: "no PTR, no reverse zone, a lame one in three runs, or no name that leads back; dynamic space on a policy list",
        unknown: "the PTR or the lookups of all its names failed",
        na: "there is no server, or the profile is rfc5321",
    },
    About {
        rule: Rule::Mx,
        id: "MX",
        asks: "the domain's MX data must be what RFC 974, 1035, 2181, 5321 and 7505 allow",
        pass: "every exchange is a proper name, no alias, with public addresses",
        fail: "any exchange is not, the domain does not exist, or no exchange answered in two runs",
        unknown: "name servers fail, or no exchange answered at the first try",
        na: "the target is no domain, or the domain takes no mail",
    },
];

/// The rule of this name, that of its column or its id, in any case.
pub fn rule_called(name: &str) -> Option<Rule> {
    let called = |about: &&About| [about.rule.as_str(), about.id].iter().any(|own| own.eq_ignore_ascii_case(name));
    RULES.iter().find(called).map(|about| about.rule)
}

/// A rule and the findings that touch it, for a person.
pub fn rule_text(rule: Rule) -> String {
    let about = about(rule);
    let mut text = String::new();
    writeln!(text, "{} ({})", rule, about.id).expect(STRING);
    for (label, words) in
        [("asks", about.asks), ("pass", about.pass), ("fail", about.fail), ("unknown", about.unknown), ("na", about.na)]
    {
        writeln!(text, "  {label:<11}{words}").expect(STRING);
    }
    for (label, codes) in touching(rule) {
        if !codes.is_empty() {
            let codes: Vec<&str> = codes.into_iter().map(Code::as_str).collect();
            writeln!(text, "  {label:<11}{}", codes.join(" ")).expect(STRING);
        }
    }
    text
}

/// A rule and the findings that touch it, for a program.
pub fn rule_json(rule: Rule) -> Value {
    let [(_, failed), (_, unknown), (_, na)] = touching(rule);
    json!({ "rule": about(rule), "failed_by": failed, "unknown_by": unknown, "na_by": na })
}

/// All rules, for a program.
pub fn rules_json() -> Value {
    Rule::ALL.iter().copied().map(rule_json).collect()
}

/// The rules as the README's table.
pub fn rules_markdown() -> String {
    let mut text =
        String::from("| rule | column | passes when | fails when | unknown when |\n| --- | --- | --- | --- | --- |\n");
    for about in RULES {
        let About { rule, id, pass, fail, unknown, .. } = about;
        writeln!(text, "| {id} | `{rule}` | {pass} | {fail} | {unknown} |").expect(STRING);
    }
    text
}

fn about(rule: Rule) -> &'static About {
    RULES.get(rule as usize).expect("the table has every rule, in the order of their declaration")
}

/// The codes that break a rule in some form and basis, that leave it unknown, and by which it does not apply.
fn touching(rule: Rule) -> [(&'static str, Vec<Code>); 3] {
    use super::Force::{Fail, Na, Unknown};
    let with = |wanted| {
        let touches = |entry: &&super::Entry| {
            let effects = entry.forms.iter().flat_map(|form| form.effects).filter(|effect| effect.rule == rule);
            effects.into_iter().any(|effect| effect.observed == wanted || effect.announced == wanted)
        };
        let gathered = TABLE.iter().filter(|entry| entry.gathered == super::Gathered::Yes);
        gathered.filter(touches).map(|entry| entry.code).collect()
    };
    [("failed by", with(Fail)), ("unknown by", with(Unknown)), ("na by", with(Na))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_stands_once_in_the_order_of_their_declaration() {
        let rules: Vec<Rule> = RULES.iter().map(|about| about.rule).collect();
        assert_eq!(rules, Rule::ALL);
    }

    #[test]
    fn a_rule_is_explained_with_what_breaks_it() {
        let text = rule_text(Rule::Reverse);
        assert!(text.starts_with("reverse (RV)\n  asks       "), "{text}");
        let line = text.lines().find(|line| line.starts_with("  failed by")).unwrap();
        assert!(line.contains("ptr-missing") && !line.contains("ptr-cname "), "{line}");
        let value = rule_json(Rule::Unlisted);
        assert_eq!(value["rule"]["id"], "R5");
        assert_eq!(
            (rule_called("r5"), rule_called("FQDN"), rule_called("R9")),
            (Some(Rule::Unlisted), Some(Rule::Fqdn), None)
        );
        assert!(value["unknown_by"].as_array().unwrap().iter().any(|code| code == "dnsbl-quorum-missed"), "{value}");
        assert_eq!(rules_markdown().lines().count(), 2 + Rule::ALL.len());
    }
}
