//! Every finding, once: its effect on the rules, its weight, its reference and its remedy.
//! Comes in: a code. Goes out: its entry, for the verdicts and for people.
//! Rules decide whether a finding holds; what it then means stands here and nowhere else.

mod entries;
mod rules;

use std::fmt::{self, Write as _};

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

pub use entries::TABLE;
pub use rules::{About, RULES, rule_called, rule_json, rule_text, rules_json, rules_markdown};

use crate::model::alike;
use crate::model::finding::Code;
use crate::model::words::{Basis, Profile, Rule, Severity, words};

words! {
    /// What a finding does to a rule's verdict.
    Force {
        /// The rule is broken.
        Fail = "fail",
        /// The rule cannot be told.
        Unknown = "unknown",
        /// Evidence is missing, which makes the rule unknown only when too much of it is.
        Part = "part",
        /// Nothing: worth knowing, but no verdict hangs on it.
        Nothing = "none",
        /// The rule does not apply.
        Na = "na",
    }
}

/// A finding's effect on one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// The rule.
    pub rule: Rule,
    /// What it does to it when a client's own introduction is judged.
    pub observed: Force,
    /// What it does to it when a server's own words are judged.
    pub announced: Force,
}

impl Effect {
    /// What it does on this basis.
    pub const fn force(self, basis: Basis) -> Force {
        match basis {
            Basis::Observed => self.observed,
            Basis::Announced => self.announced,
        }
    }
}

/// One of the forms a finding can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Form {
    /// In which circumstances; empty for the usual form.
    pub when: &'static str,
    /// Its weight when a client's own introduction is judged.
    pub observed: Severity,
    /// Its weight when a server's own words are judged.
    pub announced: Severity,
    /// Its effects; rules that are not named are untouched.
    pub effects: &'static [Effect],
}

impl Form {
    /// Its weight on this basis.
    pub const fn severity(&self, basis: Basis) -> Severity {
        match basis {
            Basis::Observed => self.observed,
            Basis::Announced => self.announced,
        }
    }
}

/// Whether a scan by this version gathers the evidence for a finding, with `--previous` where that takes an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gathered {
    /// It does.
    Yes,
    /// It does not, for this reason.
    No(&'static str),
}

impl fmt::Display for Gathered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yes => f.write_str("yes"),
            Self::No(reason) => write!(f, "not gathered: {reason}"),
        }
    }
}

impl Serialize for Gathered {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// All there is to say about one code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The code.
    pub code: Code,
    /// Its forms, the usual one first; never empty.
    pub forms: &'static [Form],
    /// Whether one scan can find it.
    pub gathered: Gathered,
    /// The exact condition.
    pub condition: &'static str,
    /// The standard, or the receivers' behaviour, that makes it a fault.
    pub why: &'static str,
    /// What it looks like.
    pub example: &'static str,
    /// How to mend it.
    pub remedy: &'static str,
}

const STRING: &str = "writing to a String cannot fail";

/// RFC 5321 allows an address literal (§4.1.3), and a final dot is no fault of the name itself.
const WAIVED_BY_RFC5321: &[Code] = &[Code::HeloIsAddressLiteral, Code::HeloTrailingDot];

impl Entry {
    /// What one of its forms does to the rules under a profile.
    pub fn effects(&self, form: usize, profile: Profile) -> impl Iterator<Item = Effect> + '_ {
        let strict = profile == Profile::Rfc5321;
        let waived = strict && WAIVED_BY_RFC5321.contains(&self.code);
        let effects = self.form(form).effects.iter().copied();
        // The reverse zone is receivers' practice: RFC 5321 asks nothing of it.
        effects.filter(move |effect| !(waived || strict && effect.rule == Rule::Reverse))
    }

    /// One of its forms.
    pub fn form(&self, form: usize) -> &'static Form {
        self.forms.get(form).expect("a rule names only forms that the table has")
    }
}

/// The entry of a code.
pub fn entry(code: Code) -> &'static Entry {
    TABLE.get(code as usize).expect("the table has every code, in the order of their declaration")
}

/// The finding or rule that somebody may have meant, as the end of a message.
pub fn hint(name: &str) -> String {
    alike::hint(name, Code::WORDS.iter().chain(Rule::WORDS).copied())
}

/// What a finding means, for a person; every finding without a code.
pub fn explain_text(code: Option<Code>) -> String {
    let mut text = String::new();
    for entry in chosen(code) {
        if !text.is_empty() {
            text.push('\n');
        }
        explain(entry, &mut text);
    }
    text
}

/// What a finding means, for a program: an array with one object per finding.
pub fn explain_json(code: Option<Code>) -> Value {
    json!(chosen(code))
}

fn chosen(code: Option<Code>) -> Vec<&'static Entry> {
    code.map_or_else(|| TABLE.iter().collect(), |code| vec![entry(code)])
}

