//! The upstream of these tests: records what reaches it, and answers as its path says.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
}

/// The upstream. Dropping it closes its port and all its connections.
pub(crate) struct Origin {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    seen: Mutex<Vec<Seen>>,
    /// Whether what waits for it may go on.
    released: watch::Sender<bool>,
    /// Bytes of request bodies that have come.
    received: watch::Sender<usize>,
}

type Body = BoxBody<Bytes, Infallible>;

/// What the body of `/bytes/N` is made of, piece by piece.
pub(crate) const PIECE: &[u8] = &[b'u'; 64 * 1024];

impl Origin {
    pub(crate) async fn start() -> Self {
        Self::with(None).await
    }

    /// One that speaks TLS only.
    pub(crate) async fn secure(tls: TlsAcceptor) -> Self {
        Self::with(Some(tls)).await
    }

    async fn with(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            seen: Mutex::default(),
            released: watch::Sender::new(false),
            received: watch::Sender::new(0),
        });
        let server = tokio::spawn(serve(listener, tls, Arc::clone(&shared)));
        Self { address, shared, server }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// All that came so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// The latest that came.
    #[track_caller]
    pub(crate) fn last(&self) -> Seen {
        self.seen().pop().expect("a request reached the upstream")
    }

    /// Lets go on what waits at `/slow` and `/trickle`.
    pub(crate) fn release(&self) {
        self.shared.released.send_replace(true);
    }

    /// Waits until so many bytes of request bodies have come.
    pub(crate) async fn received(&self, bytes: usize) {
        let mut received = self.shared.received.subscribe();
        let come = received.wait_for(|received| *received >= bytes);
        tokio::time::timeout(super::wait::PATIENCE, come).await.expect("the bytes come").unwrap();
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        assert!(self.headers.get_all(name).iter().count() <= 1, "{name} is there twice");
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    // Ends all connections when it is dropped.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, shared) = (tls.clone(), Arc::clone(&shared));
        connections.spawn(async move {
            match tls {
                None => connection(stream, shared).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        connection(stream, shared).await;
                    }
                }
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin, shared: Arc<Shared>) {
    let service = service_fn(|request| answer(Arc::clone(&shared), request));
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let (head, mut body) = request.into_parts();
    let target = head.uri.to_string();
    let headers = head.headers.clone();
    shared.seen.lock().unwrap().push(Seen { target: target.clone(), headers });
    let mut length = 0;
    while let Some(Ok(frame)) = body.frame().await {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        length += bytes;
        shared.received.send_modify(|received| *received += bytes);
    }
    let path = head.uri.path().trim_start_matches('/');
    let mut response = Response::new(match path.split_once('/') {
        Some(("bytes", count)) => pieces(count.parse().unwrap()),
        _ if path == "trickle" => trickle(&shared),
        _ => whole(echo(&head.method, &target, &head.headers, length)),
    });
    if let Some(say) = path.strip_prefix("session/") {
        response.headers_mut().insert("usher-session", say.parse().unwrap());
    }
    match path {
        "slow" => shared.wait().await,
        "hang" => std::future::pending().await,
        "forge" => {
            for name in ["usher-ticket", "usher-token", "usher-visitor", "keep-alive", "proxy-authenticate"] {
                response.headers_mut().insert(name, "forged".parse().unwrap());
            }
            response.headers_mut().insert("set-cookie", "basket=7; Path=/".parse().unwrap());
        }
        _ => {}
    }
    Ok(response)
}

fn echo(method: &Method, target: &str, headers: &HeaderMap, length: usize) -> Bytes {
    let mut shown: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        shown.entry(name.as_str()).or_default().push(String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    let document = json!({"method": method.as_str(), "target": target, "headers": shown, "body_bytes": length});
    document.to_string().into()
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).boxed()
}

/// So many bytes, without their number being told before.
fn pieces(count: usize) -> Body {
    let piece = move |left: usize| async move {
        let length = left.min(PIECE.len());
        (length > 0).then(|| (Ok(Frame::data(Bytes::from_static(&PIECE[..length]))), left - length))
    };
    StreamBody::new(Box::pin(stream::unfold(count, piece))).boxed()
}

/// One word now, another after the release.
fn trickle(shared: &Arc<Shared>) -> Body {
    let shared = Arc::clone(shared);
    let words = stream::unfold(0, move |told| {
        let shared = Arc::clone(&shared);
        async move {
            match told {
                0 => Some((Ok(Frame::data(Bytes::from_static(b"first "))), 1)),
                1 => {
                    shared.wait().await;
                    Some((Ok(Frame::data(Bytes::from_static(b"last"))), 2))
                }
                _ => None,
            }
        }
    });
    StreamBody::new(Box::pin(words)).boxed()
}

impl Shared {
    async fn wait(&self) {
        let _ = self.released.subscribe().wait_for(|released| *released).await;
    }
}
