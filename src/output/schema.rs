//! The column table in words: for the terminal, for programs, and for the README.
//! Comes in: nothing but the table. Goes out: text.

pub use super::parquet::schema_arrow;

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::columns::{COLUMNS, Column, Items, Kind, SCHEMA_VERSION};
use crate::model::words::{Cause, Rule, Set, Severity, Verdict};

/// The columns with their types, meanings and words, for a terminal.
pub fn schema_text() -> String {
    let width = COLUMNS.iter().map(|column| column.name.len()).max().unwrap_or(0);
    let mut text = format!("schema version {SCHEMA_VERSION}, {} columns\n\n", COLUMNS.len());
    for column in COLUMNS {
        line(&mut text, format_args!("{:width$}  {:9}  {}", column.name, column.kind.as_str(), column.doc));
        if let Some(set) = column.kind.words() {
            line(&mut text, format_args!("{:width$}  {:9}    {}", "", "", set.words.join(" ")));
        }
    }
    text
}

/// The data dictionary as one JSON document: versions, how each format spells a value, every column, and the rules and
/// findings that its words speak of, which whoever knows them hands in.
pub fn schema_json(rules: &Value, findings: &Value) -> String {
    let document = json!({
        "schema_version": SCHEMA_VERSION,
        "program_version": env!("CARGO_PKG_VERSION"),
        "row": "one (target, exchange, address); a target without an exchange or an address still has its one row",
        "formats": {
            "csv": {
                "null": "an empty cell, as the empty text and the empty list are",
                "list": "items joined by `;`, in which `\\` and `;` of an item are `\\\\` and `\\;`",
                "timestamp": "RFC 3339, UTC",
                "escapes": "each octet of a control or bidirectional character as `\\xHH`; unless --csv-raw was given, a text or list that \
                            begins with one of `=+-@'` has one `'` more in front",
            },
            "jsonl": { "null": "null", "list": "an array", "timestamp": "RFC 3339, UTC" },
            "parquet": { "null": "null", "list": "LIST of UTF8", "timestamp": "INT64, milliseconds, UTC" },
        },
        "columns": COLUMNS.iter().map(entry).collect::<Vec<_>>(),
        "rules": rules,
        "severities": meanings(Severity::SET),
        "findings": findings,
    });
    format!("{document:#}\n")
}

/// One column of the data dictionary.
fn entry(column: &Column) -> Value {
    let mut entry = Map::new();
    let mut tell = |what: &str, value: Value| entry.insert(what.to_owned(), value);
    tell("name", json!(column.name));
    tell("type", json!(column.kind.as_str()));
    tell("list", json!(matches!(column.kind, Kind::List(_))));
    tell("nullable", json!(column.nullable));
    tell("doc", json!(column.doc));
    if let Some(unit) = column.kind.unit() {
        tell("unit", json!(unit));
    }
    if let Some(set) = column.kind.words() {
        tell("words", json!(set.words));
        tell("meanings", meanings(set));
    }
    match column.kind {
        Kind::List(Items::Word(set)) => {
            tell("items", json!({ "words": set.words, "meanings": meanings(set) }));
        }
        Kind::List(Items::Why) => {
            let (rules, causes) = (Rule::WORDS, Cause::WORDS);
            let meanings = meanings(Cause::SET);
            tell("items", json!({ "form": "rule=cause", "rule": rules, "cause": causes, "meanings": meanings }));
        }
        _ => {}
    }
    entry.into()
}

/// What each word means; nothing of those whose meaning stands elsewhere.
fn meanings(set: Set) -> Value {
    let told = set.entries().filter(|(_, meaning)| !meaning.is_empty());
    told.map(|(word, meaning)| (word.to_owned(), json!(meaning))).collect::<Map<_, _>>().into()
}

/// What a line of JSONL is, as a JSON Schema (draft 2020-12). Later versions may add columns, so it does not forbid others.
pub fn schema_json_schema() -> String {
    let properties: Map<_, _> = COLUMNS.iter().map(|column| (column.name.to_owned(), property(column))).collect();
    let document = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": format!("urn:mxcensus:row:{SCHEMA_VERSION}"),
        "title": "A row of mxcensus",
        "description": concat!("A line of JSONL, as mxcensus ", env!("CARGO_PKG_VERSION"), " writes it"),
        "type": "object",
        "properties": properties,
        "required": COLUMNS.iter().map(|column| column.name).collect::<Vec<_>>(),
    });
    format!("{document:#}\n")
}

