//! What a survey counts of a row that was read back from a file.
//! Comes in: the cells of a row. Goes out: its gist, and beside it words, numbers and texts as they stand there.
//! Texts are borrowed: of most rows none is kept.

use super::finding::Code;
use super::gist::Gist;
use super::words::{Basis, Cause, CertTrust, PtrClass, Rule, TlsFailure, TlsStatus};

/// A row, for whoever surveys many.
#[derive(Debug, Clone, Copy)]
pub struct Sighting<'a> {
    /// What is counted of every row. Its target is told by a hash, which tells it from all others of its file.
    pub gist: Gist,
    /// A hash of target, exchange, address, and the introduction if somebody recorded it: the same in every file that has them.
    pub place: u64,
    /// Whose words were judged; None where there is no server.
    pub basis: Option<Basis>,
    /// Why rules are unknown.
    pub causes: &'a [(Rule, Cause)],
    /// The findings, most severe first.
    pub findings: &'a [Code],
    /// What the reverse name says.
    pub ptr_class: Option<PtrClass>,
    /// What STARTTLS came to.
    pub tls: Option<TlsStatus>,
    /// Whether the certificate would be trusted.
    pub trust: Option<CertTrust>,
    /// Why the handshake failed.
    pub tls_failure: Option<TlsFailure>,
    /// Milliseconds to the connection.
    pub connect_ms: Option<u32>,
    /// Milliseconds from there to the end of the greeting.
    pub greeting_ms: Option<u32>,
    /// Cells of texts; empty where there is nothing.
    pub texts: Texts<'a>,
}

/// Texts of a row as they stand in its cells.
#[derive(Debug, Clone, Copy, Default)]
pub struct Texts<'a> {
    /// The target as given.
    pub target: &'a str,
    /// The exchange.
    pub exchange: &'a str,
    /// The address.
    pub address: &'a str,
    /// The reverse names, joined by `;`, with `\` before what is no border between two.
    pub ptr: &'a str,
    /// The introduction.
    pub introduction: &'a str,
    /// The greeting.
    pub greeting: &'a str,
    /// The software.
    pub software: &'a str,
    /// The version of TLS.
    pub tls_version: &'a str,
    /// `zone=code` of each listing, joined by `;`.
    pub listed: &'a str,
    /// The zones among them that count.
    pub counted: &'a str,
    /// `zone=why` of each list without a usable answer.
    pub silent: &'a str,
    /// When its target was taken up, RFC 3339.
    pub scanned_at: &'a str,
}

impl<'a> Texts<'a> {
    /// The reverse names, with a space between two.
    pub fn ptr_names(&self) -> String {
        let mut names = String::with_capacity(self.ptr.len());
        let mut symbols = self.ptr.chars();
        while let Some(symbol) = symbols.next() {
            match symbol {
                ';' => names.push(' '),
                '\\' => names.extend(symbols.next()),
                plain => names.push(plain),
            }
        }
        names
    }

    /// The blocklists that have the address, each once for each of its codes.
    pub fn listed(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        items(self.listed).map(|item| item.split_once('=').map_or(item, |(zone, _)| zone))
    }

    /// The blocklists that count against it.
    pub fn counted(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        items(self.counted)
    }

    /// The blocklists that gave no usable answer, and why.
    pub fn silent(&self) -> impl Iterator<Item = (&'a str, Option<Cause>)> + use<'a> {
        items(self.silent)
            .map(|item| item.split_once('=').map_or((item, None), |(zone, why)| (zone, Cause::called(why))))
    }
}

fn items(cell: &str) -> impl Iterator<Item = &str> {
    cell.split(';').filter(|item| !item.is_empty())
}
