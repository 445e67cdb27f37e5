//! Amounts as documents show them.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

/// The one currency so far: points, without minor units.
const POINTS: &str = "PTS";

/// An amount of points, whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Points(pub(crate) i64);

impl Serialize for Points {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut money = serializer.serialize_struct("Money", 2)?;
        money.serialize_field("amount", &self.0)?;
        money.serialize_field("currency", POINTS)?;
        money.end()
    }
}
