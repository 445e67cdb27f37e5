//! What a rehearsal is told on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

/// A crowd that joins, waits, enters, picks seats, pays and leaves.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// A gateway's public address; several gateways may share one line
    #[arg(long = "url", required = true)]
    pub urls: Vec<String>,
    /// How many visitors
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub visitors: u32,
    /// How many seats are for sale: that many must be sold when anyone was told "sold out"
    #[arg(long, default_value_t = 500)]
    pub seats: u32,
    /// The room
    #[arg(long, default_value = "concert")]
    pub room: String,
    /// The event, by id or name; without it the first in the list
    #[arg(long)]
    pub event: Option<String>,
    /// The booking API's rows, read only: `sqlite:PATH`
    #[arg(long)]
    pub database: Option<String>,
    /// The same seed gives the same arrivals, tempers and wishes
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Within how long everyone arrives: steep at the opening, then a long tail
    #[arg(long, default_value = "20s", value_parser = duration)]
    pub arrive: Duration,
    /// Keep-alive connections to each gateway
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4_096))]
    pub connections: u16,
    /// The share who leave the line on purpose
    #[arg(long, default_value_t = 0.05, value_parser = share)]
    pub leave: f64,
    /// The share who vanish without a word: half while waiting, half right after they were admitted
    #[arg(long, default_value_t = 0.03, value_parser = share)]
    pub vanish: f64,
    /// How long a customer thinks between two steps, on average
    #[arg(long, default_value = "250ms", value_parser = duration)]
    pub think: Duration,
    /// Send each visitor's own address in `X-Forwarded-For`, for a gateway that trusts this machine as a proxy
    #[arg(long)]
    pub spread_addresses: bool,
    /// The room's `total_active_users`, to check the cohort against
    #[arg(long)]
    pub limit: Option<u32>,
    /// The room's `new_users_per_minute` (`600` or `600/min`), to check admissions against
    #[arg(long, value_parser = per_minute)]
    pub rate: Option<f64>,
    /// The room's `burst`; without it one second of the rate, at least 1
    #[arg(long, requires = "rate")]
    pub burst: Option<u32>,
    /// A gateway's metrics, watched during the run
    #[arg(long)]
    pub metrics: Vec<String>,
    /// Do not fail on 5xx answers: for runs that break something on purpose
    #[arg(long)]
    pub allow_server_errors: bool,
    /// Write the results here as JSON
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// Whoever has no answer by then has none
    #[arg(long, default_value = "10m", value_parser = duration)]
    pub deadline: Duration,
}

/// `250ms`, `20s`, `10m`, `1h`.
///
/// # Errors
/// When it is not a whole or decimal number with one of these units.
pub fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let scale = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        _ => return Err(format!("{text:?}: want a number and ms, s, m or h, as in 20s")),
    };
    let seconds: f64 = number.parse().map_err(|_| format!("{number:?} is not a number"))?;
    Duration::try_from_secs_f64(seconds * scale).map_err(|error| error.to_string())
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| format!("{text:?} is not a number"))?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("a share lies between 0 and 1".into()) }
}

fn per_minute(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix("/min").unwrap_or(text);
    let rate: f64 = number.parse().map_err(|_| format!("{text:?}: want a number a minute, as in 600/min"))?;
    if rate.is_finite() && rate > 0.0 { Ok(rate) } else { Err("a rate is above zero".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A unit read wrongly would make a run a thousand times too short or too long.
    #[test]
    fn reads_durations_and_rates() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert!(duration("20").is_err() && duration("s").is_err() && duration("-1s").is_err());
        assert_eq!(per_minute("600/min"), Ok(600.0));
        assert!(per_minute("0").is_err());
    }
}
