//! What a URL says of servers.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    path::PathBuf,
};

use percent_encoding::percent_decode_str;

use super::secret::Secret;

/// The default port of a server.
pub(super) const PORT: u16 = 6379;

/// The default port of a sentinel.
pub(super) const SENTINEL_PORT: u16 = 26379;

/// A host and its port.
pub(super) type Node = (String, u16);

/// Where servers are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Topology {
    Server(Node),
    Socket(PathBuf),
    Cluster(Vec<Node>),
    Sentinel { nodes: Vec<Node>, master: String },
}

/// What a URL says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parsed {
    pub(super) topology: Topology,
    pub(super) tls: bool,
    pub(super) username: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) database: Option<i64>,
    pub(super) prefix: Option<String>,
    pub(super) client_name: Option<String>,
    pub(super) reads_replicas: Option<bool>,
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Server,
    Socket,
    Cluster,
    Sentinel,
}

impl Form {
    fn expected(self) -> &'static str {
        match self {
            Self::Server => "redis://[user[:password]@]host[:port][/database]",
            Self::Socket => "redis+unix://[user[:password]@]/path/of/the/socket",
            Self::Cluster => "redis+cluster://[user[:password]@]host[:port],host[:port][/database]",
            Self::Sentinel => {
                "redis+sentinel://[user[:password]@]host[:port],host[:port]/master-name[/database]"
            }
        }
    }
}

/// Reads a URL. The error says what is wrong and what was expected, and repeats of the URL only what
/// [`Quoting`] allows.
pub(super) fn parse(url: &str) -> Result<Parsed, String> {
    let url = bare(url);
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(format!("a URL begins with a scheme; expected {}", Form::Server.expected()));
    };
    let (form, tls) = match scheme {
        "redis" | "valkey" => (Form::Server, false),
        "rediss" | "valkeys" => (Form::Server, true),
        "redis+unix" | "valkey+unix" | "unix" => (Form::Socket, false),
        "redis+cluster" => (Form::Cluster, false),
        "rediss+cluster" => (Form::Cluster, true),
        "redis+sentinel" => (Form::Sentinel, false),
        "rediss+sentinel" => (Form::Sentinel, true),
        _ => {
            return Err(format!(
                "the scheme of the URL is none of redis, rediss, valkey, valkeys, redis+unix, valkey+unix, unix, \
                 redis+cluster, rediss+cluster, redis+sentinel, rediss+sentinel; expected {}",
                Form::Server.expected()
            ));
        }
    };
    read(form, tls, rest).map_err(|reason| format!("{reason}; expected {}", form.expected()))
}

/// A URL without what files, shells and secret stores leave around it: blanks, a line's end, a pair of quotes.
fn bare(url: &str) -> &str {
    let url = url.trim();
    let unquoted = ['"', '\''].into_iter().find_map(|quote| url.strip_prefix(quote)?.strip_suffix(quote));
    unquoted.map_or(url, str::trim)
}

fn read(form: Form, tls: bool, rest: &str) -> Result<Parsed, String> {
    let (rest, options) = before_options(form, rest);
    // It may have been the `@` of a password with such a text in it.
    let quoting = if options.is_some() { Quoting::Nothing } else { Quoting::of(rest) };
    // The last `@`: a password may have others.
    let (secret, rest) = match rest.rsplit_once('@') {
        Some((secret, rest)) => (Some(secret), rest),
        None => (None, rest),
    };
    let (username, password) = credentials(secret)?;
    if rest.contains('#') || options.is_some_and(|options| options.contains('#')) {
        return Err("a URL of a server has no fragment (#)".to_owned());
    }
    let (rest, options) = match options {
        Some(options) => (rest, options),
        None => rest.split_once('?').unwrap_or((rest, "")),
    };
    let Options { prefix, client_name, reads_replicas } = read_options(options, quoting)?;
    let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
    // The whole path is a socket's.
    let parts = if form == Form::Socket { "" } else { path };
    let mut segments = parts.split('/').filter(|segment| !segment.is_empty());
    let topology = match form {
        Form::Socket => {
            if !hosts.is_empty() || path.is_empty() {
                return Err("the path of the socket, which begins with a slash, is missing".to_owned());
            }
            Topology::Socket(PathBuf::from(format!("/{}", decode(path, "the path")?)))
        }
        Form::Server if hosts.contains(',') => {
            return Err("several hosts are those of a cluster (redis+cluster://) or sentinels \
                        (redis+sentinel://)"
                .to_owned());
        }
        Form::Server => Topology::Server(node(hosts, PORT, quoting)?),
        Form::Cluster => Topology::Cluster(nodes(hosts, PORT, quoting)?),
        Form::Sentinel => {
            let nodes = nodes(hosts, SENTINEL_PORT, quoting)?;
            let master = segments.next().ok_or("the name of the master is missing")?;
            Topology::Sentinel { nodes, master: decode(master, "the name of the master")? }
        }
    };
    let database = segments.next().map(|segment| database(segment, quoting)).transpose()?;
    if segments.next().is_some() {
        return Err("the path has too many parts".to_owned());
    }
    Ok(Parsed { topology, tls, username, password, database, prefix, client_name, reads_replicas })
}

