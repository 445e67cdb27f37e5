//! A configuration for a gateway, and the keys it shares with its test.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use gateway::entropy;
use queue_core::RoomId;
use queue_core::ticket::{Algorithm, KeyId, KeyRing, PrivateKeySource};
use secrecy::{ExposeSecret as _, SecretString};
use tempfile::TempDir;

use super::ask::HOST;
use super::origin::Origin;
use super::secure::Authority;

/// The `iss` of all tokens and tickets.
pub(crate) const ISSUER: &str = "https://sale.example";

/// The room that guards everything but `open` paths.
pub(crate) const ROOM: &str = "concert";

const KEY: &str = "journey";

/// A folder with a key; each gateway writes its configuration there.
pub(crate) struct Setup {
    folder: TempDir,
    algorithm: Algorithm,
    key: SecretString,
    keys: String,
    upstream: SocketAddr,
    upstream_scheme: &'static str,
    listener: String,
    store: String,
    upstream_more: String,
    room: String,
    more: String,
}

impl Setup {
    /// The smallest configuration before this upstream.
    pub(crate) fn before(origin: &Origin) -> Self {
        Self::before_address(origin.address())
    }

    pub(crate) fn before_address(upstream: SocketAddr) -> Self {
        let setup = Self {
            folder: tempfile::tempdir().unwrap(),
            algorithm: Algorithm::EdDsa,
            key: SecretString::default(),
            keys: format!("key = [{{ id = \"{KEY}\", private_key_file = \"ticket.key\" }}]\n"),
            upstream,
            upstream_scheme: "http",
            listener: "insecure_cookies = true\n".to_owned(),
            store: "url = \"memory:\"\n".to_owned(),
            upstream_more: String::new(),
            room: String::new(),
            more: String::new(),
        };
        setup.algorithm(Algorithm::EdDsa)
    }

    pub(crate) fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self.key = PrivateKeySource::generate_text(algorithm, entropy::draw()).unwrap();
        std::fs::write(self.folder.path().join("ticket.key"), self.key.expose_secret()).unwrap();
        self
    }

    /// Leaves the keys to the gateway.
    pub(crate) fn without_keys(mut self) -> Self {
        self.keys.clear();
        self
    }

    /// In place of what the listener has besides name and address.
    pub(crate) fn listener(mut self, keys: &str) -> Self {
        keys.clone_into(&mut self.listener);
        self
    }

    /// A listener with TLS, and what its clients trust.
    pub(crate) fn tls(mut self, keys: &str) -> (Self, Authority) {
        let authority = Authority::new();
        self.certify(&authority.server_certificate(&[HOST]));
        self.listener = format!("tls = {{ cert_file = \"tls.crt\", key_file = \"tls.key\" }}\n{keys}");
        (self, authority)
    }

    /// Writes certificate and key where the listener looks for them.
    pub(crate) fn certify(&self, (certificate, key): &(String, String)) {
        self.put("tls.crt", certificate);
        self.put("tls.key", key);
    }

    /// Writes a file beside the configuration.
    pub(crate) fn put(&self, name: &str, content: &str) {
        std::fs::write(self.folder.path().join(name), content).unwrap();
    }

    pub(crate) fn redis(mut self, url: &str) -> Self {
        self.set_redis(url);
        self
    }

    /// For the gateways started from now on.
    pub(crate) fn set_redis(&mut self, url: &str) {
        self.store = format!("url = \"{url}\"\n");
    }

    /// More keys of the store.
    pub(crate) fn store(mut self, keys: &str) -> Self {
        self.store.push_str(keys);
        self
    }

    pub(crate) fn upstream(mut self, keys: &str) -> Self {
        self.upstream_more.push_str(keys);
        self
    }

    /// TLS with the upstream.
    pub(crate) fn secure_upstream(mut self, keys: &str) -> Self {
        self.upstream_scheme = "https";
        self.upstream(keys)
    }

    /// More keys of the room `concert`.
    pub(crate) fn room(mut self, keys: &str) -> Self {
        self.room.push_str(keys);
        self
    }

    /// More sections.
    pub(crate) fn more(mut self, sections: &str) -> Self {
        self.more.push_str(sections);
        self
    }

    /// The ring that the gateways of this setup have.
    pub(crate) fn ring(&self) -> KeyRing {
        let id = KeyId::new(KEY).unwrap();
        let source = PrivateKeySource::from_text(self.algorithm, &id, &self.key).unwrap();
        KeyRing::builder(ISSUER, self.algorithm).key(id, source, None).build().unwrap()
    }

    /// Writes the configuration of a gateway at these addresses.
    pub(crate) fn write(&self, public: SocketAddr, admin: SocketAddr) -> PathBuf {
        let path = self.folder.path().join(format!("usher-{}.toml", public.port()));
        std::fs::write(&path, self.text(public, admin)).unwrap();
        path
    }

    fn text(&self, public: SocketAddr, admin: SocketAddr) -> String {
        let algorithm = self.algorithm.name();
        let mut text = String::new();
        write!(
            text,
            r#"version = 1

[[listener]]
name = "public"
bind = "{public}"
{listener}
[admin]
bind = "{admin}"

[store]
{store}
[tickets]
issuer = "{ISSUER}"
algorithm = "{algorithm}"
{keys}
[[upstream]]
name = "booking"
endpoints = ["{scheme}://{upstream}"]
{upstream_more}
[[room]]
name = "{ROOM}"
open = ["/assets/*", "/v1/orders/*"]
upstream = "booking"
{room}
{more}"#,
            listener = self.listener,
            store = self.store,
            keys = self.keys,
            upstream = self.upstream,
            scheme = self.upstream_scheme,
            upstream_more = self.upstream_more,
            room = self.room,
            more = self.more,
        )
        .unwrap();
        // Whatever a test says about draining replaces this.
        if !text.contains("[drain]") {
            text.push_str("\n[drain]\ndelay = \"0s\"\ntimeout = \"10s\"\n");
        }
        text
    }
}

/// The room's name as the core knows it.
pub(crate) fn room() -> RoomId {
    RoomId::new(ROOM).unwrap()
}
