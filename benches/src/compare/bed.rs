//! All servers of a comparison, with visitors admitted and visitors waiting.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use anyhow::{Context, bail, ensure};
use tokio::task::{JoinSet, LocalSet};

use super::options::Options;
use super::process::Process;
use super::usher::{OPEN_ROOM, POLL_PATH, Usher, WAITING_ROOM};
use crate::clock::Clock;
use crate::document::{Position, State, Word};
use crate::http::{Ask, Pool, Target};

/// Joins on their way at once.
const JOINS_AT_ONCE: usize = 64;

/// The running servers.
#[derive(Debug)]
pub(super) struct Bed {
    /// The gateway; ends before its upstream.
    pub(super) usher: Usher,
    /// The bare proxy.
    pub(super) proxy: Process,
    /// The bare server of one document.
    pub(super) fixed: Process,
    /// Tickets of admitted visitors.
    pub(super) tickets: Vec<String>,
    /// Queue tokens of waiting visitors.
    pub(super) tokens: Vec<String>,
    /// The length of a position document.
    pub(super) document_bytes: usize,
    _origin: Process,
}

impl Bed {
    /// Starts all of them and fills the rooms.
    pub(super) async fn start(options: &Options) -> anyhow::Result<Self> {
        let origin = Process::baseline(options.load_core, &["origin"])?;
        let upstream = origin.address.to_string();
        let proxy = Process::baseline(options.server_core, &["proxy", "--upstream", &upstream])?;
        let usher =
            Usher::start(options.usher.clone(), options.server_core, &options.algorithm, origin.address).await?;

        let pool = Rc::new(Pool::new(Target::parse(&format!("http://{}", usher.process().address))?.0, JOINS_AT_ONCE));
        let inside = join_all(&pool, OPEN_ROOM, options.admitted).await?;
        let tickets = inside.into_iter().map(|position| position.ticket.context("not admitted to an open room"));
        let tickets = tickets.collect::<anyhow::Result<Vec<_>>>()?;
        // The first one is let straight in and fills the room; the line begins behind.
        let mut waiting = join_all(&pool, WAITING_ROOM, options.waiting.saturating_add(1)).await?;
        waiting.retain(|position| position.state != State::Admitted);
        ensure!(waiting.iter().all(|position| position.state == State::Waiting), "not everyone waits in the line");
        let tokens: Vec<String> = waiting.into_iter().filter_map(|position| position.token).collect();

        let document = document(&pool, tokens.get(tokens.len() / 2).context("nobody waits")?).await?;
        let fixed = Process::baseline(options.server_core, &["fixed", "--body", &document])?;
        Ok(Self { usher, proxy, fixed, tickets, tokens, document_bytes: document.len(), _origin: origin })
    }
}

/// The position documents of `count` joins.
async fn join_all(pool: &Rc<Pool>, room: &'static str, count: u32) -> anyhow::Result<Vec<Position>> {
    let clock = Clock::start();
    let (left, all) = (Rc::new(Cell::new(count)), Rc::new(RefCell::new(Vec::new())));
    let joins = LocalSet::new();
    joins
        .run_until(async {
            let mut tasks = JoinSet::new();
            for _ in 0..JOINS_AT_ONCE {
                let (pool, left, all) = (Rc::clone(pool), Rc::clone(&left), Rc::clone(&all));
                tasks.spawn_local(async move {
                    let ask = Ask::post(format!("/_usher/{room}/join"));
                    while left.get() > 0 {
                        left.set(left.get() - 1);
                        let answer = pool.send(&clock, &ask).await?;
                        match Word::of(&answer) {
                            Word::Position(position) => all.borrow_mut().push(*position),
                            word => bail!("a join was answered {}: {word:?}", answer.status),
                        }
                    }
                    Ok(())
                });
            }
            while let Some(joined) = tasks.join_next().await {
                joined.context("a join")??;
            }
            anyhow::Ok(())
        })
        .await?;
    Ok(all.take())
}

/// What a poll in the middle of the line is answered.
async fn document(pool: &Pool, token: &str) -> anyhow::Result<String> {
    let ask = Ask::get(POLL_PATH).with(super::USHER_TOKEN, http::HeaderValue::from_str(token)?);
    let answer = pool.send(&Clock::start(), &ask).await?;
    ensure!(answer.status.is_success(), "a poll was answered {}", answer.status);
    Ok(String::from_utf8(answer.body.to_vec())?)
}