/// The options in which there is an `@`, and what stands before them: what follows the first `?` that has a host before it,
/// and options alone after it. All other ones come after the last `@` of a URL, which ends the credentials.
fn before_options(form: Form, rest: &str) -> (&str, Option<&str>) {
    let is_option = |option: &str| {
        let named = |name| OPTIONS.into_iter().any(|known| is_near(known, name));
        option.split_once('=').is_some_and(|(name, _)| named(name))
    };
    let is_place = |before: &str| {
        let place = before.rsplit_once('@').map_or(before, |(_, place)| place);
        let hosts = place.split('/').next().unwrap_or_default();
        match form {
            Form::Socket => place.starts_with('/'),
            _ => nodes(hosts, PORT, Quoting::Nothing).is_ok(),
        }
    };
    let mut marks = rest.match_indices('?').map(|(at, _)| (&rest[..at], &rest[at + 1..]));
    let found = marks.find(|(before, options)| {
        options.contains('@') && options.split('&').all(is_option) && is_place(before)
    });
    found.map_or((rest, None), |(before, options)| (before, Some(options)))
}

/// The user and the password, of which an empty user is none. An empty password is one: the URL that has it
/// gets the server's answer to it.
fn credentials(secret: Option<&str>) -> Result<(Option<String>, Option<Secret>), String> {
    let Some(secret) = secret else { return Ok((None, None)) };
    let (user, password) = match secret.split_once(':') {
        Some((user, password)) => (user, Some(decode(password, "the password")?)),
        None => (secret, None),
    };
    let user = decode(user, "the user")?;
    Ok(((!user.is_empty()).then_some(user), password.map(Secret::from)))
}

fn decode(text: &str, what: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| format!("{what} is not UTF-8 when percent-decoded"))
}

fn database(text: &str, quoting: Quoting) -> Result<i64, String> {
    let number = text.parse().ok().filter(|&number| number >= 0);
    number.ok_or_else(|| {
        let quoted = quoting.of_part(text);
        format!("the database{quoted}, which is what follows the host and a slash, is not a number")
    })
}

fn nodes(hosts: &str, port: u16, quoting: Quoting) -> Result<Vec<Node>, String> {
    hosts.split(',').map(|host| node(host.trim(), port, quoting)).collect()
}

