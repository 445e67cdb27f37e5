//! Reading `/metrics`: samples of the Prometheus text format, as far as a rehearsal needs them.

use std::collections::BTreeMap;

/// The samples of one scrape: full series name (labels included, as written) to value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples(BTreeMap<String, f64>);

impl Samples {
    /// From the text; comments and lines that are not samples are passed over.
    pub fn parse(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
            // A label's value may hold blanks, so the series ends at the brace that closes them.
            let end = line.rfind('}').map_or_else(|| line.find(' '), |brace| Some(brace + 1))?;
            let value = line[end..].split_ascii_whitespace().next()?.parse().ok()?;
            Some((line[..end].to_owned(), value))
        });
        Self(samples.collect())
    }

    /// The sum over all series of `name` whose labels include every one of `labels`; `None` when there is no such series.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        self.of(name)
            .filter(|(series, _)| labels.iter().all(|(key, value)| label(series, key) == Some(value)))
            .map(|(_, value)| value)
            .reduce(|a, b| a + b)
    }

    /// Sums over all series of `name` by the value of `key`.
    pub fn by_label(&self, name: &str, key: &str) -> BTreeMap<String, f64> {
        let mut sums = BTreeMap::new();
        for (series, value) in self.of(name) {
            *sums.entry(label(series, key).unwrap_or_default().to_owned()).or_default() += value;
        }
        sums
    }

    fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        self.0
            .range(name.to_owned()..)
            .take_while(move |(series, _)| series.starts_with(name))
            .filter(move |(series, _)| matches!(series.as_bytes().get(name.len()), None | Some(b'{')))
            .map(|(series, value)| (series.as_str(), *value))
    }
}

fn label<'a>(series: &'a str, key: &str) -> Option<&'a str> {
    let labels = series.split_once('{')?.1;
    let start = labels.match_indices(key).find_map(|(at, _)| {
        let begins = at == 0 || labels.as_bytes()[at - 1] == b',';
        let value = at + key.len() + 2;
        (begins && labels[at + key.len()..].starts_with("=\"")).then_some(value)
    })?;
    labels[start..].split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A gauge read under the wrong name or label would hide a broken limit.
    #[test]
    fn finds_series_by_name_and_label() {
        let samples = Samples::parse(
            "# HELP a_total things\na_total{operation=\"join\",room=\"x\"} 3\na_total{operation=\"refresh\"} 4.5\n\
             a_total_more 9\nusher_active_sessions{room=\"concert\"} 100\nup 1 1700000000\n",
        );
        assert_eq!(samples.sum("a_total", &[]), Some(7.5));
        assert_eq!(samples.sum("a_total", &[("room", "x")]), Some(3.0));
        assert_eq!(samples.sum("usher_active_sessions", &[("room", "other")]), None);
        assert_eq!(samples.sum("up", &[]), Some(1.0));
        let by = samples.by_label("a_total", "operation");
        assert_eq!(by.into_iter().collect::<Vec<_>>(), [("join".into(), 3.0), ("refresh".into(), 4.5)]);
    }
}
