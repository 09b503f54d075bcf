//! The column table in words: for the terminal, for programs, and for the README.
//! Comes in: nothing but the table. Goes out: text.

pub use super::parquet::schema_arrow;

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::columns::{COLUMNS, SCHEMA_VERSION};

/// The columns with their types, meanings and words, for a terminal.
pub fn schema_text() -> String {
    let width = COLUMNS.iter().map(|column| column.name.len()).max().unwrap_or(0);
    let mut text = format!("schema version {SCHEMA_VERSION}, {} columns\n\n", COLUMNS.len());
    for column in COLUMNS {
        line(&mut text, format_args!("{:width$}  {:9}  {}", column.name, column.kind.as_str(), column.doc));
        if let Some(words) = column.kind.words() {
            line(&mut text, format_args!("{:width$}  {:9}    {}", "", "", words.join(" ")));
        }
    }
    text
}

/// The columns as one JSON document.
pub fn schema_json() -> String {
    let columns: Vec<Value> = COLUMNS
        .iter()
        .map(|column| {
            let mut object = Map::new();
            object.insert("name".to_owned(), json!(column.name));
            object.insert("type".to_owned(), json!(column.kind.as_str()));
            object.insert("doc".to_owned(), json!(column.doc));
            if let Some(words) = column.kind.words() {
                object.insert("words".to_owned(), json!(words));
            }
            Value::Object(object)
        })
        .collect();
    let document = json!({ "schema_version": SCHEMA_VERSION, "columns": columns });
    format!("{document:#}\n")
}

/// The columns as a Markdown table, for the README.
pub fn schema_markdown() -> String {
    let mut text = "| column | type | meaning |\n| --- | --- | --- |\n".to_owned();
    for column in COLUMNS {
        let words = column.kind.words().map_or_else(String::new, |words| format!(": `{}`", words.join("` `")));
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
    fn the_three_forms_name_every_column() {
        let document: Value = serde_json::from_str(&schema_json()).unwrap();
        assert_eq!(document["columns"].as_array().unwrap().len(), COLUMNS.len());
        assert_eq!(schema_markdown().lines().count(), COLUMNS.len() + 2);
        let text = schema_text();
        for column in COLUMNS {
            assert!(text.contains(column.name), "{}", column.name);
            assert!(!column.doc.contains('|'), "{} would break the table", column.name);
        }
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
