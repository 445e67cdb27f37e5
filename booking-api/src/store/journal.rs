//! Idempotency keys (B11): the key's row is written in the transaction that has the effect. A refused command leaves no
//! key, so trying again is safe; a repeated one gets the stored answer.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use queue_core::Timestamp;
use serde_json::Value;
use sqlx::{AnyConnection, Row};

use super::Failure;
use super::command::Answer;
use super::row::micros;
use crate::ids::CustomerId;
use crate::refusal::Refusal;

/// A request's key together with what it was used for.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    caller: String,
    route: &'static str,
    key: String,
    fingerprint: String,
}

impl Key {
    /// `key` as sent by `caller` for `route` with this path and body. Bodies are compared by their meaning: members in
    /// any order, any white space.
    pub(crate) fn new(caller: CustomerId, route: &'static str, key: String, path: &str, body: &Value) -> Self {
        let content = format!("{path}\n{body}");
        let mut fingerprint = String::with_capacity(64);
        for byte in digest(&SHA256, content.as_bytes()).as_ref() {
            let _ = write!(fingerprint, "{byte:02x}");
        }
        Self { caller: caller.to_string(), route, key, fingerprint }
    }
}

/// Claims the key, or finds the answer that it had. A concurrent holder of the key is waited for.
pub(crate) async fn begin(
    connection: &mut AnyConnection,
    now: Timestamp,
    key: Option<&Key>,
) -> Result<Option<Answer>, Failure> {
    let Some(key) = key else { return Ok(None) };
    let claimed = sqlx::query(
        "INSERT INTO idempotency (caller, route, key, fingerprint, created_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (caller, route, key) DO NOTHING",
    )
    .bind(&key.caller)
    .bind(key.route)
    .bind(&key.key)
    .bind(&key.fingerprint)
    .bind(micros(now))
    .execute(&mut *connection)
    .await?;
    if claimed.rows_affected() == 1 {
        return Ok(None);
    }
    let row = sqlx::query(
        "SELECT fingerprint, status, answer FROM idempotency WHERE caller = $1 AND route = $2 AND key = $3",
    )
    .bind(&key.caller)
    .bind(key.route)
    .bind(&key.key)
    .fetch_one(connection)
    .await?;
    let fingerprint: String = row.try_get("fingerprint")?;
    if fingerprint != key.fingerprint {
        return Err(Refusal::IdempotencyMismatch.into());
    }
    let status: i64 = row.try_get("status")?;
    let body: String = row.try_get("answer")?;
    Ok(Some(Answer { status: u16::try_from(status).unwrap_or(500), body }))
}

/// Stores the answer under the key that [`begin`] claimed.
pub(crate) async fn finish(
    connection: &mut AnyConnection,
    key: Option<&Key>,
    answer: Answer,
) -> Result<Answer, Failure> {
    let Some(key) = key else { return Ok(answer) };
    sqlx::query("UPDATE idempotency SET status = $1, answer = $2 WHERE caller = $3 AND route = $4 AND key = $5")
        .bind(i64::from(answer.status))
        .bind(&answer.body)
        .bind(&key.caller)
        .bind(key.route)
        .bind(&key.key)
        .execute(connection)
        .await?;
    Ok(answer)
}
