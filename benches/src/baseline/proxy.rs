//! `baseline proxy`: a hyper proxy that checks nothing, with an upstream pool of its own in each worker.

use std::cell::RefCell;
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::CONNECTION;
use http::{Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::workers::Service;

/// Idle upstream connections of one worker; more are closed rather than kept.
const MAX_IDLE: usize = 1_024;

/// Forwards everything to one upstream.
#[derive(Debug)]
pub struct Proxy {
    upstream: SocketAddr,
    idle: RefCell<Vec<SendRequest<Incoming>>>,
}

/// Why nothing came back.
enum Broken {
    Connect,
    Exchange,
}

impl Proxy {
    /// To `upstream`, with an empty pool.
    pub fn new(upstream: SocketAddr) -> Self {
        Self { upstream, idle: RefCell::default() }
    }

    async fn forward(&self, mut request: Request<Incoming>) -> Result<Response<Incoming>, Broken> {
        request.headers_mut().remove(CONNECTION);
        let mut sender = match self.free() {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        let mut response = sender.send_request(request).await.map_err(|_| Broken::Exchange)?;
        response.headers_mut().remove(CONNECTION);
        let mut idle = self.idle.borrow_mut();
        if idle.len() < MAX_IDLE {
            idle.push(sender);
        }
        Ok(response)
    }

    /// The last one used whose answer has been read to the end.
    fn free(&self) -> Option<SendRequest<Incoming>> {
        let mut idle = self.idle.borrow_mut();
        while idle.last().is_some_and(SendRequest::is_closed) {
            idle.pop();
        }
        let at = idle.iter().rposition(SendRequest::is_ready)?;
        Some(idle.remove(at))
    }

    async fn connect(&self) -> Result<SendRequest<Incoming>, Broken> {
        let stream = TcpStream::connect(self.upstream).await.map_err(|_| Broken::Connect)?;
        stream.set_nodelay(true).map_err(|_| Broken::Connect)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|_| Broken::Connect)?;
        tokio::task::spawn_local(connection);
        sender.ready().await.map_err(|_| Broken::Connect)?;
        Ok(sender)
    }
}

impl Service for Proxy {
    type Body = Either<Incoming, Full<Bytes>>;

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Self::Body>, hyper::Error> {
        let refusal = match self.forward(request).await {
            Ok(response) => return Ok(response.map(Either::Left)),
            Err(Broken::Connect) => "no connection to the upstream\n",
            Err(Broken::Exchange) => "the upstream broke off\n",
        };
        let mut response = Response::new(Either::Right(Full::from(refusal)));
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        Ok(response)
    }
}
