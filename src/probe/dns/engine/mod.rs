//! The resolver of the hot path: a stub that asks upstream recursive resolvers over a few long-lived sockets.
//! Comes in: questions from thousands of tasks. Goes out: an answer each, within the patience and the rate.
//! It decides whom to ask, how often, and what a reply means for the next step; sockets are `line`'s, bytes `reply`'s.
//! Waiting for a permit or for the pace is not charged to the patience.

mod batch;
mod course;
mod exchange;
mod flight;
mod health;
mod line;
mod settings;
mod stats;
mod trouble;
mod upstream;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use rand::Rng as _;
use tokio::time::{Instant, sleep};
use tracing::debug;

use self::course::Course;
use self::flight::Ticket;
pub use self::settings::Settings;
use self::stats::Counters;
pub use self::stats::Stats;
use self::trouble::tcp_trouble;
use self::upstream::Upstream;
use super::reply::{self, Fact, Reading, Trouble, WayOut};
use super::secure::{self, Secure};
use super::wire::{self, Case, Fit, Manner};
use super::{Error, Lookup, Server, Told};
use crate::model::dns::{Answer, Data, Question};
use crate::model::observed::{Failure, How, Observed};
use crate::model::words::Cause;

/// Before the only upstream is asked again about what it could not answer.
const SECOND_THOUGHTS: Duration = Duration::from_millis(200);

/// The resolver of the hot path.
#[derive(Debug)]
pub struct Engine {
    upstreams: Vec<Upstream>,
    settings: Settings,
    /// An upstream is known not to keep the case of letters: mixing it would cost every lookup its first wait.
    plain: AtomicBool,
    counters: Arc<Counters>,
}

impl Engine {
    /// Opens the sockets. An upstream that cannot be reached from here (no route of its family) is left out.
    /// Fails when none is left.
    #[expect(clippy::unused_async, reason = "the sockets' tasks need a running runtime, which only async code has")]
    pub async fn start(settings: Settings) -> Result<Self, Error> {
        let counters = Arc::new(Counters::default());
        let mut upstreams = Vec::new();
        let mut last = Error::NoUpstream;
        let plain = settings.upstreams.iter().all(|server| matches!(server, Server::Plain(_)));
        let client = if plain { None } else { Some(secure::client(&settings.extra_roots)?) };
        for server in &settings.upstreams {
            let address = server.address();
            let secure = client.as_ref().map(|client| Secure::new(server, client)).transpose();
            let opened = secure
                .and_then(|secure| Upstream::open(address, secure.flatten(), upstreams.len(), &settings, &counters));
            match opened {
                Ok(upstream) => upstreams.push(upstream),
                Err(source) => last = Error::Socket { address, source },
            }
        }
        if upstreams.is_empty() {
            return Err(last);
        }
        Ok(Self { upstreams, settings, plain: AtomicBool::new(false), counters })
    }

    /// What has been done so far.
    pub fn stats(&self) -> Stats {
        self.counters.read()
    }

    /// Asks the first upstream over TCP, whatever would fit a datagram: whether long answers can be had there. One try.
    pub async fn over_tcp(&self, question: &Question) -> Answer<Data> {
        let Some(section) = wire::question(question, Case::Plain) else { return Observed::failed(Cause::Malformed) };
        let mut course = Course::new(&self.settings);
        let manner = Manner { edns: true, checking_disabled: false };
        let reply = self.by_tcp(&Ticket::new(section), manner, &mut course).await;
        match reply.map(|bytes| reply::read(&bytes, question)) {
            Ok(Reading::Fact(fact)) => fact.answer,
            Ok(Reading::Trouble(trouble)) => Observed::Failed(trouble.failure),
            Ok(Reading::Truncated) => Observed::failed(Cause::Truncated),
            Err(error) => Observed::Failed(tcp_trouble(Cause::ResolverDown, &error).failure),
        }
    }

