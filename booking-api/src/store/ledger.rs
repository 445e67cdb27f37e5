//! Double entry (B8): each transfer has one debit and one credit; balances are cached sums, moved in the same
//! transaction; a customer's never falls below zero.

use queue_core::Timestamp;
use sqlx::{AnyConnection, Row};

use super::Failure;
use super::row::{micros, parsed};
use crate::ids::{AccountId, TransferId};
use crate::money::Points;
use crate::refusal::Refusal;

/// Owner of the account that granted points come from.
pub(crate) const ISSUER: &str = "issuer";

/// What a transfer is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose<'a> {
    /// Points given to a new customer.
    Grant,
    /// This payment.
    Payment(&'a str),
    /// This refund.
    Refund(&'a str),
}

impl Purpose<'_> {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Payment(_) => "payment",
            Self::Refund(_) => "refund",
        }
    }

    const fn reference(&self) -> Option<&str> {
        match self {
            Self::Grant => None,
            Self::Payment(id) | Self::Refund(id) => Some(id),
        }
    }
}

/// The account of a customer, a seller or the issuer.
pub(crate) async fn account_of(connection: &mut AnyConnection, owner: &str) -> Result<AccountId, Failure> {
    let row = sqlx::query("SELECT id FROM account WHERE owner = $1").bind(owner).fetch_one(connection).await?;
    Ok(parsed(&row, "id", AccountId::parse)?)
}

/// Opens an empty account; an owner has one.
pub(crate) async fn open_account(
    connection: &mut AnyConnection,
    now: Timestamp,
    owner: &str,
    kind: &'static str,
) -> Result<(), Failure> {
    sqlx::query("INSERT INTO account (id, owner, kind) VALUES ($1, $2, $3) ON CONFLICT (owner) DO NOTHING")
        .bind(AccountId::new(now).to_string())
        .bind(owner)
        .bind(kind)
        .execute(connection)
        .await?;
    Ok(())
}

/// Moves `amount` (more than nothing) from `debit` to `credit`.
///
/// The condition is in the statement that debits: two debits at once cannot both see the same balance. The account that
/// many share is credited last, so that its row is held shortest.
pub(crate) async fn transfer(
    connection: &mut AnyConnection,
    now: Timestamp,
    debit: AccountId,
    credit: AccountId,
    amount: Points,
    purpose: Purpose<'_>,
) -> Result<TransferId, Failure> {
    let debited = sqlx::query(
        "UPDATE account SET debits = debits + $1 WHERE id = $2 AND (kind <> 'customer' OR credits - debits >= $1)",
    )
    .bind(amount.0)
    .bind(debit.to_string())
    .execute(&mut *connection)
    .await?;
    if debited.rows_affected() == 0 {
        let row = sqlx::query("SELECT credits - debits AS balance FROM account WHERE id = $1")
            .bind(debit.to_string())
            .fetch_one(connection)
            .await?;
        return Err(Refusal::InsufficientBalance { balance: Points(row.try_get("balance")?), due: amount }.into());
    }
    let id = TransferId::new(now);
    sqlx::query(
        "INSERT INTO transfer (id, debit, credit, amount, kind, ref, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(id.to_string())
    .bind(debit.to_string())
    .bind(credit.to_string())
    .bind(amount.0)
    .bind(purpose.kind())
    .bind(purpose.reference())
    .bind(micros(now))
    .execute(&mut *connection)
    .await?;
    sqlx::query("UPDATE account SET credits = credits + $1 WHERE id = $2")
        .bind(amount.0)
        .bind(credit.to_string())
        .execute(connection)
        .await?;
    Ok(id)
}
