//! Reading what the scripts answer. Nothing here trusts the shape: another program's data must not panic us.

use std::collections::HashMap;
use std::time::Duration;

use redis::Value;

use crate::admission::Refusal;
use crate::bits::PlaceState;
use crate::bucket::Bucket;
use crate::high_water::HighWater;
use crate::line::EpochLine;
use crate::store::{
    Change, Claimed, Event, Follow, Joined, News, Renewed, Session, Snapshot, Stamped, StoreError, Summary, Swept,
};
use crate::{Epoch, Limits, Place, Sequence, SessionId, Timestamp, VisitorId};

/// Places per bitmap key.
const CHUNK_PLACES: u32 = 1 << 20;

/// The envelope of every step.
pub(super) fn stamped<T>(value: &Value, read: fn(&Value) -> Option<T>) -> Result<Stamped<T>, StoreError> {
    let unreadable = || StoreError::Script(format!("an answer that cannot be read: {value:.200?}"));
    let parts = list(value).ok_or_else(unreadable)?;
    match parts.first().and_then(text).ok_or_else(unreadable)? {
        "absent" => Err(StoreError::Absent),
        "late" => Err(StoreError::Late(parts.get(1).and_then(instant).ok_or_else(unreadable)?)),
        "behind" => Err(StoreError::Behind(parts.get(1).and_then(mark).ok_or_else(unreadable)?.0)),
        "ok" => {
            let (mark, time) = parts.get(1).and_then(mark).ok_or_else(unreadable)?;
            let value = parts.get(2).and_then(read).ok_or_else(unreadable)?;
            Ok(Stamped { mark, time, value })
        }
        _ => Err(unreadable()),
    }
}

fn mark(value: &Value) -> Option<(HighWater, Timestamp)> {
    let [epoch, version, last, frontier, claims, now] = list(value)? else { return None };
    let mark = HighWater {
        epoch: Epoch::new(u32::try_from(integer(epoch)?).ok()?)?,
        version: integer(version)?,
        last: sequence(last)?,
        frontier: sequence(frontier)?,
        claims: integer(claims)?,
    };
    Some((mark, instant(now)?))
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
    let Stamped { mark, time, value: rows } = answer;
    let read_all = || {
        if rows.len() != questions.len() {
            return None;
        }
        rows.iter().zip(questions).map(|(row, question)| read(list(row)?, question, time)).collect()
    };
    let value = read_all().ok_or_else(|| StoreError::Script("a batch's answer that cannot be read".to_owned()))?;
    Ok(Stamped { mark, time, value })
}

pub(super) fn joined(row: &[Value], visitor: VisitorId, time: Timestamp) -> Option<Joined> {
    Some(match (text(row.first()?)?, &row[1..]) {
        ("placed", [place]) => Joined::Placed { place: self::place(place)?, joined: time },
        ("admitted", [place, started, ends]) => {
            Joined::Admitted { place: self::place(place)?, session: session(visitor, started, ends)? }
        }
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
    let [silent, expired] = list(value)? else { return None };
    Some(Swept { silent: small(silent)?, expired: small(expired)? })
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
        hold_until,
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
        reserved: small(reserved)?,
        bucket: Bucket::from_parts(integer(tokens)?, instant(tokens_at)?),
        limits,
        limits_version: integer(limits_version)?,
        limits_by_operator: flag(operator)?,
        paused: flag(paused)?,
        hold_until: instant(hold_until)?,
    }))
}

pub(super) fn follow(value: &Value, mark: HighWater, time: Timestamp) -> Option<Follow> {
    let parts = list(value)?;
    let summary = raw_summary(parts.first()?)?.summary(mark, time);
    let news = match &parts[1..] {
        [kind, entries] if integer(kind)? == 1 => {
            News::Changes(list(entries)?.iter().map(change).collect::<Option<_>>()?)
        }
        [kind, gone, spent, ended] if integer(kind)? == 0 => {
            let mut line = EpochLine::new(mark.epoch);
            line.last = mark.last;
            line.frontier = mark.frontier;
            for (chunk, (gone, spent)) in (0_u32..).zip(list(gone)?.iter().zip(list(spent)?)) {
                line.bits.load(chunk.checked_mul(CHUNK_PLACES)?.checked_add(1)?, bytes(gone)?, bytes(spent)?);
            }
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

fn change(entry: &Value) -> Option<Change> {
    let [id, fields] = list(entry)? else { return None };
    let version = text(id)?.split_once('-')?.0.parse().ok()?;
    let events = list(fields)?.chunks_exact(2).map(|pair| event(&pair[0], &pair[1])).collect::<Option<_>>()?;
    Some(Change { version, events })
}

fn event(letter: &Value, value: &Value) -> Option<Event> {
    Some(match text(letter)? {
        "l" => Event::Joined(sequence(value)?),
        "f" => Event::Called(sequence(value)?),
        "s" => Event::Place(sequence(value)?, PlaceState::Spent),
        "g" => Event::Place(sequence(value)?, PlaceState::Gone),
        "w" => Event::Place(sequence(value)?, PlaceState::Waiting),
        "e" => {
            let (visitor, until) = bytes(value)?.split_at_checked(16)?;
            let until = std::str::from_utf8(until).ok()?.parse().ok()?;
            Event::Ended(VisitorId::from_slice(visitor)?, Timestamp::from_millis(until))
        }
        "c" => Event::Control,
        _ => return None,
    })
}

fn session(visitor: VisitorId, started: &Value, ends: &Value) -> Option<Session> {
    Some(Session { id: SessionId::new(visitor, instant(started)?), ends: instant(ends)? })
}

fn place(value: &Value) -> Option<Place> {
    Place::from_score(integer(value)?)
}

fn sequence(value: &Value) -> Option<Sequence> {
    Sequence::new(small(value)?)
}

fn instant(value: &Value) -> Option<Timestamp> {
    Some(Timestamp::from_millis(integer(value)?))
}

fn small(value: &Value) -> Option<u32> {
    u32::try_from(integer(value)?).ok()
}

fn list(value: &Value) -> Option<&[Value]> {
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

fn text(value: &Value) -> Option<&str> {
    std::str::from_utf8(bytes(value)?).ok()
}

fn integer(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        Value::Double(number) if *number >= 0.0 => Some(*number as u64),
        _ => text(value)?.parse().ok(),
    }
}
