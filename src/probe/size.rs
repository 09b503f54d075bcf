//! How many bytes the remembered things occupy, about.
//! Comes in: a key or a value of a memory. Goes out: its bytes, heap and inline.
//! An estimate is enough: it only has to grow with the thing.

use std::mem::size_of;
use std::net::IpAddr;

use super::dnsbl::panel::Sayings;
use super::dnsbl::watch::Stretch;
use super::memo::Size;
use super::quarantine::Stamped;
use crate::model::dns::{Answer, Data, Question};
use crate::model::dnsbl::{DomainListing, Listing};
use crate::model::evidence::{Exchange, Host};
use crate::model::name::Name;
use crate::model::observed::Observed;
use crate::model::smtp::{Certificate, Reply, Session, Tls};

/// What the allocator and the reference count add to each piece on the heap.
const PIECE: usize = 24;

impl Size for Name {
    fn size(&self) -> usize {
        size_of::<Self>() + self.as_str().len() + PIECE
    }
}

impl Size for Question {
    fn size(&self) -> usize {
        self.name.size() + 8
    }
}

impl Size for IpAddr {
    fn size(&self) -> usize {
        size_of::<Self>()
    }
}

impl Size for Answer<Data> {
    fn size(&self) -> usize {
        answer(self, |data| match data {
            Data::A(_) | Data::Aaaa(_) => 0,
            Data::Mx(mx) => mx.exchange.as_str().len() + PIECE,
            Data::Ptr(name) | Data::Ns(name) | Data::Soa(name) => name.as_str().len() + PIECE,
            Data::Txt(text) => text.len() + PIECE,
        })
    }
}

fn answer<T>(answer: &Answer<T>, extra: impl Fn(&T) -> usize) -> usize {
    let names = |names: &[Name]| names.iter().map(Size::size).sum::<usize>();
    size_of::<Answer<T>>()
        + match answer {
            Observed::Seen(records) => {
                let values: usize = records.values.iter().map(|value| size_of::<T>() + extra(value)).sum();
                values + names(&records.aliases) + PIECE
            }
            Observed::Absent(absence) => absence.zone.as_ref().map_or(0, Size::size) + names(&absence.aliases),
            Observed::Failed(failure) => failure.detail.as_ref().map_or(0, |detail| detail.len() + PIECE),
            Observed::NotAsked(_) => 0,
        }
}

fn reply(reply: &Reply) -> usize {
    reply.raw.len() + reply.lines.octets() + 2 * PIECE
}

fn session(session: &Session) -> usize {
    let replies = [&session.greeting, &session.ehlo, &session.helo].into_iter().flatten().map(reply).sum::<usize>();
    replies + session.extensions.octets() + session.auth.octets() + 2 * PIECE + tls(&session.tls)
}

fn tls(tls: &Tls) -> usize {
    let said = [&tls.detail, &tls.chain_detail].into_iter().flatten().map(|text| text.len() + PIECE).sum::<usize>();
    let certificates = tls.certificate.as_deref().into_iter().chain(&tls.issuers).map(certificate).sum::<usize>();
    tls.extensions.octets() + said + certificates
}

fn certificate(certificate: &Certificate) -> usize {
    let names = certificate.names.iter().map(|name| name.len() + 16 + PIECE).sum::<usize>();
    // Two digests, and the names of two algorithms.
    size_of_val(certificate) + names + certificate.subject.len() + certificate.issuer.len() + 320
}

impl Size for Listing {
    fn size(&self) -> usize {
        size_of::<Self>() + answer(&self.codes, |_| 0) + answer(&self.reason, |text| text.len() + PIECE) + PIECE
    }
}

fn about_domains(domains: &[DomainListing]) -> usize {
    domains.iter().map(|domain| domain.name.size() + domain.listing.size()).sum()
}

impl Size for Sayings {
    fn size(&self) -> usize {
        self.listings.iter().map(Size::size).sum::<usize>() + self.stretches.len() * size_of::<Stretch>() + PIECE
    }
}

impl<T: Size> Size for Stamped<T> {
    fn size(&self) -> usize {
        self.what.size() + self.stretches.len() * size_of::<Stretch>() + 2 * PIECE
    }
}

impl Size for Host {
    fn size(&self) -> usize {
        let host = self;
        let forward = host.forward.iter().map(|forward| forward.name.size() + answer(&forward.addresses, |_| 0));
        let listings = host.listings.iter().map(Size::size);
        let introduced = &host.introduced;
        size_of::<Self>()
            + answer(&host.ptr, |name| name.as_str().len() + PIECE)
            + forward.sum::<usize>()
            + session(&host.session)
            + [&host.introduction, &host.ehlo].into_iter().flatten().map(|one| one.text.len() + PIECE).sum::<usize>()
            + answer(&introduced.addresses.v4, |_| 0)
            + answer(&introduced.addresses.v6, |_| 0)
            + answer(&introduced.mx, |mx| mx.exchange.as_str().len() + PIECE)
            + listings.sum::<usize>()
            + about_domains(&host.domains)
            + host
                .earlier
                .iter()
                .map(|one| size_of_val(one) + one.reply.as_ref().map_or(0, |text| text.len()))
                .sum::<usize>()
    }
}

impl Size for Exchange {
    fn size(&self) -> usize {
        size_of::<Self>()
            + self.name.as_str().len()
            + answer(&self.addresses.v4, |_| 0)
            + answer(&self.addresses.v6, |_| 0)
            + answer(&self.organisation, |_| 0)
            + about_domains(&self.domains)
    }
}
