//! Puts a concert on sale: hall, prices, sale times.

use std::time::Duration;

use queue_core::Timestamp;
use sqlx::{AnyConnection, Row};

use crate::clock::Clock;
use crate::hall::{self, Hall};
use crate::ids::EventId;
use crate::store::row::micros;
use crate::store::{Database, Failure, ledger};

/// Most seats of one event: the map document stays below a few megabytes.
pub const MAX_SEATS: u32 = 100_000;

/// What to put on sale.
#[derive(Clone, Debug)]
pub struct Seed {
    /// The event's name in addresses.
    pub name: String,
    /// How many seats, 1 to [`MAX_SEATS`].
    pub seats: u32,
    /// Name and price of each tier, the dearest (nearest) first; at least one.
    pub tiers: Vec<(String, i64)>,
    /// Seats in one hold, at most.
    pub max_units_per_hold: u32,
    /// Seats of one customer, at most.
    pub max_units_per_customer: u32,
    /// How long a hold lasts.
    pub hold_for: Duration,
    /// How long a hold can be made to last.
    pub hold_ceiling: Duration,
    /// From now to the opening of the sale.
    pub opens_in: Duration,
}

impl Seed {
    /// A concert of `seats` seats, on sale at once: 4 seats a person, 5 minutes to pay.
    pub fn concert(name: &str, seats: u32) -> Self {
        let tiers = [("VIP", 165_000), ("R", 143_000), ("S", 121_000), ("A", 99_000)];
        Self {
            name: name.to_owned(),
            seats,
            tiers: tiers.map(|(name, price)| (name.to_owned(), price)).to_vec(),
            max_units_per_hold: 4,
            max_units_per_customer: 4,
            hold_for: Duration::from_secs(300),
            hold_ceiling: Duration::from_secs(600),
            opens_in: Duration::ZERO,
        }
    }
}

/// Why there is no such event afterwards.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// Not a name for an address.
    #[error("an event's name has 1 to 32 characters of a-z, 0-9 and '-', not {0:?}")]
    Name(String),
    /// No such number of seats.
    #[error("an event has 1 to {MAX_SEATS} seats, not {0}")]
    Seats(u32),
    /// The event is there already, another one.
    #[error("the database has an event {name:?} with {seats} seats already")]
    Exists {
        /// Its name.
        name: String,
        /// Its seats.
        seats: i64,
    },
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
}

/// Puts `seed` on sale; says whether it was not there before.
///
/// # Errors
/// [`SeedError`]
pub async fn seed(database: &Database, clock: &dyn Clock, seed: &Seed) -> Result<bool, SeedError> {
    let named = (1..=32).contains(&seed.name.len())
        && seed.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !named {
        return Err(SeedError::Name(seed.name.clone()));
    }
    if !(1..=MAX_SEATS).contains(&seed.seats) {
        return Err(SeedError::Seats(seed.seats));
    }
    let mut connection = database.connection().await?;
    let now = database.dialect.now(&mut connection, clock).await?;
    sqlx::query(database.dialect.begin()).execute(&mut connection).await?;
    let result = insert(&mut connection, now, seed).await;
    let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
    sqlx::query(end).execute(&mut connection).await?;
    result
}

async fn insert(connection: &mut AnyConnection, now: Timestamp, seed: &Seed) -> Result<bool, SeedError> {
    let there = sqlx::query(
        "SELECT COUNT(u.id) FROM event e JOIN unit u ON u.layout = e.layout WHERE e.name = $1 GROUP BY e.id",
    )
    .bind(&seed.name)
    .fetch_optional(&mut *connection)
    .await?;
    if let Some(row) = there {
        let seats: i64 = row.try_get(0)?;
        let same = seats == i64::from(seed.seats);
        return if same { Ok(false) } else { Err(SeedError::Exists { name: seed.name.clone(), seats }) };
    }
    let hall = hall::draw(seed.seats, seed.tiers.len());
    let event = EventId::new(now).to_string();
    let layout = format!("{}-1", seed.name);
    let seller = format!("{}-organiser", seed.name);
    sqlx::query("INSERT INTO seller (id, name) VALUES ($1, 'Usher Concerts')")
        .bind(&seller)
        .execute(&mut *connection)
        .await?;
    ledger::open_account(connection, now, &seller, "seller").await.map_err(broken)?;
    insert_layout(connection, &layout, &hall).await?;
    insert_event(connection, now, seed, [&event, &seller, &layout]).await?;
    insert_offers(connection, seed, &event, &hall).await?;
    Ok(true)
}

