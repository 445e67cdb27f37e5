//! The comparison in numbers.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::{Run, crowd};

/// A Markdown page with the picture: a row for each algorithm, what was seen, and in brackets the most that is stated.
pub fn markdown(runs: &[Run], picture: &Path) -> String {
    let mut text = "# Five algorithms for limits, one crowd\n\n".to_owned();
    let Some(first) = runs.first() else { return text };
    let quota = first.limit.quota();
    let spans = [Duration::from_millis(100), Duration::from_secs(1), quota.window() - Duration::from_micros(1)];
    let _ = writeln!(
        text,
        "{} requests offered; burst {}, window {} s. The most that went on within a span: seen (stated).\n",
        crowd().count(),
        quota.burst(),
        quota.window().as_secs_f64()
    );
    let _ = writeln!(
        text,
        "| algorithm | went on | refused | in 100 ms | in 1 s | within a window | longest wait | bytes a key |"
    );
    let _ = writeln!(text, "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for run in runs {
        let algorithm = run.limit.algorithm();
        let _ = write!(text, "| `{}` | {} | {} |", algorithm.name(), run.left_us.len(), run.refused);
        for span in spans {
            let _ = write!(text, " {} ({}) |", run.most_in(span), algorithm.most_in(quota, span));
        }
        let _ = writeln!(text, " {} ms | {} |", run.longest_wait.as_millis(), algorithm.bytes_per_key(quota));
    }
    // Page and picture lie in one folder.
    let picture = picture.file_name().unwrap_or_default().display();
    let _ = writeln!(text, "\n![what went on, since the start and within the last window]({picture})");
    text
}
