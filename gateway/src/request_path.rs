//! The life of one request: identify → route → ticket? → shape → forward | wait.

use std::rc::Rc;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use queue_core::store::Renewed;

use crate::access_log::Line;
use crate::body::{RequestBody, ResponseBody};
use crate::canonical::Canonical;
use crate::client_addr::ClientAddr;
use crate::clock::{self, Instant};
use crate::credentials::{Credential, USHER_TICKET};
use crate::door::{Judgement, Pass};
use crate::entropy;
use crate::forward::{self, ForwardFacts, RequestTrace, SessionSignal};
use crate::listener::{ClientStream, IdleClass, Reply, Tunnel};
use crate::metrics::{AbortPhase, Departure, Outcome, RequestKind};
use crate::page::PageState;
use crate::problem::{Problem, ProblemKind};
use crate::queue::{Answer, Desk, PositionDocument, State, session_of, whole_seconds};
use crate::reserved;
use crate::respond::{self, Carrier, Wants};
use crate::route::{RoomIndex, Route};
use crate::stay::SessionStay;
use crate::upgrade::Upgrade;
use crate::upstream::{Rank, UpstreamBody};
use crate::worker::{RoomFront, Worker};

/// Answers one request. Every path through here ends in exactly one answer.
pub async fn answer(worker: &Worker, stream: &Rc<ClientStream>, request: Request<RequestBody>) -> Reply {
    let began = clock::monotonic();
    let method = request.method().clone();
    let uri = request.uri().clone();
    let client = worker.client(stream.remote().ip(), request.headers());
    let (kind, response) = decide(worker, stream, client, request, began).await;
    let status = response.status();
    // Polls that went well are most of the traffic of a sale and say nothing alone.
    if let Some(log) = &worker.access_log
        && !(kind == RequestKind::Position && status.is_success())
    {
        let (at, path, took) = (clock::now(), uri.path(), clock::monotonic().duration_since(began));
        log.write(&Line {
            at,
            listener: &worker.listener,
            client: client.ip(),
            method: &method,
            path,
            status,
            kind,
            took,
        });
    }
    Reply::new(kind, response)
}

async fn decide(
    worker: &Worker,
    stream: &Rc<ClientStream>,
    client: ClientAddr,
    request: Request<RequestBody>,
    now: Instant,
) -> (RequestKind, Response<ResponseBody>) {
    let wants = Wants::of(worker, request.method(), request.headers());
    if *request.method() == Method::CONNECT {
        let no_tunnels = Problem::new(ProblemKind::MethodNotAllowed).detail("CONNECT: this is no forward proxy");
        return (RequestKind::Refused, respond::refusal(worker, no_tunnels, wants));
    }
    let target = match Target::of(worker, &request) {
        Ok(target) => target,
        Err(problem) => return (RequestKind::Refused, respond::refusal(worker, problem, wants)),
    };
    match target.route {
        Route::Reserved(reserved) => reserved::answer(worker, reserved, client, request, now).await,
        Route::Guarded(room) => guarded(worker, room, Visit { client, stream, target, request, wants, now }).await,
        Route::Open(room) => open(worker, room, Visit { client, stream, target, request, wants, now }).await,
        Route::UnknownHost => refused(worker, Problem::new(ProblemKind::Misdirected), wants),
        Route::UnknownPath => refused(worker, Problem::new(ProblemKind::NotFound), wants),
    }
}

fn refused(worker: &Worker, problem: Problem, wants: Wants) -> (RequestKind, Response<ResponseBody>) {
    (RequestKind::Refused, respond::refusal(worker, problem, wants))
}

/// What was asked, in its one canonical reading: decided on and sent upstream alike.
struct Target {
    route: Route,
    /// The host that was asked, with its port if one was named.
    host: HeaderValue,
    /// Path and query, unless the request has them in canonical form already.
    rewritten: Option<PathAndQuery>,
}

impl Target {
    fn of(worker: &Worker, request: &Request<RequestBody>) -> Result<Self, Problem> {
        let bad = |detail: String| Problem::new(ProblemKind::BadRequest).detail(detail);
        let canonical = Canonical::of(request.uri(), request.headers()).map_err(|refusal| bad(refusal.to_string()))?;
        let route = worker.shared.router.route(canonical.host.name(), &canonical.path);
        let host = match request.headers().get(http::header::HOST) {
            Some(host) if host == canonical.host.as_str() => host.clone(),
            _ => HeaderValue::from_str(canonical.host.as_str()).map_err(|error| bad(error.to_string()))?,
        };
        let origin_form = request.uri().authority().is_none();
        let rewritten = match canonical.is_unchanged() && origin_form {
            true => None,
            false => {
                let path = canonical.path_and_query().into_owned();
                Some(PathAndQuery::try_from(path).map_err(|error| bad(error.to_string()))?)
            }
        };
        Ok(Self { route, host, rewritten })
    }
}

