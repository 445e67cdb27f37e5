//! Seats for a while: taken all or none (B4), by one conditional statement per seat (B1).

use std::sync::Arc;
use std::time::Duration;

use queue_core::Timestamp;
use sqlx::{AnyConnection, Row};

use super::{Answer, Outcome};
use crate::board::{Cell, Change};
use crate::catalogue::{Event, UnitIndex};
use crate::ids::{CustomerId, HoldId, OrderId};
use crate::refusal::{Refusal, Taken};
use crate::store::Failure;
use crate::store::journal::{self, Key};
use crate::store::read;
use crate::store::row::{instant, micros, parsed};

/// Takes `units` of an event, none of them twice.
#[derive(Debug)]
pub(crate) struct TakeHold {
    pub(crate) event: Arc<Event>,
    pub(crate) owner: CustomerId,
    pub(crate) units: Vec<UnitIndex>,
    pub(crate) key: Key,
}

impl TakeHold {
    pub(super) async fn run(&self, connection: &mut AnyConnection, now: Timestamp) -> Result<Outcome, Failure> {
        if let Some(answer) = journal::begin(connection, now, Some(&self.key)).await? {
            return Ok(Outcome::unchanged(answer));
        }
        let event = &*self.event;
        if now < event.opens_at {
            return Err(Refusal::SaleNotOpen { opens_at: event.opens_at }.into());
        }
        if now >= event.closes_at {
            return Err(Refusal::SaleClosed { closed_at: event.closes_at }.into());
        }
        self.check_limit(connection, now).await?;
        let id = HoldId::new(now);
        let until = now + event.hold_for;
        self.insert(connection, now, id, until).await?;
        self.take(connection, now, id, until).await?;

        let hold = read::hold(connection, event, id, self.owner, now).await?.ok_or(Refusal::NotFound)?;
        let answer = journal::finish(connection, Some(&self.key), Answer::new(201, &hold)?).await?;
        let to = Cell::Held { owner: self.owner, until };
        Ok(Outcome { answer, changes: vec![Change { event: event.id, units: self.units.clone(), to }] })
    }

    /// A customer's live holds and sales stay within the limit. The upsert comes first: two holds of one customer meet
    /// at its row, and the second counts what the first took.
    async fn check_limit(&self, connection: &mut AnyConnection, now: Timestamp) -> Result<(), Failure> {
        let (event, owner) = (self.event.id.to_string(), self.owner.to_string());
        sqlx::query(
            "INSERT INTO customer_event (event, customer, holds) VALUES ($1, $2, 1)
             ON CONFLICT (event, customer) DO UPDATE SET holds = customer_event.holds + 1",
        )
        .bind(&event)
        .bind(&owner)
        .execute(&mut *connection)
        .await?;
        let row = sqlx::query(
            "SELECT COUNT(*) FROM unit_state
             WHERE owner = $1 AND event = $2 AND (state = 'sold' OR (state = 'held' AND expires_at > $3))",
        )
        .bind(&owner)
        .bind(&event)
        .bind(micros(now))
        .fetch_one(connection)
        .await?;
        let current = usize::try_from(row.try_get::<i64, _>(0)?).unwrap_or(usize::MAX);
        let limit = self.event.max_units_per_customer;
        if current.saturating_add(self.units.len()) > limit {
            return Err(Refusal::LimitExceeded { limit, current }.into());
        }
        Ok(())
    }