fn explain(entry: &Entry, text: &mut String) {
    writeln!(text, "{}", entry.code).expect(STRING);
    let mut line = |label: &str, words: &str| {
        if !words.is_empty() {
            writeln!(text, "  {label:<11}{words}").expect(STRING);
        }
    };
    line("condition", entry.condition);
    for form in entry.forms {
        line("effect", &form.describe());
    }
    line("why", entry.why);
    line("example", entry.example);
    line("remedy", entry.remedy);
    if entry.gathered != Gathered::Yes {
        line("note", &entry.gathered.to_string());
    }
}

impl Form {
    fn describe(&self) -> String {
        let either = |observed: &str, announced: &str| {
            if observed == announced {
                observed.to_owned()
            } else {
                format!("{observed} (observed) or {announced} (announced)")
            }
        };
        let mut text = either(self.observed.as_str(), self.announced.as_str());
        for effect in self.effects {
            let force = either(effect.observed.as_str(), effect.announced.as_str());
            write!(text, ", {}: {force}", effect.rule).expect(STRING);
        }
        if !self.when.is_empty() {
            write!(text, "; {}", self.when).expect(STRING);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_code_once_in_the_order_of_their_declaration() {
        let codes: Vec<Code> = TABLE.iter().map(|entry| entry.code).collect();
        assert_eq!(codes, Code::ALL);
        for &code in Code::ALL {
            assert_eq!(entry(code).code, code);
        }
    }

    #[test]
    fn every_entry_says_what_why_and_how_to_mend() {
        for entry in TABLE {
            assert!(!entry.forms.is_empty(), "{}", entry.code);
            assert!(entry.forms[0].when.is_empty(), "{}: the first form is the usual one", entry.code);
            assert!(entry.forms[1..].iter().all(|form| !form.when.is_empty()), "{}", entry.code);
            for text in [entry.condition, entry.why, entry.remedy] {
                assert!(!text.is_empty() && !text.ends_with('.') && text.trim() == text, "{}: {text:?}", entry.code);
            }
            assert!(!entry.example.is_empty() && entry.example.trim() == entry.example, "{}", entry.code);
            for form in entry.forms {
                let mut rules: Vec<Rule> = form.effects.iter().map(|effect| effect.rule).collect();
                rules.dedup();
                assert_eq!(rules.len(), form.effects.len(), "{}: one effect per rule", entry.code);
            }
        }
    }

    #[test]
    fn what_breaks_a_rule_is_an_error_except_where_a_proxy_speaks() {
        for entry in TABLE {
            for form in entry.forms {
                let fails = |basis| form.effects.iter().any(|effect| effect.force(basis) == Force::Fail);
                if fails(Basis::Observed) {
                    assert_eq!(form.observed, Severity::Error, "{}", entry.code);
                }
                if fails(Basis::Announced) && entry.code != Code::HeloIsAddressLiteral {
                    assert_eq!(form.announced, Severity::Error, "{}", entry.code);
                }
            }
        }
    }

    #[test]
    fn a_strict_profile_waives_what_the_rfc_does_not_demand() {
        let literal = entry(Code::HeloIsAddressLiteral);
        assert_eq!(literal.effects(0, Profile::Census).count(), 1);
        assert_eq!(literal.effects(0, Profile::Rfc5321).count(), 0);
        assert_eq!(entry(Code::PtrMissing).effects(0, Profile::Rfc5321).count(), 0);
        assert_eq!(entry(Code::HeloForwardMismatch).effects(0, Profile::Rfc5321).count(), 1);
    }

    #[test]
    fn what_no_scan_finds_is_said_to_be_not_gathered() {
        assert!(explain_text(Some(Code::RelayOpen)).ends_with("  note       not gathered: needs opt-in probes\n"));
        assert_eq!(explain_json(Some(Code::RelayOpen))[0]["gathered"], "not gathered: needs opt-in probes");
        assert_eq!(explain_json(Some(Code::MxNull))[0]["gathered"], "yes");
    }

    #[test]
    fn an_explanation_holds_code_effect_and_remedy() {
        let text = explain_text(Some(Code::HeloForwardMismatchSameOrg));
        assert!(text.starts_with("helo-forward-mismatch-same-org\n  condition "), "{text}");
        assert!(text.contains("error (observed) or warning (announced), matches: fail (observed) or none (announced)"));
        assert!(text.contains("  remedy     "));
        let all = explain_text(None);
        assert!(Code::ALL.iter().all(|code| all.contains(&format!("{code}\n  condition "))));
        let value = explain_json(Some(Code::MxNull));
        assert_eq!(value[0]["code"], "mx-null");
        assert_eq!(value[0]["forms"][0]["effects"][0]["announced"], "na");
        assert_eq!(explain_json(None).as_array().unwrap().len(), Code::ALL.len());
    }
}
