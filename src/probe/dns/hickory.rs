//! hickory-resolver: the second implementation of [`Lookup`], and the reader of the system's resolver configuration.
//! Comes in: a question. Goes out: the same typed answer that the engine gives.
//! The engine is checked against it (`tests/crosscheck.rs`); no scan runs on it. What it cannot say is listed at [`Hickory`].

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ProtocolConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{self, RData};
use hickory_resolver::system_conf::read_system_conf;

use super::reply::{ALIASES, RECORDS, text};
use super::{Error, Lookup};
use crate::model::dns::{Answer, Data, Mx, Question, RecordType, Records};
use crate::model::name::Name;
use crate::model::observed::{Absence, Denial, Failure, Observed};
use crate::model::smtp::escape;
use crate::model::words::Cause;

/// The resolvers this machine is configured to use (`/etc/resolv.conf`), in their order.
pub fn system_upstreams() -> Result<Vec<SocketAddr>, Error> {
    let (config, _) = read_system_conf().map_err(|error| Error::System { source: error.into() })?;
    let mut upstreams = Vec::new();
    for server in config.name_servers() {
        let port = server.connections.first().map_or(53, |connection| connection.port);
        let address = SocketAddr::new(server.ip, port);
        if !upstreams.contains(&address) {
            upstreams.push(address);
        }
    }
    if upstreams.is_empty() { Err(Error::NoUpstream) } else { Ok(upstreams) }
}

/// A resolver that leaves everything to hickory. It departs from the engine where hickory does not give more:
///
/// - reverse names of loopback addresses and names under `localhost`, `invalid` and `onion` are answered without a packet;
/// - a denial behind an alias loses its chain, and is given too where the chain is longer than the engine follows;
/// - the SOA record of an apex behind an alias is lost, unless the asked name is in that zone too;
/// - a code that is no success comes without its detail.
#[derive(Clone)]
pub struct Hickory(TokioResolver);

impl std::fmt::Debug for Hickory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hickory")
    }
}

impl Hickory {
    /// A resolver that asks these upstreams, each packet with this much patience.
    pub fn new(upstreams: &[SocketAddr], timeout: Duration) -> Result<Self, Error> {
        let servers = upstreams.iter().map(|address| {
            let connections = [ProtocolConfig::Udp, ProtocolConfig::Tcp].map(|protocol| {
                let mut connection = ConnectionConfig::new(protocol);
                connection.port = address.port();
                connection
            });
            NameServerConfig::new(address.ip(), true, connections.into())
        });
        let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let options: &mut ResolverOpts = builder.options_mut();
        options.timeout = timeout;
        options.attempts = 2;
        options.edns0 = true;
        options.ip_strategy = LookupIpStrategy::Ipv4Only;
        options.cache_size = 0;
        // Otherwise every TTL is cut to a day, also without a cache.
        options.positive_max_ttl = Some(Duration::from_secs(u32::MAX.into()));
        options.use_hosts_file = ResolveHosts::Never;
        options.num_concurrent_reqs = 1;
        options.preserve_intermediates = true;
        options.case_randomization = true;
        builder.build().map(Self).map_err(|error| Error::Hickory { source: error.into() })
    }
}

impl Lookup for Hickory {
    async fn lookup(&self, question: &Question) -> Answer<Data> {
        let labels: Vec<Vec<u8>> = question.name.labels().collect();
        let Ok(mut name) = rr::Name::from_labels(labels.iter().map(Vec::as_slice)) else {
            return failed(Cause::Malformed, "the name does not fit into a question");
        };
        // Without the final dot the search list would be asked too.
        name.set_fqdn(true);
        match self.0.lookup(name, kind(question.kind)).await {
            Ok(lookup) => records(question, &lookup),
            Err(error) => denial(error),
        }
    }
}

const fn kind(kind: RecordType) -> rr::RecordType {
    match kind {
        RecordType::A => rr::RecordType::A,
        RecordType::Aaaa => rr::RecordType::AAAA,
        RecordType::Mx => rr::RecordType::MX,
        RecordType::Ptr => rr::RecordType::PTR,
        RecordType::Txt => rr::RecordType::TXT,
        RecordType::Ns => rr::RecordType::NS,
        RecordType::Soa => rr::RecordType::SOA,
    }
}

fn records(question: &Question, lookup: &lookup::Lookup) -> Answer<Data> {
    let answers = lookup.answers();
    let mut aliases: Vec<Name> = Vec::new();
    let mut ttl = u32::MAX;
    loop {
        let owner = aliases.last().unwrap_or(&question.name);
        let mut values = Vec::new();
        let mut alias = None;
        for record in answers.iter().filter(|record| plain(&record.name) == *owner) {
            if let RData::CNAME(target) = &record.data {
                alias = alias.or_else(|| Some((plain(&target.0), record.ttl)));
            } else if let Some(value) = data(&record.data, question.kind)
                && values.len() < RECORDS
            {
                ttl = ttl.min(record.ttl);
                if !values.contains(&value) {
                    values.push(value);
                }
            }
        }
        if !values.is_empty() {
            let authentic = lookup.message().metadata.authentic_data;
            return Observed::Seen(Records { values, aliases, ttl, authentic });
        }
        let Some((target, seconds)) = alias else {
            return Observed::Absent(Absence { how: Denial::Nodata, zone: None, aliases });
        };
        if aliases.len() == ALIASES || target == question.name || aliases.contains(&target) {
            return Observed::Absent(Absence { how: Denial::AliasLoop, zone: None, aliases });
        }
        ttl = ttl.min(seconds);
        aliases.push(target);
    }
}

