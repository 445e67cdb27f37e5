//! Reading typed values out of rows.

use queue_core::Timestamp;
use sqlx::Row;
use sqlx::any::AnyRow;

/// An instant column.
pub(crate) fn instant(row: &AnyRow, column: &str) -> sqlx::Result<Timestamp> {
    row.try_get::<i64, _>(column).map(from_micros)
}

/// An instant column that may be null.
pub(crate) fn instant_or_none(row: &AnyRow, column: &str) -> sqlx::Result<Option<Timestamp>> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(from_micros))
}

/// A text column that stands for something.
pub(crate) fn parsed<T>(row: &AnyRow, column: &str, parse: impl FnOnce(&str) -> Option<T>) -> sqlx::Result<T> {
    let text: String = row.try_get(column)?;
    parse(&text).ok_or_else(|| sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: format!("{text:?} is not what this column holds").into(),
    })
}

/// As rows keep it.
pub(crate) fn micros(instant: Timestamp) -> i64 {
    i64::try_from(instant.as_micros()).unwrap_or(i64::MAX)
}

pub(crate) fn from_micros(value: i64) -> Timestamp {
    Timestamp::from_micros(value.unsigned_abs())
}
