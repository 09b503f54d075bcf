//! The farm's certificates: an authority, an intermediate one, and a server's.
//! Comes in: nothing. Goes out: what servers show in a handshake: the whole chain, or a broken one.
//! Keys are made anew at each start and leave the memory with the farm.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tokio_rustls::TlsAcceptor;

use super::super::Error;
use super::super::tls::{acceptor, parameters};

const YEARS: (i32, i32) = (2020, 2099);
const NAMES: &[&str] = &["*.farm.test"];

/// What servers show.
pub(super) struct Chain {
    /// The authority's certificate, as PEM (RFC 7468).
    pub(super) authority: String,
    /// The server's certificate and the intermediate one.
    pub(super) whole: TlsAcceptor,
    /// The server's certificate alone: nothing leads from it to the authority.
    pub(super) broken: TlsAcceptor,
    /// A certificate that vouches for itself.
    pub(super) own: TlsAcceptor,
    /// One whose time is over.
    pub(super) expired: TlsAcceptor,
}

impl Chain {
    pub(super) fn make() -> Result<Self, Error> {
        let key = KeyPair::generate()?;
        let parameters_of_root = of_authority("mxcensus farm authority")?;
        let authority = parameters_of_root.self_signed(&key)?.pem();
        let root = Issuer::new(parameters_of_root, key);

        let key = KeyPair::generate()?;
        let parameters_between = of_authority("mxcensus farm intermediate authority")?;
        let between = parameters_between.signed_by(&key, &root)?.der().clone();
        let issuer = Issuer::new(parameters_between, key);

        let key = KeyPair::generate()?;
        let leaf = parameters(NAMES, YEARS)?.signed_by(&key, &issuer)?.der().clone();
        let expired = parameters(NAMES, (2020, 2021))?.signed_by(&key, &issuer)?.der().clone();
        let own = parameters(NAMES, YEARS)?.self_signed(&key)?.der().clone();
        Ok(Self {
            whole: acceptor(vec![leaf.clone(), between.clone()], &key)?,
            broken: acceptor(vec![leaf], &key)?,
            own: acceptor(vec![own], &key)?,
            expired: acceptor(vec![expired, between], &key)?,
            authority,
        })
    }
}

fn of_authority(name: &str) -> Result<CertificateParams, Error> {
    let mut parameters = parameters(&[], YEARS)?;
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters.distinguished_name.push(DnType::CommonName, name);
    Ok(parameters)
}
