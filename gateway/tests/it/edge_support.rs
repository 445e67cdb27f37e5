//! A gateway without rooms, a scripted upstream and a raw client, all over real sockets.

use std::future::Future;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use gateway::body::{BodyError, RequestBody, ResponseBody};
use gateway::clock::monotonic;
use gateway::entropy;
use gateway::forward::{self, ForwardFacts, RequestTrace, Scheme};
use gateway::listener::{
    AbortPhase, Capacity, ClientStream, DrainReport, Handler, IdleClass, ListenerLimits, ListenerSettings, Reply,
    RequestKind, Speaks, bind, serve,
};
use gateway::metrics::Metrics;
use gateway::problem::{Problem, ProblemKind};
use gateway::upstream::{Pool, Rank, Upstream, UpstreamSettings};
use http::{HeaderValue, Request, Response};
use tokio::sync::oneshot;

/// Nothing here takes this long; a test that does has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `condition` holds.
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let began = monotonic();
    while !condition() {
        assert!(began.elapsed() < PATIENCE, "{what} did not come true");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// Limits under which tests of time are quick.
pub(crate) fn quick_limits() -> ListenerLimits {
    ListenerLimits { sweep_interval: Duration::from_millis(10), ..ListenerLimits::default() }
}

/// What the test handler does beside forwarding.
pub(crate) struct Probe {
    pub(crate) seen: Mutex<Vec<String>>,
}

struct Proxy {
    pool: Option<Rc<Pool>>,
    probe: Arc<Probe>,
}

impl Handler for Proxy {
    async fn handle(&self, request: Request<RequestBody>, client: &Rc<ClientStream>) -> Reply {
        self.probe.seen.lock().unwrap().push(format!("{} {}", request.method(), request.uri()));
        let own = |response| Reply::new(RequestKind::Wait, response);
        match request.uri().path() {
            "/own" => own(Response::new(ResponseBody::full("own"))),
            "/admitted" => {
                client.set_idle_class(IdleClass::Admitted);
                own(Response::new(ResponseBody::full("admitted")))
            }
            "/read" => match request.into_body().collect(1024 * 1024).await {
                Ok(body) => own(Response::new(ResponseBody::full(body.len().to_string()))),
                Err(BodyError::TooSlow) => own(Problem::new(ProblemKind::RequestTimeout).into_response()),
                Err(BodyError::TooLarge { .. }) => own(Problem::new(ProblemKind::BodyTooLarge).into_response()),
                Err(BodyError::Broken) => own(Problem::new(ProblemKind::BadRequest).into_response()),
            },
            "/huge" => own(Response::new(ResponseBody::full(vec![b'x'; 64 * 1024 * 1024]))),
            "/never" => std::future::pending().await,
            _ => Reply::new(RequestKind::Forwarded, self.forward(request, client).await),
        }
    }
}

impl Proxy {
    async fn forward(&self, mut request: Request<RequestBody>, client: &ClientStream) -> Response<ResponseBody> {
        let Some(pool) = &self.pool else { return Problem::new(ProblemKind::NotFound).into_response() };
        let host = request.headers().get("host").cloned().unwrap_or(HeaderValue::from_static("none"));
        let forwarded = client.forwarded_fields().get(client.remote().ip(), Scheme::Http, &host);
        let trace = RequestTrace::of(request.headers(), false, &entropy::draw());
        let facts = ForwardFacts {
            peer_trusted: false,
            forwarded: &forwarded,
            visitor: None,
            room: &HeaderValue::from_static("concert"),
            ticket: None,
            trace: &trace,
        };
        client.reached(AbortPhase::Upstream);
        forward::to_upstream(request.headers_mut(), &facts);
        let rank = if request.uri().path() == "/open" { Rank::Open } else { Rank::Admitted };
        match pool.send(request, rank).await {
            Ok(mut response) => {
                forward::from_upstream(response.headers_mut());
                response.map(ResponseBody::Upstream)
            }
            Err(error) => Problem::new(error.problem()).into_response(),
        }
    }
}

/// A running gateway of one or more cores; dropping it drains it.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    pub(crate) cores: Vec<SocketAddr>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) capacity: Arc<Capacity>,
    pub(crate) upstream: Option<Arc<Upstream>>,
    pub(crate) probe: Arc<Probe>,
    threads: Vec<(Option<oneshot::Sender<()>>, JoinHandle<DrainReport>)>,
}

impl Gateway {
    /// A gateway that only answers by itself.
    pub(crate) fn alone(limits: ListenerLimits) -> Self {
        Self::start(limits, Capacity::DEFAULT_CONNECTIONS, &[], UpstreamSettings::default(), 1)
    }

    /// A gateway in front of these endpoints.
    pub(crate) fn before(endpoints: &[SocketAddr], settings: UpstreamSettings) -> Self {
        Self::start(quick_limits(), Capacity::DEFAULT_CONNECTIONS, endpoints, settings, 1)
    }

