//! `[store]`: where the line lives.

use std::path::PathBuf;
use std::time::Duration;

use queue_core::store::{AddressError, Login, RedisAddress};
use secrecy::ExposeSecret as _;

use super::reader::{Reader, section};
use super::secret::{SecretFile, SecretUrl};
use super::server_tls;

section! {
    /// Where the line lives.
    StoreSection, "[store]" {
        /// `memory:` for one gateway; `redis://`, `rediss://`, `redis+sentinel://h1,h2,h3/name`, `rediss+sentinel://…`, `redis+cluster://h1,h2,h3`, `rediss+cluster://…` to share.
        url: SecretUrl = "memory:",
        /// The PEM text of the only authorities that may vouch for a server with TLS; not given: those the host trusts.
        ca_file: Option<String>,
        /// The PEM text of the certificate that is shown to servers that ask for one; those that vouch for it after it.
        client_cert_file: Option<String>,
        /// The PEM text of its private key.
        client_key_file: Option<SecretFile>,
        /// The user at the Sentinels, which do not share the primary's users.
        sentinel_user: Option<String>,
        /// The password at the Sentinels (their `requirepass`); not given: they want none.
        sentinel_password_file: Option<SecretFile>,
        /// Where a memory store's rooms are written down at the end, and taken up at the next start.
        snapshot_file: Option<String>,
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
    /// Where a memory store's rooms are kept over a planned restart.
    pub snapshot_file: Option<PathBuf>,
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
    /// Redis: one server, Sentinels that know it, or a cluster.
    Redis(Box<RedisAddress>),
}

impl StoreUrl {
    /// Whether several gateways share the store.
    pub const fn is_shared(&self) -> bool {
        !matches!(self, Self::Memory)
    }
}

/// Connections beyond this bring nothing: calls are gathered.
const MOST_CONNECTIONS: u32 = 64;

const NO_TLS: &str = "is for a store with TLS; write rediss://, rediss+sentinel:// or rediss+cluster:// in url";

const FORMS: &str = "memory: · redis://[:${PASSWORD}@]host[:port][/database] · rediss://… · \
                     redis+sentinel://h1,h2,h3/name · rediss+sentinel://… · redis+cluster://h1,h2,h3 · \
                     rediss+cluster://…";

impl StoreSection {
    /// Whether several gateways share the store, as far as the URL can be read.
    pub(super) fn is_shared(&self) -> bool {
        self.url.get().is_some_and(|read| read.url.expose_secret().starts_with("redis"))
    }

    /// The store, unless something was told about it. `keys_are_kept`: the keys of tokens outlive the process.
    pub(super) fn resolve(&self, keys_are_kept: bool, reader: &mut Reader<'_, '_>) -> Option<Store> {
        if self.snapshot_file.given().is_some() {
            let problem = match () {
                () if self.is_shared() => Some("is for the memory store; a shared store keeps its rooms itself"),
                () if !keys_are_kept => {
                    Some("needs [[tickets.key]]: tokens signed with generated keys end with the process")
                }
                () => None,
            };
            problem.into_iter().for_each(|problem| reader.findings.error(&self.snapshot_file.spot, problem));
        }
        if !self.connections.copied().is_none_or(|count| (1..=MOST_CONNECTIONS).contains(&count)) {
            reader.findings.error(&self.connections.spot, format!("must be between 1 and {MOST_CONNECTIONS}"));
        }
        if self.decision_timeout.copied() > self.response_timeout.copied() {
            reader.findings.error(&self.decision_timeout.spot, "must not be longer than response_timeout");
        }
        let url = self.resolve_url(reader);
        Some(Store {
            snapshot_file: self.snapshot_file.given().map(|file| reader.folder.join(file)),
            connections: self.connections.copied()?,
            connect_timeout: reader.positive(&self.connect_timeout)?,
            response_timeout: reader.positive(&self.response_timeout)?,
            decision_timeout: reader.positive(&self.decision_timeout)?,
            max_reconnect_delay: reader.positive(&self.max_reconnect_delay)?,
            url: url?,
        })
    }

    fn resolve_url(&self, reader: &mut Reader<'_, '_>) -> Option<StoreUrl> {
        let read = self.url.get()?;
        let url = read.url.expose_secret();
        if read.literal && password(url).is_some() {
            let problem = "holds a password; write ${NAME} in its place and set that environment variable";
            reader.findings.error(&self.url.spot, problem);
        }
        let mut address = match url {
            "memory:" => None,
            url => match RedisAddress::parse(url) {
                Ok(address) => Some(address),
                // Not shown: what was meant as a password could stand anywhere in it.
                Err(AddressError::Scheme) => {
                    let problem = format!("is not the URL of a store; expected one of {FORMS}");
                    reader.findings.error(&self.url.spot, problem);
                    return None;
                }
                Err(error) => {
                    reader.findings.error(&self.url.spot, error.to_string());
                    return None;
                }
            },
        };
        self.resolve_trust(address.as_mut(), reader);
        self.resolve_identity(address.as_mut(), reader);
        self.resolve_sentinel_login(address.as_mut(), reader);
        Some(address.map_or(StoreUrl::Memory, |address| StoreUrl::Redis(Box::new(address))))
    }

    fn resolve_trust(&self, address: Option<&mut RedisAddress>, reader: &mut Reader<'_, '_>) {
        let Some(trust) = server_tls::trust(&self.ca_file, reader) else { return };
        if !address.is_some_and(|address| address.trust(trust)) {
            reader.findings.error(&self.ca_file.spot, NO_TLS);
        }
    }

    fn resolve_identity(&self, address: Option<&mut RedisAddress>, reader: &mut Reader<'_, '_>) {
        let Some(identity) = server_tls::identity(&self.client_cert_file, &self.client_key_file, reader) else {
            return;
        };
        if !address.is_some_and(|address| address.identify(identity)) {
            reader.findings.error(&self.client_cert_file.spot, NO_TLS);
        }
    }

    fn resolve_sentinel_login(&self, address: Option<&mut RedisAddress>, reader: &mut Reader<'_, '_>) {
        let (user, password) = (self.sentinel_user.given(), self.sentinel_password_file.given());
        if user.is_some() && !self.sentinel_password_file.given {
            reader.findings.error(&self.sentinel_user.spot, "has no password; set sentinel_password_file too");
        }
        let field = if user.is_some() { &self.sentinel_user.spot } else { &self.sentinel_password_file.spot };
        if user.is_none() && password.is_none() {
            return;
        }
        let login = Login { user: user.cloned(), password: password.map(|file| file.content.clone()) };
        if !address.is_some_and(|address| address.log_in_at_sentinels(login)) {
            reader.findings.error(field, "is for a store behind Sentinels; write redis+sentinel:// in url");
        }
    }
}

/// The password in a URL.
fn password(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let (login, _) = rest.rsplit_once('@')?;
    login.split_once(':').map(|(_, password)| password).filter(|password| !password.is_empty())
}
