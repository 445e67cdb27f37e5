//! Who may pass: judges admission tickets, each signature once per core.

use std::cell::RefCell;
use std::rc::Rc;

use http::HeaderValue;
use queue_core::ticket::{AdmissionTicket, KeyRing, LEEWAY};
use queue_core::{RoomId, Timestamp};
use quick_cache::unsync::Cache;

use crate::credentials::Credential;

/// Tickets one core remembers: more than a cohort, less than 16 MiB.
const REMEMBERED: usize = 16_384;

/// A ticket whose signature was verified, with the header values that tell the upstream of it.
#[derive(Debug)]
pub struct Pass {
    /// What it says.
    pub ticket: AdmissionTicket,
    /// `Usher-Visitor`.
    pub visitor: HeaderValue,
    /// `Usher-Ticket`.
    pub signed: HeaderValue,
}

/// The judgement of a shown ticket.
#[derive(Debug)]
pub enum Judgement {
    /// None was shown.
    NoTicket,
    /// It is good for this room now, as far as the ticket itself can say.
    Good(Rc<Pass>),
    /// It is not good.
    Bad,
}

/// One core's judge.
#[derive(Debug)]
pub struct Door {
    verified: RefCell<Cache<Box<str>, Rc<Pass>>>,
}

impl Default for Door {
    fn default() -> Self {
        Self { verified: RefCell::new(Cache::new(REMEMBERED)) }
    }
}

impl Door {
    /// Judges a shown ticket; `count` is told the result's label.
    pub fn judge(
        &self,
        shown: Credential<'_>,
        room: &RoomId,
        keys: &KeyRing,
        now: Timestamp,
        count: impl FnOnce(&'static str),
    ) -> Judgement {
        let text = match shown {
            Credential::Absent => return Judgement::NoTicket,
            Credential::Shown(text) => text,
            Credential::Several | Credential::Malformed => {
                count("malformed");
                return Judgement::Bad;
            }
        };
        if let Some(pass) = self.remembered(text, room, now) {
            count("cached");
            return Judgement::Good(pass);
        }
        match keys.verify_admission(text, room, now) {
            Ok(ticket) => {
                count("valid");
                self.remember(text, ticket).map_or(Judgement::Bad, Judgement::Good)
            }
            Err(error) => {
                count(error.label());
                Judgement::Bad
            }
        }
    }

    /// A verified signature stays verified; room and time are judged anew.
    fn remembered(&self, text: &str, room: &RoomId, now: Timestamp) -> Option<Rc<Pass>> {
        let verified = self.verified.borrow();
        let pass = verified.get(text)?;
        (pass.ticket.room == *room && now < pass.ticket.expires_at + LEEWAY).then(|| pass.clone())
    }

    fn remember(&self, text: &str, ticket: AdmissionTicket) -> Option<Rc<Pass>> {
        let visitor = HeaderValue::try_from(ticket.session.visitor.to_string()).ok()?;
        let mut signed = HeaderValue::try_from(text).ok()?;
        signed.set_sensitive(true);
        let pass = Rc::new(Pass { ticket, visitor, signed });
        self.verified.borrow_mut().insert(text.into(), pass.clone());
        Some(pass)
    }

    /// Forgets everything, for keys that were dropped at once.
    pub fn forget(&self) {
        *self.verified.borrow_mut() = Cache::new(REMEMBERED);
    }
}