/// One request on its way through a room.
struct Visit<'c> {
    client: ClientAddr,
    stream: &'c Rc<ClientStream>,
    target: Target,
    request: Request<RequestBody>,
    wants: Wants,
    now: Instant,
}

/// What the ticket, or the line, said.
enum Verdict<'a> {
    /// Through, with what the client is to be given back.
    Pass(Rc<Pass>, Option<Box<PositionDocument<'a>>>),
    /// Not yet.
    Wait(Box<PositionDocument<'a>>),
    /// No.
    Refuse(Outcome, Problem),
}

async fn guarded(worker: &Worker, room: RoomIndex, visit: Visit<'_>) -> (RequestKind, Response<ResponseBody>) {
    let front = worker.front(room);
    let metrics = &front.room.metrics;
    if front.room.policy().is_suspended() {
        return open(worker, room, visit).await;
    }
    let (mut snapshot, mut now) = (front.room.snapshot(), visit.now);
    let desk = Desk { room: &front.room, keys: &worker.shared.keys, snapshot: &snapshot, now };
    let mut pass = judge(worker, room, &desk, &visit.request);
    let visitor = pass.as_ref().ok().map(|pass| pass.ticket.session.visitor);
    let passed = match worker.shape(room, visit.client, visitor, visit.now).await {
        Ok(passed) => passed,
        Err(limited) => {
            metrics.decided(Outcome::Limited);
            return (RequestKind::Refused, respond::limited(worker, &limited, visit.wants));
        }
    };
    if passed.has_waited() {
        // The session may have ended meanwhile.
        (snapshot, now) = (front.room.snapshot(), clock::monotonic());
        let desk = Desk { room: &front.room, keys: &worker.shared.keys, snapshot: &snapshot, now };
        pass = judge(worker, room, &desk, &visit.request);
    }
    let desk = Desk { room: &front.room, keys: &worker.shared.keys, snapshot: &snapshot, now };
    let (verdict, if_waiting) = match pass {
        Ok(pass) => (Verdict::Pass(pass, None), Outcome::Waiting),
        Err(outcome) => (ask_the_line(worker, room, &desk, &visit.request).await, outcome),
    };
    match verdict {
        Verdict::Pass(pass, granted) => {
            // A ticket out of a degraded answer was given without the store.
            let undecided = granted.as_ref().is_some_and(|granted| granted.degraded);
            metrics.decided(if undecided { Outcome::FailOpen } else { Outcome::Admitted });
            visit.stream.set_idle_class(IdleClass::Admitted);
            let mut visit = visit;
            if granted.is_some() {
                // A tunnel is for those who show a ticket: one that is only now on its way back was not shown (N22).
                visit.request.headers_mut().remove(http::header::UPGRADE);
            }
            let mut response = admitted(worker, room, &desk, visit, &pass).await;
            worker.shared.shaper.fields().passed(&passed, response.headers_mut());
            let response = match granted {
                Some(granted) => respond::with_credentials(worker, room, &granted, response),
                None => response,
            };
            (RequestKind::Forwarded, response)
        }
        Verdict::Wait(document) => {
            metrics.decided(match document.state {
                State::Closed => Outcome::Closed,
                _ if document.degraded && document.position.is_none() => Outcome::FailClosed,
                _ => if_waiting,
            });
            (RequestKind::Wait, respond::wait(worker, room, &document, visit.wants))
        }
        Verdict::Refuse(outcome, problem) => {
            metrics.decided(outcome);
            let state = match outcome {
                Outcome::Full => PageState::Full,
                Outcome::Closed => PageState::Closed,
                _ => return refused(worker, problem, visit.wants),
            };
            (RequestKind::Refused, respond::turned_away(worker, room, state, problem, visit.wants))
        }
    }
}

/// The right to pass, if the request shows one whose session is not over; else what a wait will be counted as.
fn judge(
    worker: &Worker,
    room: RoomIndex,
    desk: &Desk<'_>,
    request: &Request<RequestBody>,
) -> Result<Rc<Pass>, Outcome> {
    let metrics = &desk.room.metrics;
    let shown = worker.cookies(room).ticket(request.headers());
    match worker.door.judge(shown, desk.room.id(), desk.keys, desk.time(), |result| metrics.verified(result)) {
        Judgement::Good(pass) if !desk.snapshot.has_ended(pass.ticket.session.visitor) => Ok(pass),
        Judgement::Good(_) => {
            metrics.verified("revoked");
            Err(Outcome::BadTicket)
        }
        Judgement::Bad => Err(Outcome::BadTicket),
        Judgement::NoTicket => Err(Outcome::Waiting),
    }
}

/// Keeps or gives a place; the line may let straight in.
async fn ask_the_line<'a>(
    worker: &Worker,
    room: RoomIndex,
    desk: &Desk<'a>,
    request: &Request<RequestBody>,
) -> Verdict<'a> {
    let cookies = worker.cookies(room);
    let held = match cookies.queue_token(request.headers()) {
        Credential::Shown(token) => desk.read_token(token),
        _ => None,
    };
    match reserved::join_or_keep(desk, held).await.0 {
        Answer::Position(document) => match document.ticket.as_deref() {
            Some(ticket) => {
                let shown = Credential::Shown(ticket);
                match worker.door.judge(shown, desk.room.id(), desk.keys, desk.time(), |_| {}) {
                    Judgement::Good(pass) => Verdict::Pass(pass, Some(document)),
                    Judgement::Bad | Judgement::NoTicket => {
                        Verdict::Refuse(Outcome::FailClosed, Problem::new(ProblemKind::Internal))
                    }
                }
            }
            None => Verdict::Wait(document),
        },
        Answer::Full => Verdict::Refuse(Outcome::Full, respond::problem_of(Answer::Full)),
        Answer::Closed => Verdict::Refuse(Outcome::Closed, respond::problem_of(Answer::Closed)),
        Answer::Undecided(error) => Verdict::Refuse(Outcome::FailClosed, respond::problem_of(Answer::Undecided(error))),
        other => Verdict::Refuse(Outcome::Limited, respond::problem_of(other)),
    }
}

