//! The first words on a connection: who we are, and what we want to know. All in one round trip, and before the `redis`
//! crate has the connection: what a server says that closes it at once (too many clients, say), or a proxy that closes
//! it without a word, would otherwise be a broken pipe.

use ::redis::{Cmd, ErrorKind, Pipeline, RedisError, ServerError, Value, parse_redis_value_async};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::{
    ConnectError,
    protocol::{Head, not_redis},
    raw_commands::{text, words},
    server_kind::{Urls, is_sentinel},
};
use crate::redis::{
    refusal::{MissingRights, ServerReply, mend, plain},
    secret::Credentials,
};

/// What is said first.
pub(super) struct Introduction<'a> {
    pub(super) credentials: Option<&'a Credentials>,
    pub(super) database: i64,
    pub(super) name: Option<&'a str>,
    /// What must have an answer.
    pub(super) questions: Vec<Cmd>,
    /// What may be refused.
    pub(super) besides: Vec<Cmd>,
    /// What our keys begin with, and the URLs of this server: for errors.
    pub(super) prefix: &'a str,
    pub(super) urls: &'a Urls,
}

/// Says who we are, and asks. Gives the answers to the questions, and the replies to what was asked besides.
pub(super) async fn introduce(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    introduction: Introduction<'_>,
) -> Result<(Vec<Value>, Vec<Value>), ConnectError> {
    let Introduction { credentials, database, name, questions, besides, prefix, urls } = introduction;
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
    let asked = before + questions.len();
    for question in questions.into_iter().chain(besides) {
        pipeline.add_command(question);
    }
    let mut replies = exchange(stream, &pipeline).await?;
    let besides = replies.split_off(asked);
    let answers = replies.split_off(before);
    let mut replies = replies.into_iter();
    let authentication = credentials.and_then(|_| replies.next());
    let selection = replies.next().filter(|_| database != 0);
    if let (Some(credentials), Some(Value::ServerError(error))) = (credentials, &authentication) {
        return Err(match passes(error) {
            true => refused(error, &MissingRights::default()),
            false => refused_credentials(credentials, error),
        });
    }
    if let Some(info) = answers.iter().map(text).find(|answer| is_sentinel(answer)) {
        return Err(urls.is_sentinel(&info));
    }
    let user = credentials.and_then(|credentials| credentials.username.as_deref());
    let mut rights = MissingRights::new(user, prefix);
    for reply in selection.iter().chain(&answers).chain(&besides) {
        if let Value::ServerError(error) = reply {
            rights.add(&plain(error));
        }
    }
    if let Some(Value::ServerError(error)) = &selection {
        return Err(refused_database(database, error, &rights));
    }
    // The name is for people; a user with few rights goes without.
    for answer in &answers {
        if let Value::ServerError(error) = answer {
            return Err(refused(error, &rights));
        }
    }
    Ok((answers, besides))
}

fn refused_credentials(credentials: &Credentials, error: &ServerError) -> ConnectError {
    let refused = ConnectError::permanent("the user or the password was refused")
        .mended_by("set the user and the password that the server knows");
    let reply = ServerReply::from(error);
    let password = credentials.password.reveal();
    // No server is known that repeats it, and one that is unknown may.
    match !password.is_empty() && reply.0.contains(password) {
        true => refused,
        false => refused.caused_by(reply),
    }
}

