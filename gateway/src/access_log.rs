//! One line a request, JSON, on stderr.
//!
//! Lines are formatted into a buffer of the core's own and handed over whole, so that a request costs no lock and no
//! system call. A writer that cannot keep up loses lines, counted, instead of slowing the door.

use std::cell::RefCell;
use std::io::Write as _;
use std::net::IpAddr;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use http::{Method, StatusCode};
use prometheus::IntCounter;
use queue_core::Timestamp;

use crate::metrics::RequestKind;

/// What a core gathers before it hands over.
const BUFFER: usize = 32 * 1024;
/// Buffers that may wait for the writer: 8 MiB.
const WAITING_BUFFERS: usize = 256;
/// How long a line may wait in a quiet core's buffer.
pub const FLUSH_EVERY: Duration = Duration::from_millis(200);

/// What one line says. Never a query, a token or a ticket (N17).
pub struct Line<'a> {
    /// When the request was answered.
    pub at: Timestamp,
    /// The listener's name.
    pub listener: &'a str,
    /// Whose request it was.
    pub client: IpAddr,
    /// Its method.
    pub method: &'a Method,
    /// Its path, without query.
    pub path: &'a str,
    /// The answer's status.
    pub status: StatusCode,
    /// What kind of request it turned out to be.
    pub kind: RequestKind,
    /// From reading the request's head to having the answer's.
    pub took: Duration,
}

/// One core's side.
pub struct AccessLog {
    buffer: RefCell<Vec<u8>>,
    lines: std::cell::Cell<u64>,
    writer: SyncSender<Vec<u8>>,
    dropped: IntCounter,
}

/// The writing side: hand it to a thread of its own.
pub struct AccessLogWriter(Receiver<Vec<u8>>);

/// Where cores send their buffers.
#[derive(Clone)]
pub struct AccessLogSink {
    writer: SyncSender<Vec<u8>>,
    dropped: IntCounter,
}

/// A sink for all cores and the writer behind it; `dropped` counts lines that were lost.
pub fn sink(dropped: IntCounter) -> (AccessLogSink, AccessLogWriter) {
    let (writer, reader) = sync_channel(WAITING_BUFFERS);
    (AccessLogSink { writer, dropped }, AccessLogWriter(reader))
}

impl AccessLogWriter {
    /// Writes until every core is gone.
    pub fn run(self) {
        let mut out = std::io::stderr();
        while let Ok(buffer) = self.0.recv() {
            // Nobody could be told that stderr is gone.
            let _ = out.write_all(&buffer);
        }
    }
}

impl AccessLogSink {
    /// One core's log.
    pub fn log(&self) -> AccessLog {
        AccessLog {
            buffer: RefCell::new(Vec::with_capacity(BUFFER)),
            lines: std::cell::Cell::new(0),
            writer: self.writer.clone(),
            dropped: self.dropped.clone(),
        }
    }
}

impl AccessLog {
    /// Adds a line.
    pub fn write(&self, line: &Line<'_>) {
        let full = {
            let mut buffer = self.buffer.borrow_mut();
            format(&mut buffer, line);
            buffer.len() >= BUFFER - 1_024
        };
        self.lines.set(self.lines.get() + 1);
        if full {
            self.flush();
        }
    }

    /// Hands over what has gathered.
    pub fn flush(&self) {
        if self.buffer.borrow().is_empty() {
            return;
        }
        let buffer = self.buffer.replace(Vec::with_capacity(BUFFER));
        let lines = self.lines.replace(0);
        if self.writer.try_send(buffer).is_err() {
            self.dropped.inc_by(lines);
        }
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.flush();
    }
}

fn format(out: &mut Vec<u8>, line: &Line<'_>) {
    // Writing to a vector cannot fail.
    let _ = write!(
        out,
        r#"{{"ts":"{}","level":"INFO","msg":"request","listener":{:?},"client_ip":"{}","method":"{}","path":"#,
        line.at, line.listener, line.client, line.method
    );
    let _ = serde_json::to_writer(&mut *out, line.path);
    let _ = writeln!(
        out,
        r#","status":{},"kind":"{}","duration_ms":{}.{:03}}}"#,
        line.status.as_u16(),
        line.kind.as_str(),
        line.took.as_millis(),
        line.took.as_micros() % 1_000
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever a path contains, a line stays one JSON object on one line.
    #[test]
    fn a_line_is_one_object() {
        let mut out = Vec::new();
        let path = "/a\"b\\c\n{}%22";
        format(
            &mut out,
            &Line {
                at: Timestamp::from_secs(1),
                listener: "public",
                client: IpAddr::from([127, 0, 0, 1]),
                method: &Method::GET,
                path,
                status: StatusCode::OK,
                kind: RequestKind::Forwarded,
                took: Duration::from_micros(1_250),
            },
        );
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches('\n').count(), 1);
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["path"], path);
        assert_eq!(read["duration_ms"], 1.25);
    }
}
