//! Documents made from rows.

use queue_core::Timestamp;
use serde::Serialize;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::row::{instant, instant_or_none, micros, parsed};
use crate::catalogue::{Event, UnitIndex};
use crate::ids::{CustomerId, EventId, HoldId, OrderId};
use crate::money::Points;

/// Most rows in one page of a list.
const PAGE: i64 = 50;

/// A hold as its owner sees it.
#[derive(Debug, Serialize)]
pub(crate) struct HoldDocument {
    id: String,
    event: String,
    /// active, expired, consumed or released
    state: String,
    created_at: String,
    expires_at: String,
    max_expires_at: String,
    lines: Vec<LineDocument>,
    total: Points,
}

/// One seat of a hold or an order.
#[derive(Debug, Serialize)]
pub(crate) struct LineDocument {
    unit: String,
    offer: String,
    price: Points,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
}

/// An order as its owner sees it.
#[derive(Debug, Serialize)]
pub(crate) struct OrderDocument {
    id: String,
    event: String,
    hold: String,
    /// pending, expired, paid or cancelled
    state: String,
    created_at: String,
    deadline: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    paid_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelled_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    buyer: Option<serde_json::Value>,
    total: Points,
    lines: Vec<LineDocument>,
    payments: Vec<MovementDocument>,
    refunds: Vec<MovementDocument>,
}

/// A payment or a refund.
#[derive(Debug, Serialize)]
pub(crate) struct MovementDocument {
    id: String,
    amount: Points,
    state: String,
    created_at: String,
}

/// An account as its owner sees it.
#[derive(Debug, Serialize)]
pub(crate) struct AccountDocument {
    id: String,
    customer: String,
    name: String,
    posted: Points,
    pending: Points,
    available: Points,
}

/// A transfer as one side sees it.
#[derive(Debug, Serialize)]
pub(crate) struct EntryDocument {
    id: String,
    kind: String,
    /// Positive for what came in.
    amount: Points,
    /// After this entry.
    balance: Points,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#ref: Option<String>,
    created_at: String,
}

/// The state of an order as rows keep it.
pub(crate) fn order_state(word: &str) -> Option<&'static str> {
    ["pending", "paid", "cancelled"].into_iter().find(|state| *state == word)
}

/// Which event a hold of `owner` is for.
pub(crate) async fn event_of_hold(
    connection: &mut AnyConnection,
    hold: HoldId,
    owner: CustomerId,
) -> sqlx::Result<Option<EventId>> {
    let row = sqlx::query("SELECT event FROM hold WHERE id = $1 AND owner = $2")
        .bind(hold.to_string())
        .bind(owner.to_string())
        .fetch_optional(connection)
        .await?;
    row.map(|row| parsed(&row, "event", EventId::parse)).transpose()
}

/// The units of a hold, in any state.
pub(crate) async fn units_of_hold(
    connection: &mut AnyConnection,
    event: &Event,
    hold: HoldId,
) -> sqlx::Result<Vec<UnitIndex>> {
    let rows =
        sqlx::query("SELECT unit FROM hold_line WHERE hold = $1").bind(hold.to_string()).fetch_all(connection).await?;
    rows.iter().map(|row| parsed(row, "unit", |unit| event.unit_by_id.get(unit).copied())).collect()
}

