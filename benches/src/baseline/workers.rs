//! One current-thread runtime per worker, each with its own listener on the shared port (SO_REUSEPORT).

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::LocalSet;

use super::Bind;

/// Connections waiting to be accepted; the kernel's own limit is lower on most machines.
const BACKLOG: i32 = 1_024;
/// Open connections of one worker; what comes beyond waits in the backlog.
const MAX_CONNECTIONS: usize = 4_096;
/// After an accept that failed (no free descriptor), so that it is not tried in a tight loop.
const AFTER_A_FAILED_ACCEPT: Duration = Duration::from_millis(10);

/// What a baseline answers.
pub trait Service: 'static {
    /// The answer's body.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + 'static;

    /// Answers one request.
    fn answer(&self, request: Request<Incoming>) -> impl Future<Output = Result<Response<Self::Body>, hyper::Error>>;
}

/// Serves until the process ends: prints the address bound, then each worker answers by its own `service()`.
///
/// # Errors
/// When the address cannot be bound or a runtime cannot be built.
pub fn run<S: Service>(bind: Bind, service: impl Fn() -> S + Send + Sync + 'static) -> io::Result<()> {
    let first = listen(bind.bind)?;
    let address = first.local_addr()?;
    println!("{address}");
    let service = Arc::new(service);
    let more = (1..bind.workers).map(|_| listen(address));
    let listeners = [Ok(first)].into_iter().chain(more).collect::<io::Result<Vec<_>>>()?;
    let workers = listeners.into_iter().enumerate().map(|(number, listener)| {
        let service = Arc::clone(&service);
        thread::Builder::new().name(format!("baseline-{number}")).spawn(move || work(listener, service()))
    });
    for worker in workers.collect::<io::Result<Vec<_>>>()? {
        worker.join().unwrap_or_else(|_| Err(io::Error::other("a worker panicked")))?;
    }
    Ok(())
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn work<S: Service>(listener: TcpListener, service: S) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (service, room) = (Rc::new(service), Arc::new(Semaphore::new(MAX_CONNECTIONS)));
        loop {
            let place = Arc::clone(&room).acquire_owned().await.map_err(io::Error::other)?;
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(AFTER_A_FAILED_ACCEPT).await;
                continue;
            };
            let service = Rc::clone(&service);
            tokio::task::spawn_local(async move {
                serve(stream, service).await;
                drop(place);
            });
        }
    })
}

async fn serve<S: Service>(stream: TcpStream, service: Rc<S>) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let answer = service_fn(move |request| {
        let service = Rc::clone(&service);
        async move { service.answer(request).await }
    });
    let connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), answer);
    // A connection that breaks is the generator's to notice.
    let _ended = connection.await;
}
