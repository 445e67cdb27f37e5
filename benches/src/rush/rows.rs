//! The booking rows, read from SQLite without touching them.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr as _;

use anyhow::Context;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

/// A paid order as the rows have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaidOrder {
    /// The units of its sold lines, as (event, unit).
    pub units: BTreeSet<(String, String)>,
    /// What is due.
    pub total: i64,
    /// The amounts of its succeeded payments.
    pub payments: Vec<i64>,
}

/// What the rows say about sales.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// Paid orders by id.
    pub orders: BTreeMap<String, PaidOrder>,
    /// Units whose state is sold, as (event, unit).
    pub sold: BTreeSet<(String, String)>,
    /// Sums of transfers that differ from the account that caches them.
    pub accounts_off: Vec<String>,
}

const LINES: &str = "SELECT o.id, l.event, l.unit FROM orders o JOIN order_line l ON l.order_id = o.id
    WHERE o.state = 'paid' AND l.state = 'sold'";
const ORDERS: &str = "SELECT id, total FROM orders WHERE state = 'paid'";
const PAYMENTS: &str = "SELECT order_id, amount FROM payment WHERE state = 'succeeded'";
const SOLD: &str = "SELECT event, unit FROM unit_state WHERE state = 'sold'";
const ACCOUNTS_OFF: &str = "SELECT id FROM account a
    WHERE debits <> (SELECT COALESCE(SUM(amount), 0) FROM transfer WHERE debit = a.id)
       OR credits <> (SELECT COALESCE(SUM(amount), 0) FROM transfer WHERE credit = a.id)";

impl Rows {
    /// Reads them at `url` (`sqlite:PATH`), in one transaction so that they belong together.
    ///
    /// # Errors
    /// When the file cannot be opened or has other tables.
    pub async fn read(url: &str) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::from_str(url).with_context(|| url.to_owned())?.read_only(true);
        let mut database = options.connect().await.with_context(|| url.to_owned())?;
        sqlx::query("BEGIN").execute(&mut database).await?;
        let rows = Self::in_transaction(&mut database).await.with_context(|| url.to_owned())?;
        sqlx::query("COMMIT").execute(&mut database).await?;
        Ok(rows)
    }

    async fn in_transaction(database: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let mut rows = Self::default();
        for (order, total) in sqlx::query_as::<_, (String, i64)>(ORDERS).fetch_all(&mut *database).await? {
            rows.orders.entry(order).or_default().total = total;
        }
        for (order, event, unit) in
            sqlx::query_as::<_, (String, String, String)>(LINES).fetch_all(&mut *database).await?
        {
            rows.orders.entry(order).or_default().units.insert((event, unit));
        }
        for (order, amount) in sqlx::query_as::<_, (String, i64)>(PAYMENTS).fetch_all(&mut *database).await? {
            rows.orders.entry(order).or_default().payments.push(amount);
        }
        rows.sold = sqlx::query_as(SOLD).fetch_all(&mut *database).await?.into_iter().collect();
        rows.accounts_off = sqlx::query_scalar(ACCOUNTS_OFF).fetch_all(database).await?;
        Ok(rows)
    }
}
