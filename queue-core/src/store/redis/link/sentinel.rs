//! Asking Sentinels where the primary is, and hearing from them when it moved.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use redis::Value;
use tokio::sync::Notify;

use super::super::address::HostPort;
use super::super::classify;
use super::backoff::Backoff;
use super::dial::{Dialer, Task, at_host};
use super::info::text;
use crate::store::StoreError;

/// How long one Sentinel may take to answer, connecting included. All are asked at the same time, so this bounds the
/// whole question; a Sentinel on the host that has just died costs this much of the fail-over.
const ANSWER_WITHIN: Duration = Duration::from_millis(250);

/// What a Sentinel says when it has made another server the primary.
const MOVED: &str = "+switch-master";

/// The Sentinels that watch one primary.
pub(super) struct Sentinels {
    hosts: Vec<HostPort>,
    name: String,
    dialer: Arc<Dialer>,
}

/// One Sentinel's belief. Of two, the one of the later fail-over counts.
#[derive(Debug, PartialEq, Eq)]
struct Belief {
    epoch: u64,
    at: HostPort,
}

impl Sentinels {
    pub(super) fn new(hosts: Vec<HostPort>, name: String, dialer: Dialer) -> Self {
        Self { hosts, name, dialer: Arc::new(dialer) }
    }

    /// Where the primary is. A Sentinel that was cut off still names the old one, so all are asked and the belief of the
    /// latest fail-over is taken.
    pub(super) async fn primary(&self) -> Result<HostPort, StoreError> {
        let questions = self.hosts.iter().map(async |host| {
            let answer = tokio::time::timeout(ANSWER_WITHIN, self.ask(host)).await;
            answer.unwrap_or_else(|_| Err(StoreError::Io(format!("{host}: no answer within {ANSWER_WITHIN:?}"))))
        });
        let (mut latest, mut problems) = (None::<Belief>, Vec::new());
        for answer in join_all(questions).await {
            match answer {
                Ok(belief) if latest.as_ref().is_none_or(|latest| latest.epoch < belief.epoch) => latest = Some(belief),
                Ok(_) => {}
                Err(error) => problems.push(error.to_string()),
            }
        }
        let nobody = || StoreError::Io(format!("no Sentinel names the primary {}: {}", self.name, problems.join("; ")));
        latest.map(|belief| belief.at).ok_or_else(nobody)
    }

    async fn ask(&self, host: &HostPort) -> Result<Belief, StoreError> {
        let mut dialed = self.dialer.dial(host).await?;
        // The address alone is told as soon as the new primary has taken its rank, the rest only when all replicas follow
        // it; the epoch of the fail-over stands only in the rest.
        let (at, rest): (Option<(String, u16)>, Value) = redis::pipe()
            .cmd("SENTINEL")
            .arg("GET-MASTER-ADDR-BY-NAME")
            .arg(&self.name)
            .cmd("SENTINEL")
            .arg("MASTER")
            .arg(&self.name)
            .query_async(&mut dialed.connection)
            .await
            .map_err(|error| at_host(host, classify(&error)))?;
        let belief = at.and_then(|(host, port)| Some(Belief { epoch: epoch(&rest)?, at: HostPort { host, port } }));
        belief.ok_or_else(|| StoreError::Script(format!("{host}: its answer to SENTINEL MASTER cannot be read")))
    }

    /// Listens to every Sentinel for as long as the tasks live, and tells `news` when the primary may have moved: when
    /// one says so, and when one is heard again after it was not.
    pub(super) fn listen(&self, news: &Arc<Notify>, max_delay: Duration) -> Vec<Task> {
        let listener = |host: &HostPort| {
            let (dialer, host, name, news) = (self.dialer.clone(), host.clone(), self.name.clone(), news.clone());
            Task::spawn(async move {
                let mut pause = Backoff::new(max_delay);
                loop {
                    if let Err(error) = hear(&dialer, &host, &name, &news, &mut pause).await {
                        tracing::debug!(sentinel = %host, %error, "a Sentinel cannot be heard");
                    }
                    tokio::time::sleep(pause.next()).await;
                }
            })
        };
        self.hosts.iter().map(listener).collect()
    }
}

async fn hear(
    dialer: &Dialer,
    host: &HostPort,
    name: &str,
    news: &Notify,
    pause: &mut Backoff,
) -> Result<(), StoreError> {
    let subscribing = async {
        let mut subscription = dialer.listen(host).await?;
        subscription.subscribe(MOVED).await.map_err(|error| classify(&error))?;
        Ok(subscription)
    };
    let mut subscription =
        tokio::time::timeout(ANSWER_WITHIN, subscribing).await.unwrap_or(Err(StoreError::Timeout))?;
    pause.reset();
    news.notify_one();
    let mut messages = subscription.on_message();
    while let Some(message) = messages.next().await {
        let told = String::from_utf8_lossy(message.get_payload_bytes()).into_owned();
        if told.split(' ').next() == Some(name) {
            news.notify_one();
        }
    }
    Ok(())
}

/// The fail-over that a primary came from, in the answer to SENTINEL MASTER: pairs of a name and a value.
fn epoch(answer: &Value) -> Option<u64> {
    let pairs: Vec<(String, String)> = match answer {
        Value::Array(items) => items.chunks_exact(2).map(|pair| (text(&pair[0]), text(&pair[1]))).collect(),
        Value::Map(pairs) => pairs.iter().map(|(name, value)| (text(name), text(value))).collect(),
        _ => return None,
    };
    pairs.into_iter().find(|(name, _)| name == "config-epoch")?.1.parse().ok()
}
