//! A strict reader of the Prometheus text format 0.0.4, written from its description and not from what writes it here.
//! What Prometheus only frowns at is an error as well: a family without its TYPE and HELP, or a counter that is not called so.

/// The labels of a sample, in their order.
pub(crate) type Labels = Vec<(String, String)>;

/// All samples of a page.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    families: Vec<Family>,
}

#[derive(Debug)]
struct Family {
    name: String,
    counter: bool,
    samples: Vec<(Labels, f64)>,
}

impl Exposition {
    /// Reads a page; what is wrong with it, and in which line.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if !text.ends_with('\n') {
            return Err("the last line has no end".to_owned());
        }
        let mut page = Self::default();
        let mut help: Option<&str> = None;
        for line in text.lines() {
            let wrong = |why: &str| format!("{why}: {line:?}");
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, text) = rest.split_once(' ').ok_or_else(|| wrong("no text"))?;
                if help.is_some() || text.is_empty() || !is_name(name, true) {
                    return Err(wrong("not the HELP of a family"));
                }
                help = Some(name);
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').ok_or_else(|| wrong("no type"))?;
                if help.take() != Some(name) || page.families.iter().any(|family| family.name == name) {
                    return Err(wrong("not behind its HELP, or a second time"));
                }
                let counter = match kind {
                    "counter" => true,
                    "gauge" => false,
                    _ => return Err(wrong("a type that we have not")),
                };
                if counter != name.ends_with("_total") {
                    return Err(wrong("a counter ends in _total, and nothing else does"));
                }
                page.families.push(Family { name: name.to_owned(), counter, samples: Vec::new() });
            } else {
                let (name, labels, value) = sample(line).ok_or_else(|| wrong("no sample"))?;
                // Samples stand behind the TYPE of their own family, so that none is mixed with another.
                let family = page.families.last_mut().filter(|family| family.name == name && help.is_none());
                let family = family.ok_or_else(|| wrong("not behind its TYPE"))?;
                if family.counter && (value.is_nan() || value < 0.0) {
                    return Err(wrong("a counter below zero"));
                }
                if family.samples.iter().any(|(known, _)| *known == labels) {
                    return Err(wrong("twice"));
                }
                family.samples.push((labels, value));
            }
        }
        match page.families.iter().find(|family| family.samples.is_empty()) {
            Some(family) => Err(format!("{} has no samples", family.name)),
            None => Ok(page),
        }
    }

    /// All samples of a family.
    pub(crate) fn all(&self, name: &str) -> &[(Labels, f64)] {
        self.families.iter().find(|family| family.name == name).map_or(&[], |family| &family.samples)
    }

    /// The one sample of a family, if there is one.
    pub(crate) fn get(&self, name: &str) -> Option<f64> {
        self.labelled(name, &[])
    }

    /// The one sample of a family.
    pub(crate) fn one(&self, name: &str) -> f64 {
        self.get(name).unwrap_or_else(|| panic!("there is no {name}"))
    }

    /// The sample with these labels.
    pub(crate) fn labelled(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let wanted: Labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.all(name).iter().find(|(known, _)| *known == wanted).map(|(_, value)| *value)
    }

    /// The sum of a family.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        self.all(name).iter().map(|(_, value)| value).sum()
    }
}

fn is_name(name: &str, colons: bool) -> bool {
    let of = |c: char, digits: bool| {
        c.is_ascii_alphabetic() || c == '_' || (colons && c == ':') || (digits && c.is_ascii_digit())
    };
    name.chars().next().is_some_and(|c| of(c, false)) && name.chars().all(|c| of(c, true))
}

/// Name, labels and value of a sample; a timestamp is none of ours, as the node exporter refuses it.
fn sample(line: &str) -> Option<(&str, Labels, f64)> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Labels::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, value) = rest.split_once("=\"")?;
            if !is_name(label, false) || labels.iter().any(|(known, _)| known == label) {
                return None;
            }
            let mut text = String::new();
            let mut chars = value.char_indices();
            let behind = loop {
                match chars.next()? {
                    (at, '"') => break at + 1,
                    (_, '\\') => text.push(match chars.next()?.1 {
                        'n' => '\n',
                        c @ ('\\' | '"') => c,
                        _ => return None,
                    }),
                    (_, c) => text.push(c),
                }
            };
            labels.push((label.to_owned(), text));
            rest = &value[behind..];
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        rest = rest.strip_prefix('}')?;
    }
    let value = rest.strip_prefix(' ')?.parse().ok()?;
    is_name(name, true).then_some((name, labels, value))
}

#[test]
fn the_reader_of_these_tests_is_strict() {
    let head = "# HELP a_total x\n# TYPE a_total counter\n";
    assert!(Exposition::parse(&format!("{head}a_total{{b=\"c\\\"\\\\\\n,}}\",d=\"\"}} 1e3\n")).is_ok());
    for wrong in [
        "a_total 1\n".to_owned(),
        head.to_owned(),
        format!("{head}a_total 1"),
        format!("{head}a_total 1\na_total 2\n"),
        format!("{head}a_total -1\n"),
        format!("{head}a_total 1 1000\n"),
        format!("{head}a_total{{b=\"c\\t\"}} 1\n"),
        format!("{head}a_total{{b-c=\"d\"}} 1\n"),
        format!("{head}a_total{{b=\"1\",b=\"2\"}} 1\n"),
        format!("{head}a_total 1\n{head}a_total 2\n"),
        format!("{head}b_total 1\n"),
        "# HELP a x\n# TYPE a counter\na 1\n".to_owned(),
        "# TYPE a gauge\na 1\n".to_owned(),
    ] {
        assert!(Exposition::parse(&wrong).is_err(), "{wrong}");
    }
}
