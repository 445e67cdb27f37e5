//! `[[upstream]]`: the services behind.

use std::fmt;
use std::time::Duration;

use http::Uri;
use http::uri::PathAndQuery;
use queue_core::store::{Tls, Trust};
use rustls_pki_types::ServerName;
use secrecy::{ExposeSecret as _, SecretSlice};

use super::reader::{Field, Reader, section};
use super::scalar::Name;
use super::secret::{SecretFile, Url};
use super::server_tls;
use crate::upstream::{FailureStatuses, HealthCheck};

section! {
    /// A service behind the gateway.
    UpstreamSection, "[[upstream]]" {
        /// Its name in rooms, metrics and logs.
        name: Name,
        /// Where it answers: `http://host:port` or `https://host:port`, one or more.
        endpoints: Vec<Field<Url>>,
        /// The only authorities that may vouch for its certificates; default: those that the host trusts.
        ca_file: Option<String>,
        /// The name that its certificates must be good for; default: each endpoint's own host.
        server_name: Option<String>,
        /// Shown to endpoints that ask for a certificate.
        client_cert_file: Option<String>,
        /// The key of that certificate.
        client_key_file: Option<SecretFile>,
        /// A secret shared with the service: every request then carries a signed proof that it came through here. One
        /// line of base64 that stands for 32 or more bytes.
        proof_key_file: Option<SecretFile>,
        /// Connections at once, over all endpoints.
        max_connections: u32 = 256,
        /// Requests that wait for a connection at once; those beyond are refused.
        max_pending: u32 = 1_024,
        /// The longest wait for a connection.
        pool_wait: Duration = "250ms",
        /// How long opening a connection may take.
        connect_timeout: Duration = "500ms",
        /// From the end of a request to the header of its response.
        response_timeout: Duration = "10s",
        /// Without a byte of a response body.
        body_timeout: Duration = "60s",
        /// From asking for a connection to the last byte of the response; tunnels have no such end.
        total_timeout: Duration = "10m",
        /// So many failures of an endpoint in a row, and nobody is sent there for a while; 0: never.
        failure_threshold: u32 = 5,
        /// Which answers are failures, beside no answer and a broken one.
        failure_statuses: Vec<Field<u16>> = [502, 503, 504],
        /// How long nobody is sent to an endpoint that failed.
        ejection_time: Duration = "5s",
        /// A failed trial doubles that time, up to this, while another endpoint serves.
        max_ejection_time: Duration = "60s",
        /// So many trials, one after the other, must go well before the endpoint serves again.
        half_open_trials: u32 = 3,
        /// After that its share grows from a tenth to the whole within this.
        slow_start: Duration = "10s",
        /// Asks every endpoint for a path again and again; without this table none is.
        health_check: Option<HealthCheckSection>,
    }
}

section! {
    /// How endpoints are asked whether they are well.
    HealthCheckSection, "[upstream.health_check]" {
        /// What is asked for with GET, query included; any 2xx is good.
        path: String,
        /// From one check of an endpoint to its next, give or take a tenth.
        interval: Duration = "5s",
        /// The longest check, from connecting to the header of the response.
        timeout: Duration = "1s",
        /// So many good checks in a row bring an endpoint back.
        healthy_threshold: u32 = 2,
        /// So many bad checks in a row take an endpoint out.
        unhealthy_threshold: u32 = 3,
    }
}