/// A hold of `owner`, as it is at `now`.
pub(crate) async fn hold(
    connection: &mut AnyConnection,
    event: &Event,
    id: HoldId,
    owner: CustomerId,
    now: Timestamp,
) -> sqlx::Result<Option<HoldDocument>> {
    let row = sqlx::query(
        "SELECT state, created_at, expires_at, max_expires_at FROM hold WHERE id = $1 AND owner = $2 AND event = $3",
    )
    .bind(id.to_string())
    .bind(owner.to_string())
    .bind(event.id.to_string())
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let lines = sqlx::query("SELECT unit, offer, amount FROM hold_line WHERE hold = $1 ORDER BY unit")
        .bind(id.to_string())
        .fetch_all(connection)
        .await?;
    let lines = lines.iter().map(|line| line_document(line, None)).collect::<sqlx::Result<Vec<_>>>()?;
    let expires_at = instant(&row, "expires_at")?;
    let state: String = row.try_get("state")?;
    Ok(Some(HoldDocument {
        id: id.to_string(),
        event: event.id.to_string(),
        state: if state == "active" && expires_at <= now { "expired".into() } else { state },
        created_at: instant(&row, "created_at")?.to_string(),
        expires_at: expires_at.to_string(),
        max_expires_at: instant(&row, "max_expires_at")?.to_string(),
        total: Points(lines.iter().map(|line| line.price.0).sum()),
        lines,
    }))
}

/// An order of `owner`, as it is at `now`.
pub(crate) async fn order(
    connection: &mut AnyConnection,
    id: OrderId,
    owner: CustomerId,
    now: Timestamp,
) -> sqlx::Result<Option<OrderDocument>> {
    let row = sqlx::query("SELECT * FROM orders WHERE id = $1 AND owner = $2")
        .bind(id.to_string())
        .bind(owner.to_string())
        .fetch_optional(&mut *connection)
        .await?;
    match row {
        Some(row) => order_document(connection, &row, now).await.map(Some),
        None => Ok(None),
    }
}

/// The orders of `owner`, newest first, older than `before`; whether there are more.
pub(crate) async fn orders(
    connection: &mut AnyConnection,
    owner: CustomerId,
    before: Option<OrderId>,
    now: Timestamp,
) -> sqlx::Result<(Vec<OrderDocument>, Option<String>)> {
    // Ids are ordered by time; "~" comes after all of them.
    let before = before.map_or_else(|| "~".to_owned(), |id| id.to_string());
    let rows = sqlx::query("SELECT * FROM orders WHERE owner = $1 AND id < $2 ORDER BY id DESC LIMIT $3")
        .bind(owner.to_string())
        .bind(before)
        .bind(PAGE)
        .fetch_all(&mut *connection)
        .await?;
    let mut documents = Vec::with_capacity(rows.len());
    for row in &rows {
        documents.push(order_document(connection, row, now).await?);
    }
    let next = documents.last().filter(|_| documents.len() as i64 == PAGE).map(|order| order.id.clone());
    Ok((documents, next))
}

async fn order_document(connection: &mut AnyConnection, row: &AnyRow, now: Timestamp) -> sqlx::Result<OrderDocument> {
    let id: String = row.try_get("id")?;
    let lines = sqlx::query("SELECT unit, offer, amount, state FROM order_line WHERE order_id = $1 ORDER BY unit")
        .bind(&id)
        .fetch_all(&mut *connection)
        .await?;
    let lines = lines.iter().map(|line| line_document(line, Some(line.try_get("state")?))).collect::<Result<_, _>>()?;
    let state: String = row.try_get("state")?;
    let deadline = instant(row, "deadline")?;
    let (mut payments, mut refunds) = (Vec::new(), Vec::new());
    if state != "pending" {
        let all = "SELECT id, amount, state, created_at FROM payment WHERE order_id = $1 ORDER BY id";
        payments = movements(connection, all, &id).await?;
    }
    if state == "cancelled" {
        let all = "SELECT id, amount, state, created_at FROM refund WHERE order_id = $1 ORDER BY id";
        refunds = movements(connection, all, &id).await?;
    }
    let buyer: Option<String> = row.try_get("buyer")?;
    Ok(OrderDocument {
        event: row.try_get("event")?,
        hold: row.try_get("hold")?,
        state: if state == "pending" && deadline <= now { "expired".into() } else { state },
        created_at: instant(row, "created_at")?.to_string(),
        deadline: deadline.to_string(),
        paid_at: instant_or_none(row, "paid_at")?.map(|at| at.to_string()),
        cancelled_at: instant_or_none(row, "cancelled_at")?.map(|at| at.to_string()),
        buyer: buyer.and_then(|buyer| serde_json::from_str(&buyer).ok()),
        total: Points(row.try_get("total")?),
        lines,
        payments,
        refunds,
        id,
    })
}

