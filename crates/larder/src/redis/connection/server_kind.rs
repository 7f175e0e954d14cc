//! Which kind of server answers where another kind was expected, and the URL for it.

use super::{ConnectError, address::Address};
use crate::redis::config::Config;

/// What a URL may lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServerKind {
    Server,
    Cluster,
    Sentinel,
}

/// The URLs for one address.
#[derive(Debug, Clone, Default)]
pub(super) struct Urls {
    /// None for a socket, where only a server listens.
    address: Option<String>,
    tls: bool,
}

impl Urls {
    pub(super) fn of(config: &Config, address: &Address) -> Self {
        #[cfg(feature = "tls")]
        let tls = config.tls.is_some();
        #[cfg(not(feature = "tls"))]
        let (tls, _) = (false, config);
        let address = matches!(address, Address::Tcp(_)).then(|| address.to_string());
        Self { address, tls }
    }

    /// The URL for a server of this kind; of a sentinel, with the name of a master.
    fn url(&self, kind: ServerKind, master: &str) -> String {
        let scheme = if self.tls { "rediss" } else { "redis" };
        let address = self.address.as_deref().unwrap_or("host");
        match kind {
            ServerKind::Server => format!("{scheme}://{address}"),
            ServerKind::Cluster => format!("{scheme}+cluster://{address}"),
            ServerKind::Sentinel => format!("{scheme}+sentinel://{address}/{master}"),
        }
    }

    /// A node of a cluster answers where one server is expected.
    pub(super) fn is_cluster(&self) -> ConnectError {
        ConnectError::permanent("it is a node of a cluster")
            .mended_by(format!("the URL of the cluster is {}", self.url(ServerKind::Cluster, "")))
    }

    /// A server that is no node of a cluster answers where one is expected.
    pub(super) fn is_no_cluster(&self) -> ConnectError {
        ConnectError::permanent("it is not a node of a cluster")
            .mended_by(format!("the URL of one server is {}", self.url(ServerKind::Server, "")))
    }

    /// What answers where a node of a cluster is expected knows no command about clusters: a sentinel, say.
    pub(super) fn has_no_cluster_command(&self) -> ConnectError {
        let (server, sentinel) =
            (self.url(ServerKind::Server, ""), self.url(ServerKind::Sentinel, "master-name"));
        ConnectError::permanent("it is not a node of a cluster")
            .mended_by(format!("the URL of a Sentinel is {sentinel}, and of one server {server}"))
    }

    /// A sentinel answers where a server, or a node of a cluster, is expected: `info` is what it says of itself.
    pub(super) fn is_sentinel(&self, info: &str) -> ConnectError {
        let masters: Vec<_> = info.lines().filter_map(master_name).collect();
        let url = self.url(ServerKind::Sentinel, masters.first().unwrap_or(&"master-name"));
        let others = match &masters[..] {
            [] | [_] => String::new(),
            several => format!(" (it watches {})", several.join(", ")),
        };
        ConnectError::permanent("it is a Sentinel, which has no data")
            .mended_by(format!("use the URL {url}{others}"))
    }

    /// Something else answers where a sentinel is expected.
    pub(super) fn is_no_sentinel(&self) -> ConnectError {
        let (server, cluster) = (self.url(ServerKind::Server, ""), self.url(ServerKind::Cluster, ""));
        ConnectError::permanent("it is no Sentinel").mended_by(format!(
            "the URL of one server is {server}, and of a cluster {cluster}; Sentinels mostly listen on port 26379"
        ))
    }
}

/// Whether this is what a sentinel says of itself.
pub(super) fn is_sentinel(info: &str) -> bool {
    info.lines().any(|line| line.trim_end() == "redis_mode:sentinel")
}

/// In `master0:name=orders,status=ok,address=127.0.0.1:6379,slaves=1,sentinels=3`.
fn master_name(line: &str) -> Option<&str> {
    let (number, fields) = line.strip_prefix("master")?.split_once(':')?;
    number.parse::<u32>().ok()?;
    fields.split(',').find_map(|field| field.strip_prefix("name="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masters_of_a_sentinel() {
        let info = "redis_mode:sentinel\r\nsentinel_masters:2\r\nmaster0:name=orders,status=ok,address=a:1\r\n\
                    master1:name=users,status=ok,address=b:1\r\n";
        assert!(is_sentinel(info));
        let error = Urls { address: Some("h:1".to_owned()), tls: true }.is_sentinel(info);
        let mend = error.mend().expect("it names the URL");
        assert!(mend.contains("rediss+sentinel://h:1/orders (it watches orders, users)"), "{mend}");
    }
}
