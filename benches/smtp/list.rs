//! Which addresses the farm's servers have, and what kind of server each is.
//! Comes in: how many, and the shares of the kinds. Goes out: addresses of 127/8, each with its kind.
//! The address alone decides, so that the farm needs no list and a list needs no farm.

use std::net::Ipv4Addr;

use clap::Args;

/// The first server; below it are the addresses that other programs use.
const FIRST: u32 = u32::from_be_bytes([127, 16, 0, 0]);
/// The most there may be: all stay below 127.255.0.0.
const MOST: u32 = u32::from_be_bytes([127, 255, 0, 0]) - FIRST;

/// The farm's servers.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct World {
    /// How many servers there are
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST)))]
    pub(crate) servers: u32,
    /// Of a hundred servers so many never answer a SYN
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100))]
    dead: u32,
    /// Of a hundred servers so many send an octet every few seconds
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100))]
    tarpits: u32,
}

/// What a server does when it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Answers.
    Live,
    /// Never answers a SYN.
    Dead,
    /// Answers an octet every few seconds.
    Tarpit,
}

impl World {
    /// The kind of the server at this address.
    pub(crate) fn kind(self, address: Ipv4Addr) -> Kind {
        let number = u32::from(address).wrapping_sub(FIRST);
        // A step that has no factor in common with 100 spreads the kinds evenly.
        let place = number.wrapping_mul(37) % 100;
        if number >= self.servers {
            Kind::Live
        } else if place < self.dead {
            Kind::Dead
        } else if place < self.dead + self.tarpits {
            Kind::Tarpit
        } else {
            Kind::Live
        }
    }

    /// Whether the kind of a server has to be looked at.
    pub(crate) const fn has_tarpits(self) -> bool {
        self.tarpits > 0
    }

    /// All servers.
    pub(crate) fn servers(self) -> impl Iterator<Item = (Ipv4Addr, Kind)> {
        (0..self.servers).map(move |number| {
            let address = Ipv4Addr::from(FIRST + number);
            (address, self.kind(address))
        })
    }
}
