//! Who the servers are: software, providers, reverse names, TLS.

use std::fmt::Display;

use maud::{Markup, html};

use super::super::survey::{Counted, Survey};
use super::words::{count_cell, height, on_paper, percent, rest, share_cell, text};
use super::{Section, plot};

pub(super) fn software(survey: &Survey) -> Option<Section> {
    let ranking = &survey.software;
    if ranking.entries.is_empty() {
        return None;
    }
    let body = html! {
        p { "A guess from what greetings say, for statistics only: a greeting may say anything. Of those servers that greeted." }
        div class=(height(ranking.entries.len())) { table.words {
            thead { tr {
                th scope="col" { "software" }
                th.number scope="col" { "servers" }
                th.number scope="col" { "share" }
                td {}
                th.number scope="col" { "rows" }
            } }
            tbody { @for software in &ranking.entries { tr {
                th scope="row" { @match &software.name { Some(name) => (text(name)), None => span.soft { "does not say" } } }
                (count_cell(software.servers.count))
                (share_cell(&software.servers))
                td.drawn { (plot::share("bar", software.servers.share.unwrap_or(0.0))) }
                (count_cell(software.rows.count))
            } } }
        } }
        (on_paper(ranking.entries.len()))
        (rest(ranking, "kind", "rows"))
    };
    Some(Section { id: "software", title: "Software", body })
}

pub(super) fn providers(survey: &Survey) -> Option<Section> {
    let ranking = &survey.providers;
    if ranking.entries.is_empty() {
        return None;
    }
    let body = html! {
        p { "Who stands behind the exchanges, by the registrable domain of their names. The share is of the targets that have an exchange;
            one with several providers counts for each." }
        div class=(height(ranking.entries.len())) { table.sortable {
            thead { tr {
                th scope="col" { "provider" }
                th.number scope="col" aria-sort="descending" data-first="descending" { "targets" }
                th.number scope="col" data-first="descending" { "share" }
                td data-unsorted {}
                th.number scope="col" data-first="descending" { "rows" }
                th.number scope="col" data-first="descending" { "misconfigured" }
                th.number scope="col" data-first="descending" { "undetermined" }
            } }
            tbody { @for provider in &ranking.entries { tr {
                th scope="row" { (text(&provider.domain)) }
                (count_cell(provider.targets.count))
                (share_cell(&provider.targets))
                td.drawn { (plot::share("bar", provider.targets.share.unwrap_or(0.0))) }
                (count_cell(provider.rows))
                (share_cell(&provider.misconfigured))
                (share_cell(&provider.undetermined))
            } } }
        } }
        (on_paper(ranking.entries.len()))
        (rest(ranking, "provider", "rows"))
    };
    Some(Section { id: "providers", title: "Providers", body })
}

pub(super) fn reverse_names(survey: &Survey) -> Option<Section> {
    if !said(&survey.ptr_class) {
        return None;
    }
    let body = html! {
        p { "What the reverse name says of an address: " em { "named" } " is a name that somebody chose, " em { "generic-static" } " and "
            em { "generic-dynamic" } " are templates over the address, in space said to be static and in pool or access space, and "
            em { "none" } " is an address without a reverse name." }
        (words(&survey.ptr_class))
    };
    Some(Section { id: "reverse-names", title: "Reverse names", body })
}

pub(super) fn tls(survey: &Survey) -> Option<Section> {
    let tls = &survey.tls;
    if !said(&tls.status) {
        return None;
    }
    let body = html! {
        p { "Most senders encrypt to whatever certificate they are shown. One that would not be trusted is told here, and fails no rule." }
        h3 { "STARTTLS" }
        (words(&tls.status))
        @if said(&tls.version) { h3 { "Versions that were negotiated" } (words(&tls.version)) }
        @if said(&tls.trust) { h3 { "Whether the certificate would be trusted for the exchange" } (words(&tls.trust)) }
        @if said(&tls.failure) { h3 { "Why handshakes failed" } (words(&tls.failure)) }
    };
    Some(Section { id: "tls", title: "TLS", body })
}

/// Whether any of the words was said.
fn said<T>(words: &[Counted<T>]) -> bool {
    words.iter().any(|counted| counted.rows.count > 0)
}

/// The words that were said, with their shares.
fn words<T: Display>(words: &[Counted<T>]) -> Markup {
    html! {
        div.scroll { table.words {
            thead { tr {
                th scope="col" { "word" }
                th.number scope="col" { "servers" }
                th.number scope="col" { "share" }
                td.drawn {}
                th.number scope="col" { "rows" }
                th.number scope="col" { "share" }
            } }
            tbody { @for counted in words.iter().filter(|counted| counted.rows.count > 0) { tr {
                th.nowrap scope="row" { (text(&counted.word.to_string())) }
                (count_cell(counted.servers.count))
                (share_cell(&counted.servers))
                td.drawn { (plot::share("bar", counted.servers.share.unwrap_or(0.0))) }
                (count_cell(counted.rows.count))
                td.number { (percent(counted.rows.share)) }
            } } }
        } }
    }
}
