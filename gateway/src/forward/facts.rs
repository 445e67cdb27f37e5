//! What the gateway knows about a request and tells the upstream.

use std::cell::RefCell;
use std::net::IpAddr;

use http::HeaderValue;

use super::RequestTrace;

/// What [`to_upstream`](super::to_upstream) sets. Values are borrowed ready-made: cloning one is a reference count.
#[derive(Clone, Copy, Debug)]
pub struct ForwardFacts<'a> {
    /// The TCP peer is a proxy the operator named: its trace context is believed.
    pub peer_trusted: bool,
    /// Client address, scheme and host.
    pub forwarded: &'a ForwardedFields,
    /// Who asks; `None` where the path is open and no ticket came.
    pub visitor: Option<&'a HeaderValue>,
    /// The room's name.
    pub room: &'a HeaderValue,
    /// The verified admission ticket, for the upstream to verify again.
    pub ticket: Option<&'a HeaderValue>,
    /// Request id and trace context.
    pub trace: &'a RequestTrace,
}

/// How the client reached the gateway, or the trusted proxy before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Cleartext.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// `Forwarded` (RFC 7239) and `X-Forwarded-*` for one client, scheme and host. They name the resolved client alone: a
/// chain would hand on what a client wrote at its left end. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ForwardedFields {
    pub(super) forwarded: HeaderValue,
    pub(super) x_forwarded_for: HeaderValue,
    pub(super) proto: HeaderValue,
    pub(super) host: HeaderValue,
}

impl ForwardedFields {
    /// Fields for this client. `host` is the canonical host of the request, with its port where it has one.
    pub fn new(client: IpAddr, scheme: Scheme, host: &HeaderValue) -> Self {
        let client = client.to_canonical();
        let node = match client {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("\"[{address}]\""),
        };
        // A host that is no token of its own is quoted; canonical hosts have no quotes or backslashes in them.
        let quoted = host.to_str().unwrap_or_default().replace(['"', '\\'], "");
        let forwarded = format!("for={node};proto={};host=\"{quoted}\"", scheme.as_str());
        let text = |text: String| HeaderValue::from_maybe_shared(bytes::Bytes::from(text));
        let none = HeaderValue::from_static("unknown");
        Self {
            forwarded: text(forwarded).unwrap_or_else(|_| none.clone()),
            x_forwarded_for: text(client.to_string()).unwrap_or(none),
            proto: HeaderValue::from_static(scheme.as_str()),
            host: host.clone(),
        }
    }
}

/// The last fields built, kept beside a connection: its client, scheme and host hardly ever change.
#[derive(Debug, Default)]
pub struct ForwardedFieldsCache(RefCell<Option<(IpAddr, Scheme, ForwardedFields)>>);

impl ForwardedFieldsCache {
    /// Fields for this client, scheme and host, built only when one of them differs from the last call's.
    pub fn get(&self, client: IpAddr, scheme: Scheme, host: &HeaderValue) -> ForwardedFields {
        let mut last = self.0.borrow_mut();
        match &*last {
            Some((ip, with, fields)) if *ip == client && *with == scheme && fields.host == host => fields.clone(),
            _ => {
                let fields = ForwardedFields::new(client, scheme, host);
                *last = Some((client, scheme, fields.clone()));
                fields
            }
        }
    }
}