/// A service behind the gateway.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Its name in metrics and logs.
    pub name: String,
    /// Where it answers; at least one.
    pub endpoints: Vec<Endpoint>,
    /// How TLS is spoken with those that speak it.
    pub tls: Tls,
    /// The name that certificates must be good for; `None`: each endpoint's own host.
    pub server_name: Option<ServerName<'static>>,
    /// What requests are signed with for the service; 32 or more bytes.
    pub proof_key: Option<SecretSlice<u8>>,
    /// Connections at once, over all endpoints, at least 1.
    pub max_connections: u32,
    /// Requests that wait for a connection at once.
    pub max_pending: u32,
    /// The longest wait for a connection.
    pub pool_wait: Duration,
    /// How long opening a connection may take.
    pub connect_timeout: Duration,
    /// From the end of a request to the header of its response.
    pub response_timeout: Duration,
    /// Without a byte of a response body.
    pub body_timeout: Duration,
    /// From asking for a connection to the last byte of the response.
    pub total_timeout: Duration,
    /// So many failures of an endpoint in a row eject it; 0: never.
    pub failure_threshold: u32,
    /// Which answers are failures.
    pub failure_statuses: FailureStatuses,
    /// The length of a first ejection.
    pub ejection_time: Duration,
    /// The longest ejection.
    pub max_ejection_time: Duration,
    /// So many trials must go well, at least 1.
    pub half_open_trials: u32,
    /// From a tenth of its share to the whole.
    pub slow_start: Duration,
    /// How endpoints are checked; `None`: they are not.
    pub health_check: Option<HealthCheck>,
}

/// Where a service answers, in HTTP/1.1.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Name or address; IPv6 without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Over TLS.
    pub is_tls: bool,
}

/// `host:port`, IPv6 in brackets.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Endpoint {
    fn parse(text: &str) -> Option<Self> {
        let uri = text.parse::<Uri>().ok()?;
        let authority = uri.authority()?;
        let bare = matches!(uri.path(), "" | "/") && uri.query().is_none() && !authority.as_str().contains('@');
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let (is_tls, default_port) = match uri.scheme_str()? {
            "http" => (false, 80),
            "https" => (true, 443),
            _ => return None,
        };
        let port = match authority.as_str().rsplit_once(':') {
            Some((before, digits)) if before == authority.host() => digits.parse().ok().filter(|port| *port > 0)?,
            _ => default_port,
        };
        (bare && !host.is_empty()).then(|| Self { host: host.to_owned(), port, is_tls })
    }
}

impl UpstreamSection {
    /// The upstream, unless something was told about it.
    pub(super) fn resolve(&self, reader: &mut Reader<'_, '_>) -> Option<Upstream> {
        if self.max_connections.copied() == Some(0) {
            reader.findings.error(&self.max_connections.spot, "must be at least 1");
        }
        if self.half_open_trials.copied() == Some(0) {
            reader.findings.error(&self.half_open_trials.spot, "must be at least 1");
        }
        if self.max_ejection_time.copied() < self.ejection_time.copied() {
            reader.findings.error(&self.max_ejection_time.spot, "must not be shorter than ejection_time");
        }
        let endpoints = self.endpoints.get().map(|fields| endpoints(&self.endpoints, fields, reader));
        Some(Upstream {
            name: self.name.get()?.0.clone(),
            max_connections: self.max_connections.copied()?,
            max_pending: self.max_pending.copied()?,
            pool_wait: self.pool_wait.copied()?,
            connect_timeout: reader.positive(&self.connect_timeout)?,
            response_timeout: reader.positive(&self.response_timeout)?,
            body_timeout: reader.positive(&self.body_timeout)?,
            total_timeout: reader.positive(&self.total_timeout)?,
            failure_threshold: self.failure_threshold.copied()?,
            failure_statuses: self.failure_statuses(reader)?,
            ejection_time: reader.positive(&self.ejection_time)?,
            max_ejection_time: self.max_ejection_time.copied()?,
            half_open_trials: self.half_open_trials.copied()?,
            slow_start: self.slow_start.copied()?,
            health_check: match self.health_check.get()? {
                Some(section) => Some(section.resolve(reader)?),
                None => None,
            },
            proof_key: self.proof_key(reader)?,
            server_name: self.server_name(reader)?,
            tls: self.tls(endpoints.as_deref(), reader),
            endpoints: endpoints?,
        })
    }

