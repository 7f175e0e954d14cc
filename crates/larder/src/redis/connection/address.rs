//! Where a server listens.

use std::{fmt, path::PathBuf};

use crate::redis::url::Node;

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Address {
    Tcp(Node),
    Socket(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp((host, port)) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp((host, port)) => write!(f, "{host}:{port}"),
            Self::Socket(path) => write!(f, "{}", path.display()),
        }
    }
}
