//! The gateway's own paths, under `/_usher/`.

use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use queue_core::VisitorId;
use serde::Deserialize;

use crate::body::{BodyError, RequestBody, ResponseBody};
use crate::client_addr::ClientAddr;
use crate::clock::{self, Instant};
use crate::credentials::Credential;
use crate::door::Judgement;
use crate::entropy;
use crate::metrics::{PollResult, RequestKind};
use crate::problem::{Problem, ProblemKind};
use crate::queue::{Answer, Desk, Held, PollQuery, State};
use crate::respond::{self, Carrier, Wants};
use crate::room::RoomSnapshot;
use crate::route::{Reserved, RoomIndex};
use crate::worker::Worker;

/// The longest body of a join: a token and a little JSON around it.
const LONGEST_JOIN_BODY: usize = 4 * 1024;

/// Answers a request to a reserved path.
pub async fn answer(
    worker: &Worker,
    reserved: Reserved,
    client: ClientAddr,
    request: Request<RequestBody>,
    now: Instant,
) -> (RequestKind, Response<ResponseBody>) {
    let method = request.method().clone();
    match reserved {
        Reserved::Position(room) if reads(&method) => {
            (RequestKind::Position, position(worker, room, client, &request, now).await)
        }
        Reserved::Join(room) if method == Method::POST => {
            (RequestKind::Join, join(worker, room, client, request, now).await)
        }
        Reserved::Leave(room) if method == Method::POST => {
            (RequestKind::Leave, leave(worker, room, client, &request, now).await)
        }
        Reserved::State(room) if reads(&method) => (RequestKind::Room, state(worker, room, now)),
        Reserved::Jwks if reads(&method) => (RequestKind::Room, jwks(worker)),
        Reserved::Join(_) | Reserved::Leave(_) => (RequestKind::Refused, method_not_allowed("POST")),
        Reserved::Position(_) | Reserved::State(_) | Reserved::Jwks => {
            (RequestKind::Refused, method_not_allowed("GET, HEAD"))
        }
        Reserved::Events(_) | Reserved::Draw(_) | Reserved::Unknown => {
            let problem = Problem::new(ProblemKind::NotFound).detail("There is no such room, or no such thing in it.");
            (RequestKind::Refused, problem.into_response())
        }
    }
}

