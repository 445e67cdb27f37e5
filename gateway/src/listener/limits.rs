//! The numbers that bound a connection.

use std::time::Duration;

use super::pace::Pace;

/// Limits of every connection of a listener. The defaults stand the slow attacks of the field with room for bad mobile
/// networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerLimits {
    /// From accepting a connection to its first byte.
    pub first_byte: Duration,
    /// From the first byte of a TLS connection to the end of its handshake.
    pub handshake: Duration,
    /// From accepting a connection to the end of its PROXY protocol header.
    pub proxy_header: Duration,
    /// From the first byte of a request to the end of its head, however the bytes trickle.
    pub header: Duration,
    /// Between requests, for anyone.
    pub idle: Duration,
    /// Between requests, on connections of admitted visitors: they come back, and a new connection costs them more.
    pub idle_admitted: Duration,
    /// Without a byte either way in a tunnel.
    pub tunnel_idle: Duration,
    /// The longest head of a request in bytes, request line included; longer ones get 431.
    pub max_header_bytes: usize,
    /// hyper's buffer per connection in bytes, at least 8192; bounds memory and how much is read ahead.
    pub read_buffer_bytes: usize,
    /// The longest body of a request in bytes.
    pub max_body_bytes: u64,
    /// Reading a request's body: counted only while the gateway waits for the client.
    pub body: Pace,
    /// Writing an answer: counted only while the client does not take it.
    pub write: Pace,
    /// What an unread body may still send after the gateway has answered by itself, in bytes; more closes.
    pub drain_bytes: u64,
    /// For how long it may send it.
    pub drain_time: Duration,
    /// In-flight requests may finish this long after shutdown began; then connections are cut.
    pub shutdown_grace: Duration,
    /// How often a core looks for overdue connections: all limits above are kept to within this.
    pub sweep_interval: Duration,
}

impl Default for ListenerLimits {
    fn default() -> Self {
        Self {
            first_byte: Duration::from_secs(5),
            handshake: Duration::from_secs(5),
            proxy_header: Duration::from_secs(5),
            header: Duration::from_secs(10),
            idle: Duration::from_secs(15),
            idle_admitted: Duration::from_secs(60),
            tunnel_idle: Duration::from_secs(60),
            max_header_bytes: 16 * 1024,
            read_buffer_bytes: 32 * 1024,
            max_body_bytes: 1024 * 1024,
            body: Pace { stall: Duration::from_secs(10), grace: Duration::from_secs(15), bytes_per_second: 1024 },
            write: Pace { stall: Duration::from_secs(15), grace: Duration::from_secs(30), bytes_per_second: 1024 },
            drain_bytes: 64 * 1024,
            drain_time: Duration::from_secs(2),
            shutdown_grace: Duration::from_secs(30),
            sweep_interval: Duration::from_millis(250),
        }
    }
}
