//! Opening a connection: socket, TLS, and the first words on it.

use std::{fmt, io, path::PathBuf};

use ::redis::{
    AsyncConnectionConfig, Cmd, Pipeline, RedisConnectionInfo, RedisError, ServerError, Value,
    aio::MultiplexedConnection,
    io::tcp::socket2::{SockRef, TcpKeepalive},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::AbortHandle,
};

use crate::redis::{
    config::{Config, Credentials},
    facts::{Facts, Unfit},
    url::{Node, Place},
};

/// Commands that wait before the socket without their callers noticing.
const QUEUE: usize = 1024;

/// How long a connection is idle before the system asks whether the other side is still there.
const KEEPALIVE: std::time::Duration = std::time::Duration::from_secs(15);

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

/// Why there is no connection. Holds no secret: servers do not repeat them.
#[derive(Debug, Clone)]
pub(super) struct DialError {
    pub(super) reason: String,
    /// Whether another attempt would come to the same.
    pub(super) forever: bool,
}

impl DialError {
    pub(super) fn now(reason: impl fmt::Display) -> Self {
        Self { reason: reason.to_string(), forever: false }
    }

    pub(super) fn forever(reason: impl fmt::Display) -> Self {
        Self { reason: reason.to_string(), forever: true }
    }
}

impl From<RedisError> for DialError {
    fn from(error: RedisError) -> Self {
        Self::now(error)
    }
}

impl From<Unfit> for DialError {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Now(reason) => Self::now(reason),
            Unfit::Forever(reason) => Self::forever(reason),
        }
    }
}

/// The task that reads and writes a connection, which ends with this.
#[derive(Debug)]
pub(super) struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Calls its function when dropped: also when a runtime is shut down with the task that holds it.
struct AtEnd<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Drop for AtEnd<F> {
    fn drop(&mut self) {
        if let Some(ended) = self.0.take() {
            ended();
        }
    }
}

/// A connection to a master that may be used.
#[derive(Debug)]
pub(crate) struct Dialed {
    pub(crate) connection: MultiplexedConnection,
    pub(crate) facts: Facts,
    /// Only held.
    pub(super) _driver: Driver,
}

/// Connects to a server that is to be a master, and asks it for its facts, within the configured time.
/// `ended` is called once, when the connection has ended for whatever reason.
pub(super) async fn dial(
    config: &Config,
    address: &Address,
    name: &str,
    ended: impl FnOnce() + Send + 'static,
) -> Result<Dialed, DialError> {
    within(config, async {
        let (mut connection, driver) = open(config, address, ended).await?;
        let clustered = matches!(config.place, Place::Cluster(_));
        let mut questions = vec![words(&["INFO"]), words(&["TIME"])];
        if clustered {
            questions.push(words(&["CLUSTER", "INFO"]));
        }
        let database = config.database;
        let credentials = config.credentials.as_ref();
        let answers = introduce(&mut connection, credentials, database, Some(name), questions).await?;
        let facts = Facts::read(&text(&answers[0]), &answers[1], clustered)?;
        if answers.get(2).is_some_and(|state| !text(state).contains("cluster_state:ok")) {
            return Err(DialError::now("it says that the cluster is down"));
        }
        Ok(Dialed { connection, facts, _driver: driver })
    })
    .await
}

/// Connects, and asks one question, of a server that need not be a master, or of a sentinel.
pub(super) async fn ask(
    config: &Config,
    node: &Node,
    credentials: Option<&Credentials>,
    question: Cmd,
) -> Result<Value, DialError> {
    within(config, async {
        let (mut connection, _driver) = open(config, &Address::Tcp(node.clone()), || {}).await?;
        let mut answers = introduce(&mut connection, credentials, 0, None, vec![question]).await?;
        Ok(answers.swap_remove(0))
    })
    .await
}

async fn within<T>(
    config: &Config,
    attempt: impl Future<Output = Result<T, DialError>>,
) -> Result<T, DialError> {
    match tokio::time::timeout(config.connect_timeout, attempt).await {
        Ok(outcome) => outcome,
        Err(_) => Err(DialError::now(format_args!("no answer within {:?}", config.connect_timeout))),
    }
}

