//! Which server the sentinels call the master.

use std::collections::HashMap;

use ::redis::Value;
use futures_util::{StreamExt, stream::FuturesUnordered};

use super::{
    ConnectError,
    address::Address,
    dial::ask,
    raw_commands::{text, words},
    server_kind::Urls,
};
use crate::redis::{config::Config, url::Node};

/// Asks all sentinels at once, and believes what most of them say: one that was cut off from the others
/// would send us back to a master that was replaced.
pub(super) async fn master(config: &Config, name: &str) -> Result<Node, ConnectError> {
    let sentinels = config.nodes();
    let mut answers: FuturesUnordered<_> = sentinels.iter().map(|node| ask_one(config, node, name)).collect();
    let mut votes: HashMap<Node, usize> = HashMap::new();
    let mut failure = None;
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(node) => {
                let count = votes.entry(node.clone()).or_default();
                *count += 1;
                if *count > sentinels.len() / 2 {
                    return Ok(node);
                }
            }
            Err(error) => failure = Some(error),
        }
    }
    let most = votes.into_iter().max_by_key(|(_, count)| *count);
    most.map(|(node, _)| node)
        .ok_or_else(|| failure.unwrap_or_else(|| ConnectError::transient("there are no sentinels")))
}

/// The replicas of a master that are up, as the first sentinel says that answers. One that is wrong costs round trips.
pub(super) async fn replicas(config: &Config, name: &str) -> Result<Vec<Node>, ConnectError> {
    let question = words(&["SENTINEL", "REPLICAS", name]);
    let credentials = config.sentinel_credentials.as_ref();
    let mut answers: FuturesUnordered<_> =
        config.nodes().iter().map(|node| ask(config, node, credentials, question.clone())).collect();
    let mut failure = ConnectError::transient("there are no sentinels");
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(Value::Array(replicas)) => return Ok(replicas.iter().filter_map(replica).collect()),
            Ok(_) => {}
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// A replica, unless the sentinel takes it for down.
fn replica(fields: &Value) -> Option<Node> {
    let Value::Array(fields) = fields else { return None };
    let field = |name: &str| {
        let pairs = fields.chunks_exact(2);
        pairs
            .map(|pair| (text(&pair[0]), text(&pair[1])))
            .find(|(field, _)| field == name)
            .map(|(_, value)| value)
    };
    let is_down = field("flags")?.split(',').any(|flag| matches!(flag, "s_down" | "o_down" | "disconnected"));
    let port = field("port")?.parse().ok()?;
    (!is_down).then_some((field("ip")?, port))
}

async fn ask_one(config: &Config, sentinel: &Node, name: &str) -> Result<Node, ConnectError> {
    let address = Address::Tcp(sentinel.clone());
    let question = words(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", name]);
    let answer = ask(config, sentinel, config.sentinel_credentials.as_ref(), question).await;
    let of_sentinel = |error: ConnectError| error.of(format_args!("the sentinel {address}"));
    let answer = answer.map_err(|error| match error.is_unknown_command() {
        true => of_sentinel(Urls::of(config, &address).is_no_sentinel()),
        false => error,
    })?;
    match &answer {
        Value::Array(parts) if parts.len() == 2 => {
            let port = text(&parts[1]).parse();
            let port =
                port.map_err(|_| of_sentinel(ConnectError::transient("it names a port that is none")))?;
            Ok((text(&parts[0]), port))
        }
        _ => Err(of_sentinel(ConnectError::transient(format!("it knows of no master named {name:?}")))),
    }
}
