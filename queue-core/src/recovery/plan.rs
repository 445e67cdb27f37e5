//! What a gateway does about a store that remembers less than it should.

use std::collections::HashSet;
use std::time::Duration;

use super::{LAG_HOLD, LOSS_HOLD, Witness};
use crate::store::{
    Ask, Control, Inside, LimitsSource, Mirror, PastStretch, Proof, Proposal, StoreError, Summary, Testimony,
};
use crate::{Epoch, HighWater, Life, Place, Timestamp, VisitorId};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The store does not know the room, and somebody does.
    Absent,
    /// The store is behind.
    Behind(HighWater),
    /// The data moved to another server.
    Moved(HighWater),
    /// The store began a new life and has not heard what is remembered here.
    Unmerged,
    /// Valid tokens speak of places that the store does not know.
    Tokens,
    /// Answers of an earlier life of the store came after the new one had been told.
    Late,
}

impl Trouble {
    /// What a store's refusal means; `None` for one that no memory can help.
    pub const fn of(error: &StoreError) -> Option<Self> {
        match error {
            StoreError::Absent => Some(Self::Absent),
            StoreError::Behind(mark) => Some(Self::Behind(*mark)),
            StoreError::Moved(mark) => Some(Self::Moved(*mark)),
            StoreError::Unmerged(_) => Some(Self::Unmerged),
            _ => None,
        }
    }
}

/// What the room's config says that matters here.
#[derive(Clone, Debug)]
pub struct House {
    /// The limits of the config.
    pub proposal: Proposal,
    /// A session's length without renewal: until then somebody nobody remembers may be inside.
    pub session: Duration,
    /// The longest interval that visitors are told: within it everybody who polls is heard.
    pub longest_poll: Duration,
    /// How long arrivals are collected after a new life began.
    pub collect: Duration,
    /// What tells this gateway from others: where a new life of its making begins.
    pub salt: u32,
}

/// What to tell the store at shared time `now`. `None` when nothing is remembered here: then an absent room is a first
/// start, and any other is followed as it is.
pub fn plan(
    trouble: Trouble,
    witness: &Witness,
    mirror: Option<&Mirror>,
    house: &House,
    now: Timestamp,
) -> Option<Testimony> {
    let seen = witness.seen();
    let remembers = !seen.is_nothing() || mirror.is_some();
    let moved = matches!(trouble, Trouble::Moved(_));
    if !remembers && witness.trouble() != Some(Trouble::Tokens) && !moved {
        return None;
    }
    let mut past = past(mirror, seen);
    for place in witness.unconfirmed().into_iter().map(|(_, place)| place) {
        past.iter_mut().for_each(|past| past.unspend(place));
    }
    if trouble != Trouble::Unmerged {
        past.extend(witness.tokens().map(|(life, last)| PastStretch { life, last, spent: Vec::new() }));
    }
    // Given by a life of which nothing else may be remembered: the answers came after the last look at it.
    past.extend(witness.answered_lives().map(|(life, last)| PastStretch { life, last, spent: Vec::new() }));
    past.sort_by_key(|past| past.life);
    let ask = ask(trouble, witness, seen, &past, (now, house.salt));
    let hold = match ask {
        Ask::Resume { .. } => LAG_HOLD,
        Ask::Begin(_) | Ask::Add => house.longest_poll + LOSS_HOLD,
    };
    let control = match mirror.map(|mirror| &mirror.summary) {
        Some(summary) => Control {
            limits: summary.limits.clone(),
            version: summary.limits_version,
            source: if summary.limits_by_operator { LimitsSource::Operator } else { house.proposal.source },
            paused: summary.paused,
        },
        None => {
            Control { limits: house.proposal.limits.clone(), version: 0, source: house.proposal.source, paused: false }
        }
    };
    // What a room that is itself a loss's remainder counts says nothing of those who were inside before.
    let by_tokens = trouble == Trouble::Tokens && ask == Ask::Add;
    let inside = match mirror.map(|mirror| &mirror.summary) {
        // Those who are inside now were counted when the life began.
        _ if trouble == Trouble::Late => {
            Inside { claims: seen.claims, most: Some(0), seen_at: Timestamp::ZERO, until: Timestamp::ZERO }
        }
        Some(summary) if !by_tokens => Inside {
            claims: seen.claims.max(summary.mark.claims),
            most: Some(inside(summary, seen)),
            seen_at: witness.answered_at(),
            until: summary.latest_end.max(witness.latest_end()),
        },
        _ => Inside { claims: seen.claims, most: None, seen_at: Timestamp::ZERO, until: now + house.session },
    };
    let mut ended: Vec<_> = witness.own_ended().collect();
    ended.extend(mirror.iter().flat_map(|mirror| mirror.ended.iter().map(|(visitor, until)| (*visitor, *until))));
    // A testimony is told in parts, and another gateway may have ended a session that was begun here: it must not count
    // again until the part that says so.
    let over: HashSet<VisitorId> = ended.iter().map(|(visitor, _)| *visitor).collect();
    let mut sessions = witness.sessions();
    sessions.retain(|(session, _)| !over.contains(&session.id.visitor));
    Some(Testimony {
        ask,
        proof: if remembers && !by_tokens { Proof::Memory } else { Proof::Token },
        control,
        hold,
        collect: house.collect,
        inside,
        time: if remembers { now } else { Timestamp::ZERO },
        frontier: mirror.map_or(Place::NOTHING, |mirror| mirror.line.frontier()).max(seen.frontier),
        past,
        spent: witness.spent(),
        joins: witness.joins(),
        sessions,
        unconfirmed: witness.unconfirmed(),
        ended,
    })
}

