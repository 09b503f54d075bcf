//! Which known word somebody has probably meant.
//! Comes in: a word that is none, and those there are. Goes out: the nearest of them, if one is near.

/// How near the nearest has to be: a letter left out, doubled or swapped in a word of four.
const NEAR: f64 = 0.7;

/// The known word that this one is most like, if it is like any.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let likeness = |known: &str| strsim::normalized_damerau_levenshtein(&word, &known.to_lowercase());
    let all = known.into_iter().map(|known| (likeness(known), known));
    let (likeness, nearest) = all.max_by(|(one, _), (other, _)| one.total_cmp(other))?;
    (likeness >= NEAR).then_some(nearest)
}

/// A question to end an error message with; empty where nothing is near.
pub fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known).map_or_else(String::new, |nearest| format!("; did you mean `{nearest}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word_and_another_word_finds_none() {
        let known = ["port", "ptr-missing", "dnsbl-listed", "dnsbl-listed-minor"];
        for (typed, meant) in [
            ("prot", Some("port")),
            ("Dnsbl-Lsted", Some("dnsbl-listed")),
            ("ptr-mising", Some("ptr-missing")),
            ("teapot", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, known), meant, "{typed}");
        }
        assert_eq!(hint("prot", known), "; did you mean `port`?");
        assert_eq!(hint("prot", []), "");
    }
}