    /// Asks until there is a fact, or no way out of the trouble is left.
    async fn settle(&self, question: &Question) -> Told {
        let case = if self.plain.load(Relaxed) { Case::Plain } else { Case::Mixed };
        let Some(section) = wire::question(question, case) else {
            let detail = Some("the name does not fit into a question".into());
            let failure = Failure { detail, ..Failure::of(Cause::Malformed) };
            return Told { answer: Observed::Failed(failure), ttl: 0, extended: None, how: How::default() };
        };
        let mut manner = Manner { edns: true, checking_disabled: false };
        let mut course = Course::new(&self.settings);
        let mut again = true;
        loop {
            let ticket = Ticket::new(section.clone());
            let trouble = match self.once(question, &ticket, manner, &mut course).await {
                Ok(fact) => return self.told(fact, &course),
                Err(trouble) => trouble,
            };
            match trouble.way_out {
                WayOut::WithoutEdns if manner.edns => {
                    manner.edns = false;
                    course.keep = Some(course.last);
                }
                WayOut::Unchecked => {
                    let failure = self.confirm(question, &ticket, trouble.failure, &mut course).await;
                    return self.failed(question, failure, &course);
                }
                WayOut::Again | WayOut::WithoutEdns if again && !course.is_out_of_patience() => {
                    again = false;
                    self.note("asked again", question, &trouble.failure, &course);
                    course.avoid = Some(course.last);
                    if self.upstreams.len() == 1 {
                        sleep(SECOND_THOUGHTS).await;
                    }
                }
                _ => return self.failed(question, trouble.failure, &course),
            }
        }
    }

    fn told(&self, fact: Fact, course: &Course) -> Told {
        Told { answer: fact.answer, ttl: fact.ttl, extended: fact.extended, how: self.how(course) }
    }

    fn note(&self, what: &str, question: &Question, failure: &Failure, course: &Course) {
        let (cause, upstream) = (failure.cause, self.upstream(course.last).address);
        debug!(question = %question.name, kind = ?question.kind, ?upstream, %cause, attempts = course.attempts, "{what}");
    }

    fn failed(&self, question: &Question, failure: Failure, course: &Course) -> Told {
        self.note("no answer", question, &failure, course);
        let how = self.how(course);
        let answer = Observed::Failed(Failure { how: Some(Box::new(how.clone())), ..failure });
        Told { answer, ttl: 0, extended: None, how }
    }

    fn how(&self, course: &Course) -> How {
        let Course { attempts, truncated, rcode, last, .. } = *course;
        How { rcode, truncated, attempts, upstream: self.upstreams.get(last).map(|upstream| upstream.address) }
    }

    /// The resolver says that the zone's signatures are broken. That is a fact about the zone only if there is data
    /// behind it: otherwise its servers may just be in trouble.
    async fn confirm(&self, question: &Question, first: &Ticket, failure: Failure, course: &mut Course) -> Failure {
        let ticket = Ticket::new(first.question.clone());
        let rcode = course.rcode;
        course.keep = Some(course.last);
        let unchecked = self.once(question, &ticket, Manner { edns: true, checking_disabled: true }, course).await;
        course.rcode = rcode;
        match unchecked {
            Ok(Fact { answer: Observed::Seen(_), .. }) => Failure { cause: Cause::Bogus, ..failure },
            _ => failure,
        }
    }

    /// One question to its first reply, over TCP if it does not fit a datagram.
    async fn once(
        &self,
        question: &Question,
        ticket: &Arc<Ticket>,
        manner: Manner,
        course: &mut Course,
    ) -> Result<Fact, Trouble> {
        let bytes = match self.exchange(ticket, manner, course).await {
            Ok(bytes) => bytes,
            Err(Failure { cause: Cause::Timeout, .. }) if ticket.wrong_case.load(Relaxed) => {
                // Somebody answers, but does not keep the case of letters. Over TCP that does no harm.
                let bytes = self.by_tcp(ticket, manner, course).await;
                let bytes = bytes.map_err(|error| tcp_trouble(Cause::Timeout, &error))?;
                // Nobody can forge this, so it is proof.
                if wire::fit(&bytes, &ticket.question) == Fit::CaseOnly {
                    self.plain.store(true, Relaxed);
                }
                bytes
            }
            Err(failure) => return Err(Trouble { failure, way_out: WayOut::None }),
        };
        let reading = match reply::read(&bytes, question) {
            // Over a stream there is no more to be had.
            Reading::Truncated if !self.upstream(course.last).is_secure() => {
                course.truncated = true;
                debug!(question = %question.name, kind = ?question.kind, upstream = ?self.upstream(course.last).address, "truncated");
                let bytes = self.by_tcp(ticket, manner, course).await;
                let bytes = bytes.map_err(|error| tcp_trouble(Cause::Truncated, &error))?;
                course.rcode = wire::rcode(&bytes);
                reply::read(&bytes, question)
            }
            other => {
                course.rcode = wire::rcode(&bytes);
                other
            }
        };
        if self.upstreams.len() > 1 {
            self.upstream(course.last).common.health().ended(!matches!(reading, Reading::Fact(_)));
        }
        match reading {
            Reading::Fact(fact) => Ok(fact),
            Reading::Trouble(trouble) => Err(trouble),
            Reading::Truncated => {
                let failure = Failure { detail: Some("truncated over TCP".into()), ..Failure::of(Cause::Truncated) };
                Err(Trouble { failure, way_out: WayOut::Again })
            }
        }
    }

