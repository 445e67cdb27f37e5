//! Visitors act, and hear what became of it.

use queue_core::Place;
use queue_core::invariants::Violation;
use queue_core::line::Standing;
use queue_core::store::{
    Arrival, Called, Claim, Claimed, Departure, Ending, Joined, Renewal, Renewed, Session, Stamped,
};

use super::super::plants::Plant;
use super::super::visitor::{Shown, Stage, Temper, Visitor};
use super::calls::Parcel;
use super::{Happening, LONGEST_POLL, TERMS, World};
use crate::simulation::outbox::Outbox;
use crate::simulation::wire::{Answer, Reply, Request};

impl World {
    /// A visitor does what its stage asks for, mostly where the balancer keeps it.
    pub(super) fn visit(&mut self, number: usize) -> Result<(), Violation> {
        if self.dice.chance(1, 15) {
            self.visitors[number].home = self.dice.below(self.gateways.len() as u64) as usize;
        }
        let now = self.clock.now();
        let visitor = &mut self.visitors[number];
        if visitor.polled + LONGEST_POLL < now {
            visitor.lucky_since = now;
        }
        visitor.polled = now;
        let Visitor { id, temper, stage, home, .. } = *visitor;
        if self.gateways[home].stalled_until > now {
            self.visitors[number].lucky_since = now;
            if !self.calm && self.dice.chance(1, 2) {
                // The balancer notices in the end.
                self.visitors[number].home = self.dice.below(self.gateways.len() as u64) as usize;
            }
        } else {
            match stage {
                Stage::Done => return Ok(()),
                Stage::Joining | Stage::Provisional(_) => self.arrive_at_door(number, home),
                Stage::Waiting(place, _) if temper == Temper::Quitter && self.dice.chance(1, 12) => {
                    self.visitors[number].stage = Stage::Leaving(place);
                    self.want(home, |outbox| outbox.departures.push(Departure { visitor: id, place }));
                }
                Stage::Leaving(place) => {
                    self.want(home, |outbox| outbox.departures.push(Departure { visitor: id, place }));
                }
                Stage::Waiting(place, shown) => self.poll(number, home, place, shown)?,
                Stage::Inside(place, session, leaves) => self.stay(number, home, place, session, leaves),
                Stage::Back(place, session, tries) => self.try_again(number, home, place, session, tries),
            }
        }
        if let Some(next) = self.visitors[number].pause(&mut self.dice, self.calm, LONGEST_POLL) {
            self.after(next, Happening::Visit(number));
        }
        Ok(())
    }

    /// Puts something into a gateway's outbox; it goes with whatever else gathers until the flush.
    fn want(&mut self, gateway: usize, put: impl FnOnce(&mut Outbox)) {
        put(&mut self.gateways[gateway].outbox);
        let gather = self.dice.span_ms(0..30);
        let process = self.gateways[gateway].id;
        self.after(gather, Happening::Flush(gateway, process));
    }

    /// Somebody without a place: while the store is away it gets a provisional token.
    fn arrive_at_door(&mut self, number: usize, home: usize) {
        let now = self.clock.now();
        let Visitor { id, stage, .. } = self.visitors[number];
        let gateway = &mut self.gateways[home];
        let since = if let Stage::Provisional(since) = stage { Some(since) } else { None };
        if !gateway.is_well(now) {
            if since.is_none() {
                self.visitors[number].stage = Stage::Provisional(gateway.time(now));
                gateway.issued = true;
                self.count("provisional");
            }
            return;
        }
        if gateway.issued {
            return;
        }
        self.judge.asks(id);
        self.want(home, |outbox| outbox.joins.push(Arrival { visitor: id, since }));
    }

