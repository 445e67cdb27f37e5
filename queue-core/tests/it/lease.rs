//! Limits over several gateways: one behaviour on every store, and never more than the bound whatever is lost.

mod behaviours;
mod bench;
mod simulation;

mod trace;

use self::bench::Bench;

macro_rules! on_every_store {
    ($($behaviour:ident),+ $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $behaviour() {
                super::behaviours::$behaviour(super::Bench::on_memory()).await;
            })+
        }
        mod redis {
            $(#[tokio::test]
            async fn $behaviour() {
                if let Some(bench) = super::Bench::on_redis() {
                    super::behaviours::$behaviour(bench).await;
                }
            })+
        }
    };
}

on_every_store! {
    a_first_start_listens_and_begins_empty,
    tokens_and_leases_are_never_more_than_the_burst,
    the_same_number_is_the_same_grant,
    an_earlier_number_does_nothing,
    a_lease_that_ended_makes_room,
    each_takes_its_part_of_what_is_there,
    what_comes_back_is_there_again,
    a_lost_store_begins_empty_and_forgets_leases,
    a_store_behind_its_caller_begins_anew,
    a_jump_of_the_clock_is_not_believed,
    a_newcomer_brings_no_time,
    gateways_are_counted_while_they_are_heard,
    another_rate_keeps_whole_tokens,
    keys_have_buckets_of_their_own,
    what_rests_is_forgotten,
}
