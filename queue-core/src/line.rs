//! The line as a gateway remembers it: who stands where, without asking the store.

use crate::bits::PlaceState;
use crate::stretch::Stretch;
use crate::{Life, Place};

/// All places that may still matter: one stretch a life, earlier lives ahead of later ones.
#[derive(Clone)]
pub struct Line {
    /// Ascending, the life that gives places now last; never empty.
    stretches: Vec<Stretch>,
    frontier: Place,
}

impl Line {
    /// An empty line.
    pub fn new(life: Life) -> Self {
        Self { stretches: vec![Stretch::new(life)], frontier: Place::NOTHING }
    }

    /// A line of these stretches, ascending; `None` when there is none or their order is another.
    pub fn of(stretches: Vec<Stretch>, frontier: Place) -> Option<Self> {
        let sound = !stretches.is_empty() && stretches.windows(2).all(|pair| pair[0].last() <= pair[1].life().mark());
        sound.then_some(Self { stretches, frontier })
    }

    /// The life that gives places now.
    pub fn life(&self) -> Life {
        self.newest().life()
    }

    /// The last place given; the beginning of the life when it gave none.
    pub fn last(&self) -> Place {
        self.newest().last()
    }

    /// The highest place called.
    pub const fn frontier(&self) -> Place {
        self.frontier
    }

    /// Its stretches, ascending.
    pub fn stretches(&self) -> &[Stretch] {
        &self.stretches
    }

    fn newest(&self) -> &Stretch {
        &self.stretches[self.stretches.len() - 1]
    }

    fn newest_mut(&mut self) -> &mut Stretch {
        let newest = self.stretches.len() - 1;
        &mut self.stretches[newest]
    }

    /// The stretch in which `place` lies or would lie.
    fn stretch(&self, place: Place) -> Option<&Stretch> {
        self.stretches[..self.stretches.partition_point(|stretch| stretch.life().mark() < place)].last()
    }

    fn stretch_mut(&mut self, place: Place) -> Option<&mut Stretch> {
        let count = self.stretches.partition_point(|stretch| stretch.life().mark() < place);
        self.stretches[..count].last_mut()
    }

    /// What became of a place; `None` when it is not known to have been given.
    pub fn state(&self, place: Place) -> Option<PlaceState> {
        self.stretch(place)?.state(place)
    }

    /// Records what became of a place and says what it was.
    pub fn set(&mut self, place: Place, state: PlaceState) -> Option<PlaceState> {
        self.stretch_mut(place)?.set(place, state)
    }

    /// Places were given up to `last` by the newest life.
    pub fn give(&mut self, last: Place) {
        self.newest_mut().give(last);
    }

    /// Places were called up to `to`.
    pub fn call(&mut self, to: Place) {
        self.frontier = self.frontier.max(to);
    }

    /// How many wait, the called ones included.
    pub fn waiting(&self) -> u32 {
        self.stretches.iter().map(Stretch::waiting).sum()
    }

    /// How many left the line.
    pub fn left(&self) -> u32 {
        self.stretches.iter().map(Stretch::left).sum()
    }

    /// How many places up to `mark`, itself included, wait.
    fn waiting_up_to(&self, mark: Place) -> u32 {
        let reached = self.stretches.iter().take_while(|stretch| stretch.life().mark() < mark);
        reached.map(|stretch| stretch.waiting_up_to(mark)).sum()
    }

    /// How many of those who wait are not called yet.
    pub fn waiting_beyond_frontier(&self) -> u32 {
        self.waiting() - self.waiting_up_to(self.frontier)
    }

    /// The `nth` (from 1) place after `after` that waits.
    pub fn nth_waiting_after(&self, after: Place, nth: u32) -> Option<Place> {
        let mut nth = nth;
        for stretch in self.stretches.iter().filter(|stretch| stretch.last() > after) {
            let here = stretch.waiting() - stretch.waiting_up_to(after);
            if nth <= here {
                return stretch.nth_waiting_after(after, nth);
            }
            nth -= here;
        }
        None
    }

    /// How many wait ahead of a place, whatever became of itself.
    pub fn ahead(&self, place: Place) -> u32 {
        let waits = self.state(place) == Some(PlaceState::Waiting);
        self.waiting_up_to(place) - u32::from(waits)
    }

    /// What is known of a place.
    pub fn standing(&self, place: Place) -> Standing {
        match self.state(place) {
            None => Standing::Unknown,
            Some(PlaceState::Spent) => Standing::Spent,
            Some(PlaceState::Gone) => Standing::Gone { called: place <= self.frontier },
            Some(PlaceState::Waiting) if place <= self.frontier => Standing::Called { ahead: self.ahead(place) },
            Some(PlaceState::Waiting) => Standing::Waiting { ahead: self.ahead(place) },
        }
    }

    /// The same with everybody back who could come back.
    #[must_use]
    pub fn without_gone(&self) -> Self {
        Self { stretches: self.stretches.iter().map(Stretch::without_gone).collect(), frontier: self.frontier }
    }

    /// A new life begins: everybody who was in the line is out of it until heard, if `lost`.
    pub fn begin(&mut self, life: Life, lost: bool) {
        if lost {
            self.stretches.iter_mut().for_each(|stretch| stretch.lose_after(Place::NOTHING));
        }
        self.stretches.push(Stretch::new(life));
    }

