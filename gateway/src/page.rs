//! The waiting page and the error pages: whole HTML documents that ask nothing of anyone but this gateway.
//!
//! Texts, style and script are fitted together once, in [`Pages::new`]; a request fills in what is its own.

mod inline;
mod language;
mod phase;
mod texts;
mod view;
mod wording;

use std::collections::BTreeMap;

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};

pub use self::language::Language;
pub use self::view::{ErrorView, MoveReason, PageState, WaitingView};

use self::language::Negotiation;
use self::phase::{Part, Phase};
use self::texts::{Texts, Word};

/// Steps one rendering may take; a page takes about a tenth, and a template that loops ends here.
const RENDER_FUEL: u64 = 10_000;
/// The shortest reload interval of a page without scripts, in seconds: 0 would be a reload loop.
const MIN_REFRESH_SECONDS: u64 = 1;

/// Why pages cannot be built or written. Always a fault of our own templates or texts, never of a request.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// A template does not compile, or names something it was not given.
    #[error("page template: {0}")]
    Template(#[from] minijinja::Error),
    /// A text is missing or broken.
    #[error("page texts ({language}): {detail}")]
    Texts {
        /// The tag of the language concerned.
        language: &'static str,
        /// The text and what is wrong with it.
        detail: String,
    },
    /// The texts for the script cannot be written as JSON.
    #[error("page texts for the script: {0}")]
    Script(#[from] serde_json::Error),
}

/// All pages in all languages, compiled and checked. Cheap to share between threads.
pub struct Pages {
    templates: Environment<'static>,
    negotiation: Negotiation,
    english: Words,
    korean: Words,
    policy: String,
}

/// One language: what a request fills in, and what is the same in every page.
struct Words {
    language: Language,
    texts: Texts,
    /// Texts without open fields, by id.
    fixed: Value,
    /// The script's texts, as JSON.
    script: Value,
}

impl Pages {
    /// Compiles templates and texts.
    ///
    /// # Errors
    ///
    /// If a template or a text is broken, or a language lacks a text that another has.
    pub fn new() -> Result<Self, PageError> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_auto_escape_callback(|_| AutoEscape::Html);
        templates.set_fuel(Some(RENDER_FUEL));
        templates.add_template("layout.html", include_str!("page/layout.html"))?;
        templates.add_template("waiting.html", include_str!("page/waiting.html"))?;
        templates.add_template("error.html", include_str!("page/error.html"))?;

        let english = Words::load(Language::English)?;
        let korean = Words::load(Language::Korean)?;
        same_texts(&english, &korean)?;
        let style = inline::squeeze(include_str!("page/style.css"));
        let script = inline::squeeze(include_str!("page/script.js"));
        let policy = inline::policy(&style, &script);
        templates.add_global("style", Value::from_safe_string(style));
        templates.add_global("script", Value::from_safe_string(script));
        Ok(Self { templates, negotiation: Negotiation::new(), english, korean, policy })
    }

    /// The language for a request's `Accept-Language`; English when it asks for none that the pages have.
    pub fn negotiate(&self, accept_language: Option<&str>) -> Language {
        self.negotiation.choose(accept_language)
    }

    /// The `Content-Security-Policy` of every page: visible ASCII, the same for the life of the process.
    pub fn content_security_policy(&self) -> &str {
        &self.policy
    }

    /// The waiting page, complete without scripts, kept up to date by its script where there is one.
    ///
    /// # Errors
    ///
    /// If our own template or texts are at fault; never because of what is in `view`.
    pub fn waiting(&self, language: Language, view: &WaitingView<'_>) -> Result<String, PageError> {
        let words = self.words(language);
        let say = |id: &str| words.texts.say(id, &[]);
        let phase = Phase::of(view);
        let poll_after_seconds = view.poll_after_seconds.max(MIN_REFRESH_SECONDS);
        let hold = wording::held(&words.texts, view.claim_window_seconds)?;
        let say_with_hold = |id: &str| words.texts.say(id, &[("time", hold.as_str().into())]);
        let position = view.position.map(wording::number);
        let shown_position = position.as_deref().filter(|_| phase.shows(Part::Figures));
        let estimate = view.estimate_seconds;
        let note = match (view.degraded, view.moved) {
            _ if view.held => Some(say("restoring")?),
            (true, _) => Some(say("degraded")?),
            (false, Some(reason)) => Some(say(reason.key())?),
            (false, None) => None,
        };
        let title = say(&format!("title-{}", phase.name()))?;
        let full_title: Vec<&str> = shown_position.into_iter().chain([title.as_str(), view.room]).collect();

        let page = context! {
            language => language.tag(),
            title => full_title.join(" · "),
            script_words => words.script.clone(),
            t => words.fixed.clone(),
            room => view.room,
            entry => view.entry,
            phase => phase.name(),
            parts => context! {
                opening => phase.shows(Part::Opening) && view.opens_at.is_some(),
                figures => phase.shows(Part::Figures),
                tips => phase.shows(Part::Tips),
                more => phase.shows(Part::More),
            },
            heading => say(&format!("heading-{}", phase.name()))?,
            lead => say_with_hold(&format!("lead-{}", phase.name()))?,
            action => phase.has_action().then(|| say(&format!("action-{}", phase.name()))).transpose()?,
            position => view.position,
            line_length => view.line_length,
            p50 => estimate.map(|(p50, _)| p50),
            p90 => estimate.map(|(_, p90)| p90),
            position_text => match position {
                Some(text) => text,
                None => say("unknown")?,
            },
            people_text => match (view.position, view.line_length) {
                (Some(_), Some(length)) => wording::people(&words.texts, length)?,
                _ => String::new(),
            },
            wait_text => match estimate {
                _ if phase == Phase::Paused => title.clone(),
                Some(estimate) => wording::wait(&words.texts, estimate)?,
                None => say("unknown")?,
            },
            note => note,
            message => view.message,
            poll_after_seconds => poll_after_seconds,
            claim_window_seconds => view.claim_window_seconds,
            refresh_seconds => phase.refreshes().then_some(poll_after_seconds),
            again_text => words.texts.say("page-again", &[("time", wording::held(&words.texts, poll_after_seconds)?.into())])?,
            tip_turn => say_with_hold("page-tip-turn")?,
            updated_at => view.updated_at,
            updated_text => wording::clock(view.updated_at),
            joined_at => view.joined_at,
            joined_text => view.joined_at.map(wording::clock),
            opens_at => view.opens_at,
            opens_text => view.opens_at.map(wording::moment).unwrap_or_default(),
        };
        Ok(self.templates.get_template("waiting.html")?.render(page)?)
    }

    /// A small page for a navigation that failed, with a way to try again and no reload of its own.
    ///
    /// # Errors
    ///
    /// If our own template or texts are at fault; never because of what is in `view`.
    pub fn error(&self, language: Language, view: &ErrorView<'_>) -> Result<String, PageError> {
        let words = self.words(language);
        let kind = match view.status {
            429 => "429",
            502 => "502",
            503 => "503",
            504 => "504",
            _ => "other",
        };
        let say = |part: &str| words.texts.say(&format!("error-{kind}-{part}"), &[]);
        let retry_text = match view.retry_after_seconds {
            Some(seconds) => {
                let time = wording::held(&words.texts, seconds.max(1))?;
                Some(words.texts.say("error-retry", &[("time", time.into())])?)
            }
            None => None,
        };
        let page = context! {
            language => language.tag(),
            title => say("title")?,
            t => words.fixed.clone(),
            heading => say("heading")?,
            lead => say("lead")?,
            message => view.message,
            retry_text => retry_text,
            status_text => words.texts.say("error-status", &[("value", view.status.to_string().into())])?,
        };
        Ok(self.templates.get_template("error.html")?.render(page)?)
    }

    fn words(&self, language: Language) -> &Words {
        match language {
            Language::English => &self.english,
            Language::Korean => &self.korean,
        }
    }
}

