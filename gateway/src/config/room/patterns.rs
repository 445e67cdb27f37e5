//! Hosts and paths as values of the configuration.

use crate::config::document::{Node, Spot};
use crate::config::reader::{Read, Reader};
use crate::config::scalar::text_of;
use crate::config::schema::Kind;
use crate::route::{HostPattern, OpenPattern, RoomPath};

/// What `parse` makes of a string; its own words for what is wrong.
fn pattern<T, E: std::fmt::Display>(
    node: &Node,
    spot: &Spot,
    reader: &mut Reader<'_, '_>,
    kind: &Kind,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Option<T> {
    let text = text_of(node, spot, reader, kind)?;
    match parse(text) {
        Ok(value) => Some(value),
        Err(problem) => {
            reader.findings.error(spot, format!("\"{text}\": {problem}"));
            None
        }
    }
}

impl Read for HostPattern {
    const KIND: Kind = Kind::Value("a host without port, or \"*\"");

    fn read(node: &Node, spot: &Spot, reader: &mut Reader<'_, '_>) -> Option<Self> {
        pattern(node, spot, reader, &Self::KIND, Self::parse)
    }
}

impl Read for RoomPath {
    const KIND: Kind = Kind::Value("a path such as \"/shop\"");

    fn read(node: &Node, spot: &Spot, reader: &mut Reader<'_, '_>) -> Option<Self> {
        pattern(node, spot, reader, &Self::KIND, Self::parse)
    }
}

impl Read for OpenPattern {
    const KIND: Kind = Kind::Value("a path such as \"/favicon.ico\" or \"/assets/*\"");

    fn read(node: &Node, spot: &Spot, reader: &mut Reader<'_, '_>) -> Option<Self> {
        pattern(node, spot, reader, &Self::KIND, Self::parse)
    }
}
