//! Durations and sizes: strings with a unit, because a bare number hides what it counts.

use std::time::Duration;

use super::document::{Node, Spot, Value};
use super::reader::{Read, Reader};
use super::scalar::parsed;
use super::schema::Kind;

const TIME_UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZE_UNITS: [(&str, u64); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

impl Read for Duration {
    const KIND: Kind = Kind::Value("a duration with a unit (ms, s, m, h, d) such as \"180s\"");

    fn read(node: &Node, spot: &Spot, reader: &mut Reader<'_, '_>) -> Option<Self> {
        without_unit(node, spot, reader, &Self::KIND, "s")?;
        parsed(node, spot, reader, &Self::KIND, |text| with_unit(text, &TIME_UNITS).map(Self::from_millis))
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ByteSize(pub(super) usize);

impl Read for ByteSize {
    const KIND: Kind = Kind::Value("a size with a unit (B, KiB, MiB, GiB) such as \"16KiB\"");

    fn read(node: &Node, spot: &Spot, reader: &mut Reader<'_, '_>) -> Option<Self> {
        without_unit(node, spot, reader, &Self::KIND, "B")?;
        parsed(node, spot, reader, &Self::KIND, |text| {
            with_unit(text, &SIZE_UNITS).and_then(|bytes| usize::try_from(bytes).ok()).map(Self)
        })
    }
}

/// Tells a bare number, with what was probably meant.
fn without_unit(node: &Node, spot: &Spot, reader: &mut Reader<'_, '_>, kind: &Kind, unit: &str) -> Option<()> {
    let Value::Integer(digits) = &node.value else { return Some(()) };
    reader.findings.error(spot, format!("expected {}, found {digits}; write \"{digits}{unit}\"?", kind.expected()));
    None
}

/// `12ms` in the smallest unit; digits may be parted by underscores as in TOML.
fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits_end = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(digits_end)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    digits.replace('_', "").parse::<u64>().ok()?.checked_mul(*factor)
}

/// A duration in the largest unit that shows it exactly, as one would write it.
pub(super) fn shown(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let fits = |(_, factor): &&(&str, u64)| millis % factor == 0 && millis > 0;
    let (unit, factor) = TIME_UNITS.iter().rev().find(fits).unwrap_or(&("ms", 1));
    format!("{}{unit}", millis / factor)
}
