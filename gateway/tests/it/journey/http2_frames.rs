//! HTTP/2 frames by hand: for what no client library would send.

use std::collections::HashMap;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::wait::PATIENCE;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Types of frames (RFC 9113, 6).
pub(crate) mod kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const RST_STREAM: u8 = 3;
    pub(crate) const SETTINGS: u8 = 4;
    pub(crate) const PING: u8 = 6;
    pub(crate) const GOAWAY: u8 = 7;
    pub(crate) const WINDOW_UPDATE: u8 = 8;
    pub(crate) const CONTINUATION: u8 = 9;
}

/// Flags.
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// A field, literal and not indexed (RFC 7541, 6.2.2).
pub(crate) fn field(name: &str, value: &str) -> Vec<u8> {
    let mut text = vec![0];
    for part in [name, value] {
        // Lengths of up to 7 bits, and beyond (5.1).
        match u8::try_from(part.len()) {
            Ok(short) if short < 127 => text.push(short),
            _ => {
                let mut rest = part.len() - 127;
                text.push(127);
                while rest >= 128 {
                    text.push(u8::try_from(rest % 128).unwrap() | 128);
                    rest /= 128;
                }
                text.push(u8::try_from(rest).unwrap());
            }
        }
        text.extend(part.as_bytes());
    }
    text
}

/// A connection on which frames are written and read one by one. Settings and pings are answered.
pub(crate) struct Frames {
    pub(crate) stream: TcpStream,
    next: u32,
    decoder: HashMap<u32, Vec<Heard>>,
}

/// What came on a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Status(u16),
    Data { length: usize },
    End,
    Reset,
}

impl Frames {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::with_settings(address, &[]).await
    }

    /// With settings of the client: identifiers and values.
    pub(crate) async fn with_settings(address: SocketAddr, settings: &[(u16, u32)]) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut payload = Vec::new();
        for (name, value) in settings {
            payload.extend(name.to_be_bytes());
            payload.extend(value.to_be_bytes());
        }
        stream.write_all(&[PREFACE, &frame(kind::SETTINGS, 0, 0, &payload)].concat()).await.unwrap();
        Self { stream, next: 1, decoder: HashMap::new() }
    }

    pub(crate) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        // The gateway may have had enough.
        let _ = self.stream.write_all(&frame(kind, flags, stream, payload)).await;
    }

    /// Opens a stream with these fields.
    pub(crate) async fn request(&mut self, fields: &[u8], ends: bool) -> u32 {
        let stream = self.next_stream();
        self.send(kind::HEADERS, END_HEADERS | u8::from(ends), stream, fields).await;
        stream
    }

    pub(crate) const fn next_stream(&mut self) -> u32 {
        let stream = self.next;
        self.next += 2;
        stream
    }

    /// The next status on a stream; `None` when it is reset, or the connection ends, before.
    pub(crate) async fn status(&mut self, stream: u32) -> Option<u16> {
        loop {
            match self.next_of(stream).await? {
                Heard::Status(status) => return Some(status),
                Heard::Reset => return None,
                Heard::Data { .. } | Heard::End => {}
            }
        }
    }

    /// The status of a stream that ended well; `None` when it was reset or the connection ended.
    pub(crate) async fn outcome(&mut self, stream: u32) -> Option<u16> {
        let mut status = None;
        loop {
            match self.next_of(stream).await? {
                Heard::Status(heard) => status = Some(heard),
                Heard::End => return status,
                Heard::Reset => return None,
                Heard::Data { .. } => {}
            }
        }
    }

    /// What came next on a stream; `None` when the connection ended.
    pub(crate) async fn next_of(&mut self, stream: u32) -> Option<Heard> {
        loop {
            if let Some(heard) = self.decoder.get_mut(&stream).filter(|heard| !heard.is_empty()) {
                return Some(heard.remove(0));
            }
            self.read().await?;
        }
    }

    /// Reads until the connection ends: the code of the GOAWAY, if there was one.
    pub(crate) async fn until_closed(&mut self) -> Option<u32> {
        let mut code = None;
        while let Some((kind, payload)) = self.read().await {
            if kind == kind::GOAWAY {
                code = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
            }
        }
        code
    }

    /// The next frame; `None` when the connection ended.
    pub(crate) async fn read(&mut self) -> Option<(u8, Vec<u8>)> {
        tokio::time::timeout(PATIENCE, self.read_frame()).await.expect("a frame, or the end, in time")
    }

    async fn read_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut payload).await.ok()?;
        let (kind, flags) = (head[3], head[4]);
        let stream = u32::from_be_bytes(head[5..9].try_into().unwrap());
        let heard = self.decoder.entry(stream).or_default();
        match kind {
            kind::HEADERS => heard.extend(status_of(&payload).map(Heard::Status)),
            kind::DATA => heard.push(Heard::Data { length: payload.len() }),
            kind::RST_STREAM => heard.push(Heard::Reset),
            kind::SETTINGS if flags & ACK == 0 => self.send(kind::SETTINGS, ACK, 0, &[]).await,
            kind::PING if flags & ACK == 0 => self.send(kind::PING, ACK, 0, &payload).await,
            _ => {}
        }
        if matches!(kind, kind::HEADERS | kind::DATA) && flags & END_STREAM != 0 {
            self.decoder.entry(stream).or_default().push(Heard::End);
        }
        Some((kind, payload))
    }
}

/// `:status` is the first field: from the static table (RFC 7541, A), or its value of three digits.
fn status_of(block: &[u8]) -> Option<u16> {
    let block = match block {
        // A change of the table's size.
        [size, rest @ ..] if size & 0xe0 == 0x20 => rest,
        block => block,
    };
    match block {
        [indexed @ 0x88..=0x8e, ..] => [200, 204, 206, 304, 400, 404, 500].get(usize::from(indexed - 0x88)).copied(),
        // Literal, its value in Huffman code: digits 0 to 2 have 5 bits, 3 to 9 have 6 (RFC 7541, B).
        [_, length, text @ ..] if length & 0x80 != 0 => {
            let bytes = usize::from(length & 0x7f);
            huffman_digits(text.get(..bytes)?)
        }
        [_, 3, text @ ..] => std::str::from_utf8(text.get(..3)?).ok()?.parse().ok(),
        _ => None,
    }
}

fn huffman_digits(bytes: &[u8]) -> Option<u16> {
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| (byte >> bit) & 1)).collect();
    let (mut at, mut status) = (0, 0);
    for _ in 0..3 {
        let read =
            |width: usize| bits.get(at..at + width)?.iter().try_fold(0_u16, |sum, bit| Some(sum * 2 + u16::from(*bit)));
        let five = read(5)?;
        let digit = if five <= 2 {
            at += 5;
            five
        } else {
            let six = read(6)?;
            at += 6;
            six.checked_sub(0x19)? + 3
        };
        status = status * 10 + digit;
    }
    Some(status)
}
