//! Certificates that live as long as a test.

use std::fs;
use std::io;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

/// An authority, and a server's certificate that it signed for 127.0.0.1 and localhost.
#[derive(Debug, Clone)]
pub struct Certificates {
    authority: String,
    certificate: String,
    key: String,
}

impl Certificates {
    /// Makes new ones, which nobody trusts yet.
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
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let authority_key = KeyPair::generate()?;
        let root = authority.self_signed(&authority_key)?;

        let mut server = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
        server.use_authority_key_identifier_extension = true;
        server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate = server.signed_by(&key, &Issuer::new(authority, authority_key))?;

        Ok(Self { authority: root.pem(), certificate: certificate.pem(), key: key.serialize_pem() })
    }

    /// The authority's certificate, which a client has to trust, as PEM.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Writes what the server needs, and names the files in its configuration's terms.
    pub(super) fn write(&self, directory: &Path) -> io::Result<String> {
        let mut lines = String::new();
        for (setting, file, content) in [
            ("tls-ca-cert-file", "authority.pem", &self.authority),
            ("tls-cert-file", "server.pem", &self.certificate),
            ("tls-key-file", "server.key", &self.key),
        ] {
            let path = directory.join(file);
            fs::write(&path, content)?;
            lines += &format!("{setting} \"{}\"\n", path.display());
        }
        Ok(lines + "tls-auth-clients no\n")
    }
}

/// rustls takes its cryptography from the process, where the first to choose wins.
pub(super) fn choose_cryptography() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
