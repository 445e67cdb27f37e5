//! The numbers that bound an upstream.

use std::time::Duration;

/// Limits of one upstream. They hold over all cores together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpstreamSettings {
    /// The most connections open at once, idle ones included; at least 1.
    pub max_connections: usize,
    /// The most requests that wait for a connection; one more is refused at once.
    pub max_pending: usize,
    /// The longest wait for a connection.
    pub pool_wait: Duration,
    /// The longest wait for a connection to be established, name resolution included.
    pub connect_timeout: Duration,
    /// From sending a request to the head of its answer.
    pub response_timeout: Duration,
    /// The longest pause inside an answer's body.
    pub body_timeout: Duration,
    /// An idle connection is closed after this: shorter than the keep-alive of common servers, so that they rarely
    /// close one that is just being used.
    pub idle_timeout: Duration,
    /// An endpoint that refused a connection is passed over for this long while another one is there.
    pub refused_pause: Duration,
    /// The longest head of an answer, in bytes.
    pub max_header_bytes: usize,
    /// hyper's buffer per connection, in bytes; at least 8192.
    pub read_buffer_bytes: usize,
}

impl Default for UpstreamSettings {
    fn default() -> Self {
        Self {
            max_connections: 256,
            max_pending: 1024,
            pool_wait: Duration::from_millis(250),
            connect_timeout: Duration::from_millis(500),
            response_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(30),
            refused_pause: Duration::from_secs(1),
            max_header_bytes: 64 * 1024,
            read_buffer_bytes: 64 * 1024,
        }
    }
}
