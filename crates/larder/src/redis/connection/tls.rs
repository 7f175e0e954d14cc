//! The TLS handshake, and what its failures say.

use std::{io, sync::Arc};

use rustls::{ClientConfig, Error as TlsError, InvalidMessage, pki_types::ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::ConnectError;

/// Encrypts a connection to this host.
pub(super) async fn encrypt<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    host: &str,
    config: Arc<ClientConfig>,
) -> Result<TlsStream<S>, ConnectError> {
    let name = ServerName::try_from(host.to_owned()).map_err(|error| {
        ConnectError::permanent("the host has a name that no certificate can be for").caused_by(error)
    })?;
    TlsConnector::from(config).connect(name, stream).await.map_err(failed)
}

fn failed(error: io::Error) -> ConnectError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()).cloned();
    let Some(cause) = inner else {
        let is_closed = error.kind() == io::ErrorKind::UnexpectedEof;
        let failed = ConnectError::transient("the TLS handshake was broken off").caused_by(error);
        // What a server does that reads no command in it.
        return if is_closed { failed.mended_by(NO_TLS) } else { failed };
    };
    match &cause {
        TlsError::InvalidCertificate(_) => ConnectError::transient(
            "the certificate of the server is not accepted",
        )
        .mended_by(
            "give the certificate of its authority by `tls_roots`, and name the host as its certificate does",
        ),
        TlsError::InvalidMessage(InvalidMessage::InvalidContentType) => {
            ConnectError::transient("the server does not speak TLS").mended_by(NO_TLS)
        }
        TlsError::AlertReceived(_) => ConnectError::transient("the server refuses the TLS handshake")
            .mended_by("where it asks for a certificate of the client, give one by `tls_client_certificate`"),
        _ => ConnectError::transient("the TLS handshake failed"),
    }
    .caused_by(cause)
}

const NO_TLS: &str = "where the server does not use TLS, write redis:// in place of rediss://";
