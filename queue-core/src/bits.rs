//! Two bits per place of one life, with rank and select.
//!
//! Places are dense, so those who no longer wait are bits: `gone` (silent, may return) and `spent` (claimed, or left on
//! purpose: for good). How many of the places before mine are still waiting is a popcount over a block index.

use std::sync::Arc;

use crate::Sequence;

/// What became of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceState {
    /// In the line, called or not.
    Waiting,
    /// Silent for too long, or its turn was missed; may return.
    Gone,
    /// Claimed, or left on purpose: for good.
    Spent,
}

const WORD_BITS: usize = 64;
/// Words per counted block: 512 places, eight popcounts at most per rank.
const BLOCK_WORDS: usize = 8;
/// Blocks per chunk. A chunk of 32,768 places is what one changed bit copies when a snapshot is held elsewhere.
const CHUNK_BLOCKS: usize = 64;
const CHUNK_WORDS: usize = CHUNK_BLOCKS * BLOCK_WORDS;
const CHUNK_PLACES: usize = CHUNK_WORDS * WORD_BITS;

#[derive(Clone)]
struct Chunk {
    gone: [u64; CHUNK_WORDS],
    spent: [u64; CHUNK_WORDS],
    /// Bits set in the blocks before each block.
    before: [u16; CHUNK_BLOCKS],
}

impl Chunk {
    const EMPTY: Self = Self { gone: [0; CHUNK_WORDS], spent: [0; CHUNK_WORDS], before: [0; CHUNK_BLOCKS] };

    const fn left(&self, word: usize) -> u64 {
        self.gone[word] | self.spent[word]
    }

    fn recount(&mut self) -> u32 {
        let mut sum = 0;
        for block in 0..CHUNK_BLOCKS {
            // A chunk has 32,768 places, so counts before its last block fit 16 bits.
            self.before[block] = sum as u16;
            let words = block * BLOCK_WORDS..(block + 1) * BLOCK_WORDS;
            sum += words.map(|word| self.left(word).count_ones()).sum::<u32>();
        }
        sum
    }

    /// Places of this chunk before `offset` that left.
    fn left_before(&self, offset: usize) -> u32 {
        let word = offset / WORD_BITS;
        let block = word / BLOCK_WORDS;
        let whole: u32 = (block * BLOCK_WORDS..word).map(|word| self.left(word).count_ones()).sum();
        let mask = (1_u64 << (offset % WORD_BITS)) - 1;
        u32::from(self.before[block]) + whole + (self.left(word) & mask).count_ones()
    }

    /// The offset of the `nth` (from 0) place that has not left, at or after `from`.
    fn nth_waiting(&self, from: usize, mut nth: u32) -> Result<usize, u32> {
        let mut word = from / WORD_BITS;
        let mut waiting = !self.left(word) & (u64::MAX << (from % WORD_BITS));
        loop {
            let count = waiting.count_ones();
            if nth < count {
                for _ in 0..nth {
                    waiting &= waiting - 1;
                }
                return Ok(word * WORD_BITS + waiting.trailing_zeros() as usize);
            }
            nth -= count;
            word += 1;
            // Whole blocks are stepped over by their counts.
            while word.is_multiple_of(BLOCK_WORDS) && word + BLOCK_WORDS < CHUNK_WORDS {
                let block = word / BLOCK_WORDS;
                let left = u32::from(self.before[block + 1] - self.before[block]);
                let waiting = (BLOCK_WORDS * WORD_BITS) as u32 - left;
                if nth < waiting {
                    break;
                }
                nth -= waiting;
                word += BLOCK_WORDS;
            }
            if word >= CHUNK_WORDS {
                return Err(nth);
            }
            waiting = !self.left(word);
        }
    }
}

/// Two bits per place of one life. Cloning shares all chunks; a change copies the one it touches if shared.
///
/// 1,000,000 places are 250 KB, rank is at most eight popcounts, join costs nothing.
#[derive(Clone, Default)]
pub struct PlaceBits {
    chunks: Vec<Option<Arc<Chunk>>>,
    /// Places that left in the chunks before each chunk, and in all at the end.
    before: Vec<u32>,
}

impl PlaceBits {
    /// Nobody has left.
    pub fn new() -> Self {
        Self { chunks: Vec::new(), before: vec![0] }
    }

