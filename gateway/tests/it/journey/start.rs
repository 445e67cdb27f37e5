//! Starting: what is wrong is told before anything listens, by exit code and by words.

use std::net::{Ipv4Addr, TcpListener};

use super::ask::Ask;
use super::usher::{Process, Reserved};
use super::{Gateway, Origin, Setup};

/// Runs `usher` to its end: the exit code and what it wrote.
async fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let mut process = Process::start(arguments);
    let code = process.ended().await;
    (code, process.log())
}

/// A key that nobody knows is a mistake in the making: the line, the nearest name and exit code 78, on `check` and
/// `run` alike.
#[tokio::test]
async fn an_unknown_key_is_told() {
    let origin = Origin::start().await;
    let setup = Setup::before(&origin).room("total_active_user = 5\nburst = 0\n");
    let (public, admin) = (Reserved::new(), Reserved::new());
    let path = setup.write(public.address, admin.address);
    let line = std::fs::read_to_string(&path).unwrap().lines().position(|line| line.contains("_user = 5")).unwrap() + 1;
    for command in ["check", "run"] {
        let (code, log) = run(&[command, "--config", path.to_str().unwrap()]).await;
        assert_eq!(code, Some(78), "{log}");
        assert!(log.contains(&format!("{}:{line}:", path.display())), "{log}");
        assert!(log.contains("total_active_user") && log.contains("total_active_users"), "{log}");
        assert!(log.contains("burst"), "all problems at once: {log}");
    }
    let setup = Setup::before(&origin);
    let good = setup.write(public.address, admin.address);
    let (code, log) = run(&["check", "--config", good.to_str().unwrap()]).await;
    assert_eq!(code, Some(0), "{log}");
    let (code, log) = run(&["run", "--config", "/nowhere/usher.toml"]).await;
    assert_eq!(code, Some(78), "{log}");
    assert!(log.contains("/nowhere/usher.toml"), "{log}");
    assert_eq!(run(&["rum"]).await.0, Some(2), "usage");
}

/// A port that is taken is told with its address, for the public and for the operators' listener.
#[tokio::test]
async fn a_taken_port_is_told() {
    let origin = Origin::start().await;
    let setup = Setup::before(&origin);
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap();
    let free = Reserved::new();
    for (public, admin) in [(address, free.address), (free.address, address)] {
        let path = setup.write(public, admin);
        let (code, log) = run(&["run", "--config", path.to_str().unwrap()]).await;
        assert_eq!(code, Some(1), "{log}");
        assert!(log.contains(&format!("{address} is taken")), "{log}");
        assert!(!log.contains("the doors are open"), "{log}");
    }
}

/// With a store of its own the gateway needs no keys of the operator's: it makes them, and its tickets verify.
#[tokio::test]
async fn keys_are_generated_for_a_memory_store() {
    let origin = Origin::start().await;
    let setup = Setup::before(&origin).without_keys();
    let gateway = Gateway::start(&setup).await;
    let mut visitor = gateway.admitted().await;
    visitor.send(Ask::get("/")).await.expect(200);
    let shared = Setup::before(&origin).without_keys().redis("redis://127.0.0.1:6379");
    let (public, admin) = (Reserved::new(), Reserved::new());
    let path = shared.write(public.address, admin.address);
    let (code, log) = run(&["check", "--config", path.to_str().unwrap()]).await;
    assert_eq!(code, Some(78), "gateways that share a line must share their keys: {log}");
    assert!(log.contains("tickets.key"), "{log}");
}
