//! The layer that lets nobody in who did not come through the line (N12).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::HeaderName;

use super::keys::Denied;
use crate::app::App;
use crate::http::problem::Problem;

const TICKET: HeaderName = HeaderName::from_static("usher-ticket");

/// Passes the request on when its ticket is good, or when the service runs open.
pub(crate) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let Some(tickets) = app.tickets() else { return next.run(request).await };
    let mut sent = request.headers().get_all(TICKET).iter();
    let verdict = match (sent.next(), sent.next()) {
        (Some(ticket), None) => match ticket.to_str() {
            Ok(ticket) => tickets.verify(ticket, app.now()),
            Err(_) => Err(Denied::Required("malformed")),
        },
        (None, _) => Err(Denied::Required("missing")),
        // Two tickets are two opinions on who this is.
        (Some(_), Some(_)) => Err(Denied::Required("malformed")),
    };
    let count = |result: &str| app.metrics().tickets.with_label_values(&[result]).inc();
    match verdict {
        Ok(result) => {
            count(result);
            next.run(request).await
        }
        Err(Denied::Required(result)) => {
            count(result);
            Problem::admission_required().into_response()
        }
        Err(Denied::Expired) => {
            count("expired");
            Problem::admission_expired().into_response()
        }
        Err(Denied::NoKeys) => {
            count("no_keys");
            Problem::no_keys().into_response()
        }
    }
}
