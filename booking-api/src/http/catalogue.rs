//! What is on sale and what is left of it. All of it comes from memory.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::json;

use super::problem::Problem;
use super::reply;
use crate::App;
use crate::catalogue::Event;

/// The map of a named version never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const REVALIDATE: &str = "no-cache";
const ONE_SECOND: &str = "public, max-age=1";

pub(super) async fn list(State(app): State<Arc<App>>) -> Response {
    let events: Vec<_> = app.catalogue().events().iter().map(|event| event.document()).collect();
    reply::document(&json!({"events": events}))
}

pub(super) async fn show(State(app): State<Arc<App>>, Path(event): Path<String>) -> Result<Response, Problem> {
    Ok(reply::document(&find(&app, &event)?.document()))
}

#[derive(Deserialize)]
pub(super) struct MapQuery {
    v: Option<String>,
}

/// The static map. With `?v=` and the layout's version, it may be kept for ever.
pub(super) async fn map(
    State(app): State<Arc<App>>,
    Path(event): Path<String>,
    Query(query): Query<MapQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let event = find(&app, &event)?;
    let keep = if query.v.as_ref() == Some(&event.layout) { FOR_EVER } else { REVALIDATE };
    Ok(tagged(&headers, &event.map_tag, keep, || event.map.clone()))
}

#[derive(Deserialize)]
pub(super) struct UnitsQuery {
    section: Option<String>,
    view: Option<String>,
}

/// Which units are not available. `?view=compact` has one letter per unit in the order of the map's `index`: `a`
/// available, `h` held, `s` sold, `b` blocked.
pub(super) async fn units(
    State(app): State<Arc<App>>,
    Path(event): Path<String>,
    Query(query): Query<UnitsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let event = find(&app, &event)?;
    let snapshot = app.board().snapshot(event.id, app.now()).ok_or_else(Problem::not_found)?;
    let compact = match query.view.as_deref() {
        None | Some("full") => false,
        Some("compact") => true,
        Some(_) => return Err(Problem::invalid("view", "A view is full or compact.")),
    };
    if let Some(section) = query.section {
        return section_of(event, &snapshot.full, &section);
    }
    let body = || if compact { snapshot.compact.clone() } else { snapshot.full.clone() };
    Ok(tagged(&headers, &snapshot.tag, REVALIDATE, body))
}

/// Cuts one section out of a snapshot.
fn section_of(event: &Event, snapshot: &[u8], section: &str) -> Result<Response, Problem> {
    let index = event.sections.iter().position(|known| known.name == section).ok_or_else(Problem::not_found)?;
    let mut document: serde_json::Value = serde_json::from_slice(snapshot).map_err(|_| Problem::internal())?;
    if let Some(units) = document.get_mut("units").and_then(serde_json::Value::as_array_mut) {
        let inside = |unit: &serde_json::Value| {
            let found = unit.get("unit").and_then(|id| id.as_str()).and_then(|id| event.unit_by_id.get(id));
            found.is_some_and(|unit| event.unit(*unit).section == index)
        };
        units.retain(inside);
    }
    Ok(reply::document(&document))
}

/// How many units of each section are in which state.
pub(super) async fn stock(
    State(app): State<Arc<App>>,
    Path(event): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let event = find(&app, &event)?;
    let (version, counts) = app.board().counts(event.id, app.now()).ok_or_else(Problem::not_found)?;
    let tag = format!("\"{version}\"");
    let body = || {
        let sections: Vec<_> = event
            .sections
            .iter()
            .zip(&counts)
            .map(|(section, counts)| {
                let offer = &event.offers[section.offer];
                json!({"section": section.name, "offer": offer.name, "price": offer.price, "stock": counts})
            })
            .collect();
        let left: usize = counts.iter().map(|counts| counts.left).sum();
        let total: usize = counts.iter().map(|counts| counts.total).sum();
        let sold: usize = counts.iter().map(|counts| counts.sold).sum();
        let held: usize = counts.iter().map(|counts| counts.held).sum();
        let document = json!({
            "event": event.id.to_string(), "version": version, "total": total, "held": held, "sold": sold,
            "left": left, "sections": sections,
        });
        document.to_string().into()
    };
    Ok(tagged(&headers, &tag, ONE_SECOND, body))
}

fn find<'a>(app: &'a App, event: &str) -> Result<&'a Arc<Event>, Problem> {
    app.catalogue().event(event).ok_or_else(Problem::not_found)
}

/// A document with its entity tag, or only the news that it is still the same.
fn tagged(headers: &HeaderMap, tag: &str, cache: &'static str, body: impl FnOnce() -> bytes::Bytes) -> Response {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok()).unwrap_or_default();
    let about = [(header::ETAG, tag), (header::CACHE_CONTROL, cache)];
    // Weak comparison, RFC 9110 section 13.1.2.
    if known.split(',').any(|known| known.trim().trim_start_matches("W/") == tag) {
        return (StatusCode::NOT_MODIFIED, about).into_response();
    }
    (StatusCode::OK, about, [(header::CONTENT_TYPE, "application/json")], body()).into_response()
}
