//! Orders: made from holds, paid with points, given back.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::caller::Caller;
use super::key::SentKey;
use super::problem::Problem;
use super::received::Received;
use super::reply;
use crate::App;
use crate::ids::{HoldId, OrderId};
use crate::store::command::{CancelOrder, Command, CreateOrder, PayOrder};
use crate::store::journal::Key;
use crate::store::read;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrderDocument {
    hold: String,
    buyer: Option<Buyer>,
}

/// Where the goods go; kept as it came.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read to be checked; the value itself is kept")]
struct Buyer {
    name: Option<String>,
    contact: Option<String>,
    address: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PaymentDocument {
    method: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CancelDocument {
    #[expect(dead_code, reason = "part of the request's fingerprint")]
    reason: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Page {
    cursor: Option<String>,
}

pub(super) async fn create(
    State(app): State<Arc<App>>,
    Caller(owner): Caller,
    key: SentKey,
    Received { document, value }: Received<OrderDocument>,
) -> Result<Response, Problem> {
    let key = Key::new(owner, "create_order", key.required()?, "", &value);
    let hold =
        HoldId::parse(&document.hold).ok_or_else(|| Problem::invalid("hold", "That is not the id of a hold."))?;
    let buyer = document.buyer.and_then(|_| value.get("buyer").cloned()).filter(|buyer| *buyer != Value::Null);
    let answer = app.writer().run(Command::CreateOrder(CreateOrder { hold, owner, buyer, key })).await?;
    Ok(reply::keep_in(&app, owner, reply::answer(answer)))
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Caller(owner): Caller,
    Query(Page { cursor }): Query<Page>,
) -> Result<Response, Problem> {
    let before = match cursor.as_deref() {
        None => None,
        Some(cursor) => Some(OrderId::parse(cursor).ok_or_else(|| Problem::invalid("cursor", "That is no cursor."))?),
    };
    let mut connection = app.readers().acquire().await?;
    let (orders, next) = read::orders(&mut connection, owner, before, app.now()).await?;
    Ok(reply::document(&json!({"orders": orders, "next_cursor": next})))
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path(order): Path<String>,
    Caller(owner): Caller,
) -> Result<Response, Problem> {
    let mut connection = app.readers().acquire().await?;
    let order = read::order(&mut connection, id(&order)?, owner, app.now()).await?.ok_or_else(Problem::not_found)?;
    Ok(reply::document(&order))
}

/// Pays the whole order. Once it is paid and nothing else is open, the customer's place inside is free for the next.
pub(super) async fn pay(
    State(app): State<Arc<App>>,
    Path(order): Path<String>,
    Caller(owner): Caller,
    key: SentKey,
    Received { document, value }: Received<PaymentDocument>,
) -> Result<Response, Problem> {
    let order = id(&order)?;
    let key = Key::new(owner, "pay_order", key.required()?, &order.to_string(), &value);
    if document.method != "points" {
        return Err(Problem::invalid("method", "The one method so far is points."));
    }
    let catalogue = Arc::clone(app.catalogue());
    let answer = app.writer().run(Command::PayOrder(PayOrder { catalogue, order, owner, key })).await?;
    app.metrics().orders_paid.inc();
    Ok(reply::let_out(&app, owner, reply::answer(answer)))
}

pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    Path(order): Path<String>,
    Caller(owner): Caller,
    key: SentKey,
    Received { value, .. }: Received<CancelDocument>,
) -> Result<Response, Problem> {
    let order = id(&order)?;
    let key = Key::new(owner, "cancel_order", key.required()?, &order.to_string(), &value);
    let catalogue = Arc::clone(app.catalogue());
    let answer = app.writer().run(Command::CancelOrder(CancelOrder { catalogue, order, owner, key })).await?;
    Ok(reply::answer(answer))
}

fn id(order: &str) -> Result<OrderId, Problem> {
    OrderId::parse(order).ok_or_else(Problem::not_found)
}
