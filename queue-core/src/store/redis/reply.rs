//! Reading what the scripts answer. Nothing here trusts the shape: another program's data must not panic us.

use std::collections::HashMap;
use std::time::Duration;

use redis::Value;

use crate::admission::Refusal;
use crate::bits::PlaceState;
use crate::bucket::Bucket;
use crate::high_water::HighWater;
use crate::line::Line;
use crate::store::{
    Arrival, Change, Claimed, Event, Follow, Joined, Merged, Moment, News, Renewed, Session, Snapshot, Stamped,
    StoreError, Summary, Swept,
};
use crate::stretch::Stretch;
use crate::{Life, Limits, Place, SessionId, Timestamp, VisitorId};

/// The envelope of every step.
pub(super) fn stamped<T>(value: &Value, read: fn(&Value) -> Option<T>) -> Result<Stamped<T>, StoreError> {
    let unreadable = || StoreError::Script(format!("an answer that cannot be read: {value:.200?}"));
    let parts = list(value).ok_or_else(unreadable)?;
    match parts.first().and_then(text).ok_or_else(unreadable)? {
        "absent" => Err(StoreError::Absent),
        "late" => Err(StoreError::Late(moment(&parts[1..]).ok_or_else(unreadable)?)),
        "behind" => Err(StoreError::Behind(parts.get(1).and_then(mark).ok_or_else(unreadable)?.0)),
        "unmerged" => Err(StoreError::Unmerged(parts.get(1).and_then(mark).ok_or_else(unreadable)?.0)),
        "moved" => Err(StoreError::Moved(parts.get(1).and_then(mark).ok_or_else(unreadable)?.0)),
        "ok" => {
            let (mark, Moment { time, host }) = parts.get(1).and_then(mark).ok_or_else(unreadable)?;
            let value = parts.get(2).and_then(read).ok_or_else(unreadable)?;
            Ok(Stamped { mark, time, host, value })
        }
        _ => Err(unreadable()),
    }
}

fn mark(value: &Value) -> Option<(HighWater, Moment)> {
    let [life, version, last, frontier, claims, steps, moment @ ..] = list(value)? else { return None };
    let mark = HighWater {
        life: self::life(life)?,
        version: integer(version)?,
        last: place_mark(last)?,
        frontier: place_mark(frontier)?,
        claims: integer(claims)?,
        steps: integer(steps)?,
    };
    Some((mark, self::moment(moment)?))
}

fn moment(values: &[Value]) -> Option<Moment> {
    let [time, host] = values else { return None };
    Some(Moment { time: instant(time)?, host: instant(host)? })
}

/// A batch's answers, still to be read each with its question.
pub(super) fn rows(value: &Value) -> Option<Vec<Value>> {
    list(value).map(<[Value]>::to_vec)
}

/// Reads each answer with its question.
pub(super) fn each<Q, A>(
    answer: Stamped<Vec<Value>>,
    questions: &[Q],
    read: impl Fn(&[Value], &Q, Timestamp) -> Option<A>,
) -> Result<Stamped<Vec<A>>, StoreError> {
    let Stamped { mark, time, host, value: rows } = answer;
    let read_all = || {
        if rows.len() != questions.len() {
            return None;
        }
        rows.iter().zip(questions).map(|(row, question)| read(list(row)?, question, time)).collect()
    };
    let value = read_all().ok_or_else(|| StoreError::Script("a batch's answer that cannot be read".to_owned()))?;
    Ok(Stamped { mark, time, host, value })
}

pub(super) fn merged(value: &Value) -> Option<Merged> {
    Some(match text(value)? {
        "began" => Merged::Began,
        "resumed" => Merged::Resumed,
        "added" => Merged::Added,
        _ => return None,
    })
}