/// Whether a server says that it is at something else now, whatever it is asked.
fn passes(error: &ServerError) -> bool {
    matches!(error.code(), "BUSY" | "LOADING" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN")
}

/// Not every server that refuses a database lacks it.
fn refused_database(database: i64, error: &ServerError, rights: &MissingRights) -> ConnectError {
    let reply = plain(error);
    if mend(&reply).is_some() || passes(error) {
        return refused(error, rights);
    }
    let mend = match reply.contains("cluster mode") {
        true => "in a cluster there is only database 0: leave it out of the URL",
        false => {
            "name a database that the server has: they are numbered from 0, and its setting `databases` says how many"
        }
    };
    ConnectError::permanent(format!("database {database} was refused"))
        .mended_by(mend)
        .caused_by(ServerReply(reply))
}

/// Sends commands, and reads the reply to each.
async fn exchange(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    commands: &Pipeline,
) -> Result<Vec<Value>, ConnectError> {
    // A server that is full has said so and closed the connection by now: what it said can still be read.
    let sent = send(stream, &commands.get_packed_pipeline()).await;
    let mut stream = Head::new(stream);
    let mut decoder = Default::default();
    let mut replies = Vec::with_capacity(commands.len());
    while replies.len() < commands.len() {
        match parse_redis_value_async(&mut decoder, &mut stream).await {
            Ok(reply) => replies.push(reply),
            Err(error) if error.kind() == ErrorKind::Parse => return Err(not_redis(stream.bytes())),
            Err(error) => return Err(ended(commands, &replies, sent.err().map_or(error, Into::into))),
        }
    }
    Ok(replies)
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> std::io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// Why a connection ended before all was answered.
fn ended(commands: &Pipeline, replies: &[Value], error: RedisError) -> ConnectError {
    const MEND: &str = "connect to the server itself, or through a proxy that passes on all that larder sends \
                        (twemproxy does not); where the server speaks TLS, with rediss://";
    // What is said last is the reason.
    if let Some(Value::ServerError(last)) = replies.last() {
        return refused(last, &MissingRights::default());
    }
    if !error.is_connection_dropped() {
        return error.into();
    }
    let command =
        commands.cmd_iter().nth(replies.len()).and_then(|command| match command.args_iter().next() {
            Some(::redis::Arg::Simple(name)) => Some(String::from_utf8_lossy(name).into_owned()),
            _ => None,
        });
    let command = command.unwrap_or_default();
    ConnectError::transient(format!(
        "the connection was closed without a word, in the place of an answer to {command}"
    ))
    .mended_by(MEND)
}

fn refused(error: &ServerError, rights: &MissingRights) -> ConnectError {
    let reply = plain(error);
    let refused = match error.code() {
        "NOAUTH" => ConnectError::permanent("it asks for a password, and none is set"),
        "NOPERM" => ConnectError::permanent("the user has too few rights").mended_by(rights.mend()),
        "LOADING" => ConnectError::transient("it is loading its data"),
        _ => ConnectError::transient("it refuses what larder asks"),
    };
    match mend(&reply) {
        Some(mend) if refused.mend().is_none() => refused.mended_by(mend),
        _ => refused,
    }
    .caused_by(ServerReply(reply))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, duplex};

    use super::*;

    async fn introduced(said: &'static str) -> Result<(Vec<Value>, Vec<Value>), ConnectError> {
        introduced_as(None, 0, said).await
    }

    async fn introduced_as(
        credentials: Option<&Credentials>,
        database: i64,
        said: &'static str,
    ) -> Result<(Vec<Value>, Vec<Value>), ConnectError> {
        let (mut ours, mut theirs) = duplex(1 << 16);
        let server = async move {
            theirs.write_all(said.as_bytes()).await.expect("it fits");
            let mut heard = [0; 1 << 10];
            _ = theirs.read(&mut heard).await;
        };
        let introduction = Introduction {
            credentials,
            database,
            name: Some("me"),
            questions: vec![words(&["INFO"]), words(&["TIME"])],
            besides: vec![words(&["GET", "a"])],
            prefix: "p",
            urls: &Urls::default(),
        };
        tokio::join!(introduce(&mut ours, introduction), server).0
    }

    #[tokio::test]
    async fn what_a_server_says_before_it_closes() {
        let full = introduced("-ERR max number of clients reached\r\n").await.expect_err("it is full");
        assert!(full.in_full().contains("max number of clients"), "{full:?}");
        assert!(full.mend().is_some_and(|mend| mend.contains("maxclients")), "{full:?}");
        assert!(!full.is_permanent());
    }

    #[tokio::test]
    async fn a_proxy_that_closes_without_a_word() {
        let closed = introduced("").await.expect_err("it closes");
        assert!(closed.reason().contains("CLIENT"), "{closed:?}");
        let closed = introduced("+OK\r\n").await.expect_err("it closes");
        assert!(closed.reason().contains("INFO"), "{closed:?}");
        assert!(closed.mend().is_some_and(|mend| mend.contains("twemproxy")), "{closed:?}");
    }

    #[tokio::test]
    async fn what_is_asked_besides_may_be_refused() {
        let (answers, besides) =
            introduced("-NOPERM no\r\n+info\r\n+time\r\n-NOPERM no\r\n").await.expect("it answers");
        assert_eq!(answers.len(), 2);
        assert!(matches!(&besides[..], [Value::ServerError(error)] if error.code() == "NOPERM"));
        let refused = introduced("+OK\r\n-NOPERM no\r\n+time\r\n+a\r\n").await.expect_err("it must answer");
        assert!(refused.is_permanent() && refused.reason().contains("rights"), "{refused:?}");
    }

    /// A script that runs for long holds up `SELECT`.
    #[tokio::test]
    async fn a_server_that_is_busy_has_refused_neither_database_nor_user() {
        let busy =
            "-BUSY Redis is busy running a script.\r\n-BUSY now\r\n-BUSY now\r\n-BUSY now\r\n-BUSY now\r\n";
        let error = introduced_as(None, 3, busy).await.expect_err("it is busy");
        assert!(!error.is_permanent() && error.in_full().contains("BUSY"), "{error:?}");
        let credentials = Credentials { username: None, password: "secret".to_owned().into() };
        let error = introduced_as(Some(&credentials), 0, busy).await.expect_err("it is busy");
        assert!(!error.is_permanent(), "{error:?}");

        let lacks = "-ERR DB index is out of range\r\n+OK\r\n+info\r\n+time\r\n+a\r\n";
        let error = introduced_as(None, 3, lacks).await.expect_err("it has no such database");
        assert!(error.is_permanent(), "{error:?}");
        let wrong = "-WRONGPASS invalid\r\n+OK\r\n+info\r\n+time\r\n+a\r\n";
        let error = introduced_as(Some(&credentials), 0, wrong).await.expect_err("it is wrong");
        assert!(error.is_permanent(), "{error:?}");
    }
}
