//! Answers, and what they tell the waiting room.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::App;
use crate::ids::CustomerId;
use crate::store::command::Answer;

const SESSION: HeaderName = HeaderName::from_static("usher-session");
/// As long as a hold lasts: nobody is thrown out in mid-payment.
const EXTEND: HeaderValue = HeaderValue::from_static("extend=300");
const COMPLETE: HeaderValue = HeaderValue::from_static("complete");

/// A document that is the asker's own or true only now.
pub(super) fn document(document: &impl Serialize) -> Response {
    answer(Answer { status: 200, body: serde_json::to_string(document).unwrap_or_default() })
}

/// A command's answer.
pub(super) fn answer(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if answer.body.is_empty() {
        return status.into_response();
    }
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, answer.body).into_response()
}

/// Asks the waiting room to keep the customer in while a hold or an order to be paid is open.
pub(super) fn keep_in(app: &App, customer: CustomerId, mut response: Response) -> Response {
    if app.board().has_open(customer, app.now()) {
        response.headers_mut().insert(SESSION, EXTEND);
    }
    response
}

/// Tells the waiting room that the customer is done, unless something else of theirs is open.
pub(super) fn let_out(app: &App, customer: CustomerId, mut response: Response) -> Response {
    let open = app.board().has_open(customer, app.now());
    response.headers_mut().insert(SESSION, if open { EXTEND } else { COMPLETE });
    response
}