pub(super) fn joined(row: &[Value], arrival: Arrival, time: Timestamp) -> Option<Joined> {
    let since = arrival.since.map_or(time, |since| Timestamp::from_millis(since.as_millis()).min(time));
    Some(match (text(row.first()?)?, &row[1..]) {
        ("placed", [place]) => Joined::Placed { place: self::place(place)?, joined: since },
        ("admitted", [place, started, ends]) => {
            Joined::Admitted { place: self::place(place)?, session: session(arrival.visitor, started, ends)? }
        }
        ("collected", [since]) => Joined::Collected { since: instant(since)? },
        ("full", []) => Joined::Full,
        ("closed", []) => Joined::Closed,
        _ => return None,
    })
}

pub(super) fn claimed(row: &[Value], visitor: VisitorId) -> Option<Claimed> {
    Some(match (text(row.first()?)?, &row[1..]) {
        ("admitted", [started, ends]) => Claimed::Admitted(session(visitor, started, ends)?),
        ("offered", []) => Claimed::Offered,
        ("missed", []) => Claimed::Missed,
        ("not_called", []) => Claimed::NotCalled,
        ("ended", []) => Claimed::Ended,
        ("unknown", []) => Claimed::Unknown,
        ("refused", [why, wait]) => {
            let wait = Duration::from_millis(integer(wait)?);
            Claimed::Refused(match text(why)? {
                "not_open" => Refusal::NotOpen(wait),
                "closed" => Refusal::Closed,
                "paused" => Refusal::Paused,
                "holding" => Refusal::Holding(wait),
                "cohort_full" => Refusal::CohortFull,
                "rate_limited" => Refusal::RateLimited(wait),
                _ => return None,
            })
        }
        _ => return None,
    })
}

pub(super) fn renewed(row: &[Value], visitor: VisitorId) -> Option<Renewed> {
    match (text(row.first()?)?, &row[1..]) {
        ("until", [started, ends]) => Some(Renewed::Until(session(visitor, started, ends)?)),
        ("ended", []) => Some(Renewed::Ended),
        _ => None,
    }
}

pub(super) fn flag(value: &Value) -> Option<bool> {
    Some(integer(value)? == 1)
}

pub(super) fn flags(value: &Value) -> Option<Vec<bool>> {
    list(value)?.iter().map(flag).collect()
}

pub(super) fn swept(value: &Value) -> Option<Swept> {
    let [silent, expired, settled] = list(value)? else { return None };
    Some(Swept { silent: small(silent)?, expired: small(expired)?, settled: small(settled)? })
}

/// A summary without the envelope's part.
pub(super) struct RawSummary(Summary);

impl RawSummary {
    pub(super) fn summary(self, mark: HighWater, time: Timestamp) -> Summary {
        Summary { mark, time, ..self.0 }
    }
}

pub(super) fn raw_summary(value: &Value) -> Option<RawSummary> {
    let [
        line_length,
        sessions,
        unknown,
        latest_end,
        reserved,
        tokens,
        tokens_at,
        total,
        rate,
        burst,
        max_line,
        queue_all,
        opens,
        closes,
        limits_version,
        operator,
        paused,
        began,
        hold_until,
        collect_until,
    ] = list(value)?
    else {
        return None;
    };
    let some_instant = |value| instant(value).map(|at| (at != Timestamp::ZERO).then_some(at));
    let limits = Limits {
        total_active_users: small(total)?,
        new_users_per_minute: small(rate)?,
        burst: small(burst)?,
        max_line_length: small(max_line)?,
        queue_all: flag(queue_all)?,
        opens_at: some_instant(opens)?,
        closes_at: some_instant(closes)?,
    };
    Some(RawSummary(Summary {
        mark: HighWater::NOTHING,
        time: Timestamp::ZERO,
        line_length: small(line_length)?,
        sessions: small(sessions)?,
        unknown: small(unknown)?,
        latest_end: instant(latest_end)?,
        reserved: small(reserved)?,
        bucket: Bucket::from_parts(integer(tokens)?, instant(tokens_at)?),
        limits,
        limits_version: integer(limits_version)?,
        limits_by_operator: flag(operator)?,
        paused: flag(paused)?,
        began: instant(began)?,
        hold_until: instant(hold_until)?,
        collect_until: instant(collect_until)?,
    }))
}

