//! A visitor with a browser: keeps the cookies it is given.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use http::header;
use serde_json::Value;

use super::ask::{Answer, Ask};
use super::setup::ROOM;
use super::wait::eventually;

/// Somebody with a cookie jar.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    address: SocketAddr,
    jar: BTreeMap<String, String>,
}

impl Visitor {
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self { address, jar: BTreeMap::new() }
    }

    /// The same visitor at another gateway.
    pub(crate) fn moved_to(&self, address: SocketAddr) -> Self {
        Self { address, jar: self.jar.clone() }
    }

    pub(crate) fn token(&self) -> Option<String> {
        self.jar.get(&format!("usher-queue-{ROOM}")).cloned()
    }

    pub(crate) fn ticket(&self) -> Option<String> {
        self.jar.get(&format!("usher-ticket-{ROOM}")).cloned()
    }

    pub(crate) fn set_ticket(&mut self, ticket: &str) {
        self.jar.insert(format!("usher-ticket-{ROOM}"), ticket.to_owned());
    }

    pub(crate) async fn send(&mut self, ask: Ask) -> Answer {
        let ask = match self.jar.is_empty() {
            true => ask,
            false => {
                let pairs: Vec<_> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
                ask.header("cookie", &pairs.join("; "))
            }
        };
        let answer = ask.send(self.address).await;
        self.keep(&answer);
        answer
    }

    fn keep(&mut self, answer: &Answer) {
        for set in answer.headers.get_all(header::SET_COOKIE) {
            let (pair, attributes) = set.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.split(';').any(|attribute| attribute.trim() == "Max-Age=0") {
                self.jar.remove(name);
            } else {
                self.jar.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// Joins: the document of a `201` or `200`.
    pub(crate) async fn join(&mut self) -> Value {
        let answer = self.send(Ask::post(format!("/_usher/{ROOM}/join"))).await;
        assert!(matches!(answer.status.as_u16(), 200 | 201), "{:?} {}", answer.status, answer.text());
        answer.json()
    }

    pub(crate) async fn leave(&mut self) {
        self.send(Ask::post(format!("/_usher/{ROOM}/leave"))).await.expect(204);
    }

    pub(crate) async fn poll(&mut self, query: &str) -> Answer {
        self.send(Ask::get(format!("/_usher/{ROOM}/position?{query}"))).await
    }

    pub(crate) async fn position(&mut self, query: &str) -> Value {
        self.poll(query).await.expect(200).json()
    }

    /// Polls until the document satisfies. Polls that came too early for the room are sent again later.
    pub(crate) async fn polls_until(&mut self, query: &str, what: &str, good: impl Fn(&Value) -> bool) -> Value {
        eventually(what, async || {
            let answer = self.poll(query).await;
            if answer.status == 429 && answer.problem() == "/rate-limited" {
                return None;
            }
            Some(answer.expect(200).json()).filter(&good)
        })
        .await
    }

    /// Polls until it is in.
    pub(crate) async fn enters(&mut self) -> Value {
        self.polls_until("", "admission", |document| document["state"] == "admitted").await
    }

    /// Polls without claiming until this is its position.
    pub(crate) async fn stands_at(&mut self, position: u64) -> Value {
        self.polls_until("claim=false", "the position", |document| document["position"] == position).await
    }
}