    /// The upstream to ask next: of two drawn by chance the one that costs less, which shares the work out by what each can
    /// carry. One that has gone silent is left alone as long as there is another.
    fn choose(&self, course: &mut Course) -> &Upstream {
        let (keep, avoid) = (course.keep.take(), course.avoid.take());
        course.last = match keep {
            Some(number) => number,
            None if self.upstreams.len() == 1 => 0,
            None => self.draw(avoid),
        };
        // Should this try fail, the next is another's.
        course.avoid = Some(course.last);
        self.upstream(course.last)
    }

    fn draw(&self, avoid: Option<usize>) -> usize {
        let now = Instant::now();
        let number = |upstream: &Upstream| upstream.common.number;
        let open = self.upstreams.iter().filter(|upstream| !upstream.common.health().is_shut(now));
        let mut fit: Vec<usize> = open.map(number).collect();
        if fit.is_empty() {
            fit = self.upstreams.iter().map(number).collect();
        }
        if fit.len() > 1 {
            fit.retain(|number| Some(*number) != avoid);
        }
        let draw = || fit.get(rand::rng().random_range(0..fit.len())).copied().unwrap_or_default();
        let (one, other) = (draw(), draw());
        if self.cost(one) <= self.cost(other) { one } else { other }
    }

    fn cost(&self, number: usize) -> f64 {
        let common = &self.upstream(number).common;
        let in_flight = common.in_flight();
        common.health().cost(in_flight)
    }

    fn upstream(&self, number: usize) -> &Upstream {
        self.upstreams.get(number).expect("numbers are given out by place in the list")
    }
}

impl Lookup for Engine {
    async fn lookup(&self, question: &Question) -> Answer<Data> {
        self.tell(question).await.answer
    }

    async fn tell(&self, question: &Question) -> Told {
        let told = self.settle(question).await;
        self.counters.ended(&told.answer);
        told
    }

