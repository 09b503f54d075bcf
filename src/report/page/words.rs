//! How numbers and texts are spelled on the page.
//! Comes in: counts, shares, texts out of files. Goes out: words for people, and texts that stay among themselves.

use jiff::Timestamp;
use maud::{Markup, html};

use super::super::survey::{Ranking, Share};

/// Characters of a text out of a file that are shown at most: more than any host name has.
const SHOWN: usize = 300;

/// With a comma between thousands.
pub(super) fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with the word for it: one row, two rows.
pub(super) fn counted(count: u64, one: &str) -> String {
    format!("{} {one}{}", number(count), if count == 1 { "" } else { "s" })
}

/// A share in per cent. Only nothing is 0%, and only all of it is 100%.
pub(super) fn percent(share: Option<f64>) -> String {
    match share {
        None => "–".to_owned(),
        Some(share) if share > 0.0 && share < 0.000_5 => "<0.1%".to_owned(),
        Some(share) if (0.999_5..1.0).contains(&share) => ">99.9%".to_owned(),
        Some(share) => format!("{:.1}%", share * 100.0),
    }
}

/// The interval of a share; None where there is none.
pub(super) fn interval(share: &Share) -> Option<String> {
    let (low, high) = share.low.zip(share.high)?;
    Some(format!("{:.1}–{:.1}%", low * 100.0, high * 100.0))
}

/// A share as a cell of a table, with its interval.
pub(super) fn share_cell(share: &Share) -> Markup {
    html! {
        td.number data-sort=(share.share.unwrap_or(-1.0)) {
            (percent(share.share))
            @if let Some(interval) = interval(share) { span.interval { (interval) } }
        }
    }
}

/// A count as a cell of a table.
pub(super) fn count_cell(count: u64) -> Markup {
    html! { td.number data-sort=(count) { (number(count)) } }
}

/// A text out of a file: whatever it is, it is text, it turns nothing around it, and it is not endless. Most are as CSV escapes
/// them; values of a manifest are as they stood there.
pub(super) fn text(words: &str) -> Markup {
    let steers = |symbol: char| {
        symbol.is_control()
            || matches!(symbol, '\u{061C}' | '\u{200E}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    if words.contains(steers) {
        let shown =
            |symbol: char| if steers(symbol) { symbol.escape_unicode().to_string() } else { symbol.to_string() };
        return text(&words.chars().map(shown).collect::<String>());
    }
    html! { bdi.text { @match words.char_indices().nth(SHOWN) {
        Some((end, _)) => { (words.get(..end).unwrap_or_default()) "…" }
        None => (words)
    } } }
}

/// A phrase of the program's own tables; what stands between backticks is code.
pub(super) fn phrase(words: &str) -> Markup {
    html! { @for (place, part) in words.split('`').enumerate() { @if place % 2 == 1 { code { (part) } } @else { (part) } } }
}

/// A sentence of such a phrase.
pub(super) fn sentence(words: &str) -> Markup {
    let mut letters = words.chars();
    let begun = letters.next().map(|first| format!("{}{}", first.to_uppercase(), letters.as_str()));
    html! { (phrase(&begun.unwrap_or_default())) "." }
}

/// The box of a table: one that would be very long on a screen scrolls, and paper gets its head.
pub(super) fn height(rows: usize) -> &'static str {
    if rows > 30 { "scroll tall" } else { "scroll" }
}

/// What paper says below a table that it has not all of.
pub(super) fn on_paper(rows: usize) -> Markup {
    html! { @if rows > 50 { p.on-paper.soft { "Paper has the first 50 of these " (number(rows as u64)) "." } } }
}

/// A point in time out of a file, for people.
pub(super) fn moment(time: &str) -> Markup {
    html! { @match time.parse::<Timestamp>() {
        Ok(parsed) => { time.nowrap datetime=(time) { (parsed.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()) } }
        Err(_) => (text(time)),
    } }
}

/// A word of a closed set.
pub(super) fn word(class: &str, word: &str) -> Markup {
    html! { span class={ "word " (class) } { (word) } }
}

/// What a ranking does not show; nothing where it shows all.
pub(super) fn rest<T>(ranking: &Ranking<T>, one: &str, missed_in: &str) -> Markup {
    html! {
        @if ranking.others > 0 || ranking.approximate {
            p.soft {
                @if ranking.others > 0 {
                    @if ranking.approximate { "At least " }
                    (counted(ranking.others, one)) " more, smaller than these. "
                }
                @if ranking.approximate {
                    "There were more than memory is meant for: a count may be too small by up to "
                    (number(ranking.missed_at_most)) " " (missed_in) "."
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (count, told) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(number(count), told);
        }
        assert_eq!((counted(1, "row"), counted(2, "row")), ("1 row".to_owned(), "2 rows".to_owned()));
    }

    #[test]
    fn only_nothing_is_none_and_only_all_is_all() {
        for (count, of, told) in
            [(0, 9, "0.0%"), (1, 100_000, "<0.1%"), (1, 3, "33.3%"), (99_999, 100_000, ">99.9%"), (9, 9, "100.0%")]
        {
            assert_eq!(percent(Share::of(count, of).share), told);
        }
        assert_eq!(percent(Share::of(0, 0).share), "–");
        assert_eq!(interval(&Share::of(0, 0)), None);
        assert_eq!(interval(&Share::of(81, 263)).as_deref(), Some("25.5–36.6%"));
    }

    #[test]
    fn a_phrase_becomes_a_sentence() {
        assert_eq!(sentence("publish `MX 0 .` there").into_string(), "Publish <code>MX 0 .</code> there.");
    }

    #[test]
    fn a_time_is_for_people_and_what_is_none_is_text() {
        let told = moment("2026-12-01T02:47:46.251Z").into_string();
        assert!(told.contains(">2026-12-01 02:47:46 UTC<"), "{told}");
        assert_eq!(moment("<now>").into_string(), "<bdi class=\"text\">&lt;now&gt;</bdi>");
    }

    #[test]
    fn a_text_is_escaped_and_cut_between_characters() {
        assert_eq!(text("</td><b a=\"&").into_string(), "<bdi class=\"text\">&lt;/td&gt;&lt;b a=&quot;&amp;</bdi>");
        assert_eq!(text("a\u{202e}\0b").into_string(), "<bdi class=\"text\">a\\u{202e}\\u{0}b</bdi>");
        let long = "é".repeat(SHOWN + 1);
        assert_eq!(text(&long).into_string(), format!("<bdi class=\"text\">{}…</bdi>", "é".repeat(SHOWN)));
    }
}
