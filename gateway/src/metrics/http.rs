//! The public side in numbers: requests, their durations, connections, bytes, clients that left.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{Method, StatusCode};
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use super::{DURATION_BUCKETS, opts, register};

/// Which way a request went; the `kind` label of durations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum RequestKind {
    /// Passed on to an upstream.
    Forwarded,
    /// Told to wait, by page or problem.
    Wait,
    /// `join`.
    Join,
    /// `position`.
    Position,
    /// `leave`.
    Leave,
    /// `events`, for as long as the stream was open.
    Events,
    /// Any other answer under the reserved prefix.
    Room,
    /// Refused before a decision about the line: bad request, rate limit, unknown host.
    Refused,
}

impl RequestKind {
    const ALL: [(Self, &'static str); 8] = [
        (Self::Forwarded, "forwarded"),
        (Self::Wait, "wait"),
        (Self::Join, "join"),
        (Self::Position, "position"),
        (Self::Leave, "leave"),
        (Self::Events, "events"),
        (Self::Room, "room"),
        (Self::Refused, "refused"),
    ];

    /// The label's value.
    pub const fn as_str(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// What is spoken on a connection; the `protocol` label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum Protocol {
    /// HTTP/1; also what is still in its TLS handshake.
    Http1,
    /// HTTP/2.
    Http2,
}

impl Protocol {
    const ALL: [(Self, &'static str); 2] = [(Self::Http1, "http1"), (Self::Http2, "http2")];
}

/// Why a TLS handshake failed; the `reason` label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum HandshakeFailure {
    /// What the client sent was not TLS, or it refused the certificate.
    Tls,
    /// The client left.
    Closed,
    /// It took too long.
    Timeout,
}

impl HandshakeFailure {
    const ALL: [(Self, &'static str); 3] = [(Self::Tls, "tls"), (Self::Closed, "closed"), (Self::Timeout, "timeout")];
}

/// Why a connection, or a stream of one, was refused or cut; the `reason` label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum Rejection {
    /// As many connections as allowed are open.
    Limit,
    /// No byte came in time.
    FirstByte,
    /// The head of a request took too long.
    Header,
    /// The TLS handshake took too long.
    Handshake,
    /// The balancer in front did not say whose connection it is, not rightly, or not in time.
    ProxyHeader,
    /// Frames or requests that only make work (HTTP/2).
    Flood,
    /// The visitor's session ended while an answer or a tunnel was open.
    Session,
    /// Nothing was asked for too long.
    Idle,
    /// The body of a request came too slowly.
    Body,
    /// The client read an answer too slowly.
    Write,
    /// The drain's deadline passed.
    Drain,
}

impl Rejection {
    const ALL: [(Self, &'static str); 11] = [
        (Self::Limit, "limit"),
        (Self::FirstByte, "first_byte"),
        (Self::Header, "header"),
        (Self::Handshake, "handshake"),
        (Self::ProxyHeader, "proxy_header"),
        (Self::Flood, "flood"),
        (Self::Session, "session"),
        (Self::Idle, "idle"),
        (Self::Body, "body"),
        (Self::Write, "write"),
        (Self::Drain, "drain"),
    ];
}

/// How far a request was when its client left; the `phase` label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum AbortPhase {
    /// Before the upstream was asked.
    Waiting,
    /// While the upstream was asked.
    Upstream,
    /// While the answer's body was on its way.
    Body,
}

impl AbortPhase {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Waiting, "waiting"), (Self::Upstream, "upstream"), (Self::Body, "body")];
}

/// The families of the public side.
#[derive(Debug)]
pub struct HttpMetrics {
    requests: IntCounterVec,
    durations: HistogramVec,
    in_flight: IntGaugeVec,
    body_bytes: IntCounterVec,
    open: IntGaugeVec,
    opened: IntCounterVec,
    rejected: IntCounterVec,
    handshake_failures: IntCounterVec,
    tunnels: IntGaugeVec,
    certificate_expiry: IntGaugeVec,
    aborts: IntCounterVec,
}

impl HttpMetrics {
    pub(super) fn new(registry: &Registry) -> Self {
        let counter = |name, help, labels: &[&str]| register(registry, IntCounterVec::new(opts(name, help), labels));
        let gauge = |name, help, labels: &[&str]| register(registry, IntGaugeVec::new(opts(name, help), labels));
        let durations = HistogramOpts::new(
            "usher_http_request_duration_seconds",
            "From the head of a request to the end of its answer.",
        )
        .buckets(DURATION_BUCKETS.to_vec());
        Self {
            requests: counter("usher_http_requests_total", "Requests answered.", &["listener", "method", "code"]),
            durations: register(registry, HistogramVec::new(durations, &["listener", "kind"])),
            in_flight: gauge("usher_http_requests_in_flight", "Requests being answered.", &["listener"]),
            body_bytes: counter("usher_http_body_bytes_total", "Bytes of bodies.", &["listener", "direction"]),
            open: gauge("usher_connections_open", "Connections open.", &["listener", "protocol"]),
            opened: counter(
                "usher_connections_total",
                "Connections accepted; over TLS, once the handshake is done.",
                &["listener", "protocol"],
            ),
            rejected: counter(
                "usher_connections_rejected_total",
                "Connections, or single HTTP/2 streams, refused or cut by a limit.",
                &["listener", "reason"],
            ),
            handshake_failures: counter(
                "usher_tls_handshake_failures_total",
                "TLS handshakes that came to nothing.",
                &["listener", "reason"],
            ),
            tunnels: gauge("usher_tunnels_open", "Upgraded connections (WebSocket) open.", &["listener"]),
            certificate_expiry: gauge(
                "usher_tls_certificate_expiry_timestamp_seconds",
                "When the first of the listener's certificates expires, in Unix time.",
                &["listener"],
            ),
            aborts: counter(
                "usher_client_aborts_total",
                "Clients that left before their answer.",
                &["listener", "phase"],
            ),
        }
    }

    /// When the first of a listener's certificates expires.
    pub fn certificate_expiry(&self, name: &str) -> IntGauge {
        self.certificate_expiry.with_label_values(&[name])
    }

    /// The handles of one listener.
    pub fn listener(&self, name: &str) -> Arc<ListenerMetrics> {
        Arc::new(ListenerMetrics {
            requests: RequestCounters::new(&self.requests, name),
            durations: RequestKind::ALL.map(|(_, kind)| self.durations.with_label_values(&[name, kind])),
            in_flight: self.in_flight.with_label_values(&[name]),
            body_in: self.body_bytes.with_label_values(&[name, "in"]),
            body_out: self.body_bytes.with_label_values(&[name, "out"]),
            open: Protocol::ALL.map(|(_, protocol)| self.open.with_label_values(&[name, protocol])),
            opened: Protocol::ALL.map(|(_, protocol)| self.opened.with_label_values(&[name, protocol])),
            handshake_failures: HandshakeFailure::ALL
                .map(|(_, reason)| self.handshake_failures.with_label_values(&[name, reason])),
            tunnels: self.tunnels.with_label_values(&[name]),
            rejected: Rejection::ALL.map(|(_, reason)| self.rejected.with_label_values(&[name, reason])),
            aborts: AbortPhase::ALL.map(|(_, phase)| self.aborts.with_label_values(&[name, phase])),
        })
    }
}

/// One listener's handles: counting is an atomic addition, without a look-up.
#[derive(Debug)]
pub struct ListenerMetrics {
    requests: RequestCounters,
    durations: [Histogram; RequestKind::ALL.len()],
    /// Requests being answered now.
    pub in_flight: IntGauge,
    /// Bytes of request bodies.
    pub body_in: IntCounter,
    /// Bytes of answers' bodies.
    pub body_out: IntCounter,
    open: [IntGauge; Protocol::ALL.len()],
    opened: [IntCounter; Protocol::ALL.len()],
    handshake_failures: [IntCounter; HandshakeFailure::ALL.len()],
    /// Upgraded connections open now.
    pub tunnels: IntGauge,
    rejected: [IntCounter; Rejection::ALL.len()],
    aborts: [IntCounter; AbortPhase::ALL.len()],
}

impl ListenerMetrics {
    /// Counts an answer by method and status.
    pub fn answered(&self, method: &Method, code: StatusCode) {
        self.requests.get(method, code).inc();
    }

    /// Records how long a request took, to the end of its answer.
    pub fn took(&self, kind: RequestKind, duration: Duration) {
        self.durations[kind as usize].observe(duration.as_secs_f64());
    }

    /// Counts a connection that opens (`1`) or closes (`-1`).
    pub fn open(&self, protocol: Protocol, by: i64) {
        self.open[protocol as usize].add(by);
    }

    /// An open connection turns out to speak another protocol.
    pub fn changes_protocol(&self, from: Protocol, to: Protocol) {
        if from != to {
            self.open(from, -1);
            self.open(to, 1);
        }
    }

    /// Counts a connection accepted.
    pub fn opened(&self, protocol: Protocol) {
        self.opened[protocol as usize].inc();
    }

    /// Counts a TLS handshake that came to nothing.
    pub fn handshake_failed(&self, reason: HandshakeFailure) {
        self.handshake_failures[reason as usize].inc();
    }

    /// Counts a connection or stream refused or cut.
    pub fn rejected(&self, reason: Rejection) {
        self.rejected[reason as usize].inc();
    }

    /// Counts a client that left before its answer was whole.
    pub fn aborted(&self, phase: AbortPhase) {
        self.aborts[phase as usize].inc();
    }
}

/// Methods with a label of their own; every other one is `other`, so a client cannot make up series.
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "other"];

/// Codes 100 to 599 have a counter of their own; the slot after them is `other`.
const CODES: usize = 501;

/// Counters by method and code, each resolved at its first use.
#[derive(Debug)]
struct RequestCounters {
    family: IntCounterVec,
    listener: String,
    slots: Box<[OnceLock<IntCounter>]>,
}

impl RequestCounters {
    fn new(family: &IntCounterVec, listener: &str) -> Self {
        let slots = (0..METHODS.len() * CODES).map(|_| OnceLock::new()).collect();
        Self { family: family.clone(), listener: listener.to_owned(), slots }
    }

    fn get(&self, method: &Method, code: StatusCode) -> &IntCounter {
        let row = match *method {
            Method::GET => 0,
            Method::HEAD => 1,
            Method::POST => 2,
            Method::PUT => 3,
            Method::PATCH => 4,
            Method::DELETE => 5,
            Method::OPTIONS => 6,
            Method::TRACE => 7,
            _ => 8,
        };
        let column = usize::from(code.as_u16()).saturating_sub(100).min(CODES - 1);
        self.slots[row * CODES + column].get_or_init(|| {
            let code = if column == CODES - 1 { "other" } else { code.as_str() };
            self.family.with_label_values(&[&self.listener, METHODS[row], code])
        })
    }
}
