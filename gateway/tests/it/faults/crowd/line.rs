//! Joining and waiting.

use std::time::Duration;

use super::document::Document;
use super::visitor::{Heard, Visitor};
use crate::faults::record::{Joined, Poll, Told};
use crate::journey::ask::Ask;
use crate::journey::setup::ROOM;

/// After a refusal without a time to come back.
const COME_BACK: Duration = Duration::from_secs(2);

/// A refusal is believed after so many of them: a visitor who is told 401 may be told so by one gateway only.
const REFUSALS: u32 = 3;

impl Visitor {
    /// Joins, however often it takes: what that was told; `None` when the room's answers make no sense.
    pub(super) async fn join(&mut self) -> Option<Told> {
        loop {
            let heard = self.send(Ask::post(format!("/_usher/{ROOM}/join"))).await;
            let Some(answer) = &heard.answer else { continue };
            match answer.status.as_u16() {
                200 | 201 => {}
                status @ (429 | 503) => {
                    let wait = answer.header("retry-after").parse().map_or(COME_BACK, Duration::from_secs);
                    self.note(|record| record.refused.push((heard.answered, status)));
                    self.sleep(wait).await;
                    continue;
                }
                status => {
                    self.strange(format!("a join was answered {status}: {}", answer.text()));
                    return None;
                }
            }
            let document = self.read(&heard)?;
            let Some(token) = document.token.clone() else {
                self.strange("a join without a token".to_owned());
                return None;
            };
            let provisional = !self.take_token(token);
            let joined = Joined { sent: heard.sent, answered: heard.answered, provisional };
            self.note(|record| record.joined = Some(joined));
            let told = self.take(&document, &heard);
            return Some(told);
        }
    }

    /// Polls when told until there is a ticket: `true`; `false` when the place is refused for good.
    pub(super) async fn wait_in_line(&mut self, joined: Told) -> bool {
        let (mut refusals, mut told) = (0, joined);
        loop {
            match told {
                Told::Admitted => return true,
                Told::Waiting { poll_after_seconds, .. } => {
                    refusals = 0;
                    self.sleep(Duration::from_secs(poll_after_seconds)).await;
                }
                // The pause after a failure is over when `send` returns.
                Told::Broken => {}
                Told::Refused(429 | 500..) => self.sleep(COME_BACK).await,
                Told::Ended | Told::Refused(_) => {
                    refusals += 1;
                    if refusals == REFUSALS {
                        return false;
                    }
                    self.sleep(COME_BACK).await;
                }
            }
            told = self.poll().await;
        }
    }

    /// One poll with the newest token, which claims.
    pub(super) async fn poll(&mut self) -> Told {
        let seen = self.shown.map_or_else(String::new, |shown| format!("?seen={shown}"));
        let ask = Ask::get(format!("/_usher/{ROOM}/position{seen}"));
        let ask = match &self.token {
            Some(token) => ask.header("usher-token", token),
            None => ask,
        };
        let heard = self.send(ask).await;
        let told = match &heard.answer {
            None => Told::Broken,
            Some(answer) if answer.status != 200 => Told::Refused(answer.status.as_u16()),
            Some(_) => match self.read(&heard) {
                Some(document) => {
                    if let Some(token) = document.token.clone() {
                        self.take_token(token);
                    }
                    self.take(&document, &heard)
                }
                None => Told::Refused(200),
            },
        };
        self.note(|record| record.polls.push(Poll { sent: heard.sent, answered: heard.answered, told }));
        told
    }

    fn read(&self, heard: &Heard) -> Option<Document> {
        let document = Document::read(&heard.answer.as_ref()?.body);
        document.map_err(|error| self.strange(error)).ok()
    }

    /// Takes what a document grants.
    fn take(&mut self, document: &Document, heard: &Heard) -> Told {
        let told = document.told();
        match (told, &document.ticket) {
            (Told::Admitted, Some(ticket)) => self.take_ticket(ticket, heard),
            (Told::Admitted, None) => self.strange("admitted without a ticket".to_owned()),
            (Told::Waiting { position: Some(position), .. }, _) => self.shown = Some(position),
            _ => {}
        }
        told
    }
}