async fn insert_event(
    connection: &mut AnyConnection,
    now: Timestamp,
    seed: &Seed,
    [event, seller, layout]: [&str; 3],
) -> Result<(), SeedError> {
    const DAY: u64 = 24 * 3_600;
    const MONTH: Duration = Duration::from_secs(30 * DAY);
    /// 19:00 in Seoul.
    const EVENING: Duration = Duration::from_secs(10 * 3_600);
    let seconds = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    let opens_at = now + seed.opens_in;
    let closes_at = opens_at + MONTH;
    let starts_at = Timestamp::from_secs((closes_at.as_secs() / DAY + 1) * DAY) + EVENING;
    sqlx::query(
        "INSERT INTO event (id, name, title_en, title_ko, venue_en, venue_ko, seller, layout, profile, opens_at,
                            closes_at, starts_at, hold_seconds, hold_ceiling_seconds, max_units_per_hold,
                            max_units_per_customer)
         VALUES ($1, $2, 'First Light — Live', '첫 빛 — 라이브 콘서트', 'Han River Arena', '한강 아레나', $3, $4,
                 'seat', $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(event)
    .bind(&seed.name)
    .bind(seller)
    .bind(layout)
    .bind(micros(opens_at))
    .bind(micros(closes_at))
    .bind(micros(starts_at))
    .bind(seconds(seed.hold_for))
    .bind(seconds(seed.hold_ceiling))
    .bind(i64::from(seed.max_units_per_hold))
    .bind(i64::from(seed.max_units_per_customer))
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_layout(connection: &mut AnyConnection, layout: &str, hall: &Hall) -> Result<(), SeedError> {
    sqlx::query("INSERT INTO layout (id, name) VALUES ($1, 'Han River Arena')")
        .bind(layout)
        .execute(&mut *connection)
        .await?;
    for (rank, block) in hall.blocks.iter().enumerate() {
        sqlx::query("INSERT INTO section (layout, name, rank) VALUES ($1, $2, $3)")
            .bind(layout)
            .bind(&block.name)
            .bind(rank as i64)
            .execute(&mut *connection)
            .await?;
    }
    for (rank, seat) in hall.seats.iter().enumerate() {
        sqlx::query(
            "INSERT INTO unit (layout, id, rank, section, row_number, seat_number, x, y)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(layout)
        .bind(&seat.id)
        .bind(rank as i64)
        .bind(&seat.section)
        .bind(i64::from(seat.row))
        .bind(i64::from(seat.number))
        .bind(seat.x)
        .bind(seat.y)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

async fn insert_offers(connection: &mut AnyConnection, seed: &Seed, event: &str, hall: &Hall) -> Result<(), SeedError> {
    for (rank, (name, price)) in seed.tiers.iter().enumerate() {
        sqlx::query("INSERT INTO offer (event, name, rank, amount) VALUES ($1, $2, $3, $4)")
            .bind(event)
            .bind(name)
            .bind(rank as i64)
            .bind(*price)
            .execute(&mut *connection)
            .await?;
    }
    for block in &hall.blocks {
        let Some((tier, _)) = seed.tiers.get(block.tier) else { continue };
        sqlx::query("INSERT INTO offer_section (event, section, offer) VALUES ($1, $2, $3)")
            .bind(event)
            .bind(&block.name)
            .bind(tier)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

fn broken(failure: Failure) -> SeedError {
    match failure {
        Failure::Broken(error) => error.into(),
        Failure::Refused(refusal) => sqlx::Error::Protocol(format!("{refusal:?}")).into(),
    }
}