    fn is_cut_off(&self) -> bool {
        self.upstreams.iter().all(|upstream| upstream.common.health().is_silent())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::super::script::{Asked, Reply, Server, name};
    use super::*;
    use crate::model::dns::{Mx, RecordType, Records, reverse_name};
    use crate::model::name::Name;
    use crate::model::observed::{Absence, Denial};

    const ONE: [u8; 4] = [192, 0, 2, 1];

    fn question(text: &str, kind: RecordType) -> Question {
        Question { name: Name::trusted(text.into()), kind }
    }

    /// Patience enough for a busy machine where a reply comes.
    async fn engine(servers: &[&Server]) -> Engine {
        patient(servers.iter().map(|server| server.address).collect(), 6000).await
    }

    async fn patient(upstreams: Vec<SocketAddr>, ms: u64) -> Engine {
        let upstreams = upstreams.into_iter().map(Into::into).collect();
        let settings = Settings { upstreams, timeout: Duration::from_millis(ms), ..Settings::default() };
        Engine::start(settings).await.unwrap()
    }

    async fn ask(engine: &Engine) -> Answer<Data> {
        engine.lookup(&question("host.example", RecordType::A)).await
    }

    fn values(answer: &Answer<Data>) -> &[Data] {
        match answer {
            Observed::Seen(Records { values, .. }) => values,
            other => panic!("{other:?} holds no records"),
        }
    }

    fn failure(answer: Answer<Data>) -> (Cause, String) {
        match answer {
            Observed::Failed(Failure { cause, detail, .. }) => (cause, detail.map(String::from).unwrap_or_default()),
            other => panic!("{other:?} is no failure"),
        }
    }

    fn one() -> [Data; 1] {
        [Data::A(ONE.into())]
    }

    /// A port on which nobody listens.
    fn closed() -> SocketAddr {
        std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    #[tokio::test]
    async fn what_is_not_the_reply_is_ignored_and_the_reply_still_taken() {
        let server = Server::start(|asked: &Asked| {
            let good = asked.reply(0).own(1, &ONE);
            let forged = asked.reply(0).own(1, &[192, 0, 2, 66]);
            let mut wrong_id = forged.clone();
            wrong_id.0[0] ^= 0x55;
            let mut wrong_name = forged.clone();
            wrong_name.0[13] = b'g';
            let mut wrong_type = forged.clone();
            let at = 12 + asked.question().len() - 3;
            wrong_type.0[at] = 28;
            let mut wrong_case = forged.clone();
            wrong_case.0[13] ^= 0x20;
            let mut no_reply = forged;
            no_reply.0[2] &= 0x7F;
            let short = Reply(asked.bytes[..7].to_vec());
            vec![wrong_id, wrong_name, wrong_type, wrong_case, no_reply, short, Reply(Vec::new()), good.clone(), good]
        })
        .await;
        let engine = engine(&[&server]).await;
        assert_eq!(values(&ask(&engine).await), one());
        // Sent in order and taken in order: when the second answer is there, the first one's double has been dropped.
        let mut stats = engine.stats();
        assert_eq!((stats.answered, stats.wrong_case, stats.sent, stats.seen), (1, 1, 1, 1));
        while stats.ignored < 7 {
            tokio::task::yield_now().await;
            stats = engine.stats();
        }
        assert_eq!(stats.ignored, 7);
    }

    #[tokio::test]
    async fn a_late_answer_to_an_earlier_try_counts() {
        // The first query is answered when the second comes, the second never.
        let first = std::sync::Mutex::new(None);
        let server = Server::start(move |asked: &Asked| {
            let before = first.lock().unwrap().replace(asked.reply(0).own(1, &ONE));
            before.into_iter().collect()
        })
        .await;
        // One socket: the script sends to where the last query came from.
        let timeout = Duration::from_millis(900);
        let settings = Settings { upstreams: vec![server.address.into()], timeout, sockets: 1, ..Settings::default() };
        let engine = Engine::start(settings).await.unwrap();
        assert_eq!(values(&ask(&engine).await), one());
        let asked = server.asked();
        assert_eq!(asked.len(), 2);
        assert_ne!(asked[0].0[..2], asked[1].0[..2], "each try has its own id");
    }

    #[tokio::test]
    async fn a_truncated_reply_is_asked_again_by_tcp() {
        let server = Server::start(|asked: &Asked| {
            let cut = asked.reply(0).own(1, &[192, 0, 2, 66]).truncated();
            vec![if asked.tcp { asked.reply(0).own(1, &ONE) } else { cut }]
        })
        .await;
        let engine = engine(&[&server]).await;
        assert_eq!(values(&ask(&engine).await), one());
        assert_eq!(engine.stats().tcp, 1);
    }

    #[tokio::test]
    async fn truncated_without_tcp_is_truncated() {
        let udp = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = udp.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = vec![0; 512];
            loop {
                let (length, peer) = udp.recv_from(&mut buffer).await.unwrap();
                let asked = Asked { bytes: buffer[..length].to_vec(), tcp: false };
                udp.send_to(&asked.reply(0).truncated().0, peer).await.unwrap();
            }
        });
        let engine = patient(vec![address], 6000).await;
        assert_eq!(failure(ask(&engine).await).0, Cause::Truncated);
        // And one that is truncated over TCP too.
        let server = Server::start(|asked: &Asked| vec![asked.reply(0).truncated()]).await;
        let engine = self::engine(&[&server]).await;
        assert_eq!(failure(ask(&engine).await).0, Cause::Truncated);
    }

    #[tokio::test]
    async fn a_server_that_does_not_keep_case_is_asked_by_tcp_and_then_in_plain_case() {
        let server = Server::start(|asked: &Asked| {
            let mut reply = asked.reply(0).own(1, &ONE);
            let end = 12 + asked.question().len() - 5;
            reply.0[12..end].make_ascii_lowercase();
            vec![reply]
        })
        .await;
        let engine = patient(vec![server.address], 300).await;
        // So many letters are never all drawn in lower case.
        let question = question(&format!("{}.example", "x".repeat(63)), RecordType::A);
        assert_eq!(values(&engine.lookup(&question).await), one());
        assert_eq!((engine.stats().wrong_case, engine.stats().tcp), (1, 1));
        assert_eq!(values(&engine.lookup(&question).await), one());
        assert_eq!((engine.stats().sent, engine.stats().tcp), (3, 1));
    }

