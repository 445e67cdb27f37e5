//! What can be asked of the rows: each command is a few statements whose conditions are the rules.
//!
//! `now` is given: one clock per decision. Time stands in every condition (B3), owner and old state in every change.

mod cancel;
mod hold;
mod order;
mod payment;
mod sign_in;

use queue_core::Timestamp;
use serde::Serialize;
use sqlx::AnyConnection;

use super::Failure;
use crate::board::Change;

pub(crate) use cancel::CancelOrder;
pub(crate) use hold::{ExtendHold, ReleaseHold, TakeHold};
pub(crate) use order::CreateOrder;
pub(crate) use payment::PayOrder;
pub(crate) use sign_in::SignIn;

/// A change that someone asks for.
#[derive(Debug)]
pub(crate) enum Command {
    /// A new demo customer.
    SignIn(SignIn),
    /// Seats for a while.
    TakeHold(TakeHold),
    /// The same seats for longer.
    ExtendHold(ExtendHold),
    /// Seats given back.
    ReleaseHold(ReleaseHold),
    /// A hold becomes an order.
    CreateOrder(CreateOrder),
    /// An order is paid.
    PayOrder(PayOrder),
    /// An order is given up or back.
    CancelOrder(CancelOrder),
}

/// What the asker is told, kept under the request's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// HTTP status.
    pub(crate) status: u16,
    /// JSON document.
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn new(status: u16, document: &impl Serialize) -> Result<Self, Failure> {
        let body = serde_json::to_string(document).map_err(|error| sqlx::Error::Encode(error.into()))?;
        Ok(Self { status, body })
    }

    /// Nothing to say.
    pub(crate) const fn empty() -> Self {
        Self { status: 204, body: String::new() }
    }
}

/// A command's result, true once the transaction has committed.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) answer: Answer,
    /// What the board must follow.
    pub(crate) changes: Vec<Change>,
}

impl Outcome {
    /// An answer that changed no seat: a repetition, or nothing about seats.
    pub(crate) const fn unchanged(answer: Answer) -> Self {
        Self { answer, changes: Vec::new() }
    }
}

/// Runs a command inside the caller's transaction.
pub(crate) async fn run(connection: &mut AnyConnection, now: Timestamp, command: &Command) -> Result<Outcome, Failure> {
    match command {
        Command::SignIn(command) => command.run(connection, now).await,
        Command::TakeHold(command) => command.run(connection, now).await,
        Command::ExtendHold(command) => command.run(connection, now).await,
        Command::ReleaseHold(command) => command.run(connection, now).await,
        Command::CreateOrder(command) => command.run(connection, now).await,
        Command::PayOrder(command) => command.run(connection, now).await,
        Command::CancelOrder(command) => command.run(connection, now).await,
    }
}