    /// Each core listens on a port of its own, so that a test can choose.
    pub(crate) fn start(
        limits: ListenerLimits,
        connections: usize,
        endpoints: &[SocketAddr],
        settings: UpstreamSettings,
        cores: usize,
    ) -> Self {
        Self::speaking(&Speaks::Http1, limits, connections, endpoints, settings, cores)
    }

    /// A gateway that only answers by itself, in HTTP/2 with prior knowledge.
    pub(crate) fn alone_in_http2(limits: ListenerLimits) -> Self {
        Self::speaking(&Speaks::Http2, limits, Capacity::DEFAULT_CONNECTIONS, &[], UpstreamSettings::default(), 1)
    }

    fn speaking(
        speaks: &Speaks,
        limits: ListenerLimits,
        connections: usize,
        endpoints: &[SocketAddr],
        settings: UpstreamSettings,
        cores: usize,
    ) -> Self {
        let metrics = Metrics::new();
        let capacity = Capacity::new(connections);
        let probe = Arc::new(Probe { seen: Mutex::default() });
        let mut endpoints = endpoints.iter().map(|address| format!("http://{address}").parse().unwrap());
        let upstream = endpoints
            .next()
            .map(|first| Upstream::new(first, endpoints.collect(), settings, metrics.upstream.upstream("booking")));
        let listener_metrics = metrics.http.listener("public");
        let mut addresses = Vec::new();
        let mut threads = Vec::new();
        for _ in 0..cores {
            let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0)), true).unwrap();
            addresses.push(listener.local_addr().unwrap());
            let settings = ListenerSettings {
                speaks: speaks.clone(),
                ..ListenerSettings::cleartext(limits, Arc::clone(&capacity), Arc::clone(&listener_metrics))
            };
            let (stop, stopped) = oneshot::channel();
            let (upstream, probe) = (upstream.clone(), Arc::clone(&probe));
            let core = move || {
                on_core(async move {
                    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                    let handler = Rc::new(Proxy { pool: upstream.map(Pool::new), probe });
                    serve(listener, settings, handler, async { stopped.await.unwrap_or(()) }).await
                })
            };
            threads.push((Some(stop), std::thread::spawn(core)));
        }
        Self { address: addresses[0], cores: addresses, metrics, capacity, upstream, probe, threads }
    }

    /// Begins the drain without waiting for it.
    pub(crate) fn begin_drain(&mut self) {
        for (stop, _) in &mut self.threads {
            if let Some(stop) = stop.take() {
                let _ = stop.send(());
            }
        }
    }

    /// Drains and tells how it went.
    pub(crate) fn drain(mut self) -> DrainReport {
        self.begin_drain();
        let reports = self.threads.drain(..).map(|(_, thread)| thread.join().unwrap());
        reports.fold(DrainReport { open: 0, cut: 0 }, |sum, one| DrainReport {
            open: sum.open + one.open,
            cut: sum.cut + one.cut,
        })
    }

    pub(crate) fn client(&self) -> Client {
        Client::to(self.address)
    }

    /// Whether the exposition has this line.
    pub(crate) fn counts(&self, line: &str) -> bool {
        String::from_utf8(self.metrics.render().unwrap()).unwrap().lines().any(|shown| shown == line)
    }

    pub(crate) fn expect_count(&self, line: &str) {
        eventually(line, || self.counts(line));
    }

    pub(crate) fn open_upstream_connections(&self) -> usize {
        self.upstream.as_ref().unwrap().open_connections()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.begin_drain();
    }
}

/// Runs `main` on a runtime like that of one core.
pub(crate) fn on_core<T>(main: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, main)
}

/// An answer, as read off the wire.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: String,
}

impl Answer {
    pub(crate) fn has(&self, field: &str) -> bool {
        self.head.lines().any(|line| line.eq_ignore_ascii_case(field))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// A raw client.
pub(crate) struct Client {
    pub(crate) stream: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: h\r\n\r\n"));
        self.answer()
    }

    pub(crate) fn post(&mut self, path: &str, body: &[u8]) -> Answer {
        self.send(format!("POST {path} HTTP/1.1\r\nhost: h\r\ncontent-length: {}\r\n\r\n", body.len()));
        self.send(body);
        self.answer()
    }

    /// The next answer, whole.
    pub(crate) fn answer(&mut self) -> Answer {
        self.try_answer().expect("an answer")
    }

    /// The next answer; an error when the connection ends before it is whole.
    pub(crate) fn try_answer(&mut self) -> std::io::Result<Answer> {
        let head = read_head(&mut self.stream)?;
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        let (body, trailers) =
            if matches!(status, 204 | 304) { (vec![], String::new()) } else { read_body(&mut self.stream, &head)? };
        Ok(Answer { status, head, body, trailers })
    }

    /// Waits until the gateway closes; whatever comes before is returned.
    pub(crate) fn until_closed(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("still open"),
            _ => rest,
        }
    }