fn property(column: &Column) -> Value {
    let words = |set: Set| {
        let null = column.nullable.then_some(Value::Null);
        set.words.iter().map(|word| json!(word)).chain(null).collect::<Value>()
    };
    let (kind, key, limit) = match column.kind {
        Kind::U8 | Kind::U16 | Kind::U32 | Kind::Milliseconds | Kind::U64 => {
            ("integer", "maximum", json!(column.kind.most()))
        }
        Kind::Text => ("string", "minLength", json!(0)),
        Kind::Word(set) => ("string", "enum", words(set)),
        Kind::Verdict => ("string", "enum", words(Verdict::SET)),
        Kind::List(Items::Text) => ("array", "items", json!({ "type": "string" })),
        Kind::List(Items::Word(set)) => ("array", "items", json!({ "type": "string", "enum": set.words })),
        Kind::List(Items::Why) => {
            let pattern = format!("^({})=({})$", Rule::WORDS.join("|"), Cause::WORDS.join("|"));
            ("array", "items", json!({ "type": "string", "pattern": pattern }))
        }
        Kind::Timestamp => ("string", "format", json!("date-time")),
    };
    let types = if column.nullable { json!([kind, "null"]) } else { json!(kind) };
    let mut property = Map::new();
    let mut tell = |what: &str, value: Value| property.insert(what.to_owned(), value);
    tell("description", json!(column.doc));
    tell("type", types);
    tell(key, limit);
    if kind == "integer" {
        tell("minimum", json!(0));
    }
    if column.name == "schema_version" {
        tell("const", json!(SCHEMA_VERSION));
    }
    property.into()
}

/// The columns as a Markdown table, for the README.
pub fn schema_markdown() -> String {
    let mut text = "| column | type | meaning |\n| --- | --- | --- |\n".to_owned();
    for column in COLUMNS {
        let words = column.kind.words().map_or_else(String::new, |set| format!(": `{}`", set.words.join("` `")));
        line(&mut text, format_args!("| `{}` | {} | {}{words} |", column.name, column.kind.as_str(), column.doc));
    }
    text
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_names_every_column() {
        let document: Value = serde_json::from_str(&schema_json(&json!([]), &json!([]))).unwrap();
        assert_eq!(document["columns"].as_array().unwrap().len(), COLUMNS.len());
        let rows: Value = serde_json::from_str(&schema_json_schema()).unwrap();
        assert_eq!(rows["properties"].as_object().unwrap().len(), COLUMNS.len());
        assert_eq!(schema_markdown().lines().count(), COLUMNS.len() + 2);
        let text = schema_text();
        for column in COLUMNS {
            assert!(text.contains(column.name), "{}", column.name);
            assert!(!column.doc.contains('|'), "{} would break the table", column.name);
        }
    }

    #[test]
    fn every_word_of_a_column_has_its_meaning_and_every_number_its_unit() {
        for column in COLUMNS {
            let entry = entry(column);
            let told = entry.get("words").or_else(|| entry.get("items")?.get("cause"));
            let meanings = entry.get("meanings").or_else(|| entry.get("items")?.get("meanings"));
            for word in told.and_then(Value::as_array).into_iter().flatten() {
                let meaning = meanings.and_then(|meanings| meanings.get(word.as_str()?)?.as_str()).unwrap_or_default();
                assert!(meaning.ends_with('.') && !meaning.contains("[`"), "{}: {word}: {meaning:?}", column.name);
            }
            assert_eq!(entry.get("unit").is_some(), column.name.ends_with("_ms") || column.kind == Kind::Timestamp);
        }
        let why = entry(COLUMNS.iter().find(|column| column.name == "unknown_why").unwrap());
        assert_eq!(why["items"]["meanings"]["servfail"], "SERVFAIL.");
    }

    #[test]
    fn the_columns_are_the_promised_ones_in_their_order() {
        let promised = "schema_version line target target_kind domain mx_status mx_preference exchange exchange_status address port \
             ptr_status ptr_names ptr_confirmed ptr_class connect_status connect_ms smtp_status greeting_code greeting \
             greeting_name greeting_ms ehlo_code ehlo_name extensions software tls_status tls_version tls_cert_names \
             tls_cert_trust tls_cert_not_after tls_failure tls_cipher tls_cert_covers tls_cert_unproven tls_cert_issuer \
             tls_cert_key tls_cert_not_before tls_cert_sha256 introduction introduced_by basis introduction_class \
             introduction_status introduction_addresses dnsbl_listed dnsbl_counted dnsbl_unknown rhsbl_listed introduces fqdn exists matches \
             unlisted reverse mx verdict findings unknown_why na_why attempts scanned_at elapsed_ms";
        let names: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
        assert_eq!(names.join(" "), promised);
    }
}
