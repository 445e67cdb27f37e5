//! A new demo customer, with points to spend.

use queue_core::Timestamp;
use serde_json::json;
use sqlx::AnyConnection;

use super::{Answer, Outcome};
use crate::ids::CustomerId;
use crate::money::Points;
use crate::store::Failure;
use crate::store::ledger::{self, ISSUER, Purpose};
use crate::store::row::micros;

/// Makes a customer called `name` with `grant` points.
#[derive(Debug)]
pub(crate) struct SignIn {
    pub(crate) customer: CustomerId,
    pub(crate) name: String,
    pub(crate) grant: Points,
}

impl SignIn {
    pub(super) async fn run(&self, connection: &mut AnyConnection, now: Timestamp) -> Result<Outcome, Failure> {
        let owner = self.customer.to_string();
        sqlx::query("INSERT INTO customer (id, name, created_at) VALUES ($1, $2, $3)")
            .bind(&owner)
            .bind(&self.name)
            .bind(micros(now))
            .execute(&mut *connection)
            .await?;
        ledger::open_account(connection, now, &owner, "customer").await?;
        if self.grant > Points(0) {
            let issuer = ledger::account_of(connection, ISSUER).await?;
            let account = ledger::account_of(connection, &owner).await?;
            ledger::transfer(connection, now, issuer, account, self.grant, Purpose::Grant).await?;
        }
        let document = json!({"customer": owner, "name": self.name, "available": self.grant});
        Ok(Outcome::unchanged(Answer::new(201, &document)?))
    }
}
