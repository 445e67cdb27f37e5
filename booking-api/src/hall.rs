//! Draws a concert hall for any number of seats: arcs of rows around a stage, cut into blocks by aisles.

use std::f64::consts::PI;

/// Rows span this angle, symmetric about the stage's axis.
const SPAN: f64 = 140.0 / 180.0 * PI;
/// The angle an aisle takes.
const AISLE: f64 = 2.2 / 180.0 * PI;
/// What aisles leave of a row, about.
const AISLES_LEAVE: f64 = 0.92;
/// Between two rows, and (about) between two seats of a row, in map units.
pub(crate) const PITCH: f64 = 100.0;
/// Between two rings, in rows.
const RING_GAP: usize = 2;
/// From the stage's centre to the first row, as a share of the depth of the hall.
const FRONT: f64 = 0.42;
/// Rings from the front: share of the rows, blocks, and the tier of each block from the left.
const RINGS: [(f64, &[usize]); 3] = [(0.28, &[1, 0, 1]), (0.34, &[2, 1, 1, 1, 2]), (0.38, &[3, 3, 2, 2, 2, 3, 3])];
/// Fewer rows than this make one ring.
const ROWS_FOR_RINGS: usize = 6;

/// One seat.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seat {
    /// `section-row-seat`, unique in the hall.
    pub(crate) id: String,
    pub(crate) section: String,
    /// From the front, counted through the whole hall.
    pub(crate) row: u32,
    /// In its row and section, from the left.
    pub(crate) number: u32,
    /// Map units from the left edge.
    pub(crate) x: i64,
    /// Map units from the upper edge, where the stage is.
    pub(crate) y: i64,
}

/// A block of seats of one price tier.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Block {
    pub(crate) name: String,
    /// Index of the price tier, the dearest first.
    pub(crate) tier: usize,
}

/// Everything one can sit on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hall {
    pub(crate) blocks: Vec<Block>,
    /// Front row first, from the left.
    pub(crate) seats: Vec<Seat>,
}

/// A hall of exactly `count` seats and `tiers` price tiers (at least one).
pub(crate) fn draw(count: u32, tiers: usize) -> Hall {
    // Seats of `rows` rows at the pitch: rows² × (mean radius in rows) × span, less what the aisles take.
    let rows = (f64::from(count) / (AISLES_LEAVE * SPAN * (FRONT + 0.5))).sqrt().ceil() as usize;
    let rings = rings_of(rows);
    let radii: Vec<f64> = rings
        .iter()
        .enumerate()
        .flat_map(|(ring, rows)| rows.clone().map(move |row| (ring, row)))
        .map(|(ring, row)| FRONT * rows as f64 + (row + ring * RING_GAP) as f64)
        .collect();
    let per_row = shares(count, &radii);

    let mut hall = Hall { blocks: Vec::new(), seats: Vec::with_capacity(count as usize) };
    for (ring, ring_rows) in rings.iter().enumerate() {
        let tiers_of_blocks: &[usize] = if rings.len() == 1 { RINGS[0].1 } else { RINGS[ring].1 };
        let first_block = hall.blocks.len();
        for tier in tiers_of_blocks {
            let name = block_name(hall.blocks.len());
            hall.blocks.push(Block { name, tier: (*tier).min(tiers.saturating_sub(1)) });
        }
        for row in ring_rows.clone() {
            let blocks = &hall.blocks[first_block..];
            let in_blocks = shares(per_row[row], &vec![1.0; blocks.len()]);
            let mut seats = Vec::new();
            for (index, (block, in_block)) in blocks.iter().zip(in_blocks).enumerate() {
                let width = (SPAN - AISLE * (blocks.len() - 1) as f64) / blocks.len() as f64;
                let left = -SPAN / 2.0 + index as f64 * (width + AISLE);
                for number in 0..in_block {
                    let angle = left + width * (f64::from(number) + 0.5) / f64::from(in_block);
                    let radius = radii[row] * PITCH;
                    seats.push(Seat {
                        id: format!("{}-{}-{}", block.name, row + 1, number + 1),
                        section: block.name.clone(),
                        row: row as u32 + 1,
                        number: number + 1,
                        x: (radius * angle.sin()).round() as i64,
                        y: (radius * angle.cos()).round() as i64,
                    });
                }
            }
            hall.seats.append(&mut seats);
        }
    }
    let left = hall.seats.iter().map(|seat| seat.x).min().unwrap_or_default();
    for seat in &mut hall.seats {
        seat.x -= left;
    }
    hall
}

/// The rows of each ring, from the front; none is empty.
fn rings_of(rows: usize) -> Vec<std::ops::Range<usize>> {
    if rows < ROWS_FOR_RINGS {
        return std::iter::once(0..rows).collect();
    }
    let first = (rows as f64 * RINGS[0].0).round() as usize;
    let second = first + (rows as f64 * RINGS[1].0).round() as usize;
    vec![0..first, first..second, second..rows]
}

/// Cuts `total` into whole parts proportional to `weights` by largest remainder, so that they add up exactly.
fn shares(total: u32, weights: &[f64]) -> Vec<u32> {
    let sum: f64 = weights.iter().sum();
    let exact: Vec<f64> = weights.iter().map(|weight| f64::from(total) * weight / sum).collect();
    let mut parts: Vec<u32> = exact.iter().map(|part| part.floor() as u32).collect();
    let mut by_remainder: Vec<usize> = (0..weights.len()).collect();
    by_remainder.sort_by(|a, b| exact[*b].fract().total_cmp(&exact[*a].fract()).then(a.cmp(b)));
    let missing = total - parts.iter().sum::<u32>();
    for index in by_remainder.into_iter().cycle().take(missing as usize) {
        parts[index] += 1;
    }
    parts
}

/// A, B, … Z, AA, AB, …
fn block_name(index: usize) -> String {
    let letter = char::from(b'A' + (index % 26) as u8);
    if index < 26 { letter.to_string() } else { format!("{}{letter}", block_name(index / 26 - 1)) }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// A hall has exactly the seats asked for, each with its own name, whatever the number.
    #[test]
    fn has_exactly_the_seats_asked_for() {
        for count in (1..200).chain([500, 4_999, 5_000, 20_000]) {
            let hall = draw(count, 4);
            let names: HashSet<&str> = hall.seats.iter().map(|seat| seat.id.as_str()).collect();
            assert_eq!((hall.seats.len(), names.len()), (count as usize, count as usize));
            assert!(hall.blocks.iter().all(|block| block.tier < 4));
        }
    }

    /// No two seats of the large hall overlap on the map.
    #[test]
    fn seats_do_not_overlap() {
        let hall = draw(5_000, 4);
        for (index, a) in hall.seats.iter().enumerate() {
            for b in &hall.seats[index + 1..] {
                let (dx, dy) = ((a.x - b.x) as f64, (a.y - b.y) as f64);
                assert!(dx.hypot(dy) >= 70.0, "{} and {}", a.id, b.id);
            }
        }
    }
}
