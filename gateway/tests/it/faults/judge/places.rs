//! N1, N2, N13: a place is kept, belongs to one visitor, and is claimed at most once.

use std::collections::HashMap;
use std::hash::Hash;

use super::Finding;
use crate::faults::record::{Facts, Record, Told};

fn visitors(facts: &Facts) -> impl Iterator<Item = (usize, &Record)> {
    facts.visitors.iter().enumerate()
}

/// Nobody with a token who was not in yet is told that it is no good, or that it is all over.
pub(super) fn nobody_lost(facts: &Facts) -> Finding {
    let cases = visitors(facts).flat_map(|(index, record)| {
        let entered = record.admitted();
        let refused = record.polls.iter().filter(move |poll| entered.is_none_or(|entered| poll.answered < entered));
        let refused = refused.filter(|poll| matches!(poll.told, Told::Ended | Told::Refused(400..=428 | 430..=499)));
        refused
            .take(1)
            .map(move |poll| format!("visitor {index}, waiting, was told {:?} at {}", poll.told, poll.answered))
    });
    Finding::of("N1", "no token of somebody who waits is refused", cases.collect())
}

/// In the end everybody who kept polling is in.
pub(super) fn everybody_entered(facts: &Facts) -> Finding {
    let cases = visitors(facts).filter(|(_, record)| record.stays.is_empty());
    let told = |(index, record): (usize, &Record)| match (record.place(), record.polls.last()) {
        (Some(place), Some(last)) => format!(
            "visitor {index} with place {place}; the last of {} polls was told {:?}",
            record.polls.len(),
            last.told
        ),
        _ => format!("visitor {index} without a place; joins refused: {}", record.refused.len()),
    };
    Finding::of("N1", "everybody who keeps polling gets in", cases.map(told).collect())
}

/// One visitor, one place; one place, one visitor.
pub(super) fn one_each(facts: &Facts) -> Finding {
    let several = visitors(facts).filter(|(_, record)| record.places.len() > 1);
    let several = several.map(|(index, record)| {
        let places: Vec<String> = record.places.iter().map(|given| given.place.to_string()).collect();
        format!("visitor {index} was given {}", places.join(", then "))
    });
    let given = visitors(facts).flat_map(|(index, record)| record.places.iter().map(move |given| (index, given.place)));
    let shared = shared(given).into_iter().map(|(a, b, place)| format!("visitors {a} and {b} both hold place {place}"));
    Finding::of("N2", "one visitor, one place, and the other way round", several.chain(shared).collect())
}

/// A place brings one session, and no session belongs to two.
pub(super) fn claimed_once(facts: &Facts) -> Finding {
    let several = visitors(facts).filter(|(_, record)| record.stays.len() > 1);
    let several = several.map(|(index, record)| {
        let began: Vec<String> = record.stays.iter().map(|stay| stay.session.started.to_string()).collect();
        format!("visitor {index} was given sessions that began at {}", began.join(", then "))
    });
    let sessions =
        visitors(facts).flat_map(|(index, record)| record.stays.iter().map(move |stay| (index, stay.session)));
    let shared =
        shared(sessions).into_iter().map(|(a, b, session)| format!("visitors {a} and {b} have session {session}"));
    Finding::of("N13", "a place is claimed at most once", several.chain(shared).collect())
}

/// Every answer fits the contract, every signature verifies.
pub(super) fn answers_make_sense(facts: &Facts) -> Finding {
    let cases = visitors(facts).flat_map(|(index, record)| {
        let mut strange = record.strange.clone();
        let placeless = |told: &Told| matches!(told, Told::Waiting { position: None, degraded: false, .. });
        if record.joined.is_some_and(|joined| !joined.provisional)
            && record.polls.iter().any(|poll| placeless(&poll.told))
        {
            strange.push("waits with a place and was told no position by a healthy room".to_owned());
        }
        strange.into_iter().map(move |what| format!("visitor {index}: {what}"))
    });
    Finding::of("contract", "every answer makes sense", cases.collect())
}

fn shared<K: Hash + Eq + Copy>(held: impl Iterator<Item = (usize, K)>) -> Vec<(usize, usize, K)> {
    let mut first = HashMap::new();
    let mut shared = Vec::new();
    for (index, key) in held {
        let holder = *first.entry(key).or_insert(index);
        if holder != index {
            shared.push((holder, index, key));
        }
    }
    shared
}
