//! A number for each place of an epoch, shared by all workers without a lock.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use queue_core::Sequence;

/// Places per allocation: what the first place of a chunk costs, 128 KiB.
const CHUNK: usize = 1 << 15;
/// Chunks of one epoch's sequences.
const CHUNKS: usize = (1 << 31) / CHUNK;

type Chunk = Box<[AtomicU32]>;

/// Four bytes a place, zero until set, allocated by chunks as places come.
pub(super) struct PlaceTable {
    chunks: Box<[OnceLock<Chunk>]>,
}

impl PlaceTable {
    pub(super) fn new() -> Self {
        Self { chunks: (0..CHUNKS).map(|_| OnceLock::new()).collect() }
    }

    pub(super) fn get(&self, sequence: Sequence) -> u32 {
        let index = sequence.get() as usize;
        let chunk = self.chunks.get(index / CHUNK).and_then(OnceLock::get);
        chunk.map_or(0, |chunk| chunk[index % CHUNK].load(Ordering::Relaxed))
    }

    pub(super) fn set(&self, sequence: Sequence, value: u32) {
        let index = sequence.get() as usize;
        if let Some(chunk) = self.chunks.get(index / CHUNK) {
            let chunk = chunk.get_or_init(|| (0..CHUNK).map(|_| AtomicU32::new(0)).collect());
            chunk[index % CHUNK].store(value, Ordering::Relaxed);
        }
    }
}