    fn tls(&self, endpoints: Option<&[Endpoint]>, reader: &mut Reader<'_, '_>) -> Tls {
        let is_spoken = endpoints.is_none_or(|endpoints| endpoints.iter().any(|endpoint| endpoint.is_tls));
        for (given, spot) in [
            (self.ca_file.given, &self.ca_file.spot),
            (self.server_name.given, &self.server_name.spot),
            (self.client_cert_file.given, &self.client_cert_file.spot),
        ] {
            if given && !is_spoken {
                reader.findings.error(spot, "is for endpoints with TLS; write https:// in endpoints");
            }
        }
        Tls {
            trust: server_tls::trust(&self.ca_file, reader).unwrap_or(Trust::Host),
            identity: server_tls::identity(&self.client_cert_file, &self.client_key_file, reader),
        }
    }

    fn proof_key(&self, reader: &mut Reader<'_, '_>) -> Option<Option<SecretSlice<u8>>> {
        let Some(file) = self.proof_key_file.get()? else { return Some(None) };
        match super::tickets::secret(file.content.expose_secret()) {
            Ok(secret) => Some(Some(secret)),
            Err(problem) => {
                reader.findings.error(&self.proof_key_file.spot, problem);
                None
            }
        }
    }

    fn server_name(&self, reader: &mut Reader<'_, '_>) -> Option<Option<ServerName<'static>>> {
        let Some(text) = self.server_name.get()? else { return Some(None) };
        let name = ServerName::try_from(text.clone());
        if name.is_err() {
            reader
                .findings
                .error(&self.server_name.spot, format!("expected a host name or an address, found {text:?}"));
        }
        name.ok().map(Some)
    }

    fn failure_statuses(&self, reader: &mut Reader<'_, '_>) -> Option<FailureStatuses> {
        let codes: Option<Vec<u16>> = self.failure_statuses.get()?.iter().map(Field::copied).collect();
        match FailureStatuses::new(codes?) {
            Ok(statuses) => Some(statuses),
            Err(code) => {
                let problem = format!("{code} is no server error: only statuses from 500 to 599 can count as failures");
                reader.findings.error(&self.failure_statuses.spot, problem);
                None
            }
        }
    }
}

impl HealthCheckSection {
    fn resolve(&self, reader: &mut Reader<'_, '_>) -> Option<HealthCheck> {
        for threshold in [&self.healthy_threshold, &self.unhealthy_threshold] {
            if threshold.copied() == Some(0) {
                reader.findings.error(&threshold.spot, "must be at least 1");
            }
        }
        let path = self.path.get()?;
        let parsed = PathAndQuery::try_from(path.as_str()).ok().filter(|_| path.starts_with('/'));
        if parsed.is_none() {
            reader.findings.error(&self.path.spot, format!("expected a path such as \"/healthz\", found {path:?}"));
        }
        Some(HealthCheck {
            path: parsed?,
            proof: None,
            interval: reader.positive(&self.interval)?,
            timeout: reader.positive(&self.timeout)?,
            healthy_threshold: self.healthy_threshold.copied()?,
            unhealthy_threshold: self.unhealthy_threshold.copied()?,
        })
    }
}

fn endpoints(whole: &Field<Vec<Field<Url>>>, fields: &[Field<Url>], reader: &mut Reader<'_, '_>) -> Vec<Endpoint> {
    if fields.is_empty() {
        reader.findings.error(&whole.spot, "needs at least one endpoint such as \"http://127.0.0.1:8090\"");
    }
    let mut known: Vec<Endpoint> = Vec::with_capacity(fields.len());
    for field in fields {
        let Some(url) = field.get() else { continue };
        match Endpoint::parse(&url.0) {
            Some(endpoint) if known.contains(&endpoint) => {
                reader.findings.error(&field.spot, format!("{endpoint} is listed twice"));
            }
            Some(endpoint) => known.push(endpoint),
            None => reader
                .findings
                .error(&field.spot, "expected a URL without path, query and user such as \"http://127.0.0.1:8090\""),
        }
    }
    known
}
