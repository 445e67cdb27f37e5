//! `baseline compare`: the gateway side by side with bare hyper servers, in CPU per request.

mod bed;
pub mod options;
mod process;
pub mod report;
pub(crate) mod usher;

use std::net::SocketAddr;
use std::rc::Rc;

use anyhow::Context;
use http::header::COOKIE;
use http::{HeaderName, HeaderValue};

use crate::cpu;
use crate::load::{self, Load, Outcome};
use bed::Bed;
use options::Options;
use process::Process;
use report::{Comparison, Report, Round, Side};

const USHER_TOKEN: HeaderName = HeaderName::from_static("usher-token");

/// Starts everything, loads each pair of servers in turn, several times, and ends everything.
///
/// # Errors
/// When a server cannot be started, a request cannot be sent, or the gateway is not built.
pub fn run(options: &Options) -> anyhow::Result<Report> {
    // Before any thread is started, so that all of them stay on the core.
    process::pin_self(options.load_core)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let bed = Bed::start(options).await?;
        let admitted = pair(
            options,
            Pair {
                what: "admitted request: a bare proxy | usher with ticket check, buckets and access log",
                bare: Target::new(&bed.proxy, "/seats"),
                usher: Target::new(bed.usher.process(), "/seats"),
                credentials: values(&COOKIE, bed.tickets.iter().map(|ticket| usher::ticket_cookie(ticket)))?,
            },
        )
        .await?;
        let poll = pair(
            options,
            Pair {
                what: "poll: a fixed JSON document | usher with the token verified and the position counted",
                bare: Target::new(&bed.fixed, usher::POLL_PATH),
                usher: Target::new(bed.usher.process(), usher::POLL_PATH),
                credentials: values(&USHER_TOKEN, bed.tokens.iter().cloned())?,
            },
        )
        .await?;
        Ok(Report {
            rounds: options.rounds,
            requests_a_round: options.requests,
            connections: options.connections,
            waiting: bed.tokens.len(),
            document_bytes: bed.document_bytes,
            comparisons: vec![admitted, poll],
        })
    })
}

struct Target {
    address: SocketAddr,
    pid: u32,
    path: &'static str,
}

impl Target {
    fn new(process: &Process, path: &'static str) -> Self {
        Self { address: process.address, pid: process.pid(), path }
    }
}

/// Two servers that get the same requests.
struct Pair {
    what: &'static str,
    bare: Target,
    usher: Target,
    credentials: Rc<Vec<(HeaderName, HeaderValue)>>,
}

/// Alternating rounds, each beginning with the other one, so that what the machine does meanwhile hits both alike.
async fn pair(options: &Options, pair: Pair) -> anyhow::Result<Comparison> {
    let (mut bare, mut usher) = (Vec::new(), Vec::new());
    // The first round fills caches and pools and lets silent waiters be heard again; it does not count.
    for round in 0..=options.rounds {
        let mut measured = [None, None];
        let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        for which in order {
            let target = [&pair.bare, &pair.usher][which];
            measured[which] = Some(measure(options, target, &pair.credentials).await?);
            eprintln!("round {round}/{} {}: {:?}", options.rounds, ["bare", "usher"][which], measured[which]);
        }
        if let ([Some(one), Some(other)], true) = (measured, round > 0) {
            bare.push(one);
            usher.push(other);
        }
    }
    Ok(Comparison::of(pair.what, Side::of(bare), Side::of(usher)))
}

async fn measure(
    options: &Options,
    target: &Target,
    credentials: &Rc<Vec<(HeaderName, HeaderValue)>>,
) -> anyhow::Result<Round> {
    let load = Load {
        address: target.address,
        path: target.path.to_owned(),
        credentials: Rc::clone(credentials),
        connections: options.connections.into(),
        requests: options.requests,
        at_most: options.round_at_most,
    };
    let before = cpu::used_by(target.pid).context("no /proc for a server")?;
    let Outcome { good, other, seconds, times } = load::run(&load).await?;
    let used = cpu::used_by(target.pid).context("a server has gone")?.saturating_sub(before);
    let per_10_000 = used.as_secs_f64() / ((good + other).max(1) as f64 / 10_000.0);
    Ok(Round { cpu_seconds_per_10_000: per_10_000, requests_per_second: good as f64 / seconds, good, other, times })
}

fn values(
    name: &HeaderName,
    values: impl Iterator<Item = String>,
) -> anyhow::Result<Rc<Vec<(HeaderName, HeaderValue)>>> {
    let values = values.map(|value| Ok((name.clone(), HeaderValue::from_str(&value)?)));
    Ok(Rc::new(values.collect::<anyhow::Result<_>>()?))
}
