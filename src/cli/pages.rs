//! The manual: a page for the program, and one for each command.
//! Comes in: the definitions of the command line. Goes out: roff, by the name that `man` looks for.
//! Nothing here is written by hand that the definitions say already.

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, roman};

/// One page of the manual.
#[derive(Debug)]
pub struct Page {
    /// What its file is called.
    pub file: String,
    /// The page, in roff.
    pub text: String,
}

/// The page of a command, or of the program itself; nothing where there is no such command.
pub fn page(command: Option<&str>) -> Option<Page> {
    let all = definitions();
    match command {
        None => Some(written(all)),
        Some(name) => all.find_subcommand(name).cloned().map(written),
    }
}

/// The whole manual: the program's page, and then those of its commands.
pub fn manual() -> Vec<Page> {
    let all = definitions();
    let commands = all.get_subcommands().cloned().collect::<Vec<_>>();
    std::iter::once(all).chain(commands).map(written).collect()
}

/// `help` is left out: it has no page, and every page would refer to it.
fn definitions() -> Command {
    let mut all = super::Cli::command().disable_help_subcommand(true);
    all.build();
    all
}

fn written(command: Command) -> Page {
    let notes = command.get_after_help().map(ToString::to_string);
    let is_program = command.get_name() == super::PROGRAM;
    // The renderer would run the lines of the notes into one.
    let man = Man::new(command.after_help(None::<&str>))
        // An empty date in quotes: without them the source would stand in its place.
        .date("\"\"")
        .source(concat!("mxcensus ", env!("CARGO_PKG_VERSION")))
        .manual("mxcensus manual");
    let file = man.get_filename();
    let mut text = Vec::new();
    man.render(&mut text).expect("writing to a Vec cannot fail");
    let mut text = String::from_utf8(text).expect("what is made of text is text");
    if let Some(notes) = notes {
        text.push_str(&section("NOTES", notes.lines()));
    }
    if !is_program {
        text.push_str(&section("SEE ALSO", ["mxcensus(1)"]));
    }
    Page { file, text }
}

/// A section whose lines stay lines.
fn section<'a>(heading: &str, lines: impl IntoIterator<Item = &'a str>) -> String {
    let mut roff = Roff::new();
    roff.control("SH", [heading]);
    let mut is_first = true;
    for line in lines {
        match (line.is_empty(), is_first) {
            (true, _) => roff.control("PP", []),
            (false, true) => roff.text([roman(line)]),
            (false, false) => roff.text([Inline::LineBreak, roman(line)]),
        };
        is_first = line.is_empty();
    }
    // The page defines how an apostrophe is set at its top.
    let text = roff.render();
    text.split_once(".SH").map_or_else(String::new, |(_, rest)| format!(".SH{rest}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_page_that_the_program_refers_to_is_there() {
        let files: BTreeSet<String> = manual().into_iter().map(|page| page.file).collect();
        let program = page(None).unwrap();
        assert_eq!(program.file, "mxcensus.1");
        let referred = program.text.lines().filter_map(|line| line.strip_suffix("(1)"));
        let mut referred: BTreeSet<String> = referred.map(|name| name.replace('\\', "") + ".1").collect();
        referred.insert(program.file);
        assert_eq!(referred, files);
    }

    #[test]
    fn a_page_has_name_version_and_the_lines_of_its_notes() {
        let scan = page(Some("scan")).unwrap();
        let head = format!(".TH mxcensus-scan 1 \"\" \"mxcensus {}\" \"mxcensus manual\"", env!("CARGO_PKG_VERSION"));
        assert!(scan.text.lines().any(|line| line == head), "{}", scan.text);
        assert!(scan.text.contains("\n.br\nAll rates are per second"), "{}", scan.text);
        assert!(scan.text.ends_with("SEE ALSO\"\nmxcensus(1)\n"), "{}", scan.text);
        assert!(page(Some("scam")).is_none());
    }
}
