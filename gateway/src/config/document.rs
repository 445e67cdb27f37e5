//! The configuration file as a tree in which every key and value knows where it stands.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Where a key or value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Bytes of the file.
    File(Range<usize>),
    /// An environment variable.
    Variable(String),
    /// The file as a whole.
    Whole,
}

/// Where a key or value stands, and what it is called from the root on: `room.concert.burst`.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    pub(super) origin: Origin,
    pub(super) key: String,
}

impl Spot {
    /// The start of the file.
    pub(super) const fn root() -> Self {
        Self { origin: Origin::Whole, key: String::new() }
    }

    /// Something called `name` inside this spot, at `origin`.
    pub(super) fn inside(&self, name: &str, origin: Origin) -> Self {
        let key = if self.key.is_empty() { name.to_owned() } else { format!("{}.{name}", self.key) };
        Self { origin, key }
    }
}

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Integer(String),
    Float(String),
    Flag(bool),
    Datetime(String),
    List(Vec<Node>),
    Table(Table),
    /// The text of an environment variable: whoever reads it knows what type it should have.
    Raw(String),
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// Keys and values in the order of the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Table(pub(super) Vec<Entry>);

/// One key of a table.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_origin: Origin,
    pub(super) node: Node,
}

/// A fault of the TOML itself: what, and at which bytes.
#[derive(Debug)]
pub(super) struct SyntaxError {
    pub(super) span: Range<usize>,
    pub(super) message: String,
}

impl Table {
    /// The tree of a file.
    ///
    /// # Errors
    /// Every fault of the TOML itself.
    pub(super) fn parse(text: &str) -> Result<Self, Vec<SyntaxError>> {
        let (table, errors) = DeTable::parse_recoverable(text);
        if errors.is_empty() {
            return Ok(Self::from_toml(table.get_ref()));
        }
        let fault = |error: &toml::de::Error| SyntaxError {
            span: error.span().unwrap_or_default(),
            message: error.message().to_owned(),
        };
        Err(errors.iter().map(fault).collect())
    }

    /// The value of `key`.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.0.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// The value of `key`, to change it.
    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.0.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.node)
    }

    fn from_toml(table: &DeTable<'_>) -> Self {
        let entry = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| Entry {
            key: std::borrow::Cow::<str>::to_string(key.get_ref()),
            key_origin: Origin::File(key.span()),
            node: Node::from_toml(value),
        };
        let mut entries: Vec<Entry> = table.iter().map(entry).collect();
        entries.sort_by_key(|entry| match &entry.key_origin {
            Origin::File(span) => span.start,
            Origin::Variable(_) | Origin::Whole => 0,
        });
        Self(entries)
    }
}

impl Node {
    /// The word by which messages call the type of this value.
    pub(super) const fn type_name(&self) -> &'static str {
        match self.value {
            Value::Text(_) | Value::Raw(_) => "a string",
            Value::Integer(_) => "an integer",
            Value::Float(_) => "a float",
            Value::Flag(_) => "a boolean",
            Value::Datetime(_) => "a date-time",
            Value::List(_) => "an array",
            Value::Table(_) => "a table",
        }
    }

    /// The text of a string.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) | Value::Raw(text) => Some(text),
            _ => None,
        }
    }

    /// The name of a table that has one: its `name` or `id`.
    pub(super) fn name(&self) -> Option<&str> {
        let Value::Table(table) = &self.value else { return None };
        table.get("name").or_else(|| table.get("id")).and_then(Node::text)
    }

    /// The value with the text of a variable read as TOML, where it is TOML.
    pub(super) fn typed(&self) -> std::borrow::Cow<'_, Self> {
        let Value::Raw(text) = &self.value else { return std::borrow::Cow::Borrowed(self) };
        let mut node = match DeValue::parse(text) {
            Ok(value) => Self::from_toml(&value),
            Err(_) => Self { value: Value::Text(text.clone()), origin: self.origin.clone() },
        };
        node.move_to(&self.origin);
        std::borrow::Cow::Owned(node)
    }

    /// The value that `text`, a TOML value written in our own source, stands for.
    pub(super) fn of_default(text: &str, origin: &Origin) -> Self {
        let raw = Self { value: Value::Raw(text.to_owned()), origin: origin.clone() };
        raw.typed().into_owned()
    }

    fn from_toml(value: &Spanned<DeValue<'_>>) -> Self {
        let plain = match value.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => Value::Integer(decimal(number)),
            DeValue::Float(number) => Value::Float(number.to_string()),
            DeValue::Boolean(flag) => Value::Flag(*flag),
            DeValue::Datetime(instant) => Value::Datetime(instant.to_string()),
            DeValue::Array(items) => Value::List(items.iter().map(Self::from_toml).collect()),
            DeValue::Table(table) => Value::Table(Table::from_toml(table)),
        };
        Self { value: plain, origin: Origin::File(value.span()) }
    }

    fn move_to(&mut self, origin: &Origin) {
        self.origin = origin.clone();
        match &mut self.value {
            Value::List(items) => items.iter_mut().for_each(|item| item.move_to(origin)),
            Value::Table(table) => table.0.iter_mut().for_each(|entry| {
                entry.key_origin = origin.clone();
                entry.node.move_to(origin);
            }),
            _ => {}
        }
    }
}

/// An integer in decimal digits; TOML also writes them in bases 2, 8 and 16. One that fits no `i128` keeps its text.
fn decimal(number: &toml::de::DeInteger<'_>) -> String {
    match i128::from_str_radix(number.as_str(), number.radix()) {
        Ok(value) => value.to_string(),
        Err(_) => number.as_str().to_owned(),
    }
}
