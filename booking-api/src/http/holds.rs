//! Seats for a while.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;

use super::caller::Caller;
use super::key::SentKey;
use super::problem::Problem;
use super::received::Received;
use super::reply;
use crate::App;
use crate::catalogue::{Event, UnitIndex};
use crate::ids::{CustomerId, HoldId};
use crate::refusal::Refusal;
use crate::store::WriteError;
use crate::store::command::{Command, ExtendHold, ReleaseHold, TakeHold};
use crate::store::journal::Key;
use crate::store::read;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HoldDocument {
    units: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExtendDocument {
    seconds: u64,
}

/// Takes all the named seats or none. Seats that are certainly gone are refused from memory: the many who come too late
/// never reach the writer.
pub(super) async fn create(
    State(app): State<Arc<App>>,
    Path(event): Path<String>,
    Caller(owner): Caller,
    key: SentKey,
    Received { document, value }: Received<HoldDocument>,
) -> Result<Response, Problem> {
    let key = key.required()?;
    let event = app.catalogue().event(&event).ok_or_else(Problem::not_found)?;
    let units = named(event, &document.units)?;
    let count = |result: &str| app.metrics().holds.with_label_values(&[result]).inc();

    let taken = app.board().certainly_taken(event.id, &units, owner, app.now());
    if !taken.is_empty() {
        count("refused_early");
        let named = taken.into_iter().map(|(unit, state)| (event.unit(unit).id.clone(), state)).collect();
        return Err(Refusal::UnitsUnavailable(named).into());
    }
    let key = Key::new(owner, "create_hold", key, &event.id.to_string(), &value);
    let command = Command::TakeHold(TakeHold { event: Arc::clone(event), owner, units, key });
    match app.writer().run(command).await {
        Ok(answer) => {
            count("made");
            Ok(reply::keep_in(&app, owner, reply::answer(answer)))
        }
        Err(error) => {
            count(if matches!(error, WriteError::Refused(_)) { "refused" } else { "failed" });
            Err(error.into())
        }
    }
}

/// The units of these names: at least one, not too many, none twice.
fn named(event: &Event, names: &[String]) -> Result<Vec<UnitIndex>, Problem> {
    let most = event.max_units_per_hold;
    if names.is_empty() || names.len() > most {
        return Err(Problem::invalid("units", format!("A hold has 1 to {most} units.")));
    }
    let mut units = Vec::with_capacity(names.len());
    for name in names {
        let unit = event.unit_by_id.get(name).copied();
        let unit = unit.ok_or_else(|| Problem::invalid("units", format!("There is no unit {name:?}.")))?;
        if units.contains(&unit) {
            return Err(Problem::invalid("units", format!("Unit {name:?} is named twice.")));
        }
        units.push(unit);
    }
    Ok(units)
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path(hold): Path<String>,
    Caller(owner): Caller,
) -> Result<Response, Problem> {
    let (hold, event) = owned(&app, &hold, owner).await?;
    let mut connection = app.readers().acquire().await?;
    let hold = read::hold(&mut connection, &event, hold, owner, app.now()).await?.ok_or_else(Problem::not_found)?;
    Ok(reply::keep_in(&app, owner, reply::document(&hold)))
}

pub(super) async fn release(
    State(app): State<Arc<App>>,
    Path(hold): Path<String>,
    Caller(owner): Caller,
) -> Result<Response, Problem> {
    let (hold, event) = owned(&app, &hold, owner).await?;
    let answer = app.writer().run(Command::ReleaseHold(ReleaseHold { event, hold, owner })).await?;
    Ok(reply::answer(answer))
}

/// Lets the hold end `seconds` from now, up to its ceiling.
pub(super) async fn extend(
    State(app): State<Arc<App>>,
    Path(hold): Path<String>,
    Caller(owner): Caller,
    SentKey(key): SentKey,
    Received { document, value }: Received<ExtendDocument>,
) -> Result<Response, Problem> {
    let (hold, event) = owned(&app, &hold, owner).await?;
    let most = event.hold_ceiling.as_secs();
    if !(1..=most).contains(&document.seconds) {
        return Err(Problem::invalid("seconds", format!("A hold is extended by 1 to {most} seconds.")));
    }
    let span = Duration::from_secs(document.seconds);
    let key = key.map(|key| Key::new(owner, "extend_hold", key, &hold.to_string(), &value));
    let answer = app.writer().run(Command::ExtendHold(ExtendHold { event, hold, owner, span, key })).await?;
    Ok(reply::keep_in(&app, owner, reply::answer(answer)))
}

/// A hold of the caller's, and its event. Someone else's is not found.
async fn owned(app: &App, hold: &str, owner: CustomerId) -> Result<(HoldId, Arc<Event>), Problem> {
    let hold = HoldId::parse(hold).ok_or_else(Problem::not_found)?;
    let mut connection = app.readers().acquire().await?;
    let event = read::event_of_hold(&mut connection, hold, owner).await?.ok_or_else(Problem::not_found)?;
    let event = app.catalogue().event(&event.to_string()).ok_or_else(Problem::not_found)?;
    Ok((hold, Arc::clone(event)))
}