    #[tokio::test]
    async fn denials_come_with_zone_and_aliases() {
        let server = Server::start(|asked: &Asked| {
            let soa = [name("ns.example"), name("root.example"), vec![0; 20]].concat();
            let rcode = if asked.name().starts_with("nx") { 3 } else { 0 };
            vec![asked.reply(rcode).own(5, &name("end.example")).authority("example", 6, &soa)]
        })
        .await;
        let engine = engine(&[&server]).await;
        for (text, how) in [("nx.example", Denial::Nxdomain), ("nd.example", Denial::Nodata)] {
            let answer = engine.lookup(&question(text, RecordType::Mx)).await;
            let zone = Some(Name::trusted("example".into()));
            let aliases = vec![Name::trusted("end.example".into())];
            assert_eq!(answer, Observed::Absent(Absence { how, zone, aliases }));
        }
        assert_eq!((engine.stats().absent, engine.stats().sent), (2, 2));
    }

    #[tokio::test]
    async fn a_server_failure_is_asked_once_more_at_another_upstream() {
        let sick = Server::start(|asked: &Asked| vec![asked.reply(2).extended(22, "nobody home")]).await;
        let well = Server::start(|asked: &Asked| vec![asked.reply(0).own(1, &ONE)]).await;
        let both = engine(&[&sick, &well]).await;
        for asked in 1..=20 {
            assert_eq!(values(&ask(&both).await), one());
            assert_eq!(well.asked().len(), asked, "one time each, whoever was asked first");
        }
        assert!(sick.asked().len() < 20, "its trouble makes it dear");
        let alone = engine(&[&sick]).await;
        assert_eq!(failure(ask(&alone).await), (Cause::Lame, "EDE 22: nobody home".into()));
        assert_eq!(alone.stats().sent, 2);
    }

    #[tokio::test]
    async fn refused_stays_refused() {
        let server = Server::start(|asked: &Asked| vec![asked.reply(5)]).await;
        let engine = engine(&[&server]).await;
        assert_eq!(failure(ask(&engine).await).0, Cause::Refused);
        assert_eq!(engine.stats().failed, 1);
    }

    #[tokio::test]
    async fn bogus_is_said_only_when_there_is_data_without_checking() {
        let server = Server::start(|asked: &Asked| match asked.checking_disabled() {
            false => vec![asked.reply(2).extended(9, "no matching DS")],
            true if asked.name().starts_with("data") => vec![asked.reply(0).own(1, &ONE)],
            true => vec![asked.reply(2)],
        })
        .await;
        let engine = engine(&[&server]).await;
        let bogus = engine.lookup(&question("data.example", RecordType::A)).await;
        assert_eq!(failure(bogus), (Cause::Bogus, "EDE 9: no matching DS".into()));
        let sick = engine.lookup(&question("none.example", RecordType::A)).await;
        assert_eq!(failure(sick), (Cause::Servfail, "EDE 9: no matching DS".into()));
    }

    #[tokio::test]
    async fn a_server_that_dislikes_edns_is_asked_without() {
        let server = Server::start(|asked: &Asked| match (asked.edns(), asked.name().as_str()) {
            (false, _) => vec![asked.reply(0).own(1, &ONE)],
            (true, "bare.example") => {
                let mut bare = asked.reply(1);
                bare.0.truncate(12);
                bare.0[5] = 0;
                vec![bare]
            }
            (true, _) => vec![asked.reply(1)],
        })
        .await;
        let engine = engine(&[&server]).await;
        assert_eq!(values(&ask(&engine).await), one());
        assert_eq!(values(&engine.lookup(&question("bare.example", RecordType::A)).await), one());
        assert_eq!(engine.stats().sent, 4);
    }

