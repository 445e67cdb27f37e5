//! What differs between the two databases.

use queue_core::Timestamp;
use sqlx::{AnyConnection, Row};

use super::row::from_micros;
use crate::clock::Clock;

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// One file, one process.
    Sqlite,
    /// A server that several processes may share.
    Postgres,
}

impl Dialect {
    /// Writers at work: SQLite has one by nature; in PostgreSQL they meet at rows.
    pub(crate) const fn writers(self) -> usize {
        match self {
            Self::Sqlite => 1,
            Self::Postgres => 8,
        }
    }

    /// Commands in one transaction. A batch shares one disk sync; in PostgreSQL it would hold its rows' locks for all
    /// of its length and meet other batches in another order, so there each command commits alone.
    pub(crate) const fn batch(self) -> usize {
        match self {
            Self::Sqlite => 256,
            Self::Postgres => 1,
        }
    }

    /// Begins a transaction that may write. SQLite must say so at once: a read that becomes a write fails when someone
    /// wrote in between.
    pub(crate) const fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }

    /// Begins a transaction that sees one state throughout.
    pub(crate) const fn begin_snapshot(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN",
            Self::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }

    /// How a new connection is prepared: a commit is on disk before it is answered.
    pub(crate) const fn preparation(self) -> &'static [&'static str] {
        match self {
            Self::Sqlite => &[
                "PRAGMA journal_mode = WAL",
                "PRAGMA synchronous = FULL",
                "PRAGMA foreign_keys = ON",
                "PRAGMA busy_timeout = 5000",
            ],
            Self::Postgres => &["SET synchronous_commit = on", "SET lock_timeout = '3s'"],
        }
    }

    /// The clock of one decision: the database's where several processes share it, the process's otherwise.
    pub(crate) async fn now(self, connection: &mut AnyConnection, clock: &dyn Clock) -> sqlx::Result<Timestamp> {
        match self {
            Self::Sqlite => Ok(clock.now()),
            Self::Postgres => {
                let row = sqlx::query("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)")
                    .fetch_one(connection)
                    .await?;
                row.try_get(0).map(from_micros)
            }
        }
    }

    /// Whether the same transaction may succeed when it is run again.
    pub(crate) fn may_retry(self, error: &sqlx::Error) -> bool {
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        self == Self::Postgres && code.is_some_and(|code| matches!(&*code, "40001" | "40P01" | "55P03"))
    }
}
