//! The format of the tables that are lists of words.
//! Comes in: a text of lines `section: word word` or `word word`, with `#` before a comment, and one line `date: YYYY-MM-DD`.
//! Goes out: its words by section, or the line that makes no sense and why.

/// What a word of a section looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A name of one label or more.
    Name,
    /// One label.
    Label,
    /// One label, or the beginning of one and a star.
    Host,
    /// Letters only.
    Letters,
}

impl Shape {
    fn fits(self, word: &str) -> bool {
        match self {
            Self::Name => word.len() <= 253 && word.split('.').all(is_label),
            Self::Label => is_label(word),
            // A beginning may end in the hyphen before the rest.
            Self::Host => match word.strip_suffix('*') {
                Some(head) => is_label(head.strip_suffix('-').unwrap_or(head)),
                None => is_label(word),
            },
            Self::Letters => word.bytes().all(|byte| byte.is_ascii_lowercase()),
        }
    }

    const fn wanted(self) -> &'static str {
        match self {
            Self::Name => "no name in lower case, its labels of letters, digits and hyphens",
            Self::Label => "not one label in lower case, of letters, digits and hyphens",
            Self::Host => "not one label in lower case, nor the beginning of one with a star behind it",
            Self::Letters => "no word of lower-case letters alone",
        }
    }
}

fn is_label(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(legal) && !text.starts_with('-') && !text.ends_with('-')
}

/// A table, read.
#[derive(Debug)]
pub(super) struct Sheet<'a> {
    date: &'a str,
    version: Option<u32>,
    words: Vec<(&'a str, &'a str)>,
    /// The number of its last line.
    last: usize,
}

impl<'a> Sheet<'a> {
    /// Reads a table of these sections; the section without a name stands at the beginning of its lines.
    pub(super) fn read(text: &'a str, sections: &'static [(&'static str, Shape)]) -> Result<Self, (usize, String)> {
        let (mut date, mut version, mut words) = (None, None, Vec::new());
        for (line, number) in text.lines().zip(1..) {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (section, rest) = line.split_once(':').unwrap_or(("", line));
            let wrong = |reason: String| Err((number, reason));
            match section {
                "date" if date.is_some() => return wrong("a second date".to_owned()),
                "date" if is_date(rest.trim_ascii()) => date = Some(rest.trim_ascii()),
                "date" => return wrong(format!("{:?} is no date; write YYYY-MM-DD", rest.trim_ascii())),
                "version" if version.is_some() => return wrong("a second version".to_owned()),
                "version" => match rest.trim_ascii().parse() {
                    Ok(number) => version = Some(number),
                    Err(_) => return wrong(format!("{:?} is no number of a version", rest.trim_ascii())),
                },
                _ => {
                    let Some(&(section, shape)) = sections.iter().find(|(known, _)| *known == section) else {
                        return wrong(unknown(section, sections));
                    };
                    if let Some(word) = rest.split_ascii_whitespace().find(|word| !shape.fits(word)) {
                        return wrong(format!("{word:?} is {}", shape.wanted()));
                    }
                    words.extend(rest.split_ascii_whitespace().map(|word| (section, word)));
                }
            }
        }
        let last = text.lines().count().max(1);
        let date = date.ok_or_else(|| lacks(last, "a line `date: YYYY-MM-DD`"))?;
        if words.is_empty() {
            return Err(lacks(last, "a word"));
        }
        Ok(Self { date, version, words, last })
    }

    /// The same, if it has a version.
    pub(super) fn versioned(self) -> Result<Self, (usize, String)> {
        if self.version.is_some() { Ok(self) } else { Err(lacks(self.last, "a line `version: NUMBER`")) }
    }

    /// The date it says it has, and its version.
    pub(super) fn dated(&self) -> (String, Option<u32>) {
        (self.date.to_owned(), self.version)
    }

    /// The words of a section.
    pub(super) fn words(&self, section: &'static str) -> impl Iterator<Item = Box<str>> + '_ {
        self.words.iter().filter(move |(of, _)| *of == section).map(|(_, word)| (*word).into())
    }
}

/// What a whole text lacks is told of its last line.
fn lacks(last: usize, what: &str) -> (usize, String) {
    (last, format!("the table ends without {what}"))
}

/// Whether a text is a day of the calendar, written `YYYY-MM-DD`.
pub(super) fn is_date(text: &str) -> bool {
    text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok()
}

fn unknown(section: &str, sections: &[(&str, Shape)]) -> String {
    let known: Vec<&str> = sections.iter().map(|(known, _)| *known).filter(|known| !known.is_empty()).collect();
    match (section, known.is_empty()) {
        (_, true) => format!("there is no section {section:?}: this table is words and a date"),
        ("", false) => format!("words without a section; write one of {} and a colon before them", known.join(", ")),
        (_, false) => format!("there is no section {section:?}, but {}", known.join(", ")),
    }
}
