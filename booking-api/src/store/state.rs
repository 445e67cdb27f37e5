//! The seats' rows as the board shows them.

use queue_core::Timestamp;
use sqlx::{AnyConnection, Row};

use super::row::{instant, micros, parsed};
use crate::board::Cell;
use crate::catalogue::Event;
use crate::ids::CustomerId;
use crate::refusal::Taken;

/// Every seat of `event` at `now`.
pub(crate) async fn cells(connection: &mut AnyConnection, event: &Event, now: Timestamp) -> sqlx::Result<Vec<Cell>> {
    let rows = sqlx::query(
        "SELECT unit, state, owner, expires_at FROM unit_state
         WHERE event = $1 AND (state <> 'held' OR expires_at > $2)",
    )
    .bind(event.id.to_string())
    .bind(micros(now))
    .fetch_all(connection)
    .await?;
    let mut cells = vec![Cell::Free; event.units.len()];
    for row in &rows {
        let unit: String = row.try_get("unit")?;
        let Some(index) = event.unit_by_id.get(&unit) else { continue };
        cells[index.0] = match parsed(row, "state", Taken::parse)? {
            Taken::Held => {
                Cell::Held { owner: parsed(row, "owner", CustomerId::parse)?, until: instant(row, "expires_at")? }
            }
            Taken::Sold => Cell::Sold { owner: parsed(row, "owner", CustomerId::parse)? },
            Taken::Blocked => Cell::Blocked,
        };
    }
    Ok(cells)
}

/// Everyone who ever held a seat of `event`.
pub(crate) async fn holders(connection: &mut AnyConnection, event: &Event) -> sqlx::Result<Vec<CustomerId>> {
    let rows = sqlx::query("SELECT customer FROM customer_event WHERE event = $1")
        .bind(event.id.to_string())
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| parsed(row, "customer", CustomerId::parse)).collect()
}