/// One of a list that is no URL.
pub(super) fn listed_node(text: &str, default: u16) -> Result<Node, String> {
    // Or a URL was given all the same.
    let quoting = if text.contains(['@', '/', '%']) { Quoting::Nothing } else { Quoting::Parts };
    node(text, default, quoting)
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`.
fn node(text: &str, default: u16, quoting: Quoting) -> Result<Node, String> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or("an IPv6 address has no closing bracket")?;
            let port = match rest.strip_prefix(':') {
                None if rest.is_empty() => None,
                None => return Err("after an IPv6 address only a port may follow".to_owned()),
                port => port,
            };
            if host.parse::<Ipv6Addr>().is_err() {
                return Err(format!("what stands in brackets{} is no IPv6 address", quoting.of_part(host)));
            }
            (host, port)
        }
        None => match text.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err("an IPv6 address stands in brackets".to_owned());
            }
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if host.is_empty() {
        return Err("the host is missing".to_owned());
    }
    if host.chars().any(|symbol| symbol.is_whitespace() || symbol.is_control()) {
        return Err("a host has a space in it".to_owned());
    }
    let port = match port {
        None => default,
        Some(port) => match port.parse() {
            Ok(0) | Err(_) => {
                return Err(format!("the port{} is not a number from 1 to 65535", quoting.of_part(port)));
            }
            Ok(port) => port,
        },
    };
    Ok((host.to_owned(), port))
}

/// The options that a URL may have.
const OPTIONS: [&str; 3] = ["prefix", "client_name", "read_from_replicas"];

/// What the options of a URL say.
#[derive(Default)]
struct Options {
    prefix: Option<String>,
    client_name: Option<String>,
    reads_replicas: Option<bool>,
}

fn read_options(options: &str, quoting: Quoting) -> Result<Options, String> {
    let mut read = Options::default();
    for option in options.split('&').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        if OPTIONS.contains(&name) && !option.contains('=') {
            return Err(format!("the option `{name}` has no value: write {name}=…"));
        }
        match name {
            "prefix" => read.prefix = Some(decode(value, "the prefix")?),
            "client_name" => read.client_name = Some(decode(value, "the client's name")?),
            "read_from_replicas" => {
                let yes = value.parse().map_err(|_| {
                    format!("the option `{name}`{} is neither true nor false", quoting.of_part(value))
                })?;
                read.reads_replicas = Some(yes);
            }
            _ => return Err(unknown_option(name, quoting)),
        }
    }
    Ok(read)
}

/// The value of an option that is unknown is never repeated: other programs have options for passwords.
fn unknown_option(name: &str, quoting: Quoting) -> String {
    let quoted = quoting.of_part(name);
    // Names an option of ours, and nothing of the URL.
    let near = OPTIONS.into_iter().find(|known| is_near(known, name));
    let near = near.map(|known| format!(" (did you mean `{known}`?)")).unwrap_or_default();
    format!(
        "an option{quoted} is unknown{near}; the options of a URL are `prefix`, `client_name` and `read_from_replicas`"
    )
}

/// Whether two changes of a letter at most lead from one to the other.
fn is_near(known: &str, name: &str) -> bool {
    const MOST: usize = 2;
    if name.len().abs_diff(known.len()) > MOST {
        return false;
    }
    let mut row: Vec<usize> = (0..=known.len()).collect();
    for (i, a) in name.bytes().map(|byte| byte.to_ascii_lowercase()).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in known.bytes().enumerate() {
            let cost = (diagonal + usize::from(a != b)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], cost);
        }
    }
    row[known.len()] <= MOST
}

/// Whether an error may repeat a part of a URL.
///
/// A password may hold any character, and not everyone encodes those that have a meaning in a URL. What comes after the
/// last `@` is none of a password that is followed by its `@`. Without any `@`, the password may be all that follows
/// the first colon (`redis://user:secret`, of which the host was forgotten), unless what stands before the colon can
/// only be a host. Where an `@` was encoded it may be the one that ends the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quoting {
    Nothing,
    /// Parts of what follows the credentials.
    Parts,
}

impl Quoting {
    /// The longest part that is repeated: no name that is mistyped is longer.
    const LONGEST: usize = 40;

    /// For a URL without its scheme.
    fn of(rest: &str) -> Self {
        let (has_credentials, after) = match rest.rsplit_once('@') {
            Some((_, after)) => (true, after),
            None => (false, rest),
        };
        let has_encoded_at = after.contains("%40");
        let may_be_a_password = !has_credentials && after.contains(':') && !begins_with_a_host(after);
        match has_encoded_at || may_be_a_password {
            true => Self::Nothing,
            false => Self::Parts,
        }
    }

    /// A part of the URL in quotation marks with a space before them, if that may be repeated.
    fn of_part(self, part: &str) -> String {
        match self {
            Self::Parts if part.chars().count() <= Self::LONGEST => format!(" {part:?}"),
            _ => String::new(),
        }
    }
}

/// Whether what stands before the first colon can be no user.
fn begins_with_a_host(text: &str) -> bool {
    if let Some((host, _)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return host.parse::<Ipv6Addr>().is_ok();
    }
    text.split_once(':').is_some_and(|(host, _)| host == "localhost" || host.parse::<Ipv4Addr>().is_ok())
}

#[cfg(test)]
mod tests;
