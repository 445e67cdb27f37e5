//! What one visitor is like: stays, leaves, vanishes; wants one seat or two.

use rand::RngExt;
use rand::rngs::StdRng;

/// Leavers and vanishers do it after at most this many polls.
const MOST_POLLS_BEFORE_GOING: u32 = 4;
/// The share of customers who want two seats.
const COUPLES: f64 = 0.4;

/// How a visitor's patience ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// Waits as long as it takes.
    Stays,
    /// Leaves the line on purpose after that many polls, if still waiting.
    Leaves {
        /// Polls before leaving.
        after_polls: u32,
    },
    /// Stops polling without a word after that many polls, if still waiting.
    Vanishes {
        /// Polls before vanishing.
        after_polls: u32,
    },
    /// Vanishes right after being admitted.
    VanishesInside,
}

/// What a visitor is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Temper {
    /// How patience ends.
    pub(super) patience: Patience,
    /// How many seats, 1 or 2.
    pub(super) wants: usize,
}

impl Temper {
    /// Draws one; `leave` and `vanish` are shares of all.
    pub(super) fn draw(rng: &mut StdRng, leave: f64, vanish: f64) -> Self {
        let (fate, after_polls) = (rng.random::<f64>(), rng.random_range(0..=MOST_POLLS_BEFORE_GOING));
        let patience = match fate {
            fate if fate < leave => Patience::Leaves { after_polls },
            fate if fate < leave + vanish / 2.0 => Patience::Vanishes { after_polls },
            fate if fate < leave + vanish => Patience::VanishesInside,
            _ => Patience::Stays,
        };
        Self { patience, wants: if rng.random_bool(COUPLES) { 2 } else { 1 } }
    }
}
