//! N4: a position never grows without its reason.

use super::Finding;
use crate::faults::record::{Facts, Told};

pub(super) fn growth_is_explained(facts: &Facts) -> Finding {
    let mut cases = Vec::new();
    for (index, record) in facts.visitors.iter().enumerate() {
        let mut shown: Option<u64> = None;
        for poll in &record.polls {
            let Told::Waiting { position: Some(position), moved, .. } = poll.told else { continue };
            if let Some(before) = shown.filter(|before| position > *before && !moved) {
                cases.push(format!("visitor {index} was moved from {before} to {position} at {}", poll.answered));
            }
            shown = Some(position);
        }
    }
    Finding::of("N4", "no position grows without its reason", cases)
}
