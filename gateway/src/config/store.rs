//! `[store]`: where the line lives.

use std::time::Duration;

use http::Uri;
use secrecy::{ExposeSecret as _, SecretString};

use super::reader::{Field, Reader, section};
use super::secret::SecretUrl;

section! {
    /// Where the line lives.
    StoreSection, "[store]" {
        /// `memory:` for one gateway; `redis://`, `rediss://`, `redis+sentinel://h1,h2,h3/name`, `redis+cluster://h1,h2,h3` to share.
        url: SecretUrl = "memory:",
        /// Connections to the store.
        connections: u32 = 2,
        /// How long opening a connection may take.
        connect_timeout: Duration = "1s",
        /// How long any call may take before the connection is given up.
        response_timeout: Duration = "200ms",
        /// How long the decision about one visitor waits for the store; then the answer is no.
        decision_timeout: Duration = "50ms",
        /// The longest pause between two attempts to connect.
        max_reconnect_delay: Duration = "2s",
    }
}

/// Where the line lives.
#[derive(Clone, Debug)]
pub struct Store {
    /// Which store.
    pub url: StoreUrl,
    /// Connections to it, at least 1.
    pub connections: u32,
    /// How long opening a connection may take.
    pub connect_timeout: Duration,
    /// How long any call may take before the connection is given up.
    pub response_timeout: Duration,
    /// How long the decision about one visitor waits; never longer than `response_timeout`.
    pub decision_timeout: Duration,
    /// The longest pause between two attempts to connect.
    pub max_reconnect_delay: Duration,
}

/// Which store.
#[derive(Clone, Debug)]
pub enum StoreUrl {
    /// This process's memory.
    Memory,
    /// One Redis server.
    Redis {
        /// `redis://[user][:password@]host[:port][/database]`.
        url: SecretString,
    },
}

impl StoreUrl {
    /// Whether several gateways share the store.
    pub const fn is_shared(&self) -> bool {
        !matches!(self, Self::Memory)
    }
}

/// Connections beyond this bring nothing: calls are gathered.
const MOST_CONNECTIONS: u32 = 64;

const FORMS: &str = "memory: · redis://[:${PASSWORD}@]host[:port][/database] · rediss://… · \
                     redis+sentinel://h1,h2,h3/name · redis+cluster://h1,h2,h3";

impl StoreSection {
    /// Whether several gateways share the store, as far as the URL can be read.
    pub(super) fn is_shared(&self) -> bool {
        self.url.get().is_some_and(|read| read.url.expose_secret().starts_with("redis"))
    }

    /// The store, unless something was told about it.
    pub(super) fn resolve(&self, reader: &mut Reader<'_, '_>) -> Option<Store> {
        if !self.connections.copied().is_none_or(|count| (1..=MOST_CONNECTIONS).contains(&count)) {
            reader.findings.error(&self.connections.spot, format!("must be between 1 and {MOST_CONNECTIONS}"));
        }
        if self.decision_timeout.copied() > self.response_timeout.copied() {
            reader.findings.error(&self.decision_timeout.spot, "must not be longer than response_timeout");
        }
        let url = resolve_url(&self.url, reader);
        Some(Store {
            connections: self.connections.copied()?,
            connect_timeout: reader.positive(&self.connect_timeout)?,
            response_timeout: reader.positive(&self.response_timeout)?,
            decision_timeout: reader.positive(&self.decision_timeout)?,
            max_reconnect_delay: reader.positive(&self.max_reconnect_delay)?,
            url: url?,
        })
    }
}

fn resolve_url(field: &Field<SecretUrl>, reader: &mut Reader<'_, '_>) -> Option<StoreUrl> {
    let read = field.get()?;
    let url = read.url.expose_secret();
    if read.literal && password(url).is_some() {
        reader
            .findings
            .error(&field.spot, "holds a password; write ${NAME} in its place and set that environment variable");
    }
    match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("memory") if url == "memory:" => Some(StoreUrl::Memory),
        Some("redis") if is_redis(url) => Some(StoreUrl::Redis { url: read.url.clone() }),
        // What cannot be done yet was told already, see `not_yet`.
        Some("rediss" | "redis+sentinel" | "redis+cluster") => None,
        // Not shown: what was meant as a password could stand anywhere in it.
        _ => {
            reader.findings.error(&field.spot, format!("is not the URL of a store; expected one of {FORMS}"));
            None
        }
    }
}

/// The password in the authority of a URL.
fn password(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split('/').next()?;
    let (user_info, _) = authority.rsplit_once('@')?;
    user_info.split_once(':').map(|(_, password)| password).filter(|password| !password.is_empty())
}

fn is_redis(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let database = uri.path().trim_start_matches('/');
    uri.scheme_str() == Some("redis")
        && uri.host().is_some_and(|host| !host.is_empty())
        && (database.is_empty() || database.parse::<u16>().is_ok())
        && !uri.authority().is_some_and(|authority| authority.as_str().ends_with(':'))
}
