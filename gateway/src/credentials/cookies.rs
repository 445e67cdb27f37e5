//! The cookies of a room.

use cookie::{Cookie, SameSite};
use http::header::COOKIE;
use http::{HeaderMap, HeaderName, HeaderValue};
use queue_core::RoomId;

use super::{Credential, USHER_TICKET, USHER_TOKEN};

/// Whether browsers are told to keep cookies to encrypted connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieSecurity {
    /// `__Host-` names and `Secure`: no other host, no path and no cleartext page can set them.
    Secure,
    /// Neither, for listeners with `insecure_cookies = true`.
    Insecure,
}

/// The names of a room's cookies, made once.
#[derive(Clone, Debug)]
pub struct RoomCookies {
    queue: Box<str>,
    ticket: Box<str>,
    security: CookieSecurity,
}

impl RoomCookies {
    /// The cookies of `room` on a listener of this kind.
    pub fn new(room: &RoomId, security: CookieSecurity) -> Self {
        let prefix = match security {
            CookieSecurity::Secure => "__Host-",
            CookieSecurity::Insecure => "",
        };
        Self {
            queue: format!("{prefix}usher-queue-{room}").into(),
            ticket: format!("{prefix}usher-ticket-{room}").into(),
            security,
        }
    }

    /// The queue token that a request shows, by header `Usher-Token` or by cookie.
    pub fn queue_token<'r>(&self, headers: &'r HeaderMap) -> Credential<'r> {
        read(headers, &USHER_TOKEN, &self.queue)
    }

    /// The admission ticket that a request shows, by header `Usher-Ticket` or by cookie.
    pub fn ticket<'r>(&self, headers: &'r HeaderMap) -> Credential<'r> {
        read(headers, &USHER_TICKET, &self.ticket)
    }

    /// `Set-Cookie` with a queue token, kept for `max_age_seconds`. `None` when the token has bytes that no header has.
    pub fn set_queue_token(&self, token: &str, max_age_seconds: u64) -> Option<HeaderValue> {
        self.set(&self.queue, token, max_age_seconds)
    }

    /// `Set-Cookie` with an admission ticket, kept for `max_age_seconds`. `None` as above.
    pub fn set_ticket(&self, ticket: &str, max_age_seconds: u64) -> Option<HeaderValue> {
        self.set(&self.ticket, ticket, max_age_seconds)
    }

    /// `Set-Cookie` that removes the queue token.
    pub fn clear_queue_token(&self) -> Option<HeaderValue> {
        self.set(&self.queue, "", 0)
    }

    /// `Set-Cookie` that removes the admission ticket.
    pub fn clear_ticket(&self) -> Option<HeaderValue> {
        self.set(&self.ticket, "", 0)
    }

    fn set(&self, name: &str, value: &str, max_age_seconds: u64) -> Option<HeaderValue> {
        let max_age = i64::try_from(max_age_seconds).unwrap_or(i64::MAX);
        let cookie = Cookie::build((name, value))
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(self.security == CookieSecurity::Secure)
            .max_age(cookie::time::Duration::seconds(max_age));
        let mut header = HeaderValue::try_from(cookie.to_string()).ok()?;
        header.set_sensitive(true);
        Some(header)
    }
}

fn read<'r>(headers: &'r HeaderMap, header: &HeaderName, cookie: &str) -> Credential<'r> {
    match Credential::from_header(headers, header) {
        Credential::Absent => {}
        shown => return shown,
    }
    let mut found = Credential::Absent;
    for pair in pairs(headers) {
        let Some(value) = value_of(pair, cookie) else { continue };
        if found != Credential::Absent {
            return Credential::Several;
        }
        found = Credential::from_bytes(value);
    }
    found
}

/// The `name=value` pairs of all `Cookie` fields, without the spaces around them.
fn pairs(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|field| field.as_bytes().split(|byte| *byte == b';'))
        .map(<[u8]>::trim_ascii)
}

/// The value of a pair of this name.
fn value_of<'p>(pair: &'p [u8], name: &str) -> Option<&'p [u8]> {
    let (found, value) = pair.split_at_checked(name.len())?;
    if found != name.as_bytes() {
        return None;
    }
    value.trim_ascii_start().strip_prefix(b"=").map(<[u8]>::trim_ascii_start)
}
