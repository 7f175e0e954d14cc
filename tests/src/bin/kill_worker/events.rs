//! Publishes events, and handles those of all processes.
//!
//! `kill_worker events URL NAME ATTEMPTS GROUP…` says `ready`, then `joined` once the groups are there, `acked NAME NUMBER`
//! after each event of its own that was published, and `handled GROUP NAME NUMBER` when a handler is done with one. Its numbers
//! rise from zero. With the name `none` it publishes nothing.
//!
//! An event of the name `deadly` ends the process that is about to handle it.

use std::{sync::Arc, time::Duration};

use larder::events::{Event, Events};
use serde::{Deserialize, Serialize};

use crate::process::{Failure, connect, say};

/// The same as the test's.
#[derive(Clone, Serialize, Deserialize)]
struct Happened {
    to: String,
    number: u64,
}

impl Event for Happened {
    const NAME: &str = "happened";
}

pub(crate) async fn run(words: &[String]) -> Result<(), Failure> {
    let [url, name, attempts, groups @ ..] = words else { return Err("four words are needed".into()) };
    let events = Events::redis(&connect(url).await?)?;
    // First: what is handled from here on is heard of.
    say("ready");
    let mut running = Vec::new();
    for name in groups {
        let group = events.group(name).attempts(attempts.parse()?).claim_after(Duration::from_millis(500));
        let name = name.clone();
        let handle = move |event: Arc<Happened>| {
            let name = name.clone();
            async move {
                if event.to == "deadly" {
                    std::process::abort();
                }
                // Killed here as often as elsewhere.
                tokio::time::sleep(Duration::from_micros(500)).await;
                say(&format!("handled {name} {} {}", event.to, event.number));
                Ok::<_, Failure>(())
            }
        };
        running.push(group.handle(handle).start().await?);
    }
    say("joined");
    for number in 0_u64.. {
        if name != "none" && events.publish(&Happened { to: name.clone(), number }).await.is_ok() {
            say(&format!("acked {name} {number}"));
        }
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
    Ok(())
}
