//! The rows: how they are reached, written and read.
//!
//! One set of statements serves SQLite and PostgreSQL (`sqlx::any`, numbered placeholders, text and 64-bit integers).
//! What differs is named in [`Dialect`]: how a connection is prepared, how many writers there are, and whose clock
//! decides.

pub(crate) mod command;
mod database;
mod dialect;
pub(crate) mod journal;
pub(crate) mod ledger;
pub(crate) mod read;
pub(crate) mod row;
pub(crate) mod state;
pub(crate) mod writer;

pub use database::{Database, DatabaseError};
pub(crate) use dialect::Dialect;
pub(crate) use writer::{WriteError, Writer, WriterObserver};

use crate::refusal::Refusal;

/// Why a command changed nothing.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The rules do not allow it.
    Refused(Refusal),
    /// The database failed.
    Broken(sqlx::Error),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Broken(error)
    }
}