/// Who was inside at the last look, and who was let in since.
fn inside(summary: &Summary, seen: HighWater) -> u32 {
    let since = u32::try_from(seen.claims.saturating_sub(summary.mark.claims)).unwrap_or(u32::MAX);
    summary.sessions.saturating_add(summary.unknown).saturating_add(since)
}

fn ask(trouble: Trouble, witness: &Witness, seen: HighWater, past: &[PastStretch], at: (Timestamp, u32)) -> Ask {
    let (now, salt) = at;
    let told = past.iter().map(|past| past.last.epoch).max();
    let begin = |mark: Option<HighWater>| {
        let known = [told, mark.map(|mark| mark.epoch()), Some(seen.epoch())];
        match known.into_iter().flatten().max().filter(|epoch| *epoch > Epoch::NONE) {
            Some(highest) => Ask::Begin(Life::after_loss(now, highest, salt)),
            None => Ask::Begin(Life::first(now)),
        }
    };
    match trouble {
        Trouble::Absent => begin(None),
        Trouble::Behind(mark) | Trouble::Moved(mark) => {
            let known_since = if mark.life == seen.life { witness.known_since(mark.life) } else { Some(0) };
            let lags = mark.life >= seen.life && known_since.is_some_and(|version| mark.version >= version);
            let last = if mark.life == seen.life { mark.last.max(seen.last) } else { mark.last };
            match (known_since, Life::after_lag(last, salt)) {
                (Some(known_since), Some(life)) if lags => Ask::Resume { life, known_since },
                _ => begin(Some(mark)),
            }
        }
        Trouble::Tokens if past.iter().any(|past| past.last > seen.last) && !seen.is_nothing() => begin(None),
        Trouble::Tokens | Trouble::Late | Trouble::Unmerged => Ask::Add,
    }
}

/// The lives that are remembered here, ascending.
fn past(mirror: Option<&Mirror>, seen: HighWater) -> Vec<PastStretch> {
    let stretches = mirror.iter().flat_map(|mirror| mirror.line.stretches());
    let mut past: Vec<PastStretch> = stretches
        .map(|stretch| {
            let last = if stretch.life() == seen.life { stretch.last().max(seen.last) } else { stretch.last() };
            PastStretch { life: stretch.life(), last, spent: stretch.spent_chunks() }
        })
        .collect();
    if past.iter().all(|past| past.life != seen.life) && !seen.is_nothing() {
        past.push(PastStretch { life: seen.life, last: seen.last, spent: Vec::new() });
    }
    past.retain(|past| past.last > past.life.mark());
    past
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, Sequence};

    const NOW: Timestamp = Timestamp::from_secs(1_796_122_800);

    fn place(epoch: u32, sequence: u32) -> Place {
        Place { epoch: Epoch::new(epoch).unwrap(), sequence: Sequence::new(sequence).unwrap() }
    }

    fn mark(version: u64, last: Place) -> HighWater {
        let life = Life::at(place(last.epoch.get(), 0)).unwrap();
        HighWater { life, version, last, frontier: Place::NOTHING, claims: 9, steps: 0 }
    }

    fn house() -> House {
        let limits = Limits {
            total_active_users: 10,
            new_users_per_minute: 60,
            burst: 1,
            max_line_length: 100,
            queue_all: false,
            opens_at: None,
            closes_at: None,
        };
        let proposal = Proposal { limits, source: LimitsSource::Config(NOW) };
        House {
            proposal,
            session: Duration::from_secs(60),
            longest_poll: Duration::from_secs(60),
            collect: Duration::ZERO,
            salt: 0,
        }
    }

    fn witness() -> Witness {
        let mut witness = Witness::default();
        let seen = mark(100, place(7, 50));
        witness.saw(&seen);
        witness.looked(NOW, seen.life, 90);
        witness
    }

    fn asked(trouble: Trouble, witness: &Witness) -> Option<(Ask, Proof)> {
        plan(trouble, witness, None, &house(), NOW).map(|testimony| (testimony.ask, testimony.proof))
    }

    /// A store that lags by what is known goes on in its epoch; one that lost more begins a later one.
    #[test]
    fn a_lag_is_no_loss() {
        let lag = asked(Trouble::Behind(mark(95, place(7, 48))), &witness());
        let life = Life::after_lag(place(7, 50), 0).unwrap();
        assert_eq!(lag, Some((Ask::Resume { life, known_since: 90 }, Proof::Memory)));
        for trouble in
            [Trouble::Behind(mark(89, place(7, 48))), Trouble::Behind(mark(99, place(6, 99))), Trouble::Absent]
        {
            let Some((Ask::Begin(life), Proof::Memory)) = asked(trouble, &witness()) else { panic!("{trouble:?}") };
            assert!(life.epoch() > place(7, 0).epoch);
        }
        assert_eq!(asked(Trouble::Unmerged, &witness()), Some((Ask::Add, Proof::Memory)));
    }

    /// Nobody remembers anything: a first start, unless a token says otherwise.
    #[test]
    fn a_first_start_is_no_loss() {
        let mut nobody = Witness::default();
        assert_eq!(asked(Trouble::Absent, &nobody), None);
        nobody.token(place(9, 3));
        let Some((Ask::Begin(life), Proof::Token)) = asked(Trouble::Absent, &nobody) else { panic!() };
        assert!(life.epoch() > place(9, 0).epoch);
    }

    /// A token of an older life is told and proves little; a token newer than the store proves a loss.
    #[test]
    fn tokens_prove_what_they_can() {
        let mut older = witness();
        older.token(place(6, 3));
        assert_eq!(asked(Trouble::Tokens, &older), Some((Ask::Add, Proof::Token)));
        let mut newer = witness();
        newer.token(place(7, 51));
        assert!(matches!(asked(Trouble::Tokens, &newer), Some((Ask::Begin(_), Proof::Memory))));
    }
}