    /// Sends one byte of `bytes` each `pause` until the gateway says or does something; returns how many went.
    pub(crate) fn trickle(&mut self, bytes: &[u8], pause: Duration) -> usize {
        self.stream.get_ref().set_read_timeout(Some(pause)).unwrap();
        let mut sent = 0;
        for byte in bytes {
            if self.stream.get_mut().write_all(&[*byte]).is_err() {
                break;
            }
            sent += 1;
            match self.stream.fill_buf() {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                _ => break,
            }
        }
        self.stream.get_ref().set_read_timeout(Some(PATIENCE)).unwrap();
        sent
    }
}

fn read_head(stream: &mut impl BufRead) -> std::io::Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head)
}

fn read_body(stream: &mut impl BufRead, head: &str) -> std::io::Result<(Vec<u8>, String)> {
    let head = head.to_ascii_lowercase();
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    if field("transfer-encoding:") == Some("chunked") {
        return read_chunks(stream);
    }
    let length = field("content-length:").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((body, String::new()))
}

fn read_chunks(stream: &mut impl BufRead) -> std::io::Result<(Vec<u8>, String)> {
    let broken = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    let mut body = Vec::new();
    loop {
        let mut size = String::new();
        stream.read_line(&mut size)?;
        let size = usize::from_str_radix(size.trim(), 16).map_err(|_| broken())?;
        if size == 0 {
            break;
        }
        let start = body.len();
        body.resize(start + size, 0);
        stream.read_exact(&mut body[start..])?;
        stream.read_exact(&mut [0; 2])?;
    }
    let mut trailers = String::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        match line.as_str() {
            "\r\n" => return Ok((body, trailers)),
            "" => return Err(broken()),
            field => trailers.push_str(field),
        }
    }
}

/// One connection at the scripted upstream.
pub(crate) struct Served {
    pub(crate) stream: BufReader<TcpStream>,
    /// Which connection it is, from 0.
    pub(crate) index: usize,
}

impl Served {
    /// The next request: head and body; `None` when the gateway closes.
    pub(crate) fn request(&mut self) -> Option<(String, Vec<u8>)> {
        let head = read_head(&mut self.stream).ok()?;
        let (body, _) = read_body(&mut self.stream, &head).ok()?;
        Some((head, body))
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // The gateway may be gone already, which is what some tests are about.
        let _ = self.stream.get_mut().write_all(bytes.as_ref());
    }

    pub(crate) fn ok(&mut self, body: &str) {
        self.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
    }

    pub(crate) fn close(self) {
        let _ = self.stream.get_ref().shutdown(Shutdown::Both);
    }

    /// Ends with a reset instead of an orderly end.
    pub(crate) fn reset(self) {
        socket2::SockRef::from(self.stream.get_ref()).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Waits until the gateway closes the connection.
    pub(crate) fn until_closed(&mut self) {
        let mut rest = Vec::new();
        let _ = self.stream.read_to_end(&mut rest);
    }
}

/// A scripted upstream: each connection runs the script in a thread of its own.
pub(crate) struct FakeUpstream {
    pub(crate) address: SocketAddr,
    pub(crate) accepted: Arc<AtomicUsize>,
    pub(crate) open: Arc<AtomicUsize>,
    pub(crate) most_open: Arc<AtomicUsize>,
    /// Heads of all requests that the script passed to `note`.
    pub(crate) seen: Arc<Mutex<Vec<String>>>,
}

impl FakeUpstream {
    pub(crate) fn start(script: impl Fn(Served, &Mutex<Vec<String>>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let upstream = Self {
            address: listener.local_addr().unwrap(),
            accepted: Arc::default(),
            open: Arc::default(),
            most_open: Arc::default(),
            seen: Arc::default(),
        };
        let (accepted, open, most_open, seen) = (
            Arc::clone(&upstream.accepted),
            Arc::clone(&upstream.open),
            Arc::clone(&upstream.most_open),
            Arc::clone(&upstream.seen),
        );
        let script = Arc::new(script);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let index = accepted.fetch_add(1, Ordering::SeqCst);
                let now_open = open.fetch_add(1, Ordering::SeqCst) + 1;
                most_open.fetch_max(now_open, Ordering::SeqCst);
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                stream.set_nodelay(true).unwrap();
                let (script, open, seen) = (Arc::clone(&script), Arc::clone(&open), Arc::clone(&seen));
                std::thread::spawn(move || {
                    script(Served { stream: BufReader::new(stream), index }, &seen);
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        upstream
    }

    /// An upstream that answers every request with its connection's index.
    pub(crate) fn plain() -> Self {
        Self::start(|mut served, seen| {
            while let Some((head, _)) = served.request() {
                seen.lock().unwrap().push(head);
                let index = served.index.to_string();
                served.ok(&index);
            }
        })
    }

    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// An address on which nobody listens.
pub(crate) fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
