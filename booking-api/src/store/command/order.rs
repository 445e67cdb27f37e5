//! A hold becomes an order, once (B5).

use queue_core::Timestamp;
use serde_json::Value;
use sqlx::AnyConnection;

use super::hold::live;
use super::{Answer, Outcome};
use crate::ids::{CustomerId, HoldId, OrderId};
use crate::refusal::Refusal;
use crate::store::Failure;
use crate::store::journal::{self, Key};
use crate::store::read;
use crate::store::row::micros;

/// Orders what `hold` holds, at its prices. The hold's end is the deadline for the payment.
#[derive(Debug)]
pub(crate) struct CreateOrder {
    pub(crate) hold: HoldId,
    pub(crate) owner: CustomerId,
    pub(crate) buyer: Option<Value>,
    pub(crate) key: Key,
}

impl CreateOrder {
    pub(super) async fn run(&self, connection: &mut AnyConnection, now: Timestamp) -> Result<Outcome, Failure> {
        if let Some(answer) = journal::begin(connection, now, Some(&self.key)).await? {
            return Ok(Outcome::unchanged(answer));
        }
        let (hold, owner) = (self.hold.to_string(), self.owner.to_string());
        let consumed = sqlx::query(
            "UPDATE hold SET state = 'consumed' WHERE id = $1 AND owner = $2 AND state = 'active' AND expires_at > $3",
        )
        .bind(&hold)
        .bind(&owner)
        .bind(micros(now))
        .execute(&mut *connection)
        .await?;
        if consumed.rows_affected() == 0 {
            live(connection, self.hold, self.owner, now).await?;
            return Err(Refusal::NotFound.into());
        }
        let id = OrderId::new(now);
        sqlx::query(
            "INSERT INTO orders (id, hold, event, owner, buyer, total, state, created_at, deadline)
             SELECT $1, h.id, h.event, h.owner, $2,
                    (SELECT CAST(SUM(l.amount) AS BIGINT) FROM hold_line l WHERE l.hold = h.id), 'pending', $3,
                    h.expires_at
             FROM hold h WHERE h.id = $4",
        )
        .bind(id.to_string())
        .bind(self.buyer.as_ref().map(Value::to_string))
        .bind(micros(now))
        .bind(&hold)
        .execute(&mut *connection)
        .await?;
        sqlx::query(
            "INSERT INTO order_line (order_id, event, unit, offer, amount, state)
             SELECT $1, h.event, l.unit, l.offer, l.amount, 'pending'
             FROM hold_line l JOIN hold h ON h.id = l.hold WHERE l.hold = $2",
        )
        .bind(id.to_string())
        .bind(&hold)
        .execute(&mut *connection)
        .await?;
        let order = read::order(connection, id, self.owner, now).await?.ok_or(Refusal::NotFound)?;
        let answer = journal::finish(connection, Some(&self.key), Answer::new(201, &order)?).await?;
        Ok(Outcome::unchanged(answer))
    }
}
