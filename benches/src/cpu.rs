//! CPU time of a process, from `/proc`.

use std::time::Duration;

/// `utime` and `stime` count in hundredths of a second on every Linux (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// User and system time a process has used, all its threads counted; `None` when it is gone or there is no `/proc`.
pub fn used_by(pid: u32) -> Option<Duration> {
    parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The same of this process.
pub fn used_by_self() -> Option<Duration> {
    used_by(std::process::id())
}

fn parse(stat: &str) -> Option<Duration> {
    // The second field is the program's name in parentheses and may hold blanks and parentheses itself.
    let after_name = &stat[stat.rfind(')')? + 1..];
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let (utime, stime): (u32, u32) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(TICK * utime.saturating_add(stime))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program's name must not shift the fields.
    #[test]
    fn reads_past_a_strange_name() {
        let stat = "42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 1 0 100 1 1";
        assert_eq!(parse(stat), Some(Duration::from_secs(2)));
        assert!(used_by_self().is_some());
    }
}