    /// What became of the place `sequence`, if it was ever given.
    pub fn state(&self, sequence: Sequence) -> PlaceState {
        let (chunk, offset) = locate(sequence);
        let Some(Some(chunk)) = self.chunks.get(chunk) else { return PlaceState::Waiting };
        let (word, bit) = (offset / WORD_BITS, 1_u64 << (offset % WORD_BITS));
        if chunk.spent[word] & bit != 0 {
            PlaceState::Spent
        } else if chunk.gone[word] & bit != 0 {
            PlaceState::Gone
        } else {
            PlaceState::Waiting
        }
    }

    /// Records what became of a place and says what it was. A spent place stays spent.
    pub fn set(&mut self, sequence: Sequence, state: PlaceState) -> PlaceState {
        let was = self.state(sequence);
        if was == state || was == PlaceState::Spent {
            return was;
        }
        let (index, offset) = locate(sequence);
        if self.chunks.len() <= index {
            let all = self.total();
            self.chunks.resize(index + 1, None);
            self.before.resize(index + 2, all);
        }
        let chunk = Arc::make_mut(self.chunks[index].get_or_insert_with(|| Arc::new(Chunk::EMPTY)));
        let (word, bit) = (offset / WORD_BITS, 1_u64 << (offset % WORD_BITS));
        match state {
            PlaceState::Waiting => chunk.gone[word] &= !bit,
            PlaceState::Gone => chunk.gone[word] |= bit,
            PlaceState::Spent => {
                chunk.gone[word] &= !bit;
                chunk.spent[word] |= bit;
            }
        }
        let leaves = was == PlaceState::Waiting;
        let returns = state == PlaceState::Waiting;
        if leaves || returns {
            let later_blocks = &mut chunk.before[word / BLOCK_WORDS + 1..];
            let later_chunks = &mut self.before[index + 1..];
            if leaves {
                later_blocks.iter_mut().for_each(|count| *count += 1);
                later_chunks.iter_mut().for_each(|count| *count += 1);
            } else {
                later_blocks.iter_mut().for_each(|count| *count -= 1);
                later_chunks.iter_mut().for_each(|count| *count -= 1);
            }
        }
        was
    }

    /// How many places before `sequence` have left.
    pub fn left_before(&self, sequence: Sequence) -> u32 {
        let (index, offset) = locate(sequence);
        match self.chunks.get(index) {
            Some(Some(chunk)) => self.before[index] + chunk.left_before(offset),
            Some(None) => self.before[index],
            None => self.total(),
        }
    }

    /// How many places have left.
    pub fn total(&self) -> u32 {
        self.before.last().copied().unwrap_or(0)
    }

    /// The `nth` (from 1) place after `after` that still waits, among the places up to `last`.
    pub fn nth_waiting_after(&self, after: Sequence, nth: u32, last: Sequence) -> Option<Sequence> {
        let mut remaining = nth.checked_sub(1)?;
        let (mut index, mut offset) = locate(after.plus(1));
        loop {
            let first_of_chunk = index * CHUNK_PLACES;
            if first_of_chunk + offset >= last.get() as usize {
                return None;
            }
            let found = match self.chunks.get(index) {
                Some(Some(chunk)) => {
                    let left = self.before[index + 1] - self.before[index];
                    if offset == 0 && remaining >= CHUNK_PLACES as u32 - left {
                        Err(remaining - (CHUNK_PLACES as u32 - left))
                    } else {
                        chunk.nth_waiting(offset, remaining)
                    }
                }
                _ => {
                    let here = (CHUNK_PLACES - offset) as u32;
                    if remaining < here { Ok(offset + remaining as usize) } else { Err(remaining - here) }
                }
            };
            match found {
                Ok(offset) => {
                    let sequence = Sequence::new(u32::try_from(first_of_chunk + offset + 1).ok()?)?;
                    return (sequence <= last).then_some(sequence);
                }
                Err(rest) => remaining = rest,
            }
            index += 1;
            offset = 0;
        }
    }

    /// Reads bitmaps as a Redis string keeps them (bit 0 is the first byte's highest), beginning at place
    /// `first_place` (from 1, one more than a multiple of 32,768).
    pub fn load(&mut self, first_place: u32, gone: &[u8], spent: &[u8]) {
        let first_chunk = (first_place as usize - 1) / CHUNK_PLACES;
        let bytes = gone.len().max(spent.len());
        let chunks = bytes.div_ceil(CHUNK_PLACES / 8);
        if self.chunks.len() < first_chunk + chunks {
            self.chunks.resize(first_chunk + chunks, None);
        }
        for index in 0..chunks {
            let mut chunk = Chunk::EMPTY;
            read_words(gone, index, &mut chunk.gone);
            read_words(spent, index, &mut chunk.spent);
            for word in 0..CHUNK_WORDS {
                chunk.gone[word] &= !chunk.spent[word];
            }
            let left = chunk.recount();
            self.chunks[first_chunk + index] = (left > 0).then(|| Arc::new(chunk));
        }
        self.reindex();
    }

