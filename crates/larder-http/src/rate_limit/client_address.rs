//! Whose address a request comes from, when proxies stand between.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Finds the address of a client: that of the connection, unless it is a proxy's that the program knows.
///
/// The client itself can write `X-Forwarded-For`: one that is believed there has as many addresses, and limits, as it likes. So it is read from its end, where the last proxy has added what it saw, and only as long as the address that
/// was read so far is one of [`behind`](Self::behind). What stands before is never looked at. An entry that is no address ends
/// the search: the request then counts for the proxy that passed it on.
///
/// ```
/// use larder_http::ClientAddress;
///
/// let client = ClientAddress::behind(["10.0.0.0/8"])?;
/// let proxy = "10.0.0.1".parse()?;
/// assert_eq!(client.of(proxy, ["6.6.6.6, 192.0.2.7"]).to_string(), "192.0.2.7"); // what the proxy saw
/// let other = "192.0.2.8".parse()?;
/// assert_eq!(client.of(other, ["192.0.2.7"]), other); // no proxy of ours: what it says is not believed
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct ClientAddress {
    proxies: Vec<Network>,
}

/// Why a text is no network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidNetwork(String);

#[derive(Debug, Clone, Copy)]
struct Network {
    address: u128,
    /// How many bits from the top are the same for all of its addresses.
    bits: u32,
}

impl ClientAddress {
    /// Clients connect without a proxy: no header is looked at.
    #[must_use]
    pub const fn direct() -> Self {
        Self { proxies: Vec::new() }
    }

    /// Clients connect through proxies with these addresses: `10.1.2.3`, `10.0.0.0/8`, `2001:db8::/32`. They have to append
    /// the address that they see to `X-Forwarded-For`, as all common ones do, or to replace it.
    ///
    /// # Errors
    ///
    /// If one is neither an address nor a network.
    pub fn behind<'a>(proxies: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidNetwork> {
        let proxies = proxies.into_iter().map(Network::parse).collect::<Result<_, _>>()?;
        Ok(Self { proxies })
    }

    /// The address of the client of a connection from `peer`, on which a request with these `X-Forwarded-For` lines came, in
    /// their order: `headers.get_all("x-forwarded-for")`.
    #[must_use]
    pub fn of<L: AsRef<[u8]>>(&self, peer: IpAddr, forwarded_for: impl IntoIterator<Item = L>) -> IpAddr {
        let mut client = peer.to_canonical();
        if !self.is_proxy(client) {
            return client;
        }
        let lines: Vec<L> = forwarded_for.into_iter().collect();
        let entries = lines.iter().rev().flat_map(|line| line.as_ref().rsplit(|byte| *byte == b','));
        for entry in entries {
            let Some(address) = address(entry.trim_ascii()) else { break };
            client = address;
            if !self.is_proxy(client) {
                break;
            }
        }
        client
    }

    fn is_proxy(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|network| network.contains(address))
    }
}

/// The key of an address: the address itself, and of IPv6 the network of its first 64 bits, all of which one client has.
///
/// ```
/// use larder_http::address_key;
///
/// assert_eq!(address_key("192.0.2.7".parse()?), "ip:192.0.2.7");
/// assert_eq!(address_key("2001:db8:1:2:3:4:5:6".parse()?), "ip:2001:db8:1:2::/64");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[must_use]
pub fn address_key(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => format!("ip:{address}"),
        IpAddr::V6(address) => {
            let network = Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX));
            format!("ip:{network}/64")
        }
    }
}

/// `192.0.2.7`, `192.0.2.7:1234`, `[2001:db8::1]:1234`, `[2001:db8::1]`
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let address = text.parse().ok().or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()));
    address.or_else(bare).map(|address: IpAddr| address.to_canonical())
}

/// All addresses as those of IPv6.
fn bits(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl Network {
    fn parse(text: &str) -> Result<Self, InvalidNetwork> {
        let invalid = || InvalidNetwork(text.to_owned());
        let (address, length) = match text.trim().split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        let (whole, before) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
        let length = match length {
            Some(length) => length.parse().ok().filter(|length| *length <= whole).ok_or_else(invalid)?,
            None => whole,
        };
        Ok(Self { address: bits(address), bits: before + length })
    }

    fn contains(self, address: IpAddr) -> bool {
        let differing = self.address ^ bits(address);
        differing.leading_zeros() >= self.bits
    }
}

impl std::fmt::Display for InvalidNetwork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} is neither an address nor a network, such as `10.0.0.0/8`", self.0)
    }
}

impl std::error::Error for InvalidNetwork {}

#[cfg(test)]
mod tests;
