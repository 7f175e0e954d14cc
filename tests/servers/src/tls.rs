//! Certificates that live as long as a test.

use std::fs;
use std::io;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// An authority, and what it signed: a server's certificate for 127.0.0.1 and localhost, and a client's.
#[derive(Debug, Clone)]
pub struct Certificates {
    authority: String,
    server: Identity,
    client: Identity,
}

/// A certificate and its key, as PEM.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl Certificates {
    /// Makes new ones, which no client trusts yet.
    ///
    /// # Panics
    ///
    /// If the system has no randomness.
    #[must_use]
    pub fn make() -> Self {
        Self::try_make().expect("the parameters are constants")
    }

    fn try_make() -> Result<Self, rcgen::Error> {
        let mut authority = CertificateParams::new(Vec::new())?;
        // A certificate with its issuer's name counts as its own issuer.
        authority.distinguished_name.push(DnType::CommonName, "the authority of a test");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let authority_key = KeyPair::generate()?;
        let root = authority.self_signed(&authority_key)?;
        let issuer = Issuer::new(authority, authority_key);
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        Ok(Self {
            authority: root.pem(),
            // A node of a cluster is also its neighbours' client.
            server: Identity::of(
                names,
                [ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
                &issuer,
            )?,
            client: Identity::of(["client".to_owned()], [ExtendedKeyUsagePurpose::ClientAuth], &issuer)?,
        })
    }

    /// The authority's certificate, which a client has to trust, as PEM.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The server's own certificate.
    #[must_use]
    pub fn server(&self) -> &Identity {
        &self.server
    }

    /// A client's certificate, which a server may ask for.
    #[must_use]
    pub fn client(&self) -> &Identity {
        &self.client
    }

    /// Writes what the server needs, and names the files in its configuration's terms.
    pub(super) fn write(&self, directory: &Path) -> io::Result<String> {
        let mut lines = String::new();
        for (setting, file, content) in [
            ("tls-ca-cert-file", "authority.pem", &self.authority),
            ("tls-cert-file", "server.pem", &self.server.certificate),
            ("tls-key-file", "server.key", &self.server.key),
        ] {
            let path = directory.join(file);
            fs::write(&path, content)?;
            lines += &format!("{setting} \"{}\"\n", path.display());
        }
        Ok(lines)
    }
}

impl Identity {
    fn of(
        names: impl Into<Vec<String>>,
        uses: impl Into<Vec<ExtendedKeyUsagePurpose>>,
        issuer: &Issuer<'_, KeyPair>,
    ) -> Result<Self, rcgen::Error> {
        let mut identity = CertificateParams::new(names)?;
        identity.use_authority_key_identifier_extension = true;
        identity.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        identity.extended_key_usages = uses.into();
        let key = KeyPair::generate()?;
        let certificate = identity.signed_by(&key, issuer)?;
        Ok(Self { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

/// rustls takes its cryptography from the process, where the first to choose wins.
pub(super) fn choose_cryptography() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
