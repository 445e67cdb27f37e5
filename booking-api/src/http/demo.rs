//! The built-in sign-in: whoever says a name is a new customer with points to spend.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::{HeaderValue, header};
use serde::Deserialize;
use serde_json::Value;

use super::caller::COOKIE;
use super::problem::Problem;
use super::received::Received;
use super::reply;
use crate::App;
use crate::ids::CustomerId;
use crate::store::command::{Answer, Command, SignIn};

const MAX_NAME: usize = 80;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignInDocument {
    name: String,
}

/// The token comes in the document for apps and in a cookie for pages.
pub(super) async fn sign_in(
    State(app): State<Arc<App>>,
    Received { document: SignInDocument { name }, .. }: Received<SignInDocument>,
) -> Result<Response, Problem> {
    let name = name.trim().to_owned();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(Problem::invalid("name", format!("A name has 1 to {MAX_NAME} characters.")));
    }
    let now = app.now();
    let customer = CustomerId::new(now);
    let answer = app.writer().run(Command::SignIn(SignIn { customer, name, grant: app.grant() })).await?;
    // The token is made here and never written down.
    let token = app.identity().token(customer, now);
    let mut document: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    document["token"] = token.clone().into();
    let mut response = reply::answer(Answer { status: answer.status, body: document.to_string() });
    let cookie = format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}
