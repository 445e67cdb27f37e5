//! Reads the catalogue from its rows.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::{Bilingual, Catalogue, Event, Offer, Section, Unit, UnitIndex, documents};
use crate::ids::EventId;
use crate::money::Points;
use crate::store::row::{instant, parsed};

/// All events with their layouts.
pub(crate) async fn load(connection: &mut AnyConnection) -> sqlx::Result<Catalogue> {
    let rows = sqlx::query("SELECT * FROM event ORDER BY id").fetch_all(&mut *connection).await?;
    let mut events = Vec::with_capacity(rows.len());
    for row in &rows {
        events.push(Arc::new(event(connection, row).await?));
    }
    Ok(Catalogue::new(events))
}

async fn event(connection: &mut AnyConnection, row: &AnyRow) -> sqlx::Result<Event> {
    let id: EventId = parsed(row, "id", EventId::parse)?;
    let layout: String = row.try_get("layout")?;
    let offers = offers(connection, &id).await?;
    let sections = sections(connection, &id, &layout, &offers).await?;
    let units = units(connection, &layout, &sections).await?;
    let seconds = |column| row.try_get::<i64, _>(column).map(|value| Duration::from_secs(value.unsigned_abs()));
    let count = |column| row.try_get::<i64, _>(column).map(|value| usize::try_from(value).unwrap_or(usize::MAX));
    let mut event = Event {
        id,
        name: row.try_get("name")?,
        title: Bilingual { en: row.try_get("title_en")?, ko: row.try_get("title_ko")? },
        venue: Bilingual { en: row.try_get("venue_en")?, ko: row.try_get("venue_ko")? },
        seller: row.try_get("seller")?,
        opens_at: instant(row, "opens_at")?,
        closes_at: instant(row, "closes_at")?,
        starts_at: instant(row, "starts_at")?,
        hold_for: seconds("hold_seconds")?,
        hold_ceiling: seconds("hold_ceiling_seconds")?,
        max_units_per_hold: count("max_units_per_hold")?,
        max_units_per_customer: count("max_units_per_customer")?,
        unit_by_id: units.iter().enumerate().map(|(index, unit)| (unit.id.clone(), UnitIndex(index))).collect(),
        map_tag: format!("\"{layout}\""),
        layout,
        offers,
        sections,
        units,
        map: Bytes::new(),
    };
    event.map = documents::map(&event);
    Ok(event)
}

async fn offers(connection: &mut AnyConnection, event: &EventId) -> sqlx::Result<Vec<Offer>> {
    let rows = sqlx::query("SELECT name, amount FROM offer WHERE event = $1 ORDER BY rank")
        .bind(event.to_string())
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Ok(Offer { name: row.try_get("name")?, price: Points(row.try_get("amount")?) })).collect()
}

async fn sections(
    connection: &mut AnyConnection,
    event: &EventId,
    layout: &str,
    offers: &[Offer],
) -> sqlx::Result<Vec<Section>> {
    let rows = sqlx::query(
        "SELECT s.name, o.offer FROM section s JOIN offer_section o ON o.event = $1 AND o.section = s.name
         WHERE s.layout = $2 ORDER BY s.rank",
    )
    .bind(event.to_string())
    .bind(layout)
    .fetch_all(connection)
    .await?;
    let index_of = |name: &str| offers.iter().position(|offer| offer.name == name);
    rows.iter().map(|row| Ok(Section { name: row.try_get("name")?, offer: parsed(row, "offer", index_of)? })).collect()
}

async fn units(connection: &mut AnyConnection, layout: &str, sections: &[Section]) -> sqlx::Result<Vec<Unit>> {
    let index: HashMap<&str, usize> =
        sections.iter().enumerate().map(|(index, section)| (section.name.as_str(), index)).collect();
    let rows =
        sqlx::query("SELECT id, section, row_number, seat_number, x, y FROM unit WHERE layout = $1 ORDER BY rank")
            .bind(layout)
            .fetch_all(connection)
            .await?;
    rows.iter()
        .map(|row| {
            Ok(Unit {
                id: row.try_get("id")?,
                section: parsed(row, "section", |name| index.get(name).copied())?,
                row: row.try_get("row_number")?,
                seat: row.try_get("seat_number")?,
                x: row.try_get("x")?,
                y: row.try_get("y")?,
            })
        })
        .collect()
}