pub(super) fn follow(value: &Value, mark: HighWater, time: Timestamp) -> Option<Follow> {
    let parts = list(value)?;
    let summary = raw_summary(parts.first()?)?.summary(mark, time);
    let news = match &parts[1..] {
        [kind, entries] if integer(kind)? == 1 => {
            News::Changes(list(entries)?.iter().map(change).collect::<Option<_>>()?)
        }
        [kind, lives, ended] if integer(kind)? == 0 => {
            let stretches = list(lives)?.iter().map(stretch).collect::<Option<_>>()?;
            let line = Line::of(stretches, mark.frontier)?;
            let ended = list(ended)?
                .chunks_exact(2)
                .map(|pair| Some((VisitorId::from_slice(bytes(&pair[0])?)?, instant(&pair[1])?)))
                .collect::<Option<HashMap<_, _>>>()?;
            News::Whole(Box::new(Snapshot { line, ended }))
        }
        _ => return None,
    };
    Some(Follow { summary, news })
}

/// One life's places: start, last, bitmaps of the gone and of the spent, chunk by chunk.
fn stretch(value: &Value) -> Option<Stretch> {
    let [start, last, gone, spent] = list(value)? else { return None };
    let mut stretch = Stretch::up_to(life(start)?, place_mark(last)?);
    for (chunk, (gone, spent)) in stretch.chunks().zip(list(gone)?.iter().zip(list(spent)?)) {
        stretch.load(chunk, bytes(gone)?, bytes(spent)?);
    }
    Some(stretch)
}

fn change(entry: &Value) -> Option<Change> {
    let [id, fields] = list(entry)? else { return None };
    let version = text(id)?.split_once('-')?.0.parse().ok()?;
    let events = list(fields)?.chunks_exact(2).map(|pair| event(&pair[0], &pair[1])).collect::<Option<_>>()?;
    Some(Change { version, events })
}

fn event(letter: &Value, value: &Value) -> Option<Event> {
    Some(match text(letter)? {
        "l" => Event::Joined(place(value)?),
        "f" => Event::Called(place(value)?),
        "s" => Event::Place(place(value)?, PlaceState::Spent),
        "g" => Event::Place(place(value)?, PlaceState::Gone),
        "w" => Event::Place(place(value)?, PlaceState::Waiting),
        "e" => {
            let (visitor, until) = bytes(value)?.split_at_checked(16)?;
            let until = std::str::from_utf8(until).ok()?.parse().ok()?;
            Event::Ended(VisitorId::from_slice(visitor)?, Timestamp::from_millis(until))
        }
        "c" => Event::Control,
        "r" => Event::Recast,
        _ => return None,
    })
}

fn session(visitor: VisitorId, started: &Value, ends: &Value) -> Option<Session> {
    Some(Session { id: SessionId::new(visitor, instant(started)?), ends: instant(ends)? })
}

fn place(value: &Value) -> Option<Place> {
    Place::from_score(integer(value)?)
}

fn place_mark(value: &Value) -> Option<Place> {
    Place::mark_from_score(integer(value)?)
}

fn life(value: &Value) -> Option<Life> {
    Life::at(place_mark(value)?)
}

fn instant(value: &Value) -> Option<Timestamp> {
    Some(Timestamp::from_millis(integer(value)?))
}

fn small(value: &Value) -> Option<u32> {
    u32::try_from(integer(value)?).ok()
}

pub(super) fn list(value: &Value) -> Option<&[Value]> {
    match value {
        Value::Array(items) => Some(items),
        _ => None,
    }
}

fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.as_bytes()),
        _ => None,
    }
}

pub(super) fn text(value: &Value) -> Option<&str> {
    std::str::from_utf8(bytes(value)?).ok()
}

pub(super) fn integer(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        Value::Double(number) if *number >= 0.0 => Some(*number as u64),
        _ => text(value)?.parse().ok(),
    }
}
