//! Every refusal as a problem document (RFC 9457): status, type and members come from this one table.

use std::any::Any;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::refusal::Refusal;
use crate::store::WriteError;

/// Where the types live: `type` ends in the problem's name.
const TYPES: &str = "/problems/";
/// Seconds after which an overloaded service may have caught up.
const RETRY_AFTER_SECONDS: u64 = 1;

/// What is wrong. Rendered by [`render`], which knows the request it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    name: &'static str,
    title: &'static str,
    detail: String,
    members: Map<String, Value>,
    retry_after: Option<u64>,
}

impl Problem {
    fn new(status: StatusCode, name: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, name, title, detail: detail.into(), members: Map::new(), retry_after: None }
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", "There is nothing here, or it is not yours.")
    }

    pub(crate) fn method_not_allowed() -> Self {
        let detail = "This address does not take that method.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed", detail)
    }

    pub(crate) fn too_large() -> Self {
        let detail = "The document is larger than any that is taken here.";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too large", detail)
    }

    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", "Malformed request", detail)
    }

    pub(crate) fn invalid(member: &str, detail: impl Into<String>) -> Self {
        let title = "The document says something that cannot be";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "validation", title, detail).with("member", member)
    }

    pub(crate) fn unauthenticated() -> Self {
        let detail = "Sign in first: POST /v1/demo/sign-in.";
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "Who is asking?", detail)
    }

    pub(crate) fn admission_required() -> Self {
        let detail = "This service is reached through the waiting room.";
        Self::new(StatusCode::FORBIDDEN, "admission-required", "An admission ticket is required", detail)
    }

    pub(crate) fn admission_expired() -> Self {
        let detail = "The session of this admission ticket is over.";
        Self::new(StatusCode::FORBIDDEN, "admission-expired", "The admission ticket has expired", detail)
    }

    pub(crate) fn no_keys() -> Self {
        let detail = "The keys of the waiting room are not known yet, so no ticket can be checked.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "admission-unverifiable", "Tickets cannot be checked", detail)
            .retry_after(RETRY_AFTER_SECONDS)
    }

    pub(crate) fn key_missing() -> Self {
        let detail =
            "Send an Idempotency-Key of 1 to 255 printable ASCII characters, new for each thing you want done.";
        Self::new(StatusCode::BAD_REQUEST, "idempotency-key-missing", "An idempotency key is required", detail)
    }

    pub(crate) fn internal() -> Self {
        let detail = "Something broke here. With the same Idempotency-Key it is safe to try again.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error", detail)
    }

    pub(crate) fn unavailable() -> Self {
        let detail = "It is not known whether this was done. Try again with the same Idempotency-Key.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The database failed", detail)
            .retry_after(RETRY_AFTER_SECONDS)
    }

    fn overloaded() -> Self {
        let detail = "Too many requests wait already. Nothing was done.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", "Overloaded", detail).retry_after(RETRY_AFTER_SECONDS)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let conflict = |name, title, detail: &str| Self::new(StatusCode::CONFLICT, name, title, detail);
        let gone = |name, title, detail: &str| Self::new(StatusCode::GONE, name, title, detail);
        match refusal {
            Refusal::NotFound => Self::not_found(),
            Refusal::UnitsUnavailable(units) => {
                let units: Vec<Value> =
                    units.iter().map(|(unit, state)| json!({"unit": unit, "state": state.word()})).collect();
                let detail = "Someone else has some of these seats. None of them was taken for you.";
                conflict("unit-unavailable", "Seats are not available", detail).with("units", units)
            }
            Refusal::LimitExceeded { limit, current } => {
                let detail = format!("You have {current} seats of this event; {limit} is the most a person can have.");
                conflict("limit-exceeded", "Too many seats for one person", &detail)
                    .with("limit", limit)
                    .with("current", current)
            }
            Refusal::SaleNotOpen { opens_at } => {
                conflict("sale-not-open", "The sale is not open", "The sale has not begun yet.")
                    .with("opens_at", opens_at.to_string())
            }
            Refusal::SaleClosed { closed_at } => conflict("sale-not-open", "The sale is not open", "The sale is over.")
                .with("closed_at", closed_at.to_string()),
            Refusal::HoldExpired { expired_at } => {
                gone("hold-expired", "The hold has expired", "The seats are no longer kept for you.")
                    .with("expired_at", expired_at.to_string())
            }
            Refusal::HoldReleased => gone("hold-expired", "The hold has ended", "The seats were given back."),
            Refusal::HoldConsumed { order } => {
                conflict("hold-consumed", "The hold is an order already", "Pay or cancel its order.")
                    .with("order", order.to_string())
            }
            Refusal::HoldCeiling { max_expires_at } => {
                conflict("hold-ceiling", "No hold lasts that long", "The hold cannot be extended beyond its ceiling.")
                    .with("max_expires_at", max_expires_at.to_string())
            }
            Refusal::OrderState { state } => {
                conflict("order-state", "The order is not waiting for this", "The order is in another state.")
                    .with("state", state)
            }
            Refusal::OrderExpired { deadline } => {
                gone("order-expired", "The order has expired", "It was not paid in time; nothing was charged.")
                    .with("deadline", deadline.to_string())
            }
            Refusal::InsufficientBalance { balance, due } => {
                conflict("insufficient-balance", "Not enough points", "Nothing was charged.")
                    .with("balance", json!(balance))
                    .with("due", json!(due))
            }
            Refusal::NotCancellable { from } => {
                conflict("not-cancellable", "The order cannot be cancelled", "It is cancelled already, or too late.")
                    .with("from", from)
                    .with("profile", "seat")
            }
            Refusal::IdempotencyMismatch => {
                let detail = "This Idempotency-Key was used with another document.";
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-mismatch", "The key was used before", detail)
            }
        }
    }
}

impl From<WriteError> for Problem {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Refused(refusal) => refusal.into(),
            WriteError::Overloaded => Self::overloaded(),
            WriteError::Broken => Self::unavailable(),
        }
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        tracing::error!(%error, "a read failed");
        Self::unavailable()
    }
}

/// Leaves the document to [`render`].
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes problem documents, with the path they are about. Refusals that the framework made itself get one too.
pub(super) async fn render(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let status = response.status();
    let problem = match response.extensions().get::<Problem>() {
        Some(problem) => problem.clone(),
        None if status == StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(),
        None if status == StatusCode::SERVICE_UNAVAILABLE && is_bare(&response) => Problem::unavailable(),
        None => return response,
    };
    let mut document = problem.members;
    document.insert("type".into(), format!("{TYPES}{}", problem.name).into());
    document.insert("title".into(), problem.title.into());
    document.insert("status".into(), problem.status.as_u16().into());
    document.insert("detail".into(), problem.detail.into());
    document.insert("instance".into(), path.into());
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    parts.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = problem.retry_after {
        parts.headers.insert(header::RETRY_AFTER, seconds.into());
    }
    if parts.status == StatusCode::UNAUTHORIZED {
        parts.headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    Response::from_parts(parts, Body::from(Value::Object(document).to_string()))
}

fn is_bare(response: &Response) -> bool {
    !response.headers().contains_key(header::CONTENT_TYPE)
}

/// A panic is our own bug: the request gets an answer, the log gets the reason.
#[expect(clippy::needless_pass_by_value, reason = "the layer's signature")]
pub(super) fn panicked(reason: Box<dyn Any + Send + 'static>) -> Response {
    let reason = reason.downcast_ref::<String>().map(String::as_str);
    tracing::error!(reason = reason.unwrap_or("unknown"), "a request panicked");
    Problem::internal().into_response()
}
