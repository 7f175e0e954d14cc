//! Whom to trust on an encrypted connection.

use std::{fmt, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
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
        let mut config = match client {
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
        // Where a session is resumed, nothing looks at the certificate: one that has expired would be found out by
        // processes alone that begin after that.
        config.resumption = Resumption::disabled();
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

#[cfg(test)]
mod tests {
    use larder_servers::Certificates;
    use rustls::{
        ClientConnection, HandshakeKind, ServerConfig, ServerConnection, SupportedProtocolVersion,
        pki_types::ServerName,
        version::{TLS12, TLS13},
    };

    use super::*;

    fn server(certificates: &Certificates, version: &'static SupportedProtocolVersion) -> Arc<ServerConfig> {
        let identity = certificates.server();
        let chain = super::certificates(identity.certificate.as_bytes(), "the server's").unwrap();
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth();
        Arc::new(config.with_single_cert(chain, key).unwrap())
    }

    fn shake_hands(client: &Tls, server: &Arc<ServerConfig>) -> HandshakeKind {
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = ClientConnection::new(client.client(), name).unwrap();
        let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
        // There and back again, until all is said, tickets included.
        while client.wants_write() || server.wants_write() {
            let (mut there, mut back) = (Vec::new(), Vec::new());
            while client.wants_write() {
                client.write_tls(&mut there).unwrap();
            }
            let mut there = &there[..];
            while !there.is_empty() {
                server.read_tls(&mut there).unwrap();
                server.process_new_packets().unwrap();
            }
            while server.wants_write() {
                server.write_tls(&mut back).unwrap();
            }
            let mut back = &back[..];
            while !back.is_empty() {
                client.read_tls(&mut back).unwrap();
                client.process_new_packets().unwrap();
            }
        }
        assert!(!client.is_handshaking() && !server.is_handshaking());
        client.handshake_kind().unwrap()
    }

    #[test]
    fn every_connection_looks_at_the_certificate() {
        let certificates = Certificates::make();
        let client = Tls::new(Some(certificates.authority().as_bytes()), None).unwrap();
        for version in [&TLS13, &TLS12] {
            let server = server(&certificates, version);
            for _ in 0..3 {
                assert_eq!(shake_hands(&client, &server), HandshakeKind::Full, "{version:?}");
            }
        }
    }
}
