//! Upstreams asked over TLS (RFC 7858) and over HTTP/2 (RFC 8484).
//! Comes in: a question section and a patience. Goes out: the reply that repeats it, or what the system said.
//! Over TLS the questions go through `stream`, over HTTP/2 through hickory's transport. A certificate must be valid for the
//! server's name and lead to a root of this machine; there is no fallback to the clear.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex as Short, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use hickory_resolver::net::NetError;
use hickory_resolver::net::h2::HttpsClientStream;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::DnsRequestSender as _;
use hickory_resolver::proto::op::{DnsRequest, DnsRequestOptions, Message};
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::connection::fitting;
use super::stream::{Dial, Streams, Tcp};
use super::wire::{self, Manner};
use super::{Error, Server};
use crate::probe::smtp::tls;

/// Questions in flight over HTTP/2: the least that servers are advised to take (RFC 9113 §6.5.2).
const HTTPS_IN_FLIGHT: usize = 100;
/// Characters kept of an error's text: a server may send a whole page.
const DETAIL: usize = 200;

/// What trusts this machine's roots and these. Reads the machine's roots from disk.
pub(super) fn client(extra_roots: &[CertificateDer<'static>]) -> Result<Arc<ClientConfig>, Error> {
    let roots = tls::trusted(extra_roots).map_err(Error::NoRoots)?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|source| Error::Tls { source: source.into() })?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

/// An upstream that is asked over something encrypted.
pub(super) enum Secure {
    /// DNS over TLS.
    Tls(Streams<Tls>),
    /// DNS over HTTPS.
    Https(Https),
}

impl std::fmt::Debug for Secure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Tls(_) => "Tls",
            Self::Https(_) => "Https",
        })
    }
}

impl Secure {
    /// Opens nothing yet. None for a server that is asked in the clear.
    pub(super) fn new(server: &Server, client: &Arc<ClientConfig>) -> io::Result<Option<Self>> {
        let client = Arc::clone(client);
        Ok(match server {
            Server::Plain(_) => None,
            Server::Tls { address, name } => {
                let name = ServerName::try_from(&**name).map_err(io::Error::other)?.to_owned();
                Some(Self::Tls(Streams::over(Tls { tcp: Tcp(*address), name, client })))
            }
            Server::Https { address, name, path } => Some(Self::Https(Https {
                address: *address,
                name: (&**name).into(),
                path: (&**path).into(),
                client,
                turns: Semaphore::new(HTTPS_IN_FLIGHT),
                session: Mutex::new(None),
            })),
        })
    }

    /// Asks, and waits this long for connection and reply together; the wait for a turn is not charged to it.
    pub(super) async fn ask(&self, question: &[u8], manner: Manner, patience: Duration) -> io::Result<Vec<u8>> {
        match self {
            Self::Tls(streams) => streams.ask(question, manner, patience).await,
            Self::Https(https) => https.ask(question, manner, patience).await,
        }
    }
}

/// TLS over TCP.
#[derive(Debug)]
pub(super) struct Tls {
    tcp: Tcp,
    name: ServerName<'static>,
    client: Arc<ClientConfig>,
}

impl Dial for Tls {
    type Stream = TlsStream<TcpStream>;

    async fn dial(&self) -> io::Result<Self::Stream> {
        let stream = self.tcp.dial().await?;
        let connector = TlsConnector::from(Arc::clone(&self.client));
        let shaken = connector.connect(self.name.clone(), stream).await;
        shaken.map_err(|error| said(&error).unwrap_or(error))
    }
}

/// What TLS says, in words that tell what was going on.
fn said(error: &io::Error) -> Option<io::Error> {
    let text = match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(why) => format!("the resolver's certificate cannot be trusted: {why}"),
        other => format!("no TLS with the resolver: {other}"),
    };
    Some(io::Error::new(error.kind(), capped(&text)))
}

/// DNS over HTTP/2, on one connection at a time.
pub(super) struct Https {
    address: SocketAddr,
    name: Arc<str>,
    path: Arc<str>,
    client: Arc<ClientConfig>,
    turns: Semaphore,
    /// Locked while a connection is being opened: the others wait for it.
    session: Mutex<Option<Arc<Session>>>,
}

