//! The bare servers do what they are measured for, and nothing less.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// A baseline that ends with the test.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let mut child =
            Command::new(env!("CARGO_BIN_EXE_baseline")).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Self { child, address: address.trim().to_owned() }
    }

    /// Two requests on one connection, so that keeping it alive is seen too.
    fn ask_twice(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let last = request.replacen("\r\n", "\r\nConnection: close\r\n", 1);
        stream.write_all(format!("{request}{last}").as_bytes()).unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).unwrap();
        answers
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Each of several workers proxies to the upstream, over kept connections, and says so when there is none.
#[test]
fn the_proxy_forwards_and_keeps_connections() {
    let origin = Server::start(&["origin"]);
    let proxy = Server::start(&["proxy", "--workers", "2", "--upstream", &origin.address]);
    for _ in 0..8 {
        let answers = proxy.ask_twice("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
        assert_eq!(answers.matches("my kingdom").count(), 2, "{answers}");
    }
    drop(origin);
    let answers = proxy.ask_twice("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(answers.matches("HTTP/1.1 502").count(), 2, "{answers}");
}

/// The fixed document is answered byte for byte, so that sizes compared are sizes sent.
#[test]
fn the_fixed_document_is_sent_as_given() {
    let fixed = Server::start(&["fixed", "--body", r#"{"state":"waiting"}"#]);
    let answers = fixed.ask_twice("GET /_usher/x/position HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(answers.matches("content-length: 19").count(), 2, "{answers}");
    assert!(answers.ends_with("\r\n\r\n{\"state\":\"waiting\"}"), "{answers}");
}
