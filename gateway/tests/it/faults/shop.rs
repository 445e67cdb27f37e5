//! The upstream of the crowd: answers everything, and ends a visit where it is asked to.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::aside::Aside;

/// Where a visitor has finished.
pub(super) const CHECKOUT: &str = "/checkout";

/// The running upstream.
pub(super) struct Shop {
    pub(super) address: SocketAddr,
    _aside: Aside,
}

impl Shop {
    pub(super) fn open() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let aside = Aside::run("shop", move || async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service_fn(serve));
                tokio::spawn(connection);
            }
        });
        Self { address, _aside: aside }
    }
}

async fn serve(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::new(Bytes::from_static(b"seat 4")));
    if request.uri().path() == CHECKOUT {
        response.headers_mut().insert("usher-session", HeaderValue::from_static("complete"));
    }
    Ok(response)
}
