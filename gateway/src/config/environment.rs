//! The environment: `USHER__SECTION__KEY` overrides of the file, and `${NAME}` in secrets and URLs.
//!
//! `USHER__STORE__URL=memory:` sets `url` of `[store]`. Items of an array are named by their `name` (or `id`) with `-`
//! written as `_`, or by their index from 0: `USHER__ROOM__CONCERT__TOTAL_ACTIVE_USERS=50`,
//! `USHER__LISTENER__0__BIND=0.0.0.0:80`. Values that are not strings are written as in TOML.

use std::collections::BTreeMap;

use super::document::{Entry, Node, Origin, Spot, Table, Value};
use super::finding::Findings;

/// What every override begins with.
const PREFIX: &str = "USHER__";
/// What parts section from key.
const SEPARATOR: &str = "__";

/// Environment variables, as given by the caller.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process. Those whose name or value is not UTF-8 are left out.
    pub fn of_process() -> Self {
        let readable = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(readable).collect())
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Writes every override into the tree of the file.
    pub(super) fn apply(&self, root: &mut Table, findings: &mut Findings<'_>) {
        for (name, value) in &self.0 {
            let Some(path) = name.strip_prefix(PREFIX) else { continue };
            let steps: Vec<String> = path.split(SEPARATOR).map(str::to_lowercase).collect();
            if let Err(problem) = set(root, &steps, value, name) {
                let spot = Spot { origin: Origin::Variable(name.clone()), key: steps.join(".") };
                findings.error(&spot, problem);
            }
        }
    }

    /// The text with every `${NAME}` replaced.
    ///
    /// # Errors
    /// What cannot be replaced, in words.
    pub(super) fn interpolate(&self, text: &str) -> Result<String, String> {
        let mut rest = text;
        let mut whole = String::with_capacity(text.len());
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').ok_or_else(|| "`${` without `}`; write `${NAME}`".to_owned())?;
            let value = self.get(name).ok_or_else(|| format!("environment variable {name} is not set"))?;
            whole.push_str(before);
            whole.push_str(value);
            rest = after;
        }
        whole.push_str(rest);
        Ok(whole)
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// Names only: values may be secrets.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

fn set(table: &mut Table, steps: &[String], value: &str, variable: &str) -> Result<(), String> {
    let (step, deeper) = steps.split_first().ok_or("names no key")?;
    if step.is_empty() {
        return Err(format!("must be written {PREFIX}SECTION{SEPARATOR}KEY"));
    }
    let origin = Origin::Variable(variable.to_owned());
    if deeper.is_empty() {
        let node = Node { value: Value::Raw(value.to_owned()), origin: origin.clone() };
        match table.get_mut(step) {
            Some(known) => *known = node,
            None => table.0.push(Entry { key: step.clone(), key_origin: origin, node }),
        }
        return Ok(());
    }
    if table.get(step).is_none() {
        let node = Node { value: Value::Table(Table::default()), origin: origin.clone() };
        table.0.push(Entry { key: step.clone(), key_origin: origin, node });
    }
    let node = table.get_mut(step).ok_or("names no key")?;
    descend(node, step, deeper, value, variable)
}

fn descend(node: &mut Node, name: &str, steps: &[String], value: &str, variable: &str) -> Result<(), String> {
    match &mut node.value {
        Value::Table(table) => set(table, steps, value, variable),
        Value::List(items) => {
            let (item_name, deeper) = steps.split_first().ok_or("names no key")?;
            let known = names(items);
            let index = known.iter().position(|known| known == item_name);
            let index = index.or_else(|| item_name.parse().ok().filter(|index| *index < items.len()));
            let item = index.and_then(|index| items.get_mut(index)).ok_or_else(|| {
                format!("there is no {name} {item_name:?}; known: {}, or an index from 0", known.join(", "))
            })?;
            if deeper.is_empty() {
                *item = Node { value: Value::Raw(value.to_owned()), origin: Origin::Variable(variable.to_owned()) };
                return Ok(());
            }
            descend(item, item_name, deeper, value, variable)
        }
        _ => Err(format!("{name} is not a section but {}", node.type_name())),
    }
}

/// The names by which variables call the items of an array.
fn names(items: &[Node]) -> Vec<String> {
    let name = |item: &Node| item.name().unwrap_or_default().to_lowercase().replace('-', "_");
    items.iter().map(name).collect()
}