    /// It comes to be known that `life`, an earlier one, gave places up to `last`. Those not known of before are out of the
    /// line until heard. Answers whether that was news.
    pub fn learn(&mut self, life: Life, last: Place) -> bool {
        let at = self.stretches.partition_point(|stretch| stretch.life() <= life);
        let next = self.stretches.get(at).map_or(Place::NOTHING, |stretch| stretch.life().mark());
        // Never into the next life, and never into the one that gives places now.
        let fits = at < self.stretches.len() && last <= next && last > life.mark() && last.epoch == life.epoch();
        if !fits {
            return false;
        }
        match at.checked_sub(1).map(|before| &mut self.stretches[before]) {
            Some(known) if known.life() == life || known.last() > life.mark() => {
                let kept = known.last();
                known.give(last);
                known.lose_after(kept);
                known.last() > kept
            }
            _ => {
                let mut stretch = Stretch::up_to(life, last);
                stretch.lose_after(Place::NOTHING);
                self.stretches.insert(at, stretch);
                true
            }
        }
    }

    /// Marks as spent what a bitmap of an earlier life says; answers which places were not before, and were waiting or gone.
    pub fn spend(&mut self, life: Life, chunk: u32, spent: &[u8]) -> Vec<Place> {
        let at = self.stretches.partition_point(|stretch| stretch.life() <= life);
        match at.checked_sub(1).map(|at| &mut self.stretches[at]) {
            Some(stretch) => stretch.spend(chunk, spent),
            None => Vec::new(),
        }
    }
}

/// How a place stands at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not its turn yet.
    Waiting {
        /// How many wait ahead; the position is one more.
        ahead: u32,
    },
    /// Its turn, to be claimed.
    Called {
        /// How many called ones stand ahead and have not claimed.
        ahead: u32,
    },
    /// Fell silent, missed its turn, or was lost with the store; its token brings it back.
    Gone {
        /// Whether its turn has come meanwhile.
        called: bool,
    },
    /// Claimed, or left on purpose.
    Spent,
    /// Newer than this memory, or of a life it does not know: the store has to be asked.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Epoch, Sequence};

    fn place(epoch: u32, sequence: u32) -> Place {
        Place { epoch: Epoch::new(epoch).unwrap(), sequence: Sequence::new(sequence).unwrap() }
    }

    fn life(epoch: u32) -> Life {
        Life::at(place(epoch, 0)).unwrap()
    }

    fn line_of_ten() -> Line {
        let mut line = Line::new(life(1));
        line.give(place(1, 10));
        line.call(place(1, 4));
        line.set(place(1, 1), PlaceState::Spent);
        line.set(place(1, 6), PlaceState::Gone);
        line
    }

    /// The position counts those who wait ahead, called ones included, and nobody else.
    #[test]
    fn position_counts_who_waits_ahead() {
        let line = line_of_ten();
        let standing = |n| line.standing(place(1, n));
        assert_eq!(standing(1), Standing::Spent);
        assert_eq!(standing(2), Standing::Called { ahead: 0 });
        assert_eq!(standing(5), Standing::Waiting { ahead: 3 });
        assert_eq!(standing(6), Standing::Gone { called: false });
        assert_eq!(standing(10), Standing::Waiting { ahead: 7 });
        assert_eq!(standing(11), Standing::Unknown);
        assert_eq!(line.waiting(), 8);
        assert_eq!(line.waiting_beyond_frontier(), 5);
    }

    /// Places of an earlier life stand ahead of those of a later one, and the frontier passes from one to the other.
    #[test]
    fn earlier_lives_stand_ahead() {
        let mut line = line_of_ten();
        line.begin(life(3), false);
        line.give(place(3, 2));
        assert_eq!(line.standing(place(3, 1)), Standing::Waiting { ahead: 8 });
        assert_eq!(line.nth_waiting_after(line.frontier(), 5), Some(place(1, 10)));
        assert_eq!(line.nth_waiting_after(line.frontier(), 6), Some(place(3, 1)));
        line.call(place(3, 1));
        assert_eq!(line.waiting_beyond_frontier(), 1);
        assert_eq!(line.standing(place(1, 10)), Standing::Called { ahead: 7 });
        assert_eq!(line.nth_waiting_after(line.frontier(), 2), None);
    }

    /// What was lost is out of the line until heard; what was spent stays so; nothing else is forgotten.
    #[test]
    fn a_loss_forgets_nobody() {
        let mut line = line_of_ten();
        line.begin(life(3), true);
        assert_eq!(line.waiting(), 0);
        assert_eq!(line.standing(place(1, 1)), Standing::Spent);
        assert_eq!(line.standing(place(1, 5)), Standing::Gone { called: false });
        line.set(place(1, 5), PlaceState::Waiting);
        assert_eq!(line.standing(place(1, 5)), Standing::Waiting { ahead: 0 });
        assert_eq!(line.without_gone().ahead(place(1, 5)), 3);
    }

    /// Places of lives that nobody remembered are learned from the tokens that speak of them.
    #[test]
    fn a_forgotten_life_is_learned() {
        let mut line = Line::new(life(3));
        assert!(line.learn(life(1), place(1, 700)));
        assert_eq!(line.standing(place(1, 5)), Standing::Gone { called: false });
        assert_eq!(line.standing(place(1, 701)), Standing::Unknown);
        assert!(line.learn(life(1), place(1, 900)));
        assert!(!line.learn(life(1), place(1, 800)));
        assert_eq!(line.standing(place(1, 900)), Standing::Gone { called: false });
        let later = Life::that_gave(place(1, (1 << 20) + 7));
        assert!(line.learn(later, place(1, (1 << 20) + 7)));
        assert_eq!(line.stretches().len(), 3);
        assert!(!line.learn(life(3), place(3, 9)), "the present life gives its own places");
        assert_eq!(line.spend(life(1), 0, &[0b0110_0000]), [place(1, 2), place(1, 3)]);
        assert_eq!(line.standing(place(1, 2)), Standing::Spent);
    }
}
