//! Opening a connection: socket, TLS, and the first words on it.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

#[cfg(feature = "events")]
use ::redis::aio::PubSub;
use ::redis::{AsyncConnectionConfig, Cmd, RedisConnectionInfo, Value, aio::MultiplexedConnection};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::AbortHandle,
};

use super::{
    ConnectError,
    address::Address,
    close_detection::WatchedStream,
    introduction::{Introduction, introduce},
    raw_commands::{text, words},
    server_kind::Urls,
    tcp::tcp,
};
use crate::redis::{
    config::Config,
    secret::Credentials,
    server_info::{Incompatible, Role, ServerInfo},
    url::Node,
};

/// Commands that wait before the socket without their callers noticing.
const QUEUE: usize = 1024;

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

/// A connection that may be used.
#[derive(Debug)]
pub(crate) struct Dialed {
    pub(crate) connection: MultiplexedConnection,
    pub(crate) server_info: ServerInfo,
    /// The replies to what was asked besides, errors among them.
    pub(crate) answers: Vec<Value>,
    /// Only held.
    pub(super) _driver: Driver,
}

/// Connects to a server that is to have this role, and asks it for its server_info, and these questions besides, within the
/// configured time. `ended` is called once, when the connection has ended for whatever reason.
pub(super) async fn dial(
    config: &Config,
    (address, role): (&Address, Role),
    name: &str,
    besides: Vec<Cmd>,
    ended: impl FnOnce() + Send + 'static,
) -> Result<Dialed, ConnectError> {
    let progress = ConnectProgress::default();
    within(config, address, &progress, async {
        let (stream, server_info, answers) = greet(config, (address, role), name, besides, &progress).await?;
        let (connection, driver) = drive(stream, ended).await?;
        Ok(Dialed { connection, server_info, answers, _driver: driver })
    })
    .await
}

/// The same for a connection on which messages come that are published to a channel.
#[cfg(feature = "events")]
pub(super) async fn subscribe(
    config: &Config,
    address: &Address,
    name: &str,
    channel: &str,
) -> Result<PubSub, ConnectError> {
    let progress = ConnectProgress::default();
    within(config, address, &progress, async {
        let (stream, ..) = greet(config, (address, Role::Master), name, Vec::new(), &progress).await?;
        let info = RedisConnectionInfo::default().set_skip_set_lib_name();
        let mut subscribed = PubSub::new(&info, stream).await?;
        subscribed.subscribe(channel).await?;
        Ok(subscribed)
    })
    .await
}

/// Opens a stream, and says and asks what is to be said and asked first.
async fn greet(
    config: &Config,
    (address, role): (&Address, Role),
    name: &str,
    besides: Vec<Cmd>,
    progress: &ConnectProgress,
) -> Result<(Box<dyn Stream>, ServerInfo, Vec<Value>), ConnectError> {
    let mut stream = open(config, address, progress).await?;
    let urls = Urls::of(config, address);
    let clustered = config.is_cluster();
    let mut questions = vec![words(&["INFO"]), words(&["TIME"])];
    if clustered {
        questions.push(words(&["CLUSTER", "INFO"]));
    }
    let introduction = Introduction {
        credentials: config.credentials.as_ref(),
        database: config.database,
        name: Some(name),
        questions,
        besides,
        prefix: &config.prefix,
        urls: &urls,
    };
    let (server_info, answers) = introduce(&mut stream, introduction).await?;
    if server_info.get(2).is_some_and(|state| !text(state).contains("cluster_state:ok")) {
        return Err(ConnectError::transient("it says that the cluster is down"));
    }
    let server_info = ServerInfo::read(&text(&server_info[0]), &server_info[1], clustered, role).map_err(
        |incompatible| match incompatible {
            Incompatible::Now(reason) => ConnectError::transient(reason),
            Incompatible::Forever(reason, mend) => ConnectError::permanent(reason).mended_by(mend),
            Incompatible::IsCluster => urls.is_cluster(),
            Incompatible::IsNoCluster => urls.is_no_cluster(),
        },
    )?;
    // One that does not tell its role.
    let is_read_only =
        |answer: &Value| matches!(answer, Value::ServerError(error) if error.code() == "READONLY");
    if role == Role::Master && answers.iter().any(is_read_only) {
        return Err(ConnectError::transient("it is not a master: it takes no writes"));
    }
    Ok((stream, server_info, answers))
}

/// Connects, and asks one question, of a server that need not be a master, or of a sentinel.
pub(super) async fn ask(
    config: &Config,
    node: &Node,
    credentials: Option<&Credentials>,
    question: Cmd,
) -> Result<Value, ConnectError> {
    let address = Address::Tcp(node.clone());
    let progress = ConnectProgress::default();
    within(config, &address, &progress, async {
        let mut stream = open(config, &address, &progress).await?;
        let introduction = Introduction {
            credentials,
            database: 0,
            name: None,
            questions: vec![question],
            besides: Vec::new(),
            prefix: &config.prefix,
            urls: &Urls::of(config, &address),
        };
        let (mut answers, _) = introduce(&mut stream, introduction).await?;
        Ok(answers.swap_remove(0))
    })
    .await
}

async fn within<T>(
    config: &Config,
    address: &Address,
    progress: &ConnectProgress,
    attempt: impl Future<Output = Result<T, ConnectError>>,
) -> Result<T, ConnectError> {
    let outcome = match tokio::time::timeout(config.connect_timeout, attempt).await {
        Ok(outcome) => outcome,
        Err(_) => {
            let hint = match progress.shakes_hands.load(Relaxed) {
                // A server without TLS waits for the rest of a command.
                true => " to the TLS handshake (where the server does not use TLS, write redis://)",
                false => "",
            };
            Err(ConnectError::transient(format!("no answer within {:?}{hint}", config.connect_timeout)))
        }
    };
    outcome.map_err(|error| error.of(address))
}

/// How far an attempt to connect has come.
#[derive(Debug, Default)]
struct ConnectProgress {
    /// Whether the TLS handshake is under way.
    shakes_hands: AtomicBool,
}

#[cfg_attr(not(feature = "tls"), expect(unused_variables, reason = "without TLS there is no handshake"))]
async fn open(
    config: &Config,
    address: &Address,
    progress: &ConnectProgress,
) -> Result<Box<dyn Stream>, ConnectError> {
    let findings = config.findings.clone();
    match address {
        Address::Socket(path) => {
            #[cfg(unix)]
            {
                let stream = tokio::net::UnixStream::connect(path).await?;
                Ok(Box::new(WatchedStream::new(stream, findings)))
            }
            #[cfg(not(unix))]
            Err(ConnectError::permanent(format!("no Unix sockets here: {}", path.display())))
        }
        Address::Tcp((host, port)) => {
            let stream = WatchedStream::new(tcp(host, *port).await?, findings);
            #[cfg(feature = "tls")]
            if let Some(tls) = &config.tls {
                progress.shakes_hands.store(true, Relaxed);
                let stream = super::tls::encrypt(stream, host, tls.client()).await?;
                progress.shakes_hands.store(false, Relaxed);
                return Ok(Box::new(stream));
            }
            Ok(Box::new(stream))
        }
    }
}

/// What a server is reached through: a socket, with TLS or without.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// The crate's own way of connecting keeps the task that drives the connection to itself; here its end is
/// seen at once, and can be brought about. It also sends `CLIENT SETINFO`, which Redis 7.0 cannot allow.
async fn drive(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ended: impl FnOnce() + Send + 'static,
) -> Result<(MultiplexedConnection, Driver), ConnectError> {
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
