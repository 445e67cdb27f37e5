//! B1 and B2 by the answers: no seat is sold twice, and all are sold before anyone is told "sold out".

use std::collections::HashMap;

use super::Verdict;
use crate::rush::record::{Outcome, Record};

/// How many seats the success answers name.
pub fn sold(records: &[Record]) -> usize {
    records.iter().filter_map(|record| record.sold.as_ref()).map(|sold| sold.units.len()).sum()
}

/// B1: every seat in at most one success answer.
pub fn none_twice(records: &[Record]) -> Verdict {
    let mut owners: HashMap<&str, usize> = HashMap::new();
    let mut cases = Vec::new();
    for (visitor, record) in records.iter().enumerate() {
        for unit in record.sold.iter().flat_map(|sold| &sold.units) {
            if let Some(other) = owners.insert(unit, visitor) {
                cases.push(format!("unit {unit} was sold to visitors {other} and {visitor}"));
            }
        }
    }
    Verdict::of("B1", "no seat in two success answers", cases)
}

/// B2, and no false "sold out": never more than the stock, and exactly the stock once anyone was refused for it.
pub fn exactly_the_stock(records: &[Record], stock: u32) -> Verdict {
    let (sold, stock) = (sold(records), stock as usize);
    let refused = records.iter().filter(|record| record.outcome == Some(Outcome::SoldOut)).count();
    // A payment without an answer may have succeeded; the rows tell, not the answers.
    let unknown = records.iter().filter(|record| record.payment_unknown.is_some()).count();
    let mut cases = Vec::new();
    if sold > stock {
        cases.push(format!("{sold} sold of {stock}"));
    }
    if sold < stock && refused > 0 && unknown == 0 {
        cases.push(format!("{refused} were told \"sold out\" with {sold} of {stock} sold"));
    }
    Verdict::of("B2", format!("exactly {stock} sold before anyone is told \"sold out\""), cases)
}

/// Everyone ended with a clear answer.
pub fn everyone_answered(records: &[Record]) -> Verdict {
    let cases = records.iter().enumerate().filter_map(|(visitor, record)| match &record.outcome {
        Some(Outcome::Unanswered(why)) => Some(format!("visitor {visitor}: {why}")),
        Some(_) => None,
        None => Some(format!("visitor {visitor}: never came to an end")),
    });
    Verdict::of("answers", "every visitor ended with a clear answer", cases.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rush::record::Sold;

    fn buyer(units: &[&str]) -> Record {
        let units = units.iter().map(|unit| (*unit).to_owned()).collect();
        let sold = Some(Sold { order: "o".into(), units });
        Record { sold, outcome: Some(Outcome::Bought), ..Record::default() }
    }

    /// The one thing a sale must never do.
    #[test]
    fn a_seat_sold_twice_is_named() {
        assert!(none_twice(&[buyer(&["a", "b"]), buyer(&["c"])]).holds());
        assert_eq!(none_twice(&[buyer(&["a", "b"]), buyer(&["b"])]).cases, ["unit b was sold to visitors 0 and 1"]);
    }

    /// "Sold out" with seats left is a wrong answer; a crowd too small to buy everything is not.
    #[test]
    fn sold_out_means_sold_out() {
        let refused = Record { outcome: Some(Outcome::SoldOut), ..Record::default() };
        assert!(exactly_the_stock(&[buyer(&["a"])], 2).holds());
        assert!(exactly_the_stock(&[buyer(&["a", "b"]), refused.clone()], 2).holds());
        assert!(!exactly_the_stock(&[buyer(&["a"]), refused], 2).holds());
        assert!(!exactly_the_stock(&[buyer(&["a", "b"])], 1).holds());
    }
}
