//! A server's process, gone with its guard.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;

/// The server must not outlive its test, however that ends: its shell kills it when our end of the pipe closes.
const WATCHDOG: &str = r#""$@" & read -r _; kill -9 $!; wait"#;

pub(super) struct Running {
    shell: Child,
    pipe: Option<ChildStdin>,
}

impl Running {
    /// Starts it in a folder; what is returned besides tells `true` once it has logged that it is `ready`, `false` when
    /// its port was taken.
    pub(super) fn start(server: &Command, folder: &Path, ready: &'static str) -> (Self, mpsc::Receiver<bool>) {
        let mut shell = Command::new("sh")
            .args(["-c", WATCHDOG, "redis-watchdog"])
            .arg(server.get_program())
            .args(server.get_args())
            .current_dir(folder)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh can be started");
        let output = BufReader::new(shell.stdout.take().expect("stdout is piped"));
        let (tell, told) = mpsc::channel();
        // Reads to the end, so that the server never waits for somebody to read its log.
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if line.contains(ready) {
                    let _ = tell.send(true);
                } else if line.contains("Failed listening") {
                    let _ = tell.send(false);
                }
            }
        });
        (Self { pipe: shell.stdin.take(), shell }, told)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _ = self.shell.wait();
    }
}