async fn open(
    config: &Config,
    address: &Address,
    ended: impl FnOnce() + Send + 'static,
) -> Result<(MultiplexedConnection, Driver), DialError> {
    match address {
        Address::Socket(path) => {
            #[cfg(unix)]
            return drive(tokio::net::UnixStream::connect(path).await.map_err(DialError::now)?, ended).await;
            #[cfg(not(unix))]
            return Err(DialError::forever(format_args!("no Unix sockets here: {}", path.display())));
        }
        Address::Tcp((host, port)) => {
            let stream = tcp(host, *port).await.map_err(DialError::now)?;
            #[cfg(feature = "tls")]
            if let Some(tls) = &config.tls {
                let name =
                    rustls::pki_types::ServerName::try_from(host.clone()).map_err(DialError::forever)?;
                let connector = tokio_rustls::TlsConnector::from(tls.client());
                let stream = connector.connect(name, stream).await.map_err(DialError::now)?;
                return drive(stream, ended).await;
            }
            #[cfg(not(feature = "tls"))]
            let _ = config;
            drive(stream, ended).await
        }
    }
}

async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
    Ok(stream)
}

/// The crate's own way of connecting keeps the task that drives the connection to itself; here its end is
/// seen at once, and can be brought about. It also sends `CLIENT SETINFO`, which Redis 7.0 cannot allow.
async fn drive(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ended: impl FnOnce() + Send + 'static,
) -> Result<(MultiplexedConnection, Driver), DialError> {
    let info = RedisConnectionInfo::default().set_skip_set_lib_name();
    let settings = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None)
        .set_pipeline_buffer_size(QUEUE);
    let (connection, driver) = MultiplexedConnection::new_with_config(&info, stream, settings).await?;
    let at_end = AtEnd(Some(ended));
    let task = tokio::spawn(async move {
        let _at_end = at_end;
        driver.await;
    });
    Ok((connection, Driver(task.abort_handle())))
}

pub(super) fn words(words: &[&str]) -> Cmd {
    let mut command = Cmd::new();
    for word in words {
        command.arg(*word);
    }
    command
}

/// Says who we are, and asks: all in one round trip.
async fn introduce(
    connection: &mut MultiplexedConnection,
    credentials: Option<&Credentials>,
    database: i64,
    name: Option<&str>,
    questions: Vec<Cmd>,
) -> Result<Vec<Value>, DialError> {
    let mut pipeline = Pipeline::new();
    if let Some(Credentials { username, password }) = credentials {
        let mut auth = words(&["AUTH"]);
        auth.arg(username.as_deref()).arg(password.reveal());
        pipeline.add_command(auth);
    }
    if database != 0 {
        pipeline.add_command(words(&["SELECT", &database.to_string()]));
    }
    if let Some(name) = name {
        pipeline.add_command(words(&["CLIENT", "SETNAME", name]));
    }
    let before = pipeline.len();
    for question in questions {
        pipeline.add_command(question);
    }
    let mut replies = connection.send_packed_commands(&pipeline, 0, pipeline.len()).await?;
    let answers = replies.split_off(before);
    let mut replies = replies.into_iter();
    if let (Some(_), Some(Value::ServerError(error))) =
        (credentials, credentials.and_then(|_| replies.next()))
    {
        return Err(DialError::forever(format_args!(
            "the user or the password was refused: {}",
            plain(&error)
        )));
    }
    if database != 0
        && let Some(Value::ServerError(error)) = replies.next()
    {
        return Err(DialError::forever(format_args!("database {database} was refused: {}", plain(&error))));
    }
    // The name is for people; a user with few rights goes without.
    for answer in &answers {
        if let Value::ServerError(error) = answer {
            return Err(refused(error));
        }
    }
    Ok(answers)
}

fn refused(error: &ServerError) -> DialError {
    match error.code() {
        "NOAUTH" => DialError::forever("it asks for a password, and none is set"),
        "NOPERM" => DialError::forever(format_args!("the user has too few rights: {}", plain(error))),
        _ => DialError::now(plain(error)),
    }
}

fn plain(error: &ServerError) -> String {
    match error.details() {
        Some(details) => format!("{} {details}", error.code()),
        None => error.code().to_owned(),
    }
}

pub(super) fn text(value: &Value) -> String {
    match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => text.clone(),
        _ => String::new(),
    }
}
