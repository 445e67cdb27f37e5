//! Numbers, waits and times as a reader wants them. The page's script does the same to what it polls.

use jiff::Timestamp;
use jiff::fmt::temporal::Pieces;

use super::PageError;
use super::texts::Texts;

/// Waits above this many minutes are told in hours.
const MAX_MINUTES: u64 = 120;

/// A number with its thousands apart; our languages all write it with commas.
pub(super) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// How many are in line.
pub(super) fn people(texts: &Texts, count: u64) -> Result<String, PageError> {
    counted(texts, "people", number(count), count)
}

/// An estimated wait: a range, both ends rounded up, in steps that do not feign precision.
pub(super) fn wait(texts: &Texts, (p50, p90): (u64, u64)) -> Result<String, PageError> {
    if p90 < 60 {
        return texts.say("soon", &[]);
    }
    let (low, high) = (p50.div_ceil(60), p90.div_ceil(60));
    if high > MAX_MINUTES {
        return range(texts, p50.div_ceil(3600), p90.div_ceil(3600), "hours");
    }
    let step = match high {
        61.. => 10,
        11.. => 5,
        _ => 1,
    };
    range(texts, low.div_ceil(step) * step, high.div_ceil(step) * step, "minutes")
}

/// A configured span of time, exactly.
pub(super) fn held(texts: &Texts, seconds: u64) -> Result<String, PageError> {
    let (unit, size) = if seconds.is_multiple_of(60) { ("minutes", 60) } else { ("seconds", 1) };
    let count = seconds / size;
    counted(texts, unit, number(count), count)
}

fn range(texts: &Texts, low: u64, high: u64, unit: &str) -> Result<String, PageError> {
    if low < high {
        let value = texts.say("range", &[("low", number(low).into()), ("high", number(high).into())])?;
        counted(texts, unit, value, high)
    } else {
        let time = counted(texts, unit, number(high), high)?;
        texts.say("about", &[("time", time.into())])
    }
}

fn counted(texts: &Texts, id: &str, value: String, n: u64) -> Result<String, PageError> {
    texts.say(id, &[("value", value.into()), ("n", n.into())])
}

/// The time of day of an RFC 3339 instant, in UTC: the visitor's zone is known to the script alone.
pub(super) fn clock(instant: &str) -> String {
    match instant.parse::<Timestamp>() {
        Ok(timestamp) => timestamp.strftime("%H:%M:%S UTC").to_string(),
        Err(_) => instant.to_owned(),
    }
}

/// Date and time of an RFC 3339 instant, in the offset it is written in.
pub(super) fn moment(instant: &str) -> String {
    let parsed = Pieces::parse(instant).ok().and_then(|pieces| {
        let time = pieces.time()?;
        let offset = pieces.to_numeric_offset()?;
        let zone = if offset.seconds() == 0 { String::new() } else { offset.to_string() };
        Some(format!("{} {} UTC{zone}", pieces.date(), time.strftime("%H:%M")))
    });
    parsed.unwrap_or_else(|| instant.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::Language;

    /// Protects: the estimate is never told shorter than it is, and never more exactly than anyone can know.
    #[test]
    fn waits_are_rounded_up_in_honest_steps() {
        let english = Texts::load(Language::English).unwrap();
        let korean = Texts::load(Language::Korean).unwrap();
        for (estimate, in_english, in_korean) in [
            ((0, 0), "less than a minute", "1분 미만"),
            ((10, 59), "less than a minute", "1분 미만"),
            ((10, 60), "about 1 minute", "약 1분"),
            ((60, 61), "1–2 minutes", "1~2분"),
            ((420, 510), "7–9 minutes", "7~9분"),
            ((421, 480), "about 8 minutes", "약 8분"),
            ((601, 1201), "15–25 minutes", "15~25분"),
            ((3600, 4200), "60–70 minutes", "60~70분"),
            ((7200, 7201), "2–3 hours", "2~3시간"),
            ((3_600_000, 3_603_600), "1,000–1,001 hours", "1,000~1,001시간"),
        ] {
            assert_eq!(wait(&english, estimate).unwrap(), in_english, "{estimate:?}");
            assert_eq!(wait(&korean, estimate).unwrap(), in_korean, "{estimate:?}");
        }
    }

    /// Protects: numbers and times read as people write them.
    #[test]
    fn numbers_and_times_are_readable() {
        assert_eq!([0, 999, 1000, 50_035, 1_000_000].map(number), ["0", "999", "1,000", "50,035", "1,000,000"]);
        assert_eq!(number(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(clock("2026-12-01T20:03:09.500+09:00"), "11:03:09 UTC");
        assert_eq!(moment("2026-12-01T20:00:00+09:00"), "2026-12-01 20:00 UTC+09");
        assert_eq!(moment("2026-12-01T11:00:00Z"), "2026-12-01 11:00 UTC");
        assert_eq!(moment("tomorrow"), "tomorrow");
        let english = Texts::load(Language::English).unwrap();
        assert_eq!(held(&english, 180).unwrap(), "3 minutes");
        assert_eq!(held(&english, 60).unwrap(), "1 minute");
        assert_eq!(held(&english, 90).unwrap(), "90 seconds");
        assert_eq!(people(&english, 1).unwrap(), "of 1 person in line");
    }
}