    #[tokio::test]
    async fn silence_is_a_timeout_after_every_try() {
        let server = Server::start(|_: &Asked| Vec::new()).await;
        let engine = patient(vec![server.address], 150).await;
        let started = Instant::now();
        assert_eq!(failure(ask(&engine).await).0, Cause::Timeout);
        assert!(started.elapsed() >= Duration::from_millis(130));
        assert_eq!((server.asked().len(), engine.stats().timeout), (5, 1));
    }

    #[tokio::test]
    async fn nobody_listening_is_resolver_down() {
        let engine = patient(vec![closed(), closed()], 150).await;
        assert_eq!(failure(ask(&engine).await).0, Cause::ResolverDown);
        assert_eq!(engine.stats().own_side, 1);
    }

    #[tokio::test]
    async fn a_closed_upstream_is_passed_over_at_once() {
        let server = Server::start(|asked: &Asked| vec![asked.reply(0).own(1, &ONE)]).await;
        let engine = patient(vec![closed(), server.address], 60_000).await;
        let started = Instant::now();
        for _ in 0..4 {
            assert_eq!(values(&ask(&engine).await), one());
        }
        assert!(started.elapsed() < Duration::from_secs(15), "nobody waited for silence");
    }

    #[tokio::test]
    async fn an_upstream_that_has_gone_silent_is_left_alone_as_long_as_there_is_another() {
        let silent = Server::start(|_: &Asked| Vec::new()).await;
        let well = Server::start(|asked: &Asked| vec![asked.reply(0).own(1, &ONE)]).await;
        let engine = patient(vec![silent.address, well.address], 3_100).await;
        let crowd = async || {
            for answer in futures_util::future::join_all((0..100).map(|_| ask(&engine))).await {
                assert_eq!(values(&answer), one());
            }
        };
        crowd().await;
        let before = silent.asked().len();
        assert!(before >= 20, "{before}");
        crowd().await;
        assert_eq!(silent.asked().len(), before);
    }

    #[tokio::test]
    async fn each_upstream_has_a_rate_of_its_own() {
        let servers = [
            Server::start(|asked: &Asked| vec![asked.reply(0).own(1, &ONE)]).await,
            Server::start(|asked: &Asked| vec![asked.reply(0).own(1, &ONE)]).await,
        ];
        let upstreams = servers.iter().map(|server| server.address.into()).collect();
        let engine = Engine::start(Settings { upstreams, per_upstream: 50.0, ..Settings::default() }).await.unwrap();
        let started = Instant::now();
        let asked = (0..40).map(|_| ask(&engine));
        for answer in futures_util::future::join_all(asked).await {
            assert_eq!(values(&answer), one());
        }
        // The busier one had at least half of them, at 50 a second: 19 waits of 20 ms, less 10 ms worth and the clock's grain.
        assert!(started.elapsed() >= Duration::from_millis(350), "{:?}", started.elapsed());
        let shares = servers.map(|server| server.asked().len());
        assert!(shares.iter().all(|share| *share >= 5), "both are asked: {shares:?}");
    }

    #[tokio::test]
    async fn nobody_is_asked_when_there_is_no_upstream() {
        let error = Engine::start(Settings::default()).await.unwrap_err();
        assert!(matches!(error, Error::NoUpstream));
    }

    #[tokio::test]
    async fn loopback_and_special_names_really_go_to_the_server() {
        let server = Server::start(|asked: &Asked| vec![asked.reply(0).own(12, &name("there.example"))]).await;
        let engine = engine(&[&server]).await;
        let there = [Data::Ptr(Name::trusted("there.example".into()))];
        let asked = [
            reverse_name(Ipv4Addr::LOCALHOST.into()).to_string(),
            "localhost".into(),
            "x.invalid".into(),
            "x.onion".into(),
            String::new(),
        ];
        for text in &asked {
            assert_eq!(values(&engine.lookup(&question(text, RecordType::Ptr)).await), there);
        }
        assert_eq!(server.asked().len(), asked.len());
    }

    #[tokio::test]
    async fn forty_five_exchanges_and_a_null_mx_are_read_whole() {
        let server = Server::start(|asked: &Asked| {
            let mut reply = asked.reply(0);
            if asked.name() == "null.example" {
                return vec![reply.own(15, &[0, 0, 0])];
            }
            if !asked.tcp {
                return vec![reply.truncated()];
            }
            for preference in 0..45_u8 {
                reply = reply.own(15, &[vec![0, preference], name(&format!("mx{preference}.example"))].concat());
            }
            vec![reply]
        })
        .await;
        let engine = engine(&[&server]).await;
        assert_eq!(values(&engine.lookup(&question("many.example", RecordType::Mx)).await).len(), 45);
        let null = Data::Mx(Mx { preference: 0, exchange: Name::root() });
        assert_eq!(values(&engine.lookup(&question("null.example", RecordType::Mx)).await), [null]);
    }