/// One HTTP/2 connection.
struct Session {
    stream: HttpsClientStream,
    heard: Short<Instant>,
}

impl Https {
    async fn ask(&self, question: &[u8], manner: Manner, patience: Duration) -> io::Result<Vec<u8>> {
        let _turn = self.turns.acquire().await.expect("never closed");
        let mut query = Vec::new();
        wire::query(&mut query, 0, question, manner);
        let query = Message::from_vec(&query).map_err(io::Error::other)?;
        let Ok(reply) = timeout(patience, self.exchange(query)).await else {
            self.waited(patience / 2);
            return Err(io::ErrorKind::TimedOut.into());
        };
        fitting(reply.map_err(plain)?, question)
    }

    /// One exchange; once more on a new connection when the old one broke.
    async fn exchange(&self, query: Message) -> Result<Vec<u8>, NetError> {
        let session = self.session().await?;
        match session.send(query.clone()).await {
            Err(NetError::H2(_) | NetError::Io(_)) => {
                let mut current = self.session.lock().await;
                if current.as_ref().is_some_and(|other| Arc::ptr_eq(other, &session)) {
                    *current = None;
                }
                drop(current);
                self.session().await?.send(query).await
            }
            other => other,
        }
    }

    /// The connection; opens one if there is none.
    async fn session(&self) -> Result<Arc<Session>, NetError> {
        let mut current = self.session.lock().await;
        if let Some(session) = &*current {
            return Ok(Arc::clone(session));
        }
        let builder = HttpsClientStream::builder(Arc::clone(&self.client), TokioRuntimeProvider::default());
        let stream = builder.build(self.address, Arc::clone(&self.name), Arc::clone(&self.path)).await?;
        let session = Arc::new(Session { stream, heard: Short::new(Instant::now()) });
        *current = Some(Arc::clone(&session));
        Ok(session)
    }

    /// A question waited in vain; if nothing at all was heard for so long, the next one opens a new connection.
    fn waited(&self, silence: Duration) {
        // Locked: somebody opens one.
        if let Ok(mut current) = self.session.try_lock()
            && let Some(session) = &*current
            && session.heard.lock().unwrap_or_else(PoisonError::into_inner).elapsed() >= silence
        {
            *current = None;
        }
    }
}

impl Session {
    async fn send(&self, query: Message) -> Result<Vec<u8>, NetError> {
        // A handle to the one connection: hickory wants it exclusively to send.
        let mut stream = self.stream.clone();
        let reply = stream.send_message(DnsRequest::new(query, DnsRequestOptions::default())).next().await;
        let bytes = reply.unwrap_or(Err(NetError::Timeout))?.into_buffer();
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        Ok(bytes)
    }
}

/// hickory's error as the system's.
fn plain(error: NetError) -> io::Error {
    match error {
        NetError::Timeout => io::ErrorKind::TimedOut.into(),
        NetError::Io(error) => said(&error).unwrap_or_else(|| match error.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(error.kind(), capped(&error.to_string())),
        }),
        NetError::Proto(error) => io::Error::new(io::ErrorKind::InvalidData, capped(&error.to_string())),
        other => io::Error::other(capped(&other.to_string())),
    }
}

