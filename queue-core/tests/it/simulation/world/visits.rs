//! Visitors act, and hear what became of it.

use queue_core::invariants::Violation;
use queue_core::line::Standing;
use queue_core::store::{Arrival, Claim, Departure, Ending, Joined, Renewal, Session};
use queue_core::{Place, Timestamp};

use super::super::outbox::Outbox;
use super::super::sabotage::Plant;
use super::super::visitor::{Shown, Stage, Temper, Visitor};
use super::super::wire::{Answer, Parcel, Reply, Request};
use super::{Happening, TERMS, World};

impl World {
    /// A visitor does what its stage asks for, at whichever gateway the balancer chose.
    pub(super) fn visit(&mut self, number: usize) -> Result<(), Violation> {
        let gateway = self.dice.below(self.gateways.len() as u64) as usize;
        let Visitor { id, temper, stage } = self.visitors[number];
        match stage {
            Stage::Done => return Ok(()),
            Stage::Joining => {
                self.shadow.asks(id);
                self.want(gateway, |outbox| outbox.joins.push(Arrival { visitor: id, since: None }));
            }
            Stage::Waiting(place, _) if matches!(temper, Temper::Quitter) && self.dice.chance(1, 8) => {
                self.visitors[number].stage = Stage::Leaving(place);
                self.want(gateway, |outbox| outbox.departures.push(Departure { visitor: id, place }));
            }
            Stage::Leaving(place) => {
                self.want(gateway, |outbox| outbox.departures.push(Departure { visitor: id, place }));
            }
            Stage::Waiting(place, shown) => self.poll(number, gateway, place, shown)?,
            Stage::Inside(place, session, leaves) => self.stay(number, gateway, place, session, leaves),
        }
        if let Some(next) = self.visitors[number].next_visit(&mut self.dice, self.calm) {
            self.after(next, Happening::Visit(number));
        }
        Ok(())
    }

    /// Puts something into a gateway's outbox; it goes with whatever else gathers until the flush.
    fn want(&mut self, gateway: usize, put: impl FnOnce(&mut Outbox)) {
        put(&mut self.gateways[gateway].outbox);
        let now = self.clock.now();
        let stalled = self.gateways[gateway].stalled_until.since(now);
        let gather = self.dice.span_ms(0..30);
        self.after(stalled + gather, Happening::Flush(gateway));
    }

    /// A poll is answered from the gateway's memory; only a turn goes to the store.
    fn poll(&mut self, number: usize, gateway: usize, place: Place, shown: Option<Shown>) -> Result<(), Violation> {
        let now = self.clock.now();
        if let Some(time) = self.gateways[gateway].hears(place, now) {
            self.shadow.polled(place, self.gateways[gateway].id, time);
        }
        let Some(mirror) = &self.gateways[gateway].mirror else { return Ok(()) };
        let mut claims = self.dice.chance(1, 30);
        match mirror.line.standing(place) {
            Standing::Waiting { ahead } => {
                let forgets = self.plant == Some(Plant::PositionForgetsDepartures) && self.dice.chance(1, 50);
                let first = mirror.line.life().mark().sequence.get();
                let ahead = if forgets { place.sequence.get() - first - 1 } else { ahead };
                let shown = self.shadow.shown(place, ahead + 1, shown, mirror.version())?;
                self.visitors[number].stage = Stage::Waiting(place, Some(shown));
                self.count("polls");
            }
            Standing::Called { .. } | Standing::Gone { .. } | Standing::Spent | Standing::Unknown => claims = true,
        }
        if claims {
            let Visitor { id, temper, .. } = self.visitors[number];
            let take = !matches!(temper, Temper::Hidden(1..));
            self.want(gateway, |outbox| outbox.claims.push(Claim { visitor: id, place, take }));
        }
        Ok(())
    }

    /// Inside: renews, repeats the claim (a lost answer), leaves in the end: tells so, or just closes the browser.
    fn stay(&mut self, number: usize, gateway: usize, place: Place, session: Session, leaves: Timestamp) {
        let visitor = self.visitors[number].id;
        if self.clock.now() >= leaves {
            self.visitors[number].stage = Stage::Done;
            if self.dice.chance(2, 3) {
                self.want(gateway, |outbox| outbox.endings.push(Ending { session }));
            }
            return;
        }
        match self.dice.below(4) {
            0 => self.want(gateway, |outbox| outbox.renewals.push(Renewal { session, span: TERMS.session })),
            1 => self.want(gateway, |outbox| outbox.claims.push(Claim { visitor, place, take: true })),
            _ => {}
        }
    }

    /// An answer reaches its gateway, and through it the visitors.
    pub(super) fn hear(&mut self, parcel: &Parcel, answer: Answer) {
        let now = self.clock.now();
        if self.gateways[parcel.gateway].id != parcel.process {
            return;
        }
        self.gateways[parcel.gateway].memory.note(now, &answer);
        let Ok(stamped) = answer else { return };
        let Self { visitors, dice, shadow, gateways, .. } = self;
        match (&parcel.request, stamped.value) {
            (Request::Join(arrivals), Reply::Joined(all)) => {
                for (arrival, joined) in arrivals.iter().zip(all) {
                    if let Joined::Placed { place, .. } | Joined::Admitted { place, .. } = joined {
                        shadow.is_told(place);
                    }
                    visitors[Visitor::number(&arrival.visitor)].on_joined(joined, now, dice);
                }
            }
            (Request::Claim(claims), Reply::Claimed(all)) => {
                for (claim, claimed) in claims.iter().zip(all) {
                    visitors[Visitor::number(&claim.visitor)].on_claimed(claimed, now, dice);
                }
            }
            (Request::Renew(renewals), Reply::Renewed(all)) => {
                for (renewal, renewed) in renewals.iter().zip(all) {
                    visitors[Visitor::number(&renewal.session.id.visitor)].on_renewed(renewed);
                }
            }
            (Request::Depart(departures), Reply::Flags(_)) => {
                for departure in departures {
                    visitors[Visitor::number(&departure.visitor)].on_departed();
                }
            }
            (Request::Hear(heard), _) => {
                gateways[parcel.gateway].marks.brought(heard.period);
                self.send_marks(parcel.gateway);
            }
            _ => {}
        }
    }
}