fn plain(name: &rr::Name) -> Name {
    Name::from_labels(name.iter())
}

fn data(data: &RData, kind: RecordType) -> Option<Data> {
    let value = match data {
        RData::A(address) => Data::A(address.0),
        RData::AAAA(address) => Data::Aaaa(address.0),
        RData::MX(mx) => Data::Mx(Mx { preference: mx.preference, exchange: plain(&mx.exchange) }),
        RData::PTR(name) => Data::Ptr(plain(&name.0)),
        RData::NS(name) => Data::Ns(plain(&name.0)),
        RData::SOA(soa) => Data::Soa(plain(&soa.mname)),
        RData::TXT(txt) => Data::Txt(text(txt.txt_data.iter().map(AsRef::as_ref))),
        _ => return None,
    };
    (data.record_type() == self::kind(kind)).then_some(value)
}

fn denial(error: NetError) -> Answer<Data> {
    let code = match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain | ResponseCode::NoError => {
                let how = if none.response_code == ResponseCode::NXDomain { Denial::Nxdomain } else { Denial::Nodata };
                let zone = none.soa.as_ref().map(|soa| plain(&soa.name));
                return Observed::Absent(Absence { how, zone, aliases: Vec::new() });
            }
            code => code,
        },
        NetError::Dns(DnsError::ResponseCode(code)) => code,
        NetError::Timeout => return Observed::failed(Cause::Timeout),
        NetError::NoConnections => return Observed::failed(Cause::ResolverDown),
        other => return failed(Cause::Timeout, &other.to_string()),
    };
    Observed::failed(match code {
        ResponseCode::ServFail => Cause::Servfail,
        ResponseCode::Refused => Cause::Refused,
        ResponseCode::FormErr => Cause::Formerr,
        _ => Cause::Notimp,
    })
}

fn failed(cause: Cause, detail: &str) -> Answer<Data> {
    Observed::Failed(Failure { detail: Some(escape(detail.as_bytes())), ..Failure::of(cause) })
}

#[cfg(test)]
mod tests {
    use super::super::script::{Asked, Server, name};
    use super::super::{Engine, Settings};
    use super::*;

    #[tokio::test]
    async fn both_resolvers_see_the_same_world() {
        let server = Server::start(|asked: &Asked| {
            let soa = [name("ns.example"), name("root.example"), vec![0; 20]].concat();
            vec![match asked.name().as_str() {
                "mx.example" => asked.reply(0).own(15, b"\0\x0a\x02mx\xc0\x0c").own(15, &[0, 0, 0]),
                "a.example" => asked.reply(0).own(1, &[192, 0, 2, 1]).own(1, &[192, 0, 2, 2]).flags(0, 0x20),
                "alias.example" => asked.reply(0).own(5, &name("x.example")).answer("x.example", 1, &[192, 0, 2, 3]),
                "txt.example" => asked.reply(0).own(16, b"\x02a\"\x03\\b\n"),
                "cut.example" if !asked.tcp => asked.reply(0).truncated(),
                "cut.example" => asked.reply(0).own(28, &[1; 16]),
                "nodata.example" => asked.reply(0).authority("example", 6, &soa),
                "refused.example" => asked.reply(5),
                "servfail.example" => asked.reply(2),
                _ => asked.reply(3).authority("example", 6, &soa),
            }]
        })
        .await;
        let engine =
            Engine::start(Settings { upstreams: vec![server.address.into()], ..Settings::default() }).await.unwrap();
        let hickory = Hickory::new(&[server.address], Duration::from_secs(5)).unwrap();
        for (text, kind) in [
            ("mx.example", RecordType::Mx),
            ("a.example", RecordType::A),
            ("alias.example", RecordType::A),
            ("txt.example", RecordType::Txt),
            ("cut.example", RecordType::Aaaa),
            ("nodata.example", RecordType::Ns),
            ("refused.example", RecordType::Soa),
            ("servfail.example", RecordType::Ptr),
            ("nothing.example", RecordType::Mx),
        ] {
            let question = Question { name: Name::trusted(text.into()), kind };
            let (mut ours, theirs) = (engine.lookup(&question).await, hickory.lookup(&question).await);
            // hickory does not say how it went about it.
            if let Observed::Failed(failure) = &mut ours {
                failure.how = None;
            }
            assert_eq!(ours, theirs, "{text}");
        }
    }

    #[tokio::test]
    async fn silence_and_a_closed_port_are_no_denials() {
        let closed = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let silent = Server::start(|_: &Asked| Vec::new()).await;
        for upstream in [closed, silent.address] {
            let hickory = Hickory::new(&[upstream], Duration::from_millis(50)).unwrap();
            let question = Question { name: Name::trusted("a.example".into()), kind: RecordType::A };
            let cause = hickory.lookup(&question).await.unknown().unwrap();
            assert!(matches!(cause, Cause::Timeout | Cause::ResolverDown), "{cause}");
        }
    }
}
