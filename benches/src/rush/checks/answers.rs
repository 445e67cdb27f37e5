//! B1, B5, B8 by the rows: they say what the answers said, both ways.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Verdict;
use crate::rush::record::{Record, Sold};
use crate::rush::rows::{PaidOrder, Rows};

/// Holds the rows after the run against the success answers; what had been sold before is not the crowd's.
pub fn match_rows(records: &[Record], before: &Rows, after: &Rows) -> Vec<Verdict> {
    let sales: HashMap<&str, &Sold> =
        records.iter().filter_map(|record| record.sold.as_ref()).map(|sold| (sold.order.as_str(), sold)).collect();
    let unknown: BTreeSet<&str> = records.iter().filter_map(|record| record.payment_unknown.as_deref()).collect();
    let new: BTreeMap<&str, &PaidOrder> = after
        .orders
        .iter()
        .filter(|(order, _)| !before.orders.contains_key(*order))
        .map(|(order, paid)| (order.as_str(), paid))
        .collect();

    let answers = sales.values().filter_map(|sold| unlike(sold, new.get(sold.order.as_str()).copied())).collect();
    let strangers = new.keys().filter(|order| !sales.contains_key(*order) && !unknown.contains(*order));
    let strangers = strangers.map(|order| format!("order {order} is paid and nobody was told")).collect();
    vec![
        Verdict::of("B1", format!("each of {} success answers has its rows", sales.len()), answers),
        Verdict::of("B1", format!("each of {} new paid orders has its success answer", new.len()), strangers),
        Verdict::of("B1", format!("{} units are sold, each by one paid order", after.sold.len()), owners(after)),
        Verdict::of("B5", "each paid order has one payment of what was due", payments(&new)),
        Verdict::of("B8", "each account equals its transfers", after.accounts_off.clone()),
    ]
}

fn unlike(sold: &Sold, paid: Option<&PaidOrder>) -> Option<String> {
    let Some(paid) = paid else { return Some(format!("order {} was answered as paid and is not", sold.order)) };
    let told: BTreeSet<&str> = sold.units.iter().map(String::as_str).collect();
    let rows: BTreeSet<&str> = paid.units.iter().map(|(_, unit)| unit.as_str()).collect();
    (told != rows).then(|| format!("order {} was answered with {told:?} and has {rows:?}", sold.order))
}

/// Every sold unit in exactly one paid order, and the other way round.
fn owners(rows: &Rows) -> Vec<String> {
    let mut owned: BTreeMap<&(String, String), Vec<&str>> = BTreeMap::new();
    for (order, paid) in &rows.orders {
        paid.units.iter().for_each(|unit| owned.entry(unit).or_default().push(order));
    }
    let twice = owned.iter().filter(|(_, orders)| orders.len() > 1);
    let twice = twice.map(|((event, unit), orders)| format!("unit {unit} of {event} is in orders {orders:?}"));
    let unsold = owned.keys().filter(|unit| !rows.sold.contains(**unit));
    let unsold = unsold.map(|(event, unit)| format!("unit {unit} of {event} is in a paid order and not sold"));
    let ownerless = rows.sold.iter().filter(|unit| !owned.contains_key(unit));
    let ownerless = ownerless.map(|(event, unit)| format!("unit {unit} of {event} is sold by no paid order"));
    twice.chain(unsold).chain(ownerless).collect()
}

fn payments(orders: &BTreeMap<&str, &PaidOrder>) -> Vec<String> {
    let wrong = orders.iter().filter(|(_, paid)| paid.payments != [paid.total]);
    wrong.map(|(order, paid)| format!("order {order}: {} due, {:?} paid", paid.total, paid.payments)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(orders: &[(&str, &[&str])]) -> Rows {
        let unit = |unit: &&str| ("e".to_owned(), (*unit).to_owned());
        let paid =
            |units: &[&str]| PaidOrder { units: units.iter().map(unit).collect(), total: 10, payments: vec![10] };
        Rows {
            orders: orders.iter().map(|(order, units)| ((*order).to_owned(), paid(units))).collect(),
            sold: orders.iter().flat_map(|(_, units)| units.iter().map(unit)).collect(),
            accounts_off: Vec::new(),
        }
    }

    fn told(order: &str, units: &[&str]) -> Record {
        let units = units.iter().map(|unit| (*unit).to_owned()).collect();
        Record { sold: Some(Sold { order: order.to_owned(), units }), ..Record::default() }
    }

    fn broken(records: &[Record], before: &Rows, after: &Rows) -> Vec<usize> {
        match_rows(records, before, after).iter().map(|verdict| verdict.broken).collect()
    }

    /// Rows and answers say the same, sales from before the run left aside.
    #[test]
    fn agreeing_rows_pass() {
        let before = rows(&[("o0", &["z"])]);
        let after = rows(&[("o0", &["z"]), ("o1", &["a", "b"]), ("o2", &["c"])]);
        assert_eq!(broken(&[told("o1", &["b", "a"]), told("o2", &["c"])], &before, &after), [0; 5]);
        let unsure = Record { payment_unknown: Some("o2".into()), ..Record::default() };
        assert_eq!(broken(&[told("o1", &["a", "b"]), unsure], &before, &after), [0; 5]);
    }

    /// Each way to disagree is found: no rows, other seats, sold to nobody, a seat in two orders, a wrong payment, a
    /// ledger that does not add up.
    #[test]
    fn each_disagreement_is_found() {
        let none = Rows::default();
        assert_eq!(broken(&[told("o1", &["a"])], &none, &none), [1, 0, 0, 0, 0]);
        assert_eq!(broken(&[told("o1", &["a"])], &none, &rows(&[("o1", &["b"])])), [1, 0, 0, 0, 0]);
        assert_eq!(broken(&[], &none, &rows(&[("o1", &["a"])])), [0, 1, 0, 0, 0]);
        let both = [told("o1", &["a"]), told("o2", &["a"])];
        assert_eq!(broken(&both, &none, &rows(&[("o1", &["a"]), ("o2", &["a"])])), [0, 0, 1, 0, 0]);
        let mut odd = rows(&[("o1", &["a"])]);
        odd.sold.insert(("e".into(), "x".into()));
        odd.orders.get_mut("o1").unwrap().payments.push(10);
        odd.accounts_off.push("issuer".into());
        assert_eq!(broken(&[told("o1", &["a"])], &none, &odd), [0, 0, 1, 1, 1]);
    }
}