fn line_document(row: &AnyRow, state: Option<String>) -> sqlx::Result<LineDocument> {
    Ok(LineDocument {
        unit: row.try_get("unit")?,
        offer: row.try_get("offer")?,
        price: Points(row.try_get("amount")?),
        state,
    })
}

async fn movements(
    connection: &mut AnyConnection,
    query: &'static str,
    order: &str,
) -> sqlx::Result<Vec<MovementDocument>> {
    let rows = sqlx::query(query).bind(order).fetch_all(connection).await?;
    let movement = |row: &AnyRow| {
        Ok(MovementDocument {
            id: row.try_get("id")?,
            amount: Points(row.try_get("amount")?),
            state: row.try_get("state")?,
            created_at: instant(row, "created_at")?.to_string(),
        })
    };
    rows.iter().map(movement).collect()
}

/// The account of `owner`.
pub(crate) async fn account(
    connection: &mut AnyConnection,
    owner: CustomerId,
) -> sqlx::Result<Option<AccountDocument>> {
    let row = sqlx::query(
        "SELECT a.id, a.credits - a.debits AS balance, c.name FROM account a JOIN customer c ON c.id = a.owner
         WHERE a.owner = $1",
    )
    .bind(owner.to_string())
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let balance = Points(row.try_get("balance")?);
    Ok(Some(AccountDocument {
        id: row.try_get("id")?,
        customer: owner.to_string(),
        name: row.try_get("name")?,
        posted: balance,
        pending: Points(0),
        available: balance,
    }))
}

/// The transfers of `owner`, newest first, before `cursor` (an instant and an id, as the page before gave it).
pub(crate) async fn entries(
    connection: &mut AnyConnection,
    owner: CustomerId,
    cursor: Option<(Timestamp, String)>,
) -> sqlx::Result<(Vec<EntryDocument>, Option<String>)> {
    let (at, id) = cursor.map_or((i64::MAX, "~".to_owned()), |(at, id)| (micros(at), id));
    let rows = sqlx::query(
        "SELECT id, kind, ref, created_at, change, balance FROM (
           SELECT t.id, t.kind, t.ref, t.created_at, t.change,
                  CAST(SUM(t.change) OVER (ORDER BY t.created_at, t.id) AS BIGINT) AS balance
           FROM (
             SELECT t.id, t.kind, t.ref, t.created_at, t.amount AS change
             FROM account a JOIN transfer t ON t.credit = a.id WHERE a.owner = $1
             UNION ALL
             SELECT t.id, t.kind, t.ref, t.created_at, -t.amount AS change
             FROM account a JOIN transfer t ON t.debit = a.id WHERE a.owner = $1
           ) t
         ) entry
         WHERE created_at < $2 OR (created_at = $2 AND id < $3)
         ORDER BY created_at DESC, id DESC LIMIT $4",
    )
    .bind(owner.to_string())
    .bind(at)
    .bind(id)
    .bind(PAGE)
    .fetch_all(connection)
    .await?;
    let entry = |row: &AnyRow| {
        Ok(EntryDocument {
            id: row.try_get("id")?,
            kind: row.try_get("kind")?,
            amount: Points(row.try_get("change")?),
            balance: Points(row.try_get("balance")?),
            r#ref: row.try_get("ref")?,
            created_at: instant(row, "created_at")?.to_string(),
        })
    };
    let documents = rows.iter().map(entry).collect::<sqlx::Result<Vec<_>>>()?;
    let next = match rows.last() {
        Some(row) if rows.len() as i64 == PAGE => {
            Some(format!("{}.{}", row.try_get::<i64, _>("created_at")?, row.try_get::<String, _>("id")?))
        }
        _ => None,
    };
    Ok((documents, next))
}
