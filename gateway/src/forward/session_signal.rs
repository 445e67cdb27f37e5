//! What an upstream says about a visitor's session, by response header `Usher-Session`.

use std::time::Duration;

use http::HeaderMap;

use super::USHER_SESSION;

/// The longest extension an upstream may ask for at once. The room's `max_session_duration` bounds it again.
pub const MAX_EXTENSION: Duration = Duration::from_secs(24 * 60 * 60);

/// The upstream's word on the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionSignal {
    /// Nothing, or nothing understood.
    None,
    /// `complete`: the session is over, its slot free at once.
    Complete,
    /// `extend=SECONDS`: the session goes on for at least this long from now; more than zero, at most
    /// [`MAX_EXTENSION`].
    Extend(Duration),
}

impl SessionSignal {
    /// Reads the signal; `complete` wins over any extension, the longest extension over shorter ones.
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let mut signal = Self::None;
        for value in headers.get_all(USHER_SESSION) {
            for word in value.as_bytes().split(|byte| *byte == b',') {
                signal = match (signal, Self::parse(word.trim_ascii())) {
                    (Self::Complete, _) | (_, Self::Complete) => Self::Complete,
                    (Self::Extend(known), Self::Extend(asked)) => Self::Extend(known.max(asked)),
                    (known, Self::None) => known,
                    (Self::None, asked) => asked,
                };
            }
        }
        signal
    }

    fn parse(word: &[u8]) -> Self {
        if word.eq_ignore_ascii_case(b"complete") {
            return Self::Complete;
        }
        let Some((name, seconds)) = word.split_at_checked(b"extend=".len()) else { return Self::None };
        let digits = !seconds.is_empty() && seconds.iter().all(u8::is_ascii_digit);
        if !name.eq_ignore_ascii_case(b"extend=") || !digits {
            return Self::None;
        }
        // Digits that do not fit a u64 ask for more than the longest extension.
        let seconds = std::str::from_utf8(seconds).ok().and_then(|text| text.parse().ok()).unwrap_or(u64::MAX);
        match seconds {
            0 => Self::None,
            seconds => Self::Extend(Duration::from_secs(seconds).min(MAX_EXTENSION)),
        }
    }
}
