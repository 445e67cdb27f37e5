//! The script against its model: the same random calls at the same moments, the same answers.

use std::time::Duration;

use queue_core::limit::Quota;
use queue_core::limit::lease::Ask;

use super::bench::Bench;
use crate::support::dice::{Dice, seeds};

const CALLS: usize = 400;

/// The policy is written once, in Rust: the script must be the same step.
#[tokio::test]
async fn memory_and_redis_answer_alike() {
    for seed in seeds(20) {
        let (Some(mut redis), mut memory) = (Bench::on_redis(), Bench::on_memory()) else { return };
        let mut dice = Dice::new(seed);
        let rates = [(10.0, 20), (0.7, 3), (333.333, 50), (1_000_000.0, 100_000), (1.0 / 86_400.0, 2)];
        let mut number = 1;
        for call in 0..CALLS {
            if call == 0 || dice.chance(1, 60) {
                let (rate, burst) = dice.one_of(&rates).unwrap();
                (redis.quota, memory.quota) =
                    (Quota::per_second(rate, burst).unwrap(), Quota::per_second(rate, burst).unwrap());
            }
            let span = dice.one_of(&[0, 1, 7, 90, 400, 1_700, 20_000]).unwrap();
            let (span, jump) = (dice.span_ms(0..span + 1), dice.span_ms(0..5_000));
            let kind = dice.below(40);
            if dice.chance(1, 150) {
                redis.wipe().await;
                memory.wipe().await;
            }
            for bench in [&redis, &memory] {
                bench.pass(span);
                match kind {
                    0 => bench.clock.jump_forward(jump),
                    1 => bench.clock.jump_back(jump.min(Duration::from_millis(900))),
                    _ => {}
                }
            }
            let asks: Vec<Ask> = (0..dice.below(4))
                .map(|_| {
                    number += 1;
                    let number = if dice.chance(1, 8) { number - dice.below(4).min(number - 1) } else { number };
                    let of = |dice: &mut Dice| dice.below(30) as u32;
                    let (key, held, back, want) = (dice.below(3), of(&mut dice), of(&mut dice), of(&mut dice));
                    Ask { key: u128::from(key), number, held, back, want }
                })
                .collect();
            let gateway = dice.below(3);
            if dice.chance(1, 50) {
                redis.memories.remove(&gateway);
                memory.memories.remove(&gateway);
            }
            let by_redis = redis.call(gateway, asks.clone()).await;
            let by_memory = memory.call(gateway, asks.clone()).await;
            assert_eq!(by_redis, by_memory, "seed {seed}, call {call}: {asks:?}");
        }
    }
}