    async fn insert(
        &self,
        connection: &mut AnyConnection,
        now: Timestamp,
        id: HoldId,
        until: Timestamp,
    ) -> Result<(), Failure> {
        sqlx::query(
            "INSERT INTO hold (id, event, owner, state, created_at, expires_at, max_expires_at)
             VALUES ($1, $2, $3, 'active', $4, $5, $6)",
        )
        .bind(id.to_string())
        .bind(self.event.id.to_string())
        .bind(self.owner.to_string())
        .bind(micros(now))
        .bind(micros(until))
        .bind(micros(now + self.event.hold_ceiling))
        .execute(&mut *connection)
        .await?;
        for unit in &self.units {
            let offer = self.event.offer_of(*unit);
            sqlx::query("INSERT INTO hold_line (hold, unit, offer, amount) VALUES ($1, $2, $3, $4)")
                .bind(id.to_string())
                .bind(&self.event.unit(*unit).id)
                .bind(&offer.name)
                .bind(offer.price.0)
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }

    /// Takes each unit over unless someone's right on it is live. In ascending order, so that two holds never wait for
    /// each other.
    async fn take(
        &self,
        connection: &mut AnyConnection,
        now: Timestamp,
        id: HoldId,
        until: Timestamp,
    ) -> Result<(), Failure> {
        let mut in_order: Vec<&str> = self.units.iter().map(|unit| self.event.unit(*unit).id.as_str()).collect();
        in_order.sort_unstable();
        let mut lost = Vec::new();
        for unit in in_order {
            let taken = sqlx::query(
                "INSERT INTO unit_state (event, unit, state, owner, hold, expires_at)
                 VALUES ($1, $2, 'held', $3, $4, $5)
                 ON CONFLICT (event, unit) DO UPDATE
                 SET owner = excluded.owner, hold = excluded.hold, expires_at = excluded.expires_at
                 WHERE unit_state.state = 'held' AND unit_state.expires_at <= $6",
            )
            .bind(self.event.id.to_string())
            .bind(unit)
            .bind(self.owner.to_string())
            .bind(id.to_string())
            .bind(micros(until))
            .bind(micros(now))
            .execute(&mut *connection)
            .await?;
            if taken.rows_affected() != 1 {
                lost.push(unit);
            }
        }
        if lost.is_empty() {
            return Ok(());
        }
        let mut named = Vec::with_capacity(lost.len());
        for unit in lost {
            let row = sqlx::query("SELECT state FROM unit_state WHERE event = $1 AND unit = $2")
                .bind(self.event.id.to_string())
                .bind(unit)
                .fetch_optional(&mut *connection)
                .await?;
            // Without a row it was given back this very moment: it was held when it counted.
            let state = row.map_or(Ok(Taken::Held), |row| parsed(&row, "state", Taken::parse))?;
            named.push((unit.to_owned(), state));
        }
        Err(Refusal::UnitsUnavailable(named).into())
    }
}

/// Lets a hold end `span` from now, within its ceiling. Never shortens it.
#[derive(Debug)]
pub(crate) struct ExtendHold {
    pub(crate) event: Arc<Event>,
    pub(crate) hold: HoldId,
    pub(crate) owner: CustomerId,
    pub(crate) span: Duration,
    pub(crate) key: Option<Key>,
}

impl ExtendHold {
    pub(super) async fn run(&self, connection: &mut AnyConnection, now: Timestamp) -> Result<Outcome, Failure> {
        if let Some(answer) = journal::begin(connection, now, self.key.as_ref()).await? {
            return Ok(Outcome::unchanged(answer));
        }
        let until = now + self.span;
        let extended = sqlx::query(
            "UPDATE hold SET expires_at = $1
             WHERE id = $2 AND owner = $3 AND state = 'active' AND expires_at > $4 AND expires_at < $1
               AND max_expires_at >= $1",
        )
        .bind(micros(until))
        .bind(self.hold.to_string())
        .bind(self.owner.to_string())
        .bind(micros(now))
        .execute(&mut *connection)
        .await?;
        let mut changes = Vec::new();
        if extended.rows_affected() == 1 {
            sqlx::query(
                "UPDATE unit_state SET expires_at = $1
                 WHERE event = $2 AND hold = $3 AND owner = $4 AND state = 'held' AND expires_at > $5
                   AND unit IN (SELECT unit FROM hold_line WHERE hold = $3)",
            )
            .bind(micros(until))
            .bind(self.event.id.to_string())
            .bind(self.hold.to_string())
            .bind(self.owner.to_string())
            .bind(micros(now))
            .execute(&mut *connection)
            .await?;
            let units = read::units_of_hold(connection, &self.event, self.hold).await?;
            let to = Cell::Held { owner: self.owner, until };
            changes.push(Change { event: self.event.id, units, to });
        } else {
            self.explain(connection, now, until).await?;
        }
        let hold = read::hold(connection, &self.event, self.hold, self.owner, now).await?.ok_or(Refusal::NotFound)?;
        let answer = journal::finish(connection, self.key.as_ref(), Answer::new(200, &hold)?).await?;
        Ok(Outcome { answer, changes })
    }

