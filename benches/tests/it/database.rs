//! Rows as the booking API would leave them: the tables the checker reads, filled from a fake's sales.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

const TABLES: &str = "
    CREATE TABLE orders (id TEXT PRIMARY KEY, total INTEGER NOT NULL, state TEXT NOT NULL);
    CREATE TABLE order_line (order_id TEXT, event TEXT, unit TEXT, state TEXT NOT NULL, PRIMARY KEY (order_id, unit));
    CREATE TABLE payment (id TEXT PRIMARY KEY, order_id TEXT NOT NULL, amount INTEGER NOT NULL, state TEXT NOT NULL);
    CREATE TABLE unit_state (event TEXT, unit TEXT, state TEXT NOT NULL, PRIMARY KEY (event, unit));
    CREATE TABLE account (id TEXT PRIMARY KEY, debits INTEGER NOT NULL, credits INTEGER NOT NULL);
    CREATE TABLE transfer (id TEXT PRIMARY KEY, debit TEXT, credit TEXT, amount INTEGER NOT NULL);";

/// Where a fake's sales are written as they happen.
pub(crate) struct Database(SqliteConnection);

impl Database {
    /// An empty one at `path`.
    pub(crate) async fn create(path: &Path) -> Self {
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let mut connection = options.connect().await.unwrap();
        sqlx::raw_sql(TABLES).execute(&mut connection).await.unwrap();
        Self(connection)
    }

    /// One paid order with its lines.
    pub(crate) async fn sell(&mut self, order: &str, units: &[String]) {
        let mut transaction = self.0.begin().await.unwrap();
        let total = i64::try_from(units.len()).unwrap() * 10;
        sqlx::query("INSERT INTO orders VALUES (?, ?, 'paid')")
            .bind(order)
            .bind(total)
            .execute(&mut *transaction)
            .await
            .unwrap();
        sqlx::query("INSERT INTO payment VALUES ('p-' || ?1, ?1, ?2, 'succeeded')")
            .bind(order)
            .bind(total)
            .execute(&mut *transaction)
            .await
            .unwrap();
        for unit in units {
            sqlx::query("INSERT INTO order_line VALUES (?, 'e1', ?, 'sold')")
                .bind(order)
                .bind(unit)
                .execute(&mut *transaction)
                .await
                .unwrap();
            sqlx::query("INSERT OR REPLACE INTO unit_state VALUES ('e1', ?, 'sold')")
                .bind(unit)
                .execute(&mut *transaction)
                .await
                .unwrap();
        }
        transaction.commit().await.unwrap();
    }
}
