//! A real PostgreSQL for one test: own directory, own socket, gone with its guard.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;

/// When set, a missing server binary fails the tests instead of skipping them.
const REQUIRE_SERVERS: &str = "USHER_REQUIRE_SERVERS";
/// Where Debian keeps the binaries, beside `PATH`.
const DEBIAN: &str = "/usr/lib/postgresql";
const START_DEADLINE: Duration = Duration::from_secs(60);
/// The server must not outlive its test, however that ends: the shell holds the other end of our pipe.
const WATCHDOG: &str = r#""$@" & read -r _; kill -INT $!; wait"#;

/// A running server with one empty database.
pub(crate) struct PostgresServer {
    directory: TempDir,
    shell: Child,
    pipe: Option<ChildStdin>,
}

impl PostgresServer {
    /// A server that answers; `None` where there is no PostgreSQL and nobody requires one.
    pub(crate) async fn start() -> Option<Self> {
        let Some(binaries) = binaries() else {
            assert!(std::env::var_os(REQUIRE_SERVERS).is_none(), "{REQUIRE_SERVERS} is set, PostgreSQL is missing");
            eprintln!("SKIPPED: PostgreSQL is not installed (Debian: apt-get install postgresql)");
            return None;
        };
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data").display().to_string();
        let socket = directory.path().display().to_string();
        let root = is_root();
        if root {
            // The server refuses to run as root; Debian's package made it a user.
            assert!(Command::new("chown").args(["postgres", &socket]).status().unwrap().success());
        }
        let command = |binary: &str, arguments: &[&str]| {
            let binary = binaries.join(binary).display().to_string();
            // Becomes the server, so that the watchdog's signal reaches it and not something in between.
            let user: &[&str] = if root {
                &["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]
            } else {
                &["env"]
            };
            [user, &[binary.as_str()], arguments].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        let init = command("initdb", &["-D", &data, "-U", "booking", "--auth=trust", "--encoding=UTF8", "--no-sync"]);
        let output = Command::new(&init[0]).args(&init[1..]).current_dir(&socket).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let server = command("postgres", &["-D", &data, "-k", &socket, "-c", "listen_addresses="]);
        let mut shell = Command::new("sh")
            .args(["-c", WATCHDOG, "postgres-watchdog"])
            .args(server)
            .current_dir(&socket)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { pipe: shell.stdin.take(), shell, directory };
        let answers = async {
            while PgConnection::connect(&server.address()).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(START_DEADLINE, answers).await.unwrap();
        Some(server)
    }

    /// Its database's address.
    pub(crate) fn address(&self) -> String {
        format!("postgres://booking@localhost/postgres?host={}", self.directory.path().display())
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _ = self.shell.wait();
    }
}

fn binaries() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian = std::fs::read_dir(DEBIAN).into_iter().flatten().flatten().map(|version| version.path().join("bin"));
    let has_all = |folder: &PathBuf| ["initdb", "postgres"].iter().all(|binary| folder.join(binary).exists());
    std::env::split_paths(&path).chain(debian).find(has_all)
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}
