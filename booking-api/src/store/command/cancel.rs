//! An order is given up before it is paid, or given back with a full refund.

use std::sync::Arc;

use queue_core::Timestamp;
use sqlx::{AnyConnection, Row};

use super::hold::free;
use super::{Answer, Outcome};
use crate::catalogue::{Catalogue, Event};
use crate::ids::{CustomerId, EventId, HoldId, OrderId, RefundId};
use crate::money::Points;
use crate::refusal::Refusal;
use crate::store::Failure;
use crate::store::journal::{self, Key};
use crate::store::ledger::{self, Purpose};
use crate::store::read;
use crate::store::row::{micros, parsed};

/// Cancels the whole of an order.
#[derive(Debug)]
pub(crate) struct CancelOrder {
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) order: OrderId,
    pub(crate) owner: CustomerId,
    pub(crate) key: Key,
}

impl CancelOrder {
    pub(super) async fn run(&self, connection: &mut AnyConnection, now: Timestamp) -> Result<Outcome, Failure> {
        if let Some(answer) = journal::begin(connection, now, Some(&self.key)).await? {
            return Ok(Outcome::unchanged(answer));
        }
        let row = sqlx::query("SELECT event, hold, state, total FROM orders WHERE id = $1 AND owner = $2")
            .bind(self.order.to_string())
            .bind(self.owner.to_string())
            .fetch_optional(&mut *connection)
            .await?
            .ok_or(Refusal::NotFound)?;
        let hold = parsed(&row, "hold", HoldId::parse)?;
        let event: EventId = parsed(&row, "event", EventId::parse)?;
        let event = self.catalogue.event(&event.to_string()).ok_or(Refusal::NotFound)?;
        let from = parsed(&row, "state", read::order_state)?;
        if from == "cancelled" || (from == "paid" && now >= event.starts_at) {
            return Err(Refusal::NotCancellable { from }.into());
        }
        self.leave(connection, now, from).await?;
        let paid = from == "paid";
        let changes = free(connection, event, hold, self.owner, if paid { "sold" } else { "held" }).await?;
        if paid {
            self.refund(connection, now, event, Points(row.try_get("total")?)).await?;
        }
        let order = read::order(connection, self.order, self.owner, now).await?.ok_or(Refusal::NotFound)?;
        let answer = journal::finish(connection, Some(&self.key), Answer::new(200, &order)?).await?;
        Ok(Outcome { answer, changes })
    }

    /// `from` → cancelled; whoever cancels at the same moment finds another state.
    async fn leave(&self, connection: &mut AnyConnection, now: Timestamp, from: &'static str) -> Result<(), Failure> {
        let left = sqlx::query(
            "UPDATE orders SET state = 'cancelled', cancelled_at = $1 WHERE id = $2 AND owner = $3 AND state = $4",
        )
        .bind(micros(now))
        .bind(self.order.to_string())
        .bind(self.owner.to_string())
        .bind(from)
        .execute(&mut *connection)
        .await?;
        if left.rows_affected() != 1 {
            return Err(Refusal::OrderState { state: "changed" }.into());
        }
        sqlx::query("UPDATE order_line SET state = 'cancelled' WHERE order_id = $1")
            .bind(self.order.to_string())
            .execute(connection)
            .await?;
        Ok(())
    }

    async fn refund(
        &self,
        connection: &mut AnyConnection,
        now: Timestamp,
        event: &Event,
        amount: Points,
    ) -> Result<(), Failure> {
        let refund = RefundId::new(now).to_string();
        sqlx::query(
            "INSERT INTO refund (id, order_id, payment, amount, state, created_at)
             SELECT $1, order_id, id, amount, 'succeeded', $2 FROM payment WHERE order_id = $3 AND state = 'succeeded'",
        )
        .bind(&refund)
        .bind(micros(now))
        .bind(self.order.to_string())
        .execute(&mut *connection)
        .await?;
        if amount > Points(0) {
            let from = ledger::account_of(connection, &event.seller).await?;
            let to = ledger::account_of(connection, &self.owner.to_string()).await?;
            ledger::transfer(connection, now, from, to, amount, Purpose::Refund(&refund)).await?;
        }
        Ok(())
    }
}
