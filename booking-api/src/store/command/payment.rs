//! An order is paid with points: debit, hold check and sale are one transaction.

use std::sync::Arc;

use queue_core::Timestamp;
use serde_json::json;
use sqlx::{AnyConnection, Row};

use super::{Answer, Outcome};
use crate::board::{Cell, Change};
use crate::catalogue::Catalogue;
use crate::ids::{CustomerId, EventId, HoldId, OrderId, PaymentId};
use crate::money::Points;
use crate::refusal::Refusal;
use crate::store::Failure;
use crate::store::journal::{self, Key};
use crate::store::ledger::{self, Purpose};
use crate::store::read;
use crate::store::row::{instant, micros, parsed};

/// Pays the whole of an order from its owner's points.
#[derive(Debug)]
pub(crate) struct PayOrder {
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) order: OrderId,
    pub(crate) owner: CustomerId,
    pub(crate) key: Key,
}

impl PayOrder {
    pub(super) async fn run(&self, connection: &mut AnyConnection, now: Timestamp) -> Result<Outcome, Failure> {
        if let Some(answer) = journal::begin(connection, now, Some(&self.key)).await? {
            return Ok(Outcome::unchanged(answer));
        }
        self.close(connection, now).await?;
        let row = sqlx::query("SELECT event, hold, total FROM orders WHERE id = $1")
            .bind(self.order.to_string())
            .fetch_one(&mut *connection)
            .await?;
        let hold = parsed(&row, "hold", HoldId::parse)?;
        let event: EventId = parsed(&row, "event", EventId::parse)?;
        let event = self.catalogue.event(&event.to_string()).ok_or(Refusal::NotFound)?;
        let due = Points(row.try_get("total")?);

        let units = read::units_of_hold(connection, event, hold).await?;
        let sold = sqlx::query(
            "UPDATE unit_state SET state = 'sold', expires_at = NULL
             WHERE event = $1 AND hold = $2 AND owner = $3 AND state = 'held' AND expires_at > $4
               AND unit IN (SELECT unit FROM hold_line WHERE hold = $2)",
        )
        .bind(event.id.to_string())
        .bind(hold.to_string())
        .bind(self.owner.to_string())
        .bind(micros(now))
        .execute(&mut *connection)
        .await?;
        if sold.rows_affected() != units.len() as u64 {
            // The order's deadline is its hold's end, so this cannot be; if it is, nobody pays for it.
            return Err(Refusal::OrderExpired { deadline: now }.into());
        }
        sqlx::query("UPDATE order_line SET state = 'sold' WHERE order_id = $1 AND state = 'pending'")
            .bind(self.order.to_string())
            .execute(&mut *connection)
            .await?;
        let payment = self.charge(connection, now, &event.seller, due).await?;

        let order = read::order(connection, self.order, self.owner, now).await?.ok_or(Refusal::NotFound)?;
        let document = json!({
            "id": payment.to_string(), "order": order, "method": "points", "amount": due, "state": "succeeded",
        });
        let answer = journal::finish(connection, Some(&self.key), Answer::new(201, &document)?).await?;
        let to = Cell::Sold { owner: self.owner };
        Ok(Outcome { answer, changes: vec![Change { event: event.id, units, to }] })
    }

    /// pending → paid, while there is time.
    async fn close(&self, connection: &mut AnyConnection, now: Timestamp) -> Result<(), Failure> {
        let closed = sqlx::query(
            "UPDATE orders SET state = 'paid', paid_at = $1
             WHERE id = $2 AND owner = $3 AND state = 'pending' AND deadline > $1",
        )
        .bind(micros(now))
        .bind(self.order.to_string())
        .bind(self.owner.to_string())
        .execute(&mut *connection)
        .await?;
        if closed.rows_affected() == 1 {
            return Ok(());
        }
        let row = sqlx::query("SELECT state, deadline FROM orders WHERE id = $1 AND owner = $2")
            .bind(self.order.to_string())
            .bind(self.owner.to_string())
            .fetch_optional(connection)
            .await?
            .ok_or(Refusal::NotFound)?;
        let state = parsed(&row, "state", read::order_state)?;
        let deadline = instant(&row, "deadline")?;
        Err(match state {
            "pending" => Refusal::OrderExpired { deadline },
            state => Refusal::OrderState { state },
        }
        .into())
    }

    async fn charge(
        &self,
        connection: &mut AnyConnection,
        now: Timestamp,
        seller: &str,
        due: Points,
    ) -> Result<PaymentId, Failure> {
        let payment = PaymentId::new(now);
        sqlx::query(
            "INSERT INTO payment (id, order_id, method, amount, state, created_at)
             VALUES ($1, $2, 'points', $3, 'succeeded', $4)",
        )
        .bind(payment.to_string())
        .bind(self.order.to_string())
        .bind(due.0)
        .bind(micros(now))
        .execute(&mut *connection)
        .await?;
        if due > Points(0) {
            let from = ledger::account_of(connection, &self.owner.to_string()).await?;
            let to = ledger::account_of(connection, seller).await?;
            ledger::transfer(connection, now, from, to, due, Purpose::Payment(&payment.to_string())).await?;
        }
        Ok(payment)
    }
}
