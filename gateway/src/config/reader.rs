//! From the tree of the file to typed fields: unknown keys, missing keys and wrong types are told here, all of them.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use super::document::{Node, Spot, Table, Value};
use super::environment::Environment;
use super::finding::Findings;
use super::schema::{Kind, Section, nearest};

/// What reading needs at hand.
#[derive(Debug)]
pub(super) struct Reader<'r, 'f> {
    /// Where problems go.
    pub(super) findings: &'r mut Findings<'f>,
    /// The environment variables.
    pub(super) environment: &'r Environment,
    /// The folder of the configuration file: relative paths in it start here.
    pub(super) folder: &'r Path,
    /// The whole of what can be configured.
    pub(super) schema: &'static Section,
}

/// What can be the value of a key.
pub(super) trait Read: Sized {
    /// What must be written.
    const KIND: Kind;
    /// Whether a key of this type without a default must be given.
    const REQUIRED: bool = true;

    /// The value of `node`; `None` when it is wrong and this was told.
    fn read(node: &Node, spot: &Spot, reader: &mut Reader<'_, '_>) -> Option<Self>;

    /// What a key of this type without a default means when it is not given; `None`: it must be.
    fn absent(_spot: &Spot, _reader: &mut Reader<'_, '_>) -> Option<Self> {
        None
    }
}

/// The value of a key and where it stands. `value` is `None` only when it was wrong or missing and this was told.
#[derive(Clone, Debug)]
pub(super) struct Field<T> {
    pub(super) spot: Spot,
    pub(super) value: Option<T>,
    /// Whether it was given, not defaulted.
    pub(super) given: bool,
}

impl<T> Field<T> {
    /// The value, unless it was wrong.
    pub(super) const fn get(&self) -> Option<&T> {
        self.value.as_ref()
    }
}

impl<T: Copy> Field<T> {
    /// A copy of the value, unless it was wrong.
    pub(super) const fn copied(&self) -> Option<T> {
        self.value
    }
}

impl<T> Field<Option<T>> {
    /// The value, if one was given and right.
    pub(super) fn given(&self) -> Option<&T> {
        self.value.as_ref().and_then(Option::as_ref)
    }
}

impl Reader<'_, '_> {
    /// The value of `name` in `table`, or its default. A wrong value is told, and the default stands in for it so that
    /// the checks after this one can go on.
    pub(super) fn field<T: Read>(
        &mut self,
        table: &Table,
        section: &Section,
        at: &Spot,
        (name, default): (&str, Option<&str>),
    ) -> Field<T> {
        let node = table.get(name);
        let spot = at.inside(name, node.map_or_else(|| at.origin.clone(), |node| node.origin.clone()));
        let read = node.and_then(|node| T::read(node, &spot, self));
        let given = node.is_some();
        let value = match (read, default) {
            (Some(value), _) => Some(value),
            (None, Some(text)) => T::read(&Node::of_default(text, &spot.origin), &spot, self),
            (None, None) if given => None,
            (None, None) => {
                if T::REQUIRED {
                    self.findings.error(&spot, format!("missing key \"{name}\" in {}", section.title));
                }
                T::absent(&spot, self)
            }
        };
        Field { spot, value, given }
    }

    /// Tells every key of `table` that `section` does not have.
    pub(super) fn tell_unknown_keys(&mut self, table: &Table, section: &Section, at: &Spot) {
        for entry in &table.0 {
            if section.key(&entry.key).is_some() {
                continue;
            }
            let mut message = format!("unknown key \"{}\" in {}", entry.key, section.title);
            let elsewhere = || self.schema.all().into_iter().find(|other| other.key(&entry.key).is_some());
            if let Some(meant) = nearest(&entry.key, section.keys.iter().map(|key| key.name)) {
                message.push_str(&format!("; did you mean \"{meant}\"?"));
            } else if let Some(other) = elsewhere() {
                message.push_str(&format!("; it is a key of {}", other.title));
            } else {
                let known: Vec<_> = section.keys.iter().map(|key| key.name).collect();
                message.push_str(&format!("; known: {}", known.join(", ")));
            }
            self.findings.error(&at.inside(&entry.key, entry.key_origin.clone()), message);
        }
    }

    /// Tells every name after the first that stands for something else already.
    pub(super) fn tell_twice<'n>(&mut self, names: impl Iterator<Item = (&'n str, &'n Spot)>) {
        let mut known = HashSet::new();
        for (name, spot) in names {
            if !known.insert(name) {
                self.findings.error(spot, format!("\"{name}\" is used twice; names must differ"));
            }
        }
    }

    /// A duration above zero, or a told mistake.
    pub(super) fn positive(&mut self, field: &Field<Duration>) -> Option<Duration> {
        let duration = field.copied()?;
        if duration.is_zero() {
            self.findings.error(&field.spot, "must be longer than nothing");
            return None;
        }
        Some(duration)
    }

    /// Tells that `node` is not of the kind that was expected.
    pub(super) fn tell_mistyped(&mut self, node: &Node, spot: &Spot, kind: &Kind) {
        let message = format!("expected {}, found {}", kind.expected(), node.type_name());
        self.findings.error(spot, message);
    }
}

impl<T: Read> Read for Option<T> {
    const KIND: Kind = T::KIND;
    const REQUIRED: bool = false;

    fn read(node: &Node, spot: &Spot, reader: &mut Reader<'_, '_>) -> Option<Self> {
        T::read(node, spot, reader).map(Some)
    }

