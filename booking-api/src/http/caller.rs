//! Who asks: a customer, by bearer token or cookie.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, header};

use super::problem::Problem;
use crate::App;
use crate::ids::CustomerId;

/// The cookie that carries a customer's token.
pub(super) const COOKIE: &str = "booking-customer";

/// A signed-in customer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller(pub(super) CustomerId);

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let token = bearer(&parts.headers).or_else(|| cookie(&parts.headers));
        let customer = token.and_then(|token| app.identity().customer(token, app.now()));
        customer.map(Self).ok_or_else(Problem::unauthenticated)
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    let mut pairs = all.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}