impl std::fmt::Debug for Pages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pages").finish_non_exhaustive()
    }
}

impl Words {
    fn load(language: Language) -> Result<Self, PageError> {
        let texts = Texts::load(language)?;
        let mut fixed = BTreeMap::new();
        let mut for_script = BTreeMap::new();
        for id in texts.ids() {
            let word = texts.word(id)?;
            if !id.starts_with("page-") && !id.starts_with("error-") {
                for_script.insert(*id, word);
            } else if let Word::Plain(text) = word {
                fixed.insert(*id, text);
            }
        }
        fixed.insert("notify", texts.say("notify", &[])?);
        let parts: BTreeMap<_, _> = Phase::ALL.iter().map(|phase| (phase.name(), phase.parts())).collect();
        let script = inline::json(&BTreeMap::from([
            ("words", serde_json::to_value(for_script)?),
            ("parts", serde_json::to_value(parts)?),
        ]))?;
        Ok(Self { language, fixed: Value::from(fixed), script: Value::from_safe_string(script), texts })
    }
}

/// Refuses a language that lacks a text of the other, or has one more.
fn same_texts(one: &Words, other: &Words) -> Result<(), PageError> {
    for (has, lacks) in [(one, other), (other, one)] {
        if let Some(id) = has.texts.ids().iter().find(|id| !lacks.texts.ids().contains(id)) {
            return Err(PageError::Texts { language: lacks.language.tag(), detail: format!("{id}: missing") });
        }
    }
    Ok(())
}