/// Forwards for a member of the cohort: activity renews the session meanwhile, and the upstream may end or prolong it.
async fn admitted(
    worker: &Worker,
    room: RoomIndex,
    desk: &Desk<'_>,
    visit: Visit<'_>,
    pass: &Rc<Pass>,
) -> Response<ResponseBody> {
    let ticket = &pass.ticket;
    let carrier = Carrier::of(visit.request.headers());
    let policy = desk.room.policy();
    let renews = policy.renews(ticket.session.started, ticket.expires_at, desk.time());
    // A session that the store may have lost makes itself known, so that nobody else gets its slot.
    let renewal = async {
        let span = if renews { policy.session_duration() } else { Duration::ZERO };
        let tells = renews || desk.room.may_have_lost(ticket.session);
        if tells { desk.room.renew(session_of(ticket), span).await.ok() } else { None }
    };
    let (exchange, mut renewed) = futures_util::future::join(forwarded(worker, room, visit, Some(pass)), renewal).await;
    let (mut response, signal) = exchange;
    match signal {
        SessionSignal::None => {}
        SessionSignal::Complete => {
            let ended = desk.room.end(session_of(ticket), Departure::Completed).await;
            if let Err(error) = ended {
                // Not a warning: while the store is away that is told once, and this would be a line per visitor.
                tracing::debug!(%error, "a completed session could not be ended now");
            }
            return response;
        }
        SessionSignal::Extend(span) => renewed = desk.room.renew(session_of(ticket), span).await.ok(),
    }
    if let Some(Renewed::Until(session)) = renewed
        && session.ends > ticket.expires_at
    {
        let longer = desk.prolong(ticket, session);
        let life = whole_seconds(desk.ticket_life(session.ends));
        let headers = response.headers_mut();
        match carrier {
            Carrier::Header => {
                if let Ok(mut value) = HeaderValue::try_from(longer) {
                    value.set_sensitive(true);
                    headers.insert(USHER_TICKET, value);
                }
            }
            Carrier::Cookie => {
                if let Some(cookie) = worker.cookies(room).set_ticket(&longer, life) {
                    headers.append(http::header::SET_COOKIE, cookie);
                }
            }
        }
    }
    response
}

/// Forwards to an open path. Whoever shows a good ticket is still told to the upstream, and counted as that visitor.
async fn open(worker: &Worker, room: RoomIndex, visit: Visit<'_>) -> (RequestKind, Response<ResponseBody>) {
    let front = worker.front(room);
    let snapshot = front.room.snapshot();
    let desk = Desk { room: &front.room, keys: &worker.shared.keys, snapshot: &snapshot, now: visit.now };
    let shown = worker.cookies(room).ticket(visit.request.headers());
    let pass = match worker.door.judge(shown, desk.room.id(), desk.keys, desk.time(), |_| {}) {
        Judgement::Good(pass) if !snapshot.has_ended(pass.ticket.session.visitor) => Some(pass),
        _ => None,
    };
    let visitor = pass.as_ref().map(|pass| pass.ticket.session.visitor);
    let passed = match worker.shape(room, visit.client, visitor, visit.now).await {
        Ok(passed) => passed,
        Err(limited) => {
            front.room.metrics.decided(Outcome::Limited);
            return (RequestKind::Refused, respond::limited(worker, &limited, visit.wants));
        }
    };
    front.room.metrics.decided(Outcome::Open);
    let mut response = match pass {
        Some(pass) => admitted(worker, room, &desk, visit, &pass).await,
        None => forwarded(worker, room, visit, None).await.0,
    };
    worker.shared.shaper.fields().passed(&passed, response.headers_mut());
    (RequestKind::Forwarded, response)
}

