//! Hosts, paths and names of protocols as values of the configuration.

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

/// The name of a protocol that HTTP/1 connections may switch to, in lower case.
#[derive(Clone, Debug)]
pub(in crate::config) struct UpgradeName(pub(in crate::config) String);

/// Switches after which requests would pass that nobody looks at.
const MORE_HTTP: [&str; 3] = ["h2c", "tls", "http"];

impl Read for UpgradeName {
    const KIND: Kind = Kind::Value("the name of a protocol such as \"websocket\"");

    fn read(node: &Node, spot: &Spot, reader: &mut Reader<'_, '_>) -> Option<Self> {
        pattern(node, spot, reader, &Self::KIND, |text| {
            let name = text.to_ascii_lowercase();
            let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~/".contains(&byte);
            if name.is_empty() || !name.bytes().all(is_token) {
                return Err("is no name of a protocol");
            }
            if MORE_HTTP.contains(&name.split('/').next().unwrap_or_default()) {
                return Err("carries requests, which would pass the room without a look at them");
            }
            Ok(Self(name))
        })
    }
}
