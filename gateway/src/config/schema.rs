//! What can be configured, as data: every key with its type, default and meaning, made by the `section!` declarations.

/// A table of the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// As messages call it: `[[room]]`.
    pub title: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Its keys, in the order in which a reader wants to meet them.
    pub keys: &'static [Key],
}

/// A key of a table.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The name.
    pub name: &'static str,
    /// What its value must be.
    pub kind: Kind,
    /// Whether it must be given.
    pub required: bool,
    /// The value when it is not given, as TOML.
    pub default: Option<&'static str>,
    /// What it means.
    pub about: &'static str,
}

/// What a value must be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// One value, described in words with an example.
    Value(&'static str),
    /// A table with keys of its own.
    Table(&'static Section),
    /// An array.
    List(&'static Kind),
}

impl Kind {
    /// What is expected, in words.
    pub(super) fn expected(&self) -> String {
        match self {
            Self::Value(words) => (*words).to_owned(),
            Self::Table(section) => format!("a table, {}", section.title),
            Self::List(Self::Table(section)) => format!("an array of tables, {}", section.title),
            Self::List(Self::Value(words)) => format!("an array, each item {words}"),
            Self::List(Self::List(_)) => "an array of arrays".to_owned(),
        }
    }

    /// The table that this is or is a list of.
    pub const fn section(&self) -> Option<&'static Section> {
        match self {
            Self::Table(section) => Some(section),
            Self::List(item) => item.section(),
            Self::Value(_) => None,
        }
    }
}

impl Section {
    /// The key of this name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// This section and all below it, outer ones first.
    pub fn all(&'static self) -> Vec<&'static Self> {
        let below = self.keys.iter().filter_map(|key| key.kind.section()).flat_map(Self::all);
        std::iter::once(self).chain(below).collect()
    }
}

/// The known name that was probably meant by `given`, if any comes near.
pub(super) fn nearest<'n>(given: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    // A third of the letters wrong is still a slip; more is another word.
    let tolerated = (given.chars().count() / 3).max(1);
    let distance = |name: &&str| strsim::damerau_levenshtein(&given.to_lowercase(), &name.to_lowercase());
    known.map(|name| (distance(&name), name)).min().filter(|(distance, _)| *distance <= tolerated).map(|(_, name)| name)
}
