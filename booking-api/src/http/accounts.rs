//! A customer's points.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::caller::Caller;
use super::problem::Problem;
use super::reply;
use crate::App;
use crate::store::read;
use crate::store::row::from_micros;

pub(super) async fn show(State(app): State<Arc<App>>, Caller(customer): Caller) -> Result<Response, Problem> {
    let mut connection = app.readers().acquire().await?;
    let account = read::account(&mut connection, customer).await?.ok_or_else(Problem::not_found)?;
    Ok(reply::document(&account))
}

#[derive(Deserialize)]
pub(super) struct Page {
    cursor: Option<String>,
}

pub(super) async fn transfers(
    State(app): State<Arc<App>>,
    Caller(customer): Caller,
    Query(Page { cursor }): Query<Page>,
) -> Result<Response, Problem> {
    let place = |cursor: &str| {
        let (at, id) = cursor.split_once('.')?;
        Some((from_micros(at.parse().ok()?), id.to_owned()))
    };
    let cursor = match cursor.as_deref() {
        None => None,
        Some(cursor) => Some(place(cursor).ok_or_else(|| Problem::invalid("cursor", "That is no cursor."))?),
    };
    let mut connection = app.readers().acquire().await?;
    let (transfers, next) = read::entries(&mut connection, customer, cursor).await?;
    Ok(reply::document(&json!({"transfers": transfers, "next_cursor": next})))
}
