//! A configuration file with the names of the command line.
//! Comes in: TOML. Goes out: the arguments it stands for, without those the command line already has.
//! The names and values are checked where all arguments are: by the command line's own definition.

use std::path::{Path, PathBuf};

use crate::model::alike;

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("cannot read the configuration {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It is no TOML.
    #[error("cannot understand the configuration {path}, line {line}: {reason}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The parser's reason, without its drawing of the line.
        reason: String,
    },
    /// It names no option.
    #[error("the configuration {path} has the key `{key}`, which is no option of scan{hint}")]
    Key {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// Which option may be meant.
        hint: String,
    },
    /// A value has a type that no option takes.
    #[error(
        "the configuration {path} gives `{key}` a value that no option takes: write a text, a number, true or false, or an array of them"
    )]
    Value {
        /// The file.
        path: PathBuf,
        /// The option.
        key: String,
    },
}

/// Options that exclude each other: one of them on the command line takes the place of the other in the file.
pub(super) const CONTRARY: [[&str; 2]; 5] = [
    ["ipv4-only", "ipv6-only"],
    ["no-dnsbl", "dnsbl"],
    ["no-dnsbl", "dnsbl-file"],
    ["quiet", "verbose"],
    ["starttls", "no-starttls"],
];

/// The arguments a file stands for, of these options; those for which `given` is true are left out, so the command line wins.
pub fn arguments(path: &Path, known: &[&str], given: impl Fn(&str) -> bool) -> Result<Vec<String>, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.into(), source })?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        Error::Parse { path: path.into(), line, reason: error.message().replace('\n', ", ") }
    })?;
    let mut arguments = Vec::with_capacity(table.len());
    for (key, value) in &table {
        if !known.contains(&key.as_str()) {
            let hint = alike::hint(key, known.iter().copied());
            return Err(Error::Key { path: path.into(), key: key.clone(), hint });
        }
        let contrary = CONTRARY.iter().filter(|pair| pair.contains(&key.as_str())).flatten();
        if given(key) || contrary.into_iter().any(|name| given(name)) {
            continue;
        }
        // The one option that is on without being named.
        if (key.as_str(), value) == ("starttls", &toml::Value::Boolean(false)) {
            arguments.push("--no-starttls".to_owned());
            continue;
        }
        let mut add = |value: &toml::Value| match value {
            toml::Value::Boolean(true) => {
                arguments.push(format!("--{key}"));
                Ok(())
            }
            toml::Value::Boolean(false) => Ok(()),
            toml::Value::String(text) => {
                arguments.push(format!("--{key}={text}"));
                Ok(())
            }
            toml::Value::Integer(number) => {
                arguments.push(format!("--{key}={number}"));
                Ok(())
            }
            toml::Value::Float(number) => {
                arguments.push(format!("--{key}={number}"));
                Ok(())
            }
            toml::Value::Datetime(_) | toml::Value::Array(_) | toml::Value::Table(_) => {
                Err(Error::Value { path: path.into(), key: key.clone() })
            }
        };
        match value {
            toml::Value::Array(values) => values.iter().try_for_each(&mut add)?,
            single => add(single)?,
        }
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &[
        "port",
        "no-dnsbl",
        "ipv4-only",
        "ipv6-only",
        "input",
        "seed",
        "starttls",
        "no-starttls",
        "dnsbl",
        "verbose",
        "quiet",
    ];

    #[test]
    fn a_file_becomes_the_arguments_it_stands_for() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "port = 2525\nno-dnsbl = true\nipv4-only = false\ninput = ['a', 'b']\nseed = 4\n")
            .unwrap();
        let arguments = arguments(file.path(), KNOWN, |key| key == "seed").unwrap();
        assert_eq!(arguments, ["--input=a", "--input=b", "--no-dnsbl", "--port=2525"]);
    }

    #[test]
    fn the_contrary_of_an_option_on_the_command_line_gives_way() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "no-dnsbl = true\nipv4-only = true\nstarttls = false\n").unwrap();
        let given = |key: &str| ["dnsbl", "ipv6-only"].contains(&key);
        assert_eq!(arguments(file.path(), KNOWN, given).unwrap(), ["--no-starttls"]);
        std::fs::write(&file, "dnsbl = 'bl.example'\nverbose = true\nstarttls = false\n").unwrap();
        let given = |key: &str| ["no-dnsbl", "quiet", "starttls"].contains(&key);
        assert!(arguments(file.path(), KNOWN, given).unwrap().is_empty());
    }

    #[test]
    fn a_key_that_is_no_option_is_told_with_the_one_that_may_be_meant() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "prot = 2525\n").unwrap();
        let said = arguments(file.path(), KNOWN, |_| false).unwrap_err().to_string();
        assert!(said.ends_with("has the key `prot`, which is no option of scan; did you mean `port`?"), "{said}");
    }

    #[test]
    fn what_is_no_toml_is_told_in_one_line_with_its_number() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "seed = 1\nport = \n").unwrap();
        let said = arguments(file.path(), KNOWN, |_| false).unwrap_err().to_string();
        assert!(said.contains("line 2: ") && !said.contains('\n'), "{said}");
    }
}