    fn absent(_: &Spot, _: &mut Reader<'_, '_>) -> Option<Self> {
        Some(None)
    }
}

impl<T: Read> Read for Vec<Field<T>> {
    const KIND: Kind = Kind::List(&T::KIND);
    const REQUIRED: bool = false;

    fn read(node: &Node, spot: &Spot, reader: &mut Reader<'_, '_>) -> Option<Self> {
        let typed = node.typed();
        let Value::List(items) = &typed.value else {
            reader.tell_mistyped(&typed, spot, &Self::KIND);
            return None;
        };
        let mut fields = Self::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let label = item.name().map_or_else(|| index.to_string(), str::to_owned);
            let spot = spot.inside(&label, item.origin.clone());
            fields.push(Field { value: T::read(item, &spot, reader), spot, given: true });
        }
        Some(fields)
    }

    fn absent(_: &Spot, _: &mut Reader<'_, '_>) -> Option<Self> {
        Some(Self::new())
    }
}

/// Declares a section: its keys with type, default (a TOML value) and meaning, once. From it come the wire struct, the
/// reader, the list of known keys and the schema.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $name:ident, $title:literal {
            $($(#[doc = $doc:literal])+ $key:ident: $type:ty $(= $default:tt)?,)*
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug)]
        pub(in crate::config) struct $name {
            /// Where the table stands.
            #[allow(dead_code, reason = "not every section has a check of its own")]
            pub(in crate::config) spot: $crate::config::document::Spot,
            $($(#[doc = $doc])+ pub(in crate::config) $key: $crate::config::reader::Field<$type>,)*
        }

        impl $name {
            /// Its keys.
            pub(in crate::config) const SECTION: $crate::config::schema::Section = $crate::config::schema::Section {
                title: $title,
                about: concat!($($about, "\n"),+),
                keys: &[$($crate::config::schema::Key {
                    name: stringify!($key),
                    kind: <$type as $crate::config::reader::Read>::KIND,
                    required: <$type as $crate::config::reader::Read>::REQUIRED
                        && $crate::config::reader::section!(@default $($default)?).is_none(),
                    default: $crate::config::reader::section!(@default $($default)?),
                    about: concat!($($doc, "\n"),+),
                },)*],
            };

            fn read_table(
                table: &$crate::config::document::Table,
                spot: &$crate::config::document::Spot,
                reader: &mut $crate::config::reader::Reader<'_, '_>,
            ) -> Self {
                reader.tell_unknown_keys(table, &Self::SECTION, spot);
                Self {
                    spot: spot.clone(),
                    $($key: reader.field(
                        table,
                        &Self::SECTION,
                        spot,
                        (stringify!($key), $crate::config::reader::section!(@default $($default)?)),
                    ),)*
                }
            }
        }

        impl $crate::config::reader::Read for $name {
            const KIND: $crate::config::schema::Kind = $crate::config::schema::Kind::Table(&Self::SECTION);
            const REQUIRED: bool = false;

            fn read(
                node: &$crate::config::document::Node,
                spot: &$crate::config::document::Spot,
                reader: &mut $crate::config::reader::Reader<'_, '_>,
            ) -> Option<Self> {
                let typed = node.typed();
                match &typed.value {
                    $crate::config::document::Value::Table(table) => Some(Self::read_table(table, spot, reader)),
                    _ => {
                        reader.tell_mistyped(&typed, spot, &Self::KIND);
                        None
                    }
                }
            }

            /// A section that is not written has the defaults of its keys; keys that must be given are told.
            fn absent(
                spot: &$crate::config::document::Spot,
                reader: &mut $crate::config::reader::Reader<'_, '_>,
            ) -> Option<Self> {
                Some(Self::read_table(&$crate::config::document::Table::default(), spot, reader))
            }
        }
    };
    (@default) => { None::<&'static str> };
    (@default $default:tt) => { Some(stringify!($default)) };
}

/// Declares an enum whose variants are words of the configuration; with `impl`, names the words of one that exists.
macro_rules! choice {
    (
        $(#[$meta:meta])*
        pub enum $name:ident ($words:literal) {
            $($(#[doc = $doc:literal])+ $variant:ident = $word:literal,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl $name {
            /// The word for it in the configuration.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        $crate::config::reader::choice! { impl $name ($words) { $($variant = $word,)+ } }
    };
    (impl $name:ident ($words:literal) { $($variant:ident = $word:literal,)+ }) => {
        impl $crate::config::reader::Read for $name {
            const KIND: $crate::config::schema::Kind = $crate::config::schema::Kind::Value(concat!("one of ", $words));

            fn read(
                node: &$crate::config::document::Node,
                spot: &$crate::config::document::Spot,
                reader: &mut $crate::config::reader::Reader<'_, '_>,
            ) -> Option<Self> {
                let Some(text) = node.text() else {
                    reader.tell_mistyped(node, spot, &Self::KIND);
                    return None;
                };
                match text {
                    $($word => Some(Self::$variant),)+
                    other => {
                        let known = [$($word),+];
                        let mut message = format!("unknown value \"{other}\"; one of {}", known.join(", "));
                        if let Some(meant) = $crate::config::schema::nearest(other, known.into_iter()) {
                            message.push_str(&format!("; did you mean \"{meant}\"?"));
                        }
                        reader.findings.error(spot, message);
                        None
                    }
                }
            }
        }
    };
}

pub(super) use {choice, section};