    /// Why nothing was extended; nothing to complain about when the hold lasts that long already.
    async fn explain(&self, connection: &mut AnyConnection, now: Timestamp, until: Timestamp) -> Result<(), Failure> {
        live(connection, self.hold, self.owner, now).await?;
        let row = sqlx::query("SELECT max_expires_at FROM hold WHERE id = $1")
            .bind(self.hold.to_string())
            .fetch_one(connection)
            .await?;
        let max_expires_at = instant(&row, "max_expires_at")?;
        if until > max_expires_at { Err(Refusal::HoldCeiling { max_expires_at }.into()) } else { Ok(()) }
    }
}

/// Gives a hold's seats back. Only its owner can; doing it twice is fine.
#[derive(Debug)]
pub(crate) struct ReleaseHold {
    pub(crate) event: Arc<Event>,
    pub(crate) hold: HoldId,
    pub(crate) owner: CustomerId,
}

impl ReleaseHold {
    pub(super) async fn run(&self, connection: &mut AnyConnection, now: Timestamp) -> Result<Outcome, Failure> {
        let released =
            sqlx::query("UPDATE hold SET state = 'released' WHERE id = $1 AND owner = $2 AND state = 'active'")
                .bind(self.hold.to_string())
                .bind(self.owner.to_string())
                .execute(&mut *connection)
                .await?;
        if released.rows_affected() == 0 {
            return match live(connection, self.hold, self.owner, now).await {
                Ok(()) | Err(Failure::Refused(Refusal::HoldReleased)) => Ok(Outcome::unchanged(Answer::empty())),
                Err(failure) => Err(failure),
            };
        }
        let changes = free(connection, &self.event, self.hold, self.owner, "held").await?;
        Ok(Outcome { answer: Answer::empty(), changes })
    }
}

/// Frees the units that still belong to `hold` and are in `state`; whatever was taken over meanwhile is another's.
pub(super) async fn free(
    connection: &mut AnyConnection,
    event: &Event,
    hold: HoldId,
    owner: CustomerId,
    state: &'static str,
) -> Result<Vec<Change>, Failure> {
    let rows = sqlx::query(
        "DELETE FROM unit_state WHERE event = $1 AND hold = $2 AND owner = $3 AND state = $4
           AND unit IN (SELECT unit FROM hold_line WHERE hold = $2)
         RETURNING unit",
    )
    .bind(event.id.to_string())
    .bind(hold.to_string())
    .bind(owner.to_string())
    .bind(state)
    .fetch_all(connection)
    .await?;
    let mut units = Vec::with_capacity(rows.len());
    for row in &rows {
        units.push(parsed(row, "unit", |unit| event.unit_by_id.get(unit).copied())?);
    }
    let change = Change { event: event.id, units, to: Cell::Free };
    Ok(if change.units.is_empty() { Vec::new() } else { vec![change] })
}

/// Whether `owner`'s hold still gives a right at `now`.
///
/// # Errors
/// The refusal that says why not.
pub(super) async fn live(
    connection: &mut AnyConnection,
    hold: HoldId,
    owner: CustomerId,
    now: Timestamp,
) -> Result<(), Failure> {
    let row = sqlx::query(
        "SELECT h.state, h.expires_at, o.id AS order_id FROM hold h LEFT JOIN orders o ON o.hold = h.id
         WHERE h.id = $1 AND h.owner = $2",
    )
    .bind(hold.to_string())
    .bind(owner.to_string())
    .fetch_optional(connection)
    .await?
    .ok_or(Refusal::NotFound)?;
    let order: Option<String> = row.try_get("order_id")?;
    if let Some(order) = order.as_deref().and_then(OrderId::parse) {
        return Err(Refusal::HoldConsumed { order }.into());
    }
    let state: String = row.try_get("state")?;
    if state == "released" {
        return Err(Refusal::HoldReleased.into());
    }
    let expired_at = instant(&row, "expires_at")?;
    if expired_at <= now { Err(Refusal::HoldExpired { expired_at }.into()) } else { Ok(()) }
}
