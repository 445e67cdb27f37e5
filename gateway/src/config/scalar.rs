//! Plain values: texts, flags, numbers, addresses, instants.

use std::net::SocketAddr;

use ipnet::IpNet;
use queue_core::{RoomId, Timestamp};

use super::document::{Node, Spot, Value};
use super::reader::{Read, Reader};
use super::schema::Kind;

/// A text without `${NAME}`, which is read in secrets and URLs only: elsewhere it would hide what is configured.
impl Read for String {
    const KIND: Kind = Kind::Value("a string");

    fn read(node: &Node, spot: &Spot, reader: &mut Reader<'_, '_>) -> Option<Self> {
        let text = text_of(node, spot, reader, &Self::KIND)?;
        if text.contains("${") {
            reader.findings.error(
                spot,
                "`${NAME}` is read in secrets and URLs only; for other keys set the variable USHER__SECTION__KEY",
            );
            return None;
        }
        Some(text.to_owned())
    }
}

/// The name of a listener, upstream or limit: a label of metrics, so short and of few characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name(pub(super) String);

impl Read for Name {
    const KIND: Kind = Kind::Value("a name, 1 to 32 characters of a-z, 0-9 and '-'");

    fn read(node: &Node, spot: &Spot, reader: &mut Reader<'_, '_>) -> Option<Self> {
        RoomId::read(node, spot, reader).map(|name| Self(name.as_str().to_owned()))
    }
}

impl Read for RoomId {
    const KIND: Kind = Name::KIND;

    fn read(node: &Node, spot: &Spot, reader: &mut Reader<'_, '_>) -> Option<Self> {
        let text = text_of(node, spot, reader, &Self::KIND)?;
        let name = Self::new(text).ok();
        if name.is_none() {
            reader.findings.error(spot, format!("expected {}, found {text:?}", Self::KIND.expected()));
        }
        name
    }
}

impl Read for bool {
    const KIND: Kind = Kind::Value("true or false");

    fn read(node: &Node, spot: &Spot, reader: &mut Reader<'_, '_>) -> Option<Self> {
        let typed = node.typed();
        match typed.value {
            Value::Flag(flag) => Some(flag),
            _ => {
                reader.tell_mistyped(&typed, spot, &Self::KIND);
                None
            }
        }
    }
}

/// An integer that must lie in the range of `T`.
fn integer<T: TryFrom<i128>>(node: &Node, spot: &Spot, reader: &mut Reader<'_, '_>, kind: &Kind) -> Option<T> {
    let typed = node.typed();
    let Value::Integer(digits) = &typed.value else {
        reader.tell_mistyped(&typed, spot, kind);
        return None;
    };
    let number = digits.parse::<i128>().ok().and_then(|number| T::try_from(number).ok());
    if number.is_none() {
        reader.findings.error(spot, format!("expected {}, found {digits}", kind.expected()));
    }
    number
}

impl Read for u8 {
    const KIND: Kind = Kind::Value("an integer from 0 to 255");

    fn read(node: &Node, spot: &Spot, reader: &mut Reader<'_, '_>) -> Option<Self> {
        integer(node, spot, reader, &Self::KIND)
    }
}

impl Read for u16 {
    const KIND: Kind = Kind::Value("an integer from 0 to 65535");

    fn read(node: &Node, spot: &Spot, reader: &mut Reader<'_, '_>) -> Option<Self> {
        integer(node, spot, reader, &Self::KIND)
    }
}

impl Read for u32 {
    const KIND: Kind = Kind::Value("an integer from 0 to 4294967295");

    fn read(node: &Node, spot: &Spot, reader: &mut Reader<'_, '_>) -> Option<Self> {
        integer(node, spot, reader, &Self::KIND)
    }
}

impl Read for f64 {
    const KIND: Kind = Kind::Value("a number");

    fn read(node: &Node, spot: &Spot, reader: &mut Reader<'_, '_>) -> Option<Self> {
        let typed = node.typed();
        let number = match &typed.value {
            Value::Integer(digits) | Value::Float(digits) => digits.parse().ok(),
            _ => None,
        };
        if number.is_none() {
            reader.tell_mistyped(&typed, spot, &Self::KIND);
        }
        number
    }
}

impl Read for SocketAddr {
    const KIND: Kind = Kind::Value("an IP address and a port such as \"0.0.0.0:8080\" or \"[::]:8080\"");

    fn read(node: &Node, spot: &Spot, reader: &mut Reader<'_, '_>) -> Option<Self> {
        parsed(node, spot, reader, &Self::KIND, |text| text.parse().ok())
    }
}

/// A network; a single address is the network of that address.
impl Read for IpNet {
    const KIND: Kind = Kind::Value("a network such as \"10.0.0.0/8\" or \"fd00::/8\"");

    fn read(node: &Node, spot: &Spot, reader: &mut Reader<'_, '_>) -> Option<Self> {
        parsed(node, spot, reader, &Self::KIND, |text| {
            text.parse::<Self>().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(Self::from))
        })
    }
}

/// An instant with its offset from UTC, as a string or as TOML's own date-time.
impl Read for Timestamp {
    const KIND: Kind = Kind::Value("a date and time with its UTC offset such as \"2026-12-01T20:00:00+09:00\"");

    fn read(node: &Node, spot: &Spot, reader: &mut Reader<'_, '_>) -> Option<Self> {
        let text = match &node.value {
            Value::Datetime(text) => text,
            _ => text_of(node, spot, reader, &Self::KIND)?,
        };
        let instant = text.parse::<jiff::Timestamp>().ok();
        let micros = instant.and_then(|instant| u64::try_from(instant.as_microsecond()).ok());
        if micros.is_none() {
            let local = text.parse::<jiff::civil::DateTime>().is_ok();
            let lacking =
                if local { "; it lacks the offset, without which it means another instant everywhere" } else { "" };
            reader.findings.error(spot, format!("expected {}, found \"{text}\"{lacking}", Self::KIND.expected()));
        }
        micros.map(Self::from_micros)
    }
}

/// The text of a string, or a told mistake.
pub(super) fn text_of<'n>(node: &'n Node, spot: &Spot, reader: &mut Reader<'_, '_>, kind: &Kind) -> Option<&'n str> {
    if node.text().is_none() {
        reader.tell_mistyped(node, spot, kind);
    }
    node.text()
}

/// What `parse` makes of the text of a string, or a told mistake.
pub(super) fn parsed<T>(
    node: &Node,
    spot: &Spot,
    reader: &mut Reader<'_, '_>,
    kind: &Kind,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Option<T> {
    let text = text_of(node, spot, reader, kind)?;
    let value = parse(text);
    if value.is_none() {
        reader.findings.error(spot, format!("expected {}, found \"{text}\"", kind.expected()));
    }
    value
}