    /// A poll is answered from the gateway's memory; only a turn, or a place it does not know, goes to the store.
    fn poll(&mut self, number: usize, home: usize, place: Place, shown: Option<Shown>) -> Result<(), Violation> {
        let now = self.clock.now();
        let Visitor { id, temper, .. } = self.visitors[number];
        let gateway = &mut self.gateways[home];
        let well = gateway.is_well(now) && gateway.node == self.stores.primary;
        if !well {
            self.visitors[number].lucky_since = now;
        }
        let time = gateway.time(now);
        let Some(mirror) = &gateway.mirror else {
            // All that is known of the room may be what such a token says.
            gateway.witness.token(place);
            return Ok(());
        };
        let looked = gateway.looked;
        let standing = mirror.line.standing(place);
        gateway.marks.note(place, time, TERMS.retention);
        self.judge.polled(place, gateway.id, time, now);
        let mut claims = self.dice.chance(1, 40);
        match standing {
            Standing::Waiting { ahead } => {
                let now = Shown { position: ahead + 1, node: looked.0, looked: looked.1 };
                let shown = self.judge.shown(place, now, shown)?;
                self.visitors[number].stage = Stage::Waiting(place, Some(shown));
                self.count("polls");
            }
            Standing::Called { .. } | Standing::Gone { .. } | Standing::Spent | Standing::Unknown => claims = true,
        }
        if claims {
            let take = !matches!(temper, Temper::Hidden(1..));
            self.want(home, |outbox| outbox.claims.push(Claim { visitor: id, place, take }));
        }
        Ok(())
    }

    /// Inside: shows its ticket, repeats the claim (a lost answer), leaves in the end: tells so, or just closes the browser.
    fn stay(&mut self, number: usize, home: usize, place: Place, session: Session, leaves: queue_core::Timestamp) {
        let visitor = self.visitors[number].id;
        if self.clock.now() >= leaves {
            let back = self.dice.chance(1, 2);
            let tries = self.dice.within(2..30) as u32;
            self.visitors[number].stage = if back { Stage::Back(place, session, tries) } else { Stage::Done };
            if self.dice.chance(2, 3) {
                self.want(home, |outbox| outbox.endings.push(Ending { session }));
            }
            return;
        }
        match self.dice.below(6) {
            0 => self.want(home, |outbox| outbox.renewals.push(Renewal { session, span: TERMS.session })),
            1 | 2 => {
                let span = std::time::Duration::ZERO;
                self.want(home, |outbox| outbox.renewals.push(Renewal { session, span }));
            }
            3 => self.want(home, |outbox| outbox.claims.push(Claim { visitor, place, take: true })),
            _ => {}
        }
    }

    /// Its stay is over: whoever still has the old token or the old ticket tries them.
    fn try_again(&mut self, number: usize, home: usize, place: Place, session: Session, tries: u32) {
        let visitor = self.visitors[number].id;
        let Some(left) = tries.checked_sub(1) else {
            self.visitors[number].stage = Stage::Done;
            return;
        };
        self.visitors[number].stage = Stage::Back(place, session, left);
        if number.is_multiple_of(2) {
            self.want(home, |outbox| outbox.claims.push(Claim { visitor, place, take: true }));
        } else {
            let span = std::time::Duration::ZERO;
            self.want(home, |outbox| outbox.renewals.push(Renewal { session, span }));
        }
    }

    /// Visitors hear what a call led to.
    pub(super) fn hear(&mut self, parcel: &Parcel, stamped: Stamped<Reply>, confirmed: bool) -> Result<(), Violation> {
        let confirmed_or_bug = confirmed || self.plant == Some(Plant::UnconfirmedTicketsAreHandedOut);
        match (&parcel.request, stamped.value) {
            (Request::Join(arrivals), Reply::Joined(all)) => {
                for (arrival, joined) in arrivals.iter().zip(all) {
                    let number = Visitor::number(&arrival.visitor);
                    match joined {
                        Joined::Placed { place, .. } => self.on_placed(number, place)?,
                        Joined::Admitted { place, session } if confirmed_or_bug => {
                            self.on_admitted(number, place, session, confirmed)?;
                        }
                        _ => {}
                    }
                }
            }
            (Request::Claim(claims), Reply::Claimed(all)) => {
                for (claim, claimed) in claims.iter().zip(all) {
                    let number = Visitor::number(&claim.visitor);
                    match claimed {
                        Claimed::Admitted(session) if confirmed_or_bug => {
                            self.on_admitted(number, claim.place, session, confirmed)?;
                        }
                        Claimed::Ended if matches!(self.visitors[number].stage, Stage::Waiting(..)) => {
                            self.visitors[number].stage = Stage::Done;
                        }
                        Claimed::Offered => {
                            if let Temper::Hidden(looks) = &mut self.visitors[number].temper {
                                *looks = looks.saturating_sub(1);
                            }
                        }
                        Claimed::Unknown => self.gateways[parcel.gateway].witness.token(claim.place),
                        _ => {}
                    }
                }
            }
            (Request::Renew(renewals), Reply::Renewed(all)) => {
                for (renewal, renewed) in renewals.iter().zip(all) {
                    let visitor = &mut self.visitors[Visitor::number(&renewal.session.id.visitor)];
                    if let Stage::Inside(_, session, _) = &mut visitor.stage {
                        match renewed {
                            Renewed::Until(renewed) => *session = renewed,
                            Renewed::Ended => visitor.stage = Stage::Done,
                        }
                    }
                }
            }
            (Request::Depart(departures), Reply::Flags(_)) => {
                for departure in departures {
                    let visitor = &mut self.visitors[Visitor::number(&departure.visitor)];
                    if matches!(visitor.stage, Stage::Leaving(_)) {
                        visitor.stage = Stage::Done;
                    }
                }
            }
            (Request::Hear(heard), _) => {
                self.gateways[parcel.gateway].marks.brought(heard.period);
                self.send_marks(parcel.gateway);
            }
            (Request::Collect(_), _) => self.gateways[parcel.gateway].issued = false,
            _ => {}
        }
        Ok(())
    }

