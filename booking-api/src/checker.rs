//! Finds rows that break an invariant. Reads one state of the database and changes nothing; a running service need not
//! be stopped for it.

mod rules;

use queue_core::Timestamp;
use sqlx::{AnyConnection, Row};

pub use rules::Rule;
pub(crate) use rules::rules;

use crate::clock::Clock;
use crate::store::Database;
use crate::store::row::micros;

/// Rows shown per rule; all are counted.
const SHOWN: usize = 20;

/// A rule that some rows break.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Finding {
    /// The invariant of the design: `B1` and so on.
    pub invariant: &'static str,
    /// What should be true.
    pub rule: &'static str,
    /// How many rows break it.
    violations: usize,
    /// Some of them, by id.
    pub rows: Vec<String>,
}

impl Finding {
    /// How many rows break the rule, at least one.
    pub const fn violations(&self) -> usize {
        self.violations
    }
}

/// Evaluates every rule over the rows of `database`, by `clock` where the database has none of its own.
///
/// # Errors
/// When the rows cannot be read.
pub async fn check(database: &Database, clock: &dyn Clock) -> Result<Vec<Finding>, crate::AppError> {
    Ok(check_at(database, clock).await?)
}

pub(crate) async fn check_at(database: &Database, clock: &dyn Clock) -> sqlx::Result<Vec<Finding>> {
    let mut connection = database.connection().await?;
    sqlx::query(database.dialect.begin_snapshot()).execute(&mut connection).await?;
    // The first read fixes the state that all rules see; what is held is judged at the same instant.
    sqlx::query("SELECT COUNT(*) FROM event").fetch_one(&mut connection).await?;
    let now = database.dialect.now(&mut connection, clock).await?;
    let mut findings = Vec::new();
    for rule in rules() {
        findings.extend(evaluate(&mut connection, rule, now).await?);
    }
    sqlx::query("ROLLBACK").execute(&mut connection).await?;
    Ok(findings)
}

async fn evaluate(connection: &mut AnyConnection, rule: &Rule, now: Timestamp) -> sqlx::Result<Option<Finding>> {
    let query = sqlx::query(rule.query);
    let query = if rule.query.contains("$1") { query.bind(micros(now)) } else { query };
    let broken = query.fetch_all(connection).await?;
    if broken.is_empty() {
        return Ok(None);
    }
    let rows = broken.iter().take(SHOWN).map(|row| row.try_get::<String, _>(0)).collect::<sqlx::Result<_>>()?;
    Ok(Some(Finding { invariant: rule.invariant, rule: rule.says, violations: broken.len(), rows }))
}