/// One exchange with the upstream: what a client may not say is removed, what the upstream may rely on is set.
async fn forwarded(
    worker: &Worker,
    room: RoomIndex,
    visit: Visit<'_>,
    pass: Option<&Rc<Pass>>,
) -> (Response<ResponseBody>, SessionSignal) {
    let Visit { client, stream, target, mut request, wants, .. } = visit;
    let is_guarded = matches!(target.route, Route::Guarded(_));
    let front = worker.front(room);
    // Nobody without a ticket gets a tunnel, whatever the path (N22).
    let upgrade = match pass.filter(|_| stream.can_switch()).map(|_| front.upgrades.asked_by(&request)) {
        None => None,
        Some(Ok(upgrade)) => upgrade,
        Some(Err(refusal)) => return (respond::bad_upgrade(worker, refusal, wants), SessionSignal::None),
    };
    let peer_trusted = worker.trusted.trusts(stream.remote().ip());
    let trace = RequestTrace::of(request.headers(), peer_trusted, &entropy::draw());
    let fields = stream.forwarded_fields().get(client.ip(), worker.scheme, &target.host);
    let facts = ForwardFacts {
        peer_trusted,
        forwarded: &fields,
        visitor: pass.map(|pass| &pass.visitor),
        room: &front.name,
        ticket: pass.map(|pass| &pass.signed),
        trace: &trace,
    };
    forward::to_upstream(request.headers_mut(), &facts);
    request.headers_mut().insert(http::header::HOST, target.host);
    if let Some(path) = target.rewritten {
        *request.uri_mut() = Uri::from(path);
    }
    if let Some(upgrade) = &upgrade {
        upgrade.ask(request.headers_mut());
    }
    if let Some(proof) = &front.proof {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        proof.sign(request.headers_mut(), &method, path, trace.request_id(), clock::now());
    }
    stream.reached(AbortPhase::Upstream);
    // In a suspended room everybody is as good as admitted.
    let rank = if pass.is_some() || front.room.policy().is_suspended() { Rank::Admitted } else { Rank::Open };
    match worker.upstreams[front.upstream].send(request, rank).await {
        Ok(answer) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => {
            match pass.zip(upgrade).and_then(|(pass, upgrade)| switched(front, stream, pass, &upgrade, answer)) {
                Some(answer) => answer,
                None => {
                    tracing::warn!(room = %front.room.id(), "the upstream's 101 is not the one that was asked for");
                    let problem = Problem::new(ProblemKind::UpstreamUnavailable);
                    (respond::refusal(worker, problem, wants), SessionSignal::None)
                }
            }
        }
        Ok(response) => {
            if let Some(pass) = pass.filter(|_| is_guarded && !response.body().is_whole()) {
                stream.ends_with(SessionStay::of(&front.room, session_of(&pass.ticket)));
            }
            let mut response = response.map(ResponseBody::Upstream);
            // The client is spoken to in its own version, whatever the upstream speaks.
            *response.version_mut() = http::Version::HTTP_11;
            let signal = forward::from_upstream(response.headers_mut());
            response.headers_mut().insert(forward::REQUEST_ID, trace.request_id().clone());
            (response, signal)
        }
        Err(error) => {
            tracing::warn!(room = %front.room.id(), %error, "the upstream failed");
            (respond::refusal(worker, respond::problem_of_upstream(&error), wants), SessionSignal::None)
        }
    }
}

/// The answer after which the connection is a tunnel; `None` when the upstream agreed to something else.
fn switched(
    front: &RoomFront,
    stream: &ClientStream,
    pass: &Pass,
    upgrade: &Upgrade,
    answer: Response<UpstreamBody>,
) -> Option<(Response<ResponseBody>, SessionSignal)> {
    if !upgrade.is_granted_by(&answer) {
        return None;
    }
    let (mut head, body) = answer.into_parts();
    stream.ends_with(SessionStay::of(&front.room, session_of(&pass.ticket)));
    stream.switches_to(Tunnel::new(body.into_tunnel()?));
    let signal = forward::from_upstream(&mut head.headers);
    upgrade.ask(&mut head.headers);
    Some((Response::from_parts(head, ResponseBody::Empty), signal))
}