    /// Everybody among the numbers after `kept`, up to `last`, who is not spent is gone.
    pub fn lose(&mut self, kept: u32, last: u32) {
        if kept >= last {
            return;
        }
        let (first, end) = (kept as usize, last as usize);
        if self.chunks.len() < end.div_ceil(CHUNK_PLACES) {
            self.chunks.resize(end.div_ceil(CHUNK_PLACES), None);
        }
        for index in first / CHUNK_PLACES..end.div_ceil(CHUNK_PLACES) {
            let chunk = Arc::make_mut(self.chunks[index].get_or_insert_with(|| Arc::new(Chunk::EMPTY)));
            for word in 0..CHUNK_WORDS {
                let from = index * CHUNK_PLACES + word * WORD_BITS;
                chunk.gone[word] |= mask(first.saturating_sub(from), end.saturating_sub(from)) & !chunk.spent[word];
            }
            chunk.recount();
        }
        self.reindex();
    }

    /// The same with nobody gone.
    #[must_use]
    pub fn without_gone(&self) -> Self {
        let back = |chunk: &Arc<Chunk>| {
            let mut chunk = Chunk { gone: [0; CHUNK_WORDS], ..**chunk };
            (chunk.recount() > 0).then(|| Arc::new(chunk))
        };
        let chunks = self.chunks.iter().map(|chunk| chunk.as_ref().and_then(back)).collect();
        let mut bits = Self { chunks, before: Vec::new() };
        bits.reindex();
        bits
    }

    /// Who is spent, as a Redis string keeps it, of `count` places from `first_place` on (from 1, one more than a multiple of
    /// 32,768); without zeros at the end.
    pub fn spent_bytes(&self, first_place: u32, count: u32) -> Vec<u8> {
        let first = (first_place as usize - 1) / CHUNK_PLACES;
        let chunks = (count as usize).div_ceil(CHUNK_PLACES);
        let mut bytes = Vec::new();
        for chunk in self.chunks.iter().skip(first).take(chunks) {
            match chunk {
                Some(chunk) => bytes.extend(chunk.spent.iter().flat_map(|word| word.reverse_bits().to_be_bytes())),
                None => bytes.resize(bytes.len() + CHUNK_PLACES / 8, 0),
            }
        }
        bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
        bytes
    }

    fn reindex(&mut self) {
        self.before.clear();
        let mut sum = 0;
        for chunk in &self.chunks {
            self.before.push(sum);
            sum += chunk.as_ref().map_or(0, |chunk| chunk.left_before(CHUNK_PLACES - 1) + last_bit(chunk));
        }
        self.before.push(sum);
    }
}

/// The bits of a word from `from` (inclusive) to `to` (exclusive), each counted from its lowest.
const fn mask(from: usize, to: usize) -> u64 {
    if from >= WORD_BITS || to == 0 || from >= to {
        return 0;
    }
    let upper = if to >= WORD_BITS { u64::MAX } else { (1 << to) - 1 };
    upper & (u64::MAX << from)
}

fn last_bit(chunk: &Chunk) -> u32 {
    (chunk.left(CHUNK_WORDS - 1) >> (WORD_BITS - 1)) as u32
}

fn read_words(bytes: &[u8], index: usize, words: &mut [u64; CHUNK_WORDS]) {
    let start = (index * CHUNK_PLACES / 8).min(bytes.len());
    let end = (start + CHUNK_PLACES / 8).min(bytes.len());
    for (word, eight) in words.iter_mut().zip(bytes[start..end].chunks(8)) {
        let mut padded = [0; 8];
        padded[..eight.len()].copy_from_slice(eight);
        *word = u64::from_be_bytes(padded).reverse_bits();
    }
}

