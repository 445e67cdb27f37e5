//! The binary: what it says when it cannot run, and how it ends.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

const BINARY: &str = env!("CARGO_BIN_EXE_booking-api");
const DEADLINE: Duration = Duration::from_secs(30);

fn run(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).env_clear().output().unwrap()
}

#[track_caller]
fn fails(arguments: &[&str], code: i32, message: &str) {
    let output = run(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(message), "{stderr}");
    assert!(output.stdout.is_empty(), "stdout is for data");
}

/// Whoever mistypes something is told what, with the exit code of its kind.
#[test]
fn mistakes_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let database = crate::world::address(&directory);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    fails(&["run", "--database", &database], 2, "--jwks-url");
    fails(&["run", "--database", &database, "--open", "--bind", "nowhere"], 2, "nowhere");
    fails(&["serve"], 2, "serve");
    fails(&["run", "--database", &database, "--open", "--bind", &address], 1, "cannot listen on");
    let free = ["--bind", "127.0.0.1:0"];
    let with = |arguments: &[&'static str]| -> Vec<&str> { [&["run"][..], &free, arguments].concat() };
    fails(&with(&["--database", "mysql:x", "--open"]), 78, "is not a database");
    fails(&with(&["--database", "sqlite::memory:", "--open"]), 78, "is not a database");
    fails(&with(&["--database", "sqlite:/nowhere/at/all.db", "--open"]), 78, "cannot open");
    fails(&with(&["--database", "sqlite:x", "--jwks-url", "gateway/keys"]), 78, "--jwks-url");
    fails(&with(&["--database", "sqlite:x", "--jwks-url", "http://g/k", "--room", "A B"]), 78, "--room");
    fails(&["check", "--database", "sqlite:/nowhere/at/all.db"], 78, "cannot open");
    fails(&["seed", "--database", &database, "--seats", "0"], 78, "seats");
}

/// `seed` and `check` as an operator uses them, and a concert of another size is not silently another concert.
#[test]
fn seed_and_check() {
    let directory = tempfile::tempdir().unwrap();
    let database = crate::world::address(&directory);
    for _ in 0..2 {
        assert!(run(&["seed", "--database", &database, "--seats", "50"]).status.success());
    }
    fails(&["seed", "--database", &database, "--seats", "60"], 1, "with 50 seats already");
    let checked = run(&["check", "--database", &database, "--json"]);
    assert!(checked.status.success());
    assert_eq!(String::from_utf8_lossy(&checked.stdout).trim(), r#"{"findings":[],"ok":true}"#);
}

/// The service prints its address, serves, refuses a second process on its file, and ends cleanly on SIGTERM.
#[test]
fn serves_until_it_is_told_to_stop() {
    let directory = tempfile::tempdir().unwrap();
    let database = crate::world::address(&directory);
    let arguments = ["run", "--bind", "127.0.0.1:0", "--open", "--seed", "concert", "--seats", "50", "--database"];
    let mut child = Command::new(BINARY).args(arguments).arg(&database).stderr(Stdio::piped()).spawn().unwrap();
    let address = listening(&mut child);
    let answer = ask(address, "/readyz");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"ready\":true"), "{answer}");
    fails(&[&arguments[..], &[&database]].concat(), 78, "in use by another");
    assert!(run(&["check", "--database", &database]).status.success(), "a check beside the running service");

    let kill = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(kill.success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err());
}

fn listening(child: &mut Child) -> SocketAddr {
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let mut lines = stderr.lines().map_while(Result::ok);
    let line = lines.by_ref().find(|line| line.contains("\"listening\"")).unwrap();
    // Whoever logs into a pipe that nobody reads would stop; the rest is read and dropped.
    std::thread::spawn(move || lines.for_each(drop));
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    line["fields"]["address"].as_str().unwrap().parse().unwrap()
}

fn ask(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect_timeout(&address, DEADLINE).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
