//! The fake's shop: one event, numbered seats, holds that never run out.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::{Fault, Reply};

pub(crate) struct Shop {
    fault: Fault,
    seats: usize,
    /// Seat → (state, how often it was sold).
    taken: BTreeMap<String, (&'static str, usize)>,
    /// Hold or order → its seats.
    held: HashMap<String, Vec<String>>,
    /// Paid orders, with the seats of each.
    pub(crate) paid: Vec<(String, Vec<String>)>,
    answered: HashMap<String, Value>,
    written: usize,
    next: u64,
}

impl Shop {
    pub(crate) fn new(fault: Fault, seats: usize) -> Self {
        let (taken, held, answered) = Default::default();
        Self { fault, seats, taken, held, paid: Vec::new(), answered, written: 0, next: 0 }
    }

    /// What has been sold and is not yet written as rows.
    pub(crate) fn unwritten(&mut self) -> Option<(String, Vec<String>)> {
        let (order, units) = self.paid.get(self.written)?.clone();
        self.written += 1;
        match self.fault {
            Fault::ForgetsRows if self.written == 5 => None,
            Fault::InventsRows if self.written == 5 => Some(("nobody's".to_owned(), units)),
            _ => Some((order, units)),
        }
    }

    pub(crate) fn answer(
        &mut self,
        method: &str,
        path: &str,
        body: &Value,
        customer: Option<&str>,
        key: Option<String>,
    ) -> Reply {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match (method, parts.as_slice()) {
            ("POST", ["v1", "demo", "sign-in"]) => Reply::of(200, json!({"token": format!("for {}", body["name"])})),
            ("GET", ["v1", "events"]) => Reply::of(200, json!({"events": [{"id": "e1", "name": "Concert"}]})),
            ("GET", ["v1", "events", "e1", "map"]) => Reply::of(200, self.map()),
            ("GET", ["v1", "events", "e1", "units"]) => Reply::of(200, self.snapshot()),
            ("POST", _) if customer.is_none() => Reply::problem(401, "unauthenticated"),
            ("POST", parts) => match key {
                Some(key) => self.once(key, parts, body),
                None => Reply::problem(400, "idempotency-key-missing"),
            },
            _ => Reply::problem(404, "not-found"),
        }
    }

    fn once(&mut self, key: String, parts: &[&str], body: &Value) -> Reply {
        if let Some(answer) = self.answered.get(&key) {
            return Reply::of(201, answer.clone());
        }
        let reply = match parts {
            ["v1", "events", "e1", "holds"] => self.hold(body),
            ["v1", "orders"] => self.order(body),
            ["v1", "orders", order, "payments"] => self.pay(order),
            _ => Reply::problem(404, "not-found"),
        };
        if reply.status == 201 {
            self.answered.insert(key, reply.body.clone());
        }
        reply
    }

    fn hold(&mut self, body: &Value) -> Reply {
        let units: Vec<String> = serde_json::from_value(body["units"].clone()).unwrap();
        if units.iter().any(|unit| !self.free(unit)) {
            return Reply::problem(409, "unit-unavailable");
        }
        for unit in &units {
            self.taken.entry(unit.clone()).or_insert(("held", 0)).0 = "held";
        }
        let hold = self.fresh("h");
        self.held.insert(hold.clone(), units);
        Reply::of(201, json!({"id": hold}))
    }

    fn order(&mut self, body: &Value) -> Reply {
        let Some(units) = self.held.remove(body["hold"].as_str().unwrap_or_default()) else {
            return Reply::problem(410, "hold-expired");
        };
        let order = self.fresh("o");
        self.held.insert(order.clone(), units);
        Reply::of(201, json!({"id": order, "state": "pending"}))
    }

    fn pay(&mut self, order: &str) -> Reply {
        if let Some(units) = self.held.remove(order) {
            for unit in &units {
                let taken = self.taken.get_mut(unit).unwrap();
                *taken = ("sold", taken.1 + 1);
            }
            self.paid.push((order.to_owned(), units));
        }
        if self.fault == Fault::LosesPayments {
            return Reply::problem(500, "internal");
        }
        Reply::of(201, json!({"id": self.fresh("p"), "state": "succeeded"}))
    }

    fn free(&self, unit: &str) -> bool {
        match self.taken.get(unit) {
            None => true,
            Some((_, times)) => self.fault == Fault::SellsTwice && *times < 2,
        }
    }

    fn names(&self) -> Vec<String> {
        (1..=self.seats).map(|seat| format!("A-{seat}")).collect()
    }

    fn map(&self) -> Value {
        let units: Vec<Value> = self.names().into_iter().map(|id| json!({"id": id})).collect();
        json!({"sections": [{"name": "A", "rows": [{"row": 1, "units": units}]}]})
    }

    fn snapshot(&self) -> Value {
        let over = self.fault == Fault::SoldOutEarly && self.taken.len() * 2 >= self.seats;
        let units = self.names().into_iter().filter_map(|unit| {
            let state = match self.taken.get(&unit) {
                _ if over => "sold",
                Some((state, _)) if !self.free(&unit) => state,
                _ => return None,
            };
            Some(json!({"unit": unit, "state": state}))
        });
        json!({"feed": 1, "version": self.next, "units": units.collect::<Vec<_>>()})
    }

    fn fresh(&mut self, kind: &str) -> String {
        self.next += 1;
        format!("{kind}{}", self.next)
    }
}
