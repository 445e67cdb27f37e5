//! Bodies pass as streams: as they come, whole, and never gathered.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http::Request;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use tokio::sync::mpsc;

use super::Occupied;
use super::ask::{Ask, connect};
use super::origin::PIECE;
use super::wait::PATIENCE;

const MEBIBYTE: usize = 1024 * 1024;

/// An upload of the greatest length allowed arrives whole, piece by piece: the upstream has the first half while the
/// second has not been sent.
#[tokio::test]
async fn an_upload_streams() {
    let Occupied { origin, gateway, insider } = Occupied::new().await;
    let (pieces, mut receiver) = mpsc::channel::<Bytes>(1);
    let frames = stream::poll_fn(move |cx| {
        receiver.poll_recv(cx).map(|piece| piece.map(|piece| Ok::<_, Infallible>(Frame::data(piece))))
    });
    let request = Request::post("/v1/pictures")
        .header("host", "sale.example")
        .header("usher-ticket", insider.ticket().unwrap())
        .body(StreamBody::new(frames).boxed())
        .unwrap();
    let mut connection = connect(gateway.address).await.unwrap();
    let answer = tokio::spawn(async move {
        let response = connection.send_request(request).await.unwrap();
        (response.status(), response.into_body().collect().await.unwrap().to_bytes())
    });
    for half in 1..=2 {
        for _ in 0..MEBIBYTE / PIECE.len() / 2 {
            pieces.send(Bytes::from_static(PIECE)).await.unwrap();
        }
        origin.received(half * MEBIBYTE / 2).await;
        assert!(!answer.is_finished() || half == 2);
    }
    drop(pieces);
    let (status, body) = tokio::time::timeout(PATIENCE, answer).await.unwrap().unwrap();
    assert_eq!(status, 200);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&body).unwrap()["body_bytes"], MEBIBYTE);
}

/// A download is passed on as it comes: the client has the first word while the upstream still thinks of the last.
#[tokio::test]
async fn a_download_streams() {
    let Occupied { origin, gateway, mut insider } = Occupied::new().await;
    let mut connection = connect(gateway.address).await.unwrap();
    let ask = Ask::get("/trickle").header("usher-ticket", &insider.ticket().unwrap());
    let mut body = connection.send_request(ask.into_request()).await.unwrap().into_body();
    let next = async |body: &mut hyper::body::Incoming| {
        let frame = tokio::time::timeout(PATIENCE, body.frame()).await.expect("a frame");
        frame.map(|frame| frame.unwrap().into_data().unwrap())
    };
    assert_eq!(next(&mut body).await.as_deref(), Some(b"first ".as_slice()));
    origin.release();
    assert_eq!(next(&mut body).await.as_deref(), Some(b"last".as_slice()));
    assert_eq!(next(&mut body).await, None);

    let large = insider.send(Ask::get("/bytes/5242880")).await.expect(200);
    assert_eq!(large.body.len(), 5 * MEBIBYTE);
    assert!(large.body.iter().all(|byte| *byte == PIECE[0]));
}
