//! Inside: a few requests with the ticket, then the checkout, or gone without a word.

use std::sync::atomic::Ordering;
use std::time::Duration;

use gateway::clock;
use rand::RngExt as _;

use super::Manner;
use super::visitor::Visitor;
use crate::faults::record::Request;
use crate::faults::shop::CHECKOUT;
use crate::journey::ask::Ask;

/// Requests of a shopper before the checkout.
const REQUESTS: u32 = 2;
/// Between two requests of an insider.
const INSIDER_PACE: Duration = Duration::from_millis(200);
/// The share of those who go without a word and whose slot time must free.
const VANISH: f64 = 0.01;
/// The share of those who ask for their session again at once, as after a lost answer.
const REPEAT: f64 = 0.2;
/// The share of those who come back with a used token.
const GREED: f64 = 0.1;
/// How often they come, and how long they wait between.
const GREEDY_POLLS: u32 = 2;
const GREEDY_PAUSE: Duration = Duration::from_millis(1_500);
/// A checkout without an answer is tried so often.
const CHECKOUTS: u32 = 20;

impl Visitor {
    pub(super) async fn stay(&mut self) {
        if self.rng.random_bool(REPEAT) {
            self.poll().await;
        }
        match self.manner {
            Manner::Shopper => self.shop().await,
            Manner::Insider => {
                while self.shared.insiders_stay.load(Ordering::Relaxed) {
                    self.request("/v1/events", true).await;
                    tokio::time::sleep(INSIDER_PACE).await;
                }
            }
        }
        if self.rng.random_bool(VANISH) {
            return;
        }
        self.check_out().await;
        if self.rng.random_bool(GREED) {
            for _ in 0..GREEDY_POLLS {
                if !self.shared.greedy.load(Ordering::Relaxed) {
                    break;
                }
                self.sleep(GREEDY_PAUSE).await;
                self.poll().await;
            }
        }
    }

    async fn shop(&mut self) {
        for _ in 0..REQUESTS {
            self.think().await;
            self.request("/v1/seats", true).await;
        }
    }

    /// A pause of the length that is usual at its end: when the crowd hurries, long pauses under way end too.
    async fn think(&mut self) {
        let temper = self.rng.random_range(0.5..1.5);
        let began = clock::monotonic();
        loop {
            let usual = Duration::from_millis(self.shared.stay_ms.load(Ordering::Relaxed)) / REQUESTS;
            let left = usual.mul_f64(temper).saturating_sub(clock::monotonic().duration_since(began));
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(INSIDER_PACE)).await;
        }
    }

    async fn check_out(&mut self) {
        for attempt in 0..CHECKOUTS {
            let now = clock::now();
            self.note(|record| {
                if let Some(stay) = record.stays.last_mut() {
                    stay.may_have_ended = stay.may_have_ended.or(Some(now));
                }
            });
            if self.request(CHECKOUT, attempt == 0).await {
                return;
            }
        }
    }

    /// One request with the ticket; whether it was answered.
    async fn request(&mut self, path: &str, live: bool) -> bool {
        let Some((ticket, ends)) = self.ticket.clone() else { return true };
        let heard = self.send(Ask::get(path).header("usher-ticket", &ticket)).await;
        let status = heard.answer.as_ref().map_or(0, |answer| answer.status.as_u16());
        let request = Request { sent: heard.sent, answered: heard.answered, status, ends, live };
        self.note(|record| record.requests.push(request));
        if let Some(answer) = heard.answer.as_ref().filter(|answer| answer.status == 200) {
            let renewed = answer.header("usher-ticket").to_owned();
            if !renewed.is_empty() {
                self.take_ticket(&renewed, &heard);
            }
        }
        heard.answer.is_some()
    }
}
