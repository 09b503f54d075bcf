//! A configuration file with the names of the command line.
//! Comes in: TOML. Goes out: the arguments it stands for, without those the command line already has.
//! The names and values are checked where all arguments are: by the command line's own definition.

use std::path::{Path, PathBuf};

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
    #[error("cannot understand the configuration {path}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// The parser's reason, with line and column.
        source: Box<toml::de::Error>,
    },
    /// A value has a type that no option takes.
    #[error("the configuration {path} gives `{key}` a value that no option takes")]
    Value {
        /// The file.
        path: PathBuf,
        /// The option.
        key: String,
    },
}

/// The arguments a file stands for; options for which `given` is true are left out, so the command line wins.
pub fn arguments(path: &Path, given: impl Fn(&str) -> bool) -> Result<Vec<String>, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.into(), source })?;
    let table: toml::Table =
        text.parse().map_err(|source| Error::Parse { path: path.into(), source: Box::new(source) })?;
    let mut arguments = Vec::with_capacity(table.len());
    for (key, value) in &table {
        if given(key) {
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

    #[test]
    fn a_file_becomes_the_arguments_it_stands_for() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "port = 2525\nno-dnsbl = true\nipv4-only = false\ninput = ['a', 'b']\nseed = 4\n")
            .unwrap();
        let arguments = arguments(file.path(), |key| key == "seed").unwrap();
        assert_eq!(arguments, ["--input=a", "--input=b", "--no-dnsbl", "--port=2525"]);
    }
}
