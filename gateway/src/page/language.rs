//! The languages of the page, and which of them a browser asks for.

use fluent_langneg::{LanguageIdentifier, NegotiationStrategy, negotiate_languages};

/// Entries of an `Accept-Language` field that are looked at; browsers send fewer than ten, the rest is noise.
const MAX_ACCEPTED: usize = 16;

/// A language the page is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// English, also for everyone whose language the page does not have.
    English,
    /// Korean.
    Korean,
}

impl Language {
    /// Every language, the one for everyone else first.
    pub const ALL: [Language; 2] = [Language::English, Language::Korean];

    /// The language tag (BCP 47), as in `lang` and `Content-Language`.
    pub fn tag(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Korean => "ko",
        }
    }
}

/// The languages as the negotiation wants them, parsed once.
#[derive(Debug)]
pub(super) struct Negotiation {
    available: Vec<LanguageIdentifier>,
}

impl Negotiation {
    pub(super) fn new() -> Self {
        Self { available: Language::ALL.iter().filter_map(|language| language.tag().parse().ok()).collect() }
    }

    /// The best language for an `Accept-Language` value (RFC 9110, 12.5.4), whatever is in it.
    pub(super) fn choose(&self, accept_language: Option<&str>) -> Language {
        let requested = by_weight(accept_language.unwrap_or_default());
        let chosen = negotiate_languages(&requested, &self.available, None, NegotiationStrategy::Lookup);
        let chosen = chosen.first().and_then(|tag| self.available.iter().position(|known| known == *tag));
        chosen.and_then(|index| Language::ALL.get(index)).copied().unwrap_or(Language::English)
    }
}

/// The accepted languages, heaviest first. The negotiation itself goes by order alone, so weights are sorted out here.
fn by_weight(field: &str) -> Vec<LanguageIdentifier> {
    let mut accepted: Vec<_> = field.split(',').take(MAX_ACCEPTED).filter_map(weighed).collect();
    accepted.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    accepted.into_iter().map(|(_, language)| language).collect()
}

/// One entry with its weight in thousandths; `None` if it is no language, has no proper weight, or is refused (`q=0`).
fn weighed(entry: &str) -> Option<(u16, LanguageIdentifier)> {
    let (tag, weight) = match entry.split_once(';') {
        None => (entry, 1000),
        Some((tag, parameter)) => {
            let value = parameter.trim().strip_prefix(['q', 'Q'])?.trim_start().strip_prefix('=')?.trim();
            (tag, thousandths(value)?)
        }
    };
    (weight > 0).then_some((weight, tag.trim().parse().ok()?))
}

/// A `qvalue`: 0 to 1 with at most three digits after the point.
fn thousandths(value: &str) -> Option<u16> {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match whole {
        "0" => format!("{fraction:0<3}").parse().ok(),
        "1" if fraction.bytes().all(|byte| byte == b'0') => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects: the visitor reads the page in the language the browser prefers, by weight and not by order.
    #[test]
    fn the_heaviest_known_language_wins() {
        let negotiation = Negotiation::new();
        for (field, expected) in [
            (None, Language::English),
            (Some(""), Language::English),
            (Some("ko"), Language::Korean),
            (Some("ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7"), Language::Korean),
            (Some("en;q=0.5, ko;q=0.9"), Language::Korean),
            (Some("ko;q=0.5, en-GB;q=0.9"), Language::English),
            (Some("ko;q=0, en;q=0.1"), Language::English),
            (Some("fr-FR, ko;q=0.1"), Language::Korean),
            (Some("fr, de;q=0.9, *;q=0.5"), Language::English),
            (Some("KO-kr ; Q=1.000"), Language::Korean),
            (Some("ko;q=1.001, en;q=0.001"), Language::English),
            (Some(";;;,,=,q=,ko;q"), Language::English),
        ] {
            assert_eq!(negotiation.choose(field), expected, "{field:?}");
        }
    }

    /// Protects: a field of any length costs a bounded amount of work.
    #[test]
    fn entries_beyond_the_bound_are_not_read() {
        let field = format!("{}ko", "fr,".repeat(MAX_ACCEPTED));
        assert_eq!(Negotiation::new().choose(Some(&field)), Language::English);
    }
}
