//! `booking-api seed`

use std::process::ExitCode;

use clap::Args;

use super::Failed;
use crate::Database;
use crate::clock::{Clock, SystemClock};
use crate::seed::{Seed, SeedError, seed};

#[derive(Debug, Args)]
pub(super) struct SeedArgs {
    /// sqlite:PATH or postgres://USER@HOST/NAME
    #[arg(long, env = "BOOKING_DATABASE", hide_env_values = true)]
    database: String,
    /// The event's name in addresses
    #[arg(long, default_value = "concert")]
    event: String,
    /// How many seats it has
    #[arg(long, default_value_t = 5_000)]
    seats: u32,
}

impl SeedArgs {
    pub(super) async fn execute(self) -> Result<ExitCode, Failed> {
        let database = Database::open(&self.database).await;
        let database = database.map_err(|error| Failed::Config(error.to_string()))?;
        put_on_sale(&database, &SystemClock::default(), &self.event, self.seats).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Puts a concert on sale unless it is.
pub(super) async fn put_on_sale(database: &Database, clock: &dyn Clock, name: &str, seats: u32) -> Result<(), Failed> {
    match seed(database, clock, &Seed::concert(name, seats)).await {
        Ok(true) => tracing::info!(event = name, seats, "put on sale"),
        Ok(false) => tracing::info!(event = name, seats, "is on sale already"),
        Err(error @ (SeedError::Name(_) | SeedError::Seats(_))) => return Err(Failed::Config(error.to_string())),
        Err(error) => return Err(Failed::Work(error.to_string())),
    }
    Ok(())
}