/// The chunk and the offset in it of a place; sequences start at 1.
const fn locate(sequence: Sequence) -> (usize, usize) {
    let index = sequence.get().saturating_sub(1) as usize;
    (index / CHUNK_PLACES, index % CHUNK_PLACES)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn seq(n: u32) -> Sequence {
        Sequence::new(n).unwrap()
    }

    fn any_state() -> impl Strategy<Value = PlaceState> {
        prop_oneof![Just(PlaceState::Waiting), Just(PlaceState::Gone), Just(PlaceState::Spent)]
    }

    proptest! {
        /// Rank, select and state agree with a plain map, over block and chunk borders.
        #[test]
        fn agrees_with_a_plain_map(
            last in 1_u32..100_000,
            changes in prop::collection::vec((1_u32..100_000, any_state()), 0..300),
            probes in prop::collection::vec(1_u32..100_000, 20),
        ) {
            let mut bits = PlaceBits::new();
            let mut plain = BTreeMap::new();
            for (at, state) in changes {
                let at = (at - 1) % last + 1;
                let was = plain.get(&at).copied().unwrap_or(PlaceState::Waiting);
                prop_assert_eq!(bits.set(seq(at), state), was);
                if was != PlaceState::Spent {
                    plain.insert(at, state);
                }
            }
            let left = |at: &u32| plain.get(at).is_some_and(|state| *state != PlaceState::Waiting);
            for probe in probes {
                let probe = (probe - 1) % last + 1;
                prop_assert_eq!(bits.left_before(seq(probe)) as usize, (1..probe).filter(left).count());
                prop_assert_eq!(bits.state(seq(probe)), plain.get(&probe).copied().unwrap_or(PlaceState::Waiting));
                let nth = probe % 1_000 + 1;
                let expected = (probe + 1..=last).filter(|at| !left(at)).nth(nth as usize - 1);
                prop_assert_eq!(bits.nth_waiting_after(seq(probe), nth, seq(last)).map(Sequence::get), expected);
            }
            prop_assert_eq!(bits.total() as usize, plain.keys().filter(|at| left(at)).count());
        }
    }

    /// Bitmaps read from a Redis string are the bitmaps that were set there.
    #[test]
    fn reads_what_redis_keeps() {
        let set = [1_u32, 2, 8, 9, 64, 65, 512, 513, 32_768, 32_769, 70_000];
        let mut bytes = vec![0_u8; 70_000 / 8 + 1];
        let mut expected = PlaceBits::new();
        for place in set {
            let bit = place as usize - 1;
            bytes[bit / 8] |= 0x80 >> (bit % 8);
            expected.set(seq(place), PlaceState::Spent);
        }
        let mut bits = PlaceBits::new();
        bits.load(1, &[], &bytes);
        for place in 1..=70_001 {
            assert_eq!(bits.state(seq(place)), expected.state(seq(place)), "state of {place}");
            assert_eq!(bits.left_before(seq(place)), expected.left_before(seq(place)), "rank of {place}");
        }
        assert_eq!(bits.total(), set.len() as u32);
    }

    /// A loss takes exactly those who could come back, and what is written for others reads as the same.
    #[test]
    fn a_loss_spares_the_spent() {
        let mut bits = PlaceBits::new();
        for spent in [3, 64, 65, 40_000] {
            bits.set(seq(spent), PlaceState::Spent);
        }
        bits.set(seq(7), PlaceState::Gone);
        let spent = bits.spent_bytes(1, 1 << 20);
        bits.lose(5, 70_000);
        for place in 1..=70_001 {
            let expected = match place {
                3 | 64 | 65 | 40_000 => PlaceState::Spent,
                6..=70_000 => PlaceState::Gone,
                _ => PlaceState::Waiting,
            };
            assert_eq!(bits.state(seq(place)), expected, "{place}");
        }
        assert_eq!(bits.total(), 70_000 - 4);
        let back = bits.without_gone();
        assert_eq!((back.total(), back.left_before(seq(66))), (4, 3));
        let mut read = PlaceBits::new();
        read.load(1, &[], &spent);
        assert_eq!((read.total(), read.state(seq(40_000))), (4, PlaceState::Spent));
        assert_eq!(spent.len(), 5_000);
    }

    /// A snapshot that was handed out does not change with later departures.
    #[test]
    fn snapshots_stay_as_they_were() {
        let mut bits = PlaceBits::new();
        bits.set(seq(5), PlaceState::Gone);
        let snapshot = bits.clone();
        bits.set(seq(3), PlaceState::Spent);
        bits.set(seq(5), PlaceState::Waiting);
        assert_eq!(snapshot.left_before(seq(10)), 1);
        assert_eq!(bits.left_before(seq(10)), 1);
        assert_eq!(snapshot.state(seq(5)), PlaceState::Gone);
    }
}
