//! How to read the numbers.

use maud::html;

use super::super::survey::Survey;
use super::Section;
use super::words::{number, phrase};

pub(super) fn section(survey: &Survey) -> Section {
    let sampled = survey.levels.iter().filter(|level| level.one_of > 1);
    let body = html! {
        h3 { "Verdicts" }
        p { "Each rule ends as " em { "pass" } ", " em { "fail" } ", " em { "unknown" } " or " em { "n/a" } ". Unknown is a verdict with a
            cause: no connection, a silent name server, too few blocklists that answered, a fault of the scanner’s own machine. It is
            never counted as a pass or as a fail. Where a rule does not apply (n/a) it is in no share." }
        div.scroll { table.wide {
            thead { tr {
                th scope="col" { "rule" } th scope="col" { "asks" } th scope="col" { "passes when" } th scope="col" { "fails when" }
                th scope="col" { "is unknown when" } th scope="col" { "is n/a when" }
            } }
            tbody { @for about in &survey.rules { tr {
                th.nowrap scope="row" { (about.id) " " (about.rule) }
                @for words in [about.asks, about.pass, about.fail, about.unknown, about.na] { td { (phrase(words)) } }
            } } }
        } }
        p { "“Conformant” is who passes all of the first five, “misconfigured” who fails any, “undetermined” who fails none and of whom
            something cannot be told." }
        h3 { "Intervals" }
        p { "An interval is Wilson’s score interval of 95%. It tells how far chance alone may carry the share among so many away from that
            of the population they were drawn from. It knows nothing of how the list was chosen, and rows of one server or provider are not
            independent of each other: by row it is too narrow, and the figures by domain or by server are the ones to cite. Of a list that
            is the whole population the share is exact, but for what is unknown." }
        @for level in sampled {
            p { "By " (level.by) " only one of " (number(level.one_of)) " is counted, chosen by its hash: shares are as good as those of
                all, counts have to be multiplied." }
        }
        @if survey.totals.servers_one_of > 1 {
            p { "Wherever servers are counted, one of " (number(survey.totals.servers_one_of)) " is." }
        }
        h3 { "What a scan can see" }
        p { "A server that is dialled tells what it says of itself. That is a proxy for what it says when it sends: behind a pool or a
            filter others may send for it. Introductions that somebody recorded are judged exactly. A scan is one look: who was down
            for an hour is unknown here." }
    };
    Section { id: "method", title: "How to read this", body }
}