fn capped(text: &str) -> String {
    let mut capped: String = text.chars().take(DETAIL).collect();
    if capped.len() < text.len() {
        capped.push_str("...");
    }
    capped
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::io::Cursor;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use hickory_resolver::net::http::{Version, response};
    use rcgen::{CertificateParams, DnType, KeyPair};
    use rustls::ServerConfig;
    use rustls::pki_types::PrivateKeyDer;
    use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::server;

    use super::super::connection::read_frame;
    use super::super::script::{self, Asked, Reply, name};
    use super::super::wire::Case;
    use super::super::{Engine, Lookup as _, Settings};
    use super::*;
    use crate::model::dns::{Answer, Data, Question, RecordType};
    use crate::model::name::Name;
    use crate::model::observed::{Failure, Observed};
    use crate::model::words::Cause;

    const MANNER: Manner = Manner { edns: true, checking_disabled: false };
    /// Enough for a busy machine.
    const PATIENCE: Duration = Duration::from_secs(10);
    const HOST: &str = "dns.example";
    const ONE: [u8; 4] = [192, 0, 2, 1];

    /// A server behind TLS: where it is, what to trust to trust it, and how often it was connected to.
    struct Far {
        address: SocketAddr,
        root: CertificateDer<'static>,
        opened: Arc<AtomicUsize>,
    }

    impl Far {
        /// Runs `serve` on every connection; gives it the connection's number.
        async fn start<F: Future<Output = Option<()>> + Send + 'static>(
            names: &[&str],
            serve: impl Fn(usize, server::TlsStream<TcpStream>) -> F + Send + 'static,
        ) -> Self {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            let key = KeyPair::generate().unwrap();
            let mut parameters = CertificateParams::new(names).unwrap();
            // Of the same name, one would pass for the other's issuer with a broken signature.
            parameters.distinguished_name.push(DnType::CommonName, format!("{:x}", rand::random::<u64>()));
            let root = parameters.self_signed(&key).unwrap().der().clone();
            let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
            let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![root.clone()], key)
                .unwrap();
            config.alpn_protocols = vec![b"h2".to_vec()];
            let acceptor = TlsAcceptor::from(Arc::new(config));
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let opened = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&opened);
            tokio::spawn(async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    if let Ok(stream) = acceptor.accept(stream).await {
                        tokio::spawn(serve(count.fetch_add(1, Relaxed), stream));
                    }
                }
            });
            Self { address, root, opened }
        }

        fn tls(&self, name: &str) -> Server {
            Server::Tls { address: self.address, name: name.into() }
        }

        fn https(&self, name: &str) -> Server {
            Server::Https { address: self.address, name: name.into(), path: "/dns-query".into() }
        }

        fn trusting(&self, server: &Server) -> Arc<Secure> {
            let client = client(std::slice::from_ref(&self.root)).unwrap();
            Arc::new(Secure::new(server, &client).unwrap().unwrap())
        }
    }

    /// DNS over TLS, every question answered.
    async fn answer_over_tls(mut stream: server::TlsStream<TcpStream>) -> Option<()> {
        loop {
            let asked = Asked { bytes: read_frame(&mut stream).await.ok()?, tcp: true };
            let reply = echo(&asked).0;
            stream.write_u16(u16::try_from(reply.len()).unwrap()).await.ok()?;
            stream.write_all(&reply).await.ok()?;
            stream.flush().await.ok()?;
        }
    }

    /// What a server of DNS over HTTPS does with a question.
    enum Do {
        Reply(Vec<u8>),
        Status(u16),
        Nothing,
        Close,
    }

    /// DNS over HTTPS by a script.
    async fn answer_over_https(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        script: impl Fn(&Asked) -> Do,
    ) -> Option<()> {
        let mut connection = h2::server::Builder::new().handshake::<_, Cursor<Vec<u8>>>(stream).await.ok()?;
        let mut kept = Vec::new();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            assert_eq!((request.method().as_str(), request.uri().path()), ("POST", "/dns-query"));
            assert_eq!(request.headers()["content-type"], "application/dns-message");
            let mut body = request.into_body();
            let mut bytes = Vec::new();
            while bytes.len() < 12 || !body.is_end_stream() {
                // The connection has to be driven for more of the body to come.
                tokio::select! {
                    data = body.data() => bytes.extend_from_slice(&data?.ok()?),
                    _ = std::future::poll_fn(|context| connection.poll_closed(context)) => return None,
                }
            }
            match script(&Asked { bytes, tcp: true }) {
                Do::Reply(reply) => {
                    let head = response(Version::Http2, reply.len()).unwrap();
                    let mut out = respond.send_response(head, false).ok()?;
                    out.send_data(Cursor::new(reply), true).ok()?;
                }
                Do::Status(status) => {
                    let mut head = response(Version::Http2, 5).unwrap();
                    *head.status_mut() = status.try_into().unwrap();
                    let mut out = respond.send_response(head, false).ok()?;
                    out.send_data(Cursor::new(b"sorry".to_vec()), true).ok()?;
                }
                Do::Nothing => kept.push(respond),
                Do::Close => return None,
            }
        }
        None
    }

    fn echo(asked: &Asked) -> Reply {
        asked.reply(0).own(1, &ONE).additional(&asked.name(), 12, &name(&asked.name()))
    }

    fn section(text: &str) -> Box<[u8]> {
        wire::question(&Question { name: Name::trusted(text.into()), kind: RecordType::A }, Case::Mixed).unwrap()
    }

    async fn ask(secure: &Secure, text: &str) -> io::Result<()> {
        let reply = secure.ask(&section(text), MANNER, PATIENCE).await?;
        assert!(reply.ends_with(&name(text)), "the reply to another question");
        Ok(())
    }

    async fn crowd(secure: &Arc<Secure>, count: usize) {
        let one = |number| {
            let secure = Arc::clone(secure);
            tokio::spawn(async move { ask(&secure, &format!("host{number}.example")).await })
        };
        let asking: Vec<_> = (0..count).map(one).collect();
        for asking in asking {
            asking.await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn a_crowd_is_answered_over_tls_on_few_connections() {
        let far = Far::start(&[HOST], |_, stream| answer_over_tls(stream)).await;
        crowd(&far.trusting(&far.tls(HOST)), 200).await;
        assert!(far.opened.load(Relaxed) <= 4, "{:?}", far.opened);
    }

    #[tokio::test]
    async fn a_server_without_a_name_shows_a_certificate_for_its_address() {
        let far = Far::start(&["127.0.0.1"], |_, stream| answer_over_tls(stream)).await;
        let server: Server = format!("tls://{}", far.address).parse().unwrap();
        ask(&far.trusting(&server), "host.example").await.unwrap();
        let far =
            Far::start(&["127.0.0.1"], |_, stream| answer_over_https(stream, |asked| Do::Reply(echo(asked).0))).await;
        let server: Server = format!("https://{}", far.address).parse().unwrap();
        ask(&far.trusting(&server), "host.example").await.unwrap();
    }

    #[tokio::test]
    async fn a_certificate_of_nobody_or_of_somebody_else_is_refused_and_said() {
        let far = Far::start(&[HOST], |_, stream| answer_over_tls(stream)).await;
        let other = Far::start(&[HOST], |_, stream| answer_over_tls(stream)).await;
        for (trusted, server, words) in [
            (&other, far.tls(HOST), "UnknownIssuer"),
            (&other, far.https(HOST), "UnknownIssuer"),
            (&far, far.tls("other.example"), "other.example"),
            (&far, far.https("other.example"), "other.example"),
        ] {
            let error = ask(&trusted.trusting(&server), "host.example").await.unwrap_err().to_string();
            assert!(error.contains("certificate cannot be trusted") && error.contains(words), "{server}: {error}");
        }
        // Nor is anything else taken for TLS.
        let plain = script::Server::start(|asked: &Asked| vec![asked.reply(0)]).await;
        let server = Server::Tls { address: plain.address, name: HOST.into() };
        assert!(ask(&far.trusting(&server), "host.example").await.is_err());
    }

    #[tokio::test]
    async fn a_crowd_is_answered_over_https_on_one_connection() {
        let seen = Arc::new(Short::new(HashSet::new()));
        let noted = Arc::clone(&seen);
        let far = Far::start(&[HOST], move |_, stream| {
            let noted = Arc::clone(&noted);
            answer_over_https(stream, move |asked| {
                // As we wrote it: id 0, recursion desired, the AD bit, and EDNS.
                assert_eq!((&asked.bytes[..4], asked.edns()), ([0, 0, 1, 0x20].as_slice(), true));
                noted.lock().unwrap().insert(asked.question().to_vec());
                Do::Reply(echo(asked).0)
            })
        })
        .await;
        let secure = far.trusting(&far.https(HOST));
        crowd(&secure, 250).await;
        assert_eq!((far.opened.load(Relaxed), seen.lock().unwrap().len()), (1, 250));
        let odd = section("MiXed\\.dot\\000.eXample");
        secure.ask(&odd, MANNER, PATIENCE).await.unwrap();
        assert!(seen.lock().unwrap().contains(&*odd), "the question is sent letter for letter");
    }

    #[tokio::test]
    async fn https_connects_anew_when_the_server_goes_away_or_hangs() {
        let far = Far::start(&[HOST], |number, stream| {
            answer_over_https(stream, move |asked| match (number, asked.name().as_str()) {
                (_, "close.example") | (0, "once.example") => Do::Close,
                (_, "hang.example") => Do::Nothing,
                _ => Do::Reply(echo(asked).0),
            })
        })
        .await;
        let secure = far.trusting(&far.https(HOST));
        ask(&secure, "host.example").await.unwrap();
        ask(&secure, "once.example").await.unwrap();
        assert_eq!(far.opened.load(Relaxed), 2);
        assert_ne!(ask(&secure, "close.example").await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        ask(&secure, "host.example").await.unwrap();
        assert_eq!(far.opened.load(Relaxed), 4);
        let hanging = secure.ask(&section("hang.example"), MANNER, Duration::from_millis(200)).await;
        assert_eq!(hanging.unwrap_err().kind(), io::ErrorKind::TimedOut);
        ask(&secure, "host.example").await.unwrap();
        assert_eq!(far.opened.load(Relaxed), 5);
    }

    #[tokio::test]
    async fn what_https_brings_in_the_place_of_a_reply_is_an_error() {
        let far = Far::start(&[HOST], |_, stream| {
            answer_over_https(stream, |asked| match asked.name().as_str() {
                "missing.example" => Do::Status(404),
                "garbage.example" => Do::Reply(b"<html>".to_vec()),
                "other.example" => {
                    let mut reply = echo(asked);
                    reply.0[14] ^= 1;
                    Do::Reply(reply.0)
                }
                "huge.example" => Do::Reply(vec![0; 70_000]),
                _ => Do::Reply(echo(asked).0),
            })
        })
        .await;
        let secure = far.trusting(&far.https(HOST));
        let missing = ask(&secure, "missing.example").await.unwrap_err();
        assert!(missing.to_string().contains("404"), "{missing}");
        for text in ["garbage.example", "other.example"] {
            assert_eq!(ask(&secure, text).await.unwrap_err().kind(), io::ErrorKind::InvalidData, "{text}");
        }
        assert!(secure.ask(&section("huge.example"), MANNER, Duration::from_secs(1)).await.is_err());
        ask(&secure, "host.example").await.unwrap();
    }

    async fn look_up(upstreams: Vec<Server>, root: &CertificateDer<'static>) -> (Answer<Data>, u64) {
        let extra_roots = vec![root.clone()];
        let timeout = Duration::from_secs(3);
        let engine = Engine::start(Settings { upstreams, extra_roots, timeout, ..Settings::default() }).await.unwrap();
        let question = Question { name: Name::trusted("host.example".into()), kind: RecordType::A };
        (engine.lookup(&question).await, engine.stats().sent)
    }

    #[tokio::test]
    async fn the_engine_asks_encrypted_upstreams_and_never_falls_back_to_the_clear() {
        let tls = Far::start(&[HOST], |_, stream| answer_over_tls(stream)).await;
        let https = Far::start(&[HOST], |_, stream| answer_over_https(stream, |asked| Do::Reply(echo(asked).0))).await;
        for (server, root) in [(tls.tls(HOST), &tls.root), (https.https(HOST), &https.root)] {
            let (answer, sent) = look_up(vec![server], root).await;
            let values = answer.seen().map(|records| records.values.clone());
            assert_eq!((values, sent), (Some(vec![Data::A(ONE.into())]), 1));
        }
        let (answer, _) = look_up(vec![tls.tls(HOST)], &https.root).await;
        match answer {
            Observed::Failed(Failure { cause: Cause::ResolverDown, detail: Some(detail), .. }) => {
                assert!(detail.contains("certificate cannot be trusted"), "{detail}");
            }
            other => panic!("{other:?}"),
        }
        // The next one is asked instead.
        let (answer, sent) = look_up(vec![tls.tls(HOST), https.https(HOST)], &https.root).await;
        assert!(answer.seen().is_some());
        assert!(sent <= 2, "{sent}");
    }
}