    fn on_placed(&mut self, number: usize, place: Place) -> Result<(), Violation> {
        let now = self.clock.now();
        let visitor = &mut self.visitors[number];
        if matches!(visitor.stage, Stage::Joining | Stage::Provisional(_)) {
            visitor.stage = Stage::Waiting(place, None);
            visitor.lucky_since = now;
            return self.judge.told_place(visitor.id, place);
        }
        Ok(())
    }

    fn on_admitted(&mut self, number: usize, place: Place, session: Session, confirmed: bool) -> Result<(), Violation> {
        let now = self.clock.now();
        let leaves = now + self.dice.span_ms(1_000..30_000);
        let visitor = &mut self.visitors[number];
        match visitor.stage {
            Stage::Joining | Stage::Provisional(_) => {
                visitor.stage = Stage::Inside(place, session, leaves);
                self.judge.told_place(visitor.id, place)?;
                self.judge.told_session(place, session, confirmed)
            }
            Stage::Waiting(mine, _) if mine == place => {
                visitor.stage = Stage::Inside(place, session, leaves);
                self.judge.told_session(place, session, confirmed)
            }
            _ => Ok(()),
        }
    }

    /// Counts what was answered.
    pub(super) fn tell(&mut self, answer: &Answer) {
        let stamped = match answer {
            Ok(stamped) => stamped,
            Err(error) => return self.count(error.label()),
        };
        match &stamped.value {
            Reply::Joined(all) => {
                for joined in all {
                    self.count(match joined {
                        Joined::Placed { .. } => "placed",
                        Joined::Admitted { .. } => "straight in",
                        Joined::Collected { .. } => "collected",
                        Joined::Full | Joined::Closed => "full",
                        Joined::Unconfirmed { .. } => "unconfirmed",
                    });
                }
            }
            Reply::Claimed(all) => {
                for claimed in all {
                    self.count(match claimed {
                        Claimed::Admitted(_) => "claimed",
                        Claimed::Missed => "missed",
                        Claimed::Offered => "offered",
                        Claimed::Refused(_) => "refused",
                        Claimed::NotCalled => "not called",
                        Claimed::Ended => "ended",
                        Claimed::Unknown => "unknown",
                        Claimed::Unconfirmed(_) => "unconfirmed",
                    });
                }
            }
            Reply::Renewed(all) => all.iter().for_each(|renewed| {
                self.count(if matches!(renewed, Renewed::Ended) { "not renewed" } else { "renewed" });
            }),
            Reply::Called(Called::Moved) => self.count("calls"),
            Reply::Swept(swept) if swept.silent > 0 => self.count("silent"),
            Reply::Swept(swept) if swept.settled > 0 => self.count("settled"),
            Reply::Merged(merged) => self.count(match merged {
                queue_core::store::Merged::Began => "lives begun",
                queue_core::store::Merged::Resumed => "lives resumed",
                queue_core::store::Merged::Added => "testimonies added",
            }),
            _ => {}
        }
    }
}