    #[tokio::test]
    async fn long_and_escaped_names_are_asked_as_they_are() {
        let label = "x".repeat(63);
        let longest = [label.as_str(), &label, &label, &"y".repeat(61)].join(".");
        let server = Server::start(|asked: &Asked| vec![asked.reply(0).own(1, &ONE)]).await;
        let engine = engine(&[&server]).await;
        assert_eq!(values(&engine.lookup(&question(&longest, RecordType::A)).await), one());
        assert_eq!(values(&engine.lookup(&question("a\\.b\\000.example", RecordType::A)).await), one());
        assert!(server.asked()[1].0[12..17].eq_ignore_ascii_case(b"\x04a.b\0"));
        let too_long = engine.lookup(&question(&format!("{longest}y"), RecordType::A)).await;
        assert_eq!(failure(too_long).0, Cause::Malformed);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_crowd_is_served_each_with_its_own_answer_within_the_cap() {
        let server = Server::start(|asked: &Asked| {
            let number: u16 = asked.name().split('.').next().unwrap().parse().unwrap();
            let [high, low] = number.to_be_bytes();
            vec![asked.reply(0).own(1, &[10, 0, high, low])]
        })
        .await;
        let settings = Settings { upstreams: vec![server.address.into()], in_flight: 50, ..Settings::default() };
        let engine = Arc::new(Engine::start(settings).await.unwrap());
        let tasks: Vec<_> = (0..1000_u16)
            .map(|number| {
                let engine = Arc::clone(&engine);
                tokio::spawn(async move {
                    let answer = engine.lookup(&question(&format!("{number}.example"), RecordType::A)).await;
                    let [high, low] = number.to_be_bytes();
                    assert_eq!(values(&answer), [Data::A([10, 0, high, low].into())]);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(engine.stats().seen, 1000);
    }

    #[tokio::test]
    async fn an_answer_says_how_it_came_about() {
        let soa = [name("ns.example"), name("root.example"), vec![0; 16], vec![0, 0, 0, 60]].concat();
        let server = Server::start(move |asked: &Asked| match (asked.name().as_str(), asked.tcp) {
            ("cut.example", false) => vec![asked.reply(0).truncated()],
            ("cut.example", true) => vec![asked.reply(0).own(1, &ONE).extended(3, "stale")],
            ("none.example", _) => vec![asked.reply(3).authority("example", 6, &soa)],
            _ => vec![asked.reply(5)],
        })
        .await;
        let engine = engine(&[&server]).await;
        let tell = async |text| engine.tell(&question(text, RecordType::A)).await;
        let upstream = Some(server.address);
        let cut = tell("cut.example").await;
        assert_eq!((cut.ttl, cut.extended.as_deref()), (300, Some("EDE 3: stale")));
        assert_eq!(cut.how, How { rcode: Some(0), truncated: true, attempts: 2, upstream });
        let none = tell("none.example").await;
        assert_eq!((none.ttl, none.how), (60, How { rcode: Some(3), truncated: false, attempts: 1, upstream }));
        let refused = tell("refused.example").await;
        assert_eq!(refused.how, How { rcode: Some(5), truncated: false, attempts: 2, upstream });
        let Observed::Failed(failure) = refused.answer else { panic!("a refusal is no fact") };
        assert_eq!(failure.how.as_deref(), Some(&refused.how), "it goes into the evidence");
    }

    #[tokio::test]
    async fn a_dropped_lookup_leaves_nothing_behind() {
        let server = Server::start(|_: &Asked| Vec::new()).await;
        let engine = engine(&[&server]).await;
        {
            let lookup = ask(&engine);
            tokio::pin!(lookup);
            while server.asked().is_empty() {
                tokio::select! { _ = &mut lookup => unreachable!(), () = tokio::task::yield_now() => {} }
            }
        }
        assert_eq!(engine.upstreams[0].common.in_flight(), 0);
        assert!(engine.upstreams[0].is_idle());
    }
}
