//! The texts of one language, from its Fluent file, complete or refused.

use std::collections::BTreeMap;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};

use super::PageError;
use super::language::Language;

/// Names a text may leave open. In the texts for the script they stay as `{name}`, to be filled there.
const FIELDS: [&str; 5] = ["value", "low", "high", "time", "n"];
/// Numbers that stand for the plural forms of our languages, by the form's name.
const PLURALS: [(&str, u64); 2] = [("one", 1), ("other", 2)];

/// A text for the script: one string, or one for each plural form.
#[derive(Debug, serde::Serialize)]
#[serde(untagged)]
pub(super) enum Word {
    Plain(String),
    Plural(BTreeMap<&'static str, String>),
}

/// The texts of one language.
pub(super) struct Texts {
    language: Language,
    bundle: FluentBundle<FluentResource>,
    ids: Vec<&'static str>,
}

impl Texts {
    pub(super) fn load(language: Language) -> Result<Self, PageError> {
        let source = source(language);
        let fault = |detail: String| PageError::Texts { language: language.tag(), detail };
        let resource =
            FluentResource::try_new(source.to_owned()).map_err(|(_, errors)| fault(format!("{errors:?}")))?;
        let locale = language.tag().parse().map_err(|error| fault(format!("{error}")))?;
        let mut bundle = FluentBundle::new_concurrent(vec![locale]);
        // Isolation marks would show up in titles; none of our texts mixes directions.
        bundle.set_use_isolating(false);
        bundle.add_resource(resource).map_err(|errors| fault(format!("{errors:?}")))?;
        Ok(Self { language, bundle, ids: ids(source).collect() })
    }

    pub(super) fn ids(&self) -> &[&'static str] {
        &self.ids
    }

    /// The text of `id`, with its fields filled.
    pub(super) fn say(&self, id: &str, fields: &[(&'static str, FluentValue<'_>)]) -> Result<String, PageError> {
        let pattern = self.bundle.get_message(id).and_then(|message| message.value());
        let pattern = pattern.ok_or_else(|| self.fault(id, "no such text"))?;
        let args: FluentArgs<'_> = fields.iter().map(|(name, value)| (*name, value.clone())).collect();
        let mut errors = Vec::new();
        let text = self.bundle.format_pattern(pattern, Some(&args), &mut errors).into_owned();
        match errors.first() {
            None => Ok(text),
            Some(error) => Err(self.fault(id, &error.to_string())),
        }
    }

    /// The text of `id` with its fields left open.
    pub(super) fn word(&self, id: &str) -> Result<Word, PageError> {
        let mut forms = BTreeMap::new();
        for (form, n) in PLURALS {
            let open: Vec<_> = FIELDS
                .iter()
                .map(|name| match *name {
                    "n" => ("n", FluentValue::from(n)),
                    name => (name, FluentValue::from(format!("{{{name}}}"))),
                })
                .collect();
            forms.insert(form, self.say(id, &open)?);
        }
        let alike = forms.values().collect::<std::collections::BTreeSet<_>>().len() == 1;
        Ok(match forms.remove("other") {
            Some(text) if alike => Word::Plain(text),
            Some(text) => {
                forms.insert("other", text);
                Word::Plural(forms)
            }
            None => Word::Plural(forms),
        })
    }

    fn fault(&self, id: &str, detail: &str) -> PageError {
        PageError::Texts { language: self.language.tag(), detail: format!("{id}: {detail}") }
    }
}

fn source(language: Language) -> &'static str {
    match language {
        Language::English => include_str!("en.ftl"),
        Language::Korean => include_str!("ko.ftl"),
    }
}

/// The ids of a Fluent file: what stands at the start of a line before `=`.
fn ids(source: &'static str) -> impl Iterator<Item = &'static str> {
    source
        .lines()
        .filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()))
        .filter_map(|line| line.split_once('=').map(|(id, _)| id.trim()))
}
