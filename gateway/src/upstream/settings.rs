//! The numbers that bound an upstream.

use std::time::Duration;

use http::StatusCode;

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
    /// From asking for a connection to the last byte of the answer; tunnels have no such end.
    pub total_timeout: Duration,
    /// An idle connection is closed after this: shorter than the keep-alive of common servers, so that they rarely
    /// close one that is just being used.
    pub idle_timeout: Duration,
    /// An endpoint that refused a connection is passed over for this long while another one is there.
    pub refused_pause: Duration,
    /// So many failures in a row and an endpoint is ejected: nobody is sent there. 0: never.
    pub failure_threshold: u32,
    /// Which answers are failures.
    pub failure_statuses: FailureStatuses,
    /// The length of a first ejection.
    pub ejection_time: Duration,
    /// Failed trials double the ejection up to this, while another endpoint serves.
    pub max_ejection_time: Duration,
    /// So many trials, one after the other, go well before an ejected endpoint serves again; at least 1.
    pub half_open_trials: u32,
    /// From a tenth of its share to the whole, after an ejection.
    pub slow_start: Duration,
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
            total_timeout: Duration::from_secs(600),
            idle_timeout: Duration::from_secs(30),
            refused_pause: Duration::from_secs(1),
            failure_threshold: 5,
            failure_statuses: FailureStatuses::default(),
            ejection_time: Duration::from_secs(5),
            max_ejection_time: Duration::from_secs(60),
            half_open_trials: 3,
            slow_start: Duration::from_secs(10),
            max_header_bytes: 64 * 1024,
            read_buffer_bytes: 64 * 1024,
        }
    }
}

/// A set of statuses from 500 to 599.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureStatuses(u128);

impl FailureStatuses {
    const FIRST: u16 = 500;
    const LAST: u16 = 599;

    /// The set of these codes.
    ///
    /// # Errors
    /// The first code outside 500 to 599.
    pub fn new(codes: impl IntoIterator<Item = u16>) -> Result<Self, u16> {
        codes.into_iter().try_fold(Self(0), |Self(set), code| match code {
            Self::FIRST..=Self::LAST => Ok(Self(set | 1 << (code - Self::FIRST))),
            other => Err(other),
        })
    }

    /// Whether an answer of this status is a failure of the endpoint.
    pub fn contains(self, status: StatusCode) -> bool {
        matches!(status.as_u16(), code @ Self::FIRST..=Self::LAST if self.0 >> (code - Self::FIRST) & 1 == 1)
    }
}

/// 502, 503 and 504: what stands for a service that cannot serve. A 500 is more often one request's own trouble, and
/// must not take an endpoint from everybody.
impl Default for FailureStatuses {
    fn default() -> Self {
        Self(1 << 2 | 1 << 3 | 1 << 4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told in the configuration is what counts, and by default a 500 does not.
    #[test]
    fn statuses_are_a_set() {
        let counted = |set: FailureStatuses| -> Vec<u16> {
            (100..=999).filter(|code| set.contains(StatusCode::from_u16(*code).unwrap())).collect()
        };
        assert_eq!(counted(FailureStatuses::default()), [502, 503, 504]);
        assert_eq!(FailureStatuses::new([502, 503, 504]), Ok(FailureStatuses::default()));
        assert_eq!(counted(FailureStatuses::new([500, 599]).unwrap()), [500, 599]);
        assert_eq!(FailureStatuses::new([503, 404]), Err(404));
        assert!(counted(FailureStatuses::new([]).unwrap()).is_empty());
    }
}