fn reads(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

fn method_not_allowed(allowed: &'static str) -> Response<ResponseBody> {
    let mut response = Problem::new(ProblemKind::MethodNotAllowed).into_response();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

/// Runs `business` at the room's desk.
macro_rules! at_desk {
    ($worker:expr, $room:expr, $now:expr, |$desk:ident| $business:expr) => {{
        let front = $worker.front($room);
        let snapshot = front.room.snapshot();
        let $desk = Desk { room: &front.room, keys: &$worker.shared.keys, snapshot: &snapshot, now: $now };
        $business
    }};
}

#[derive(Deserialize, Default)]
struct JoinBody {
    token: Option<String>,
}

async fn join(
    worker: &Worker,
    room: RoomIndex,
    client: ClientAddr,
    request: Request<RequestBody>,
    now: Instant,
) -> Response<ResponseBody> {
    if let Err(limited) = worker.shape(room, client, None, now).await {
        return respond::limited(worker, &limited, Wants::Document);
    }
    let (parts, body) = request.into_parts();
    let sent = match read_join(body).await {
        Ok(sent) => sent,
        Err(problem) => return problem.into_response(),
    };
    let carrier = if sent.token.is_some() { Carrier::Header } else { Carrier::of(&parts.headers) };
    let shown = match &sent.token {
        Some(token) => Credential::Shown(token),
        None => worker.cookies(room).queue_token(&parts.headers),
    };
    at_desk!(worker, room, now, |desk| {
        let held = match shown {
            Credential::Shown(token) => desk.read_token(token),
            _ => None,
        };
        let (answer, status) = join_or_keep(&desk, held).await;
        respond::answer(worker, room, answer, status, carrier)
    })
}

/// A held place, or a new one when there is none or its session is over.
pub async fn join_or_keep<'a>(desk: &Desk<'a>, held: Option<Held>) -> (Answer<'a>, StatusCode) {
    if let Some(held) = held {
        match desk.keep(&held, PollQuery { claim: true, seen: None }).await {
            Answer::Position(document) if document.state == State::Ended => {}
            kept => return (kept, StatusCode::OK),
        }
    }
    (desk.join(VisitorId::from_entropy(entropy::draw())).await, StatusCode::CREATED)
}

async fn read_join(body: RequestBody) -> Result<JoinBody, Problem> {
    let bytes = body.collect(LONGEST_JOIN_BODY).await.map_err(|error| match error {
        BodyError::TooLarge { .. } => {
            Problem::new(ProblemKind::BodyTooLarge).detail("A join carries a token and no more.")
        }
        BodyError::Broken | BodyError::TooSlow => {
            Problem::new(ProblemKind::BadRequest).detail("The body did not arrive whole.")
        }
    })?;
    if bytes.trim_ascii().is_empty() {
        return Ok(JoinBody::default());
    }
    serde_json::from_slice(&bytes)
        .map_err(|_| Problem::new(ProblemKind::BadRequest).detail("The body is neither empty nor {\"token\": \"…\"}."))
}

async fn position(
    worker: &Worker,
    room: RoomIndex,
    client: ClientAddr,
    request: &Request<RequestBody>,
    now: Instant,
) -> Response<ResponseBody> {
    let query = match PollQuery::parse(request.uri().query().unwrap_or_default()) {
        Ok(query) => query,
        Err(problem) => return problem.into_response(),
    };
    let headers = request.headers();
    let shown = worker.cookies(room).queue_token(headers);
    at_desk!(worker, room, now, |desk| {
        let token = match shown {
            Credential::Shown(token) => desk.read_token(token),
            _ => None,
        };
        let answer = match token {
            Some(token) if room_closed(desk.snapshot, &desk) => {
                let _ = token;
                return Problem::new(ProblemKind::RoomGone).into_response();
            }
            Some(token) => desk.position(&token, query).await,
            None => {
                worker.front(room).room.metrics.polled(PollResult::Unknown);
                if let Err(limited) = worker.shape(room, client, None, now).await {
                    return respond::limited(worker, &limited, Wants::Document);
                }
                Answer::BadToken
            }
        };
        respond::answer(worker, room, answer, StatusCode::OK, Carrier::of(headers))
    })
}

fn room_closed(snapshot: &RoomSnapshot, desk: &Desk<'_>) -> bool {
    snapshot.mirror.summary.limits.closes_at.is_some_and(|closes| desk.time() >= closes)
}

impl PollQuery {
    /// From a query string: `claim=false`, `seen=N`; what it does not know it ignores, as browsers and caches add things.
    fn parse(query: &str) -> Result<Self, Problem> {
        let mut parsed = Self { claim: true, seen: None };
        for pair in query.split('&') {
            match pair.split_once('=') {
                Some(("claim", "false")) => parsed.claim = false,
                Some(("claim", "true")) => parsed.claim = true,
                Some(("claim", _)) => {
                    return Err(Problem::new(ProblemKind::BadRequest).detail("claim is true or false."));
                }
                Some(("seen", seen)) => {
                    let bad = |_| {
                        Problem::new(ProblemKind::BadRequest).detail("seen is the position last shown, a whole number.")
                    };
                    parsed.seen = Some(seen.parse().map_err(bad)?);
                }
                _ => {}
            }
        }
        Ok(parsed)
    }
}

async fn leave(
    worker: &Worker,
    room: RoomIndex,
    client: ClientAddr,
    request: &Request<RequestBody>,
    now: Instant,
) -> Response<ResponseBody> {
    if let Err(limited) = worker.shape(room, client, None, now).await {
        return respond::limited(worker, &limited, Wants::Document);
    }
    let headers = request.headers();
    let cookies = worker.cookies(room);
    at_desk!(worker, room, now, |desk| {
        let mut known = false;
        let front = worker.front(room);
        let judged = worker.door.judge(cookies.ticket(headers), desk.room.id(), desk.keys, desk.time(), |result| {
            front.room.metrics.verified(result);
        });
        if let Judgement::Good(pass) = judged {
            known = true;
            if let Err(error) = desk.leave_cohort(&pass.ticket).await {
                return respond::problem_of(Answer::Undecided(error)).into_response();
            }
        }
        if let Credential::Shown(token) = cookies.queue_token(headers)
            && let Some(token) = desk.read_token(token)
        {
            known = true;
            if let Err(error) = desk.leave_line(&token).await {
                return respond::problem_of(Answer::Undecided(error)).into_response();
            }
        }
        if !known {
            return respond::problem_of(Answer::BadToken).into_response();
        }
        let mut response = respond::left(worker, room, headers);
        for cookie in [cookies.clear_queue_token(), cookies.clear_ticket()].into_iter().flatten() {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    })
}

fn state(worker: &Worker, room: RoomIndex, now: Instant) -> Response<ResponseBody> {
    at_desk!(worker, room, now, |desk| respond::json(StatusCode::OK, &desk.room_state()))
}

fn jwks(worker: &Worker) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(worker.shared.keys.jwks_at(clock::now())));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/jwk-set+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=60, stale-while-revalidate=600"));
    response
}
