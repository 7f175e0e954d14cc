//! Whom to trust on an encrypted connection.

use std::{fmt, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use super::invalid::Invalid;
use crate::redis::secret::Secret;

/// rustls, set up once. With a provider of its own: which one the process has chosen, if any, does not
/// matter, and nothing is chosen for it.
#[derive(Clone)]
pub(in crate::redis) struct Tls(Arc<ClientConfig>);

impl Tls {
    pub(super) fn new(roots: Option<&[u8]>, client: Option<&(Vec<u8>, Secret)>) -> Result<Self, Invalid> {
        let roots = match roots {
            Some(pem) => given(pem)?,
            None => platform()?,
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Invalid::because("TLS cannot be set up", error))?
            .with_root_certificates(roots);
        let config = match client {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = certificates(chain, "the client's certificate")?;
                // Without its cause: that repeats lines of what is no PEM.
                let key = PrivateKeyDer::from_pem_slice(key.reveal().as_bytes())
                    .map_err(|_| "the client's private key is not valid PEM")?;
                builder.with_client_auth_cert(chain, key).map_err(|error| {
                    Invalid::because("the client's certificate and its private key do not fit", error)
                })?
            }
        };
        Ok(Self(Arc::new(config)))
    }

    pub(in crate::redis) fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

fn given(pem: &[u8]) -> Result<RootCertStore, Invalid> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem, "tls_roots")? {
        roots
            .add(certificate)
            .map_err(|error| Invalid::because("a certificate of tls_roots cannot be used", error))?;
    }
    Ok(roots)
}

fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, Invalid> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|_| format!("{what} is not valid PEM"))?;
    match certificates.is_empty() {
        true => Err(format!("{what} has no certificate in it").into()),
        false => Ok(certificates),
    }
}

/// Some of a platform's certificates may be unreadable; that matters only if none is left.
fn platform() -> Result<RootCertStore, Invalid> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    match added {
        0 => Err("the platform has no certificates to trust: give some by `tls_roots`".into()),
        _ => Ok(roots),
    }
}
