//! What must be true of the rows. Each query names the rows that break its rule; `$1` is the present instant.

/// One rule.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The invariant of the design that it is a part of.
    pub invariant: &'static str,
    /// What should be true.
    pub says: &'static str,
    pub(super) query: &'static str,
}

/// All rules, in the order of their invariants.
pub(crate) const fn rules() -> &'static [Rule] {
    &RULES
}

const RULES: [Rule; 20] = [
    Rule {
        invariant: "B1",
        says: "a unit in use is a unit of its event's layout",
        query: "SELECT s.event || ' ' || s.unit FROM unit_state s
                WHERE NOT EXISTS (SELECT 1 FROM event e JOIN unit u ON u.layout = e.layout AND u.id = s.unit
                                  WHERE e.id = s.event)",
    },
    Rule {
        invariant: "B1",
        says: "a held or sold unit has its owner's hold with a line for it",
        query: "SELECT s.event || ' ' || s.unit FROM unit_state s
                WHERE s.state IN ('held', 'sold')
                  AND NOT EXISTS (SELECT 1 FROM hold h JOIN hold_line l ON l.hold = h.id AND l.unit = s.unit
                                  WHERE h.id = s.hold AND h.event = s.event AND h.owner = s.owner)",
    },
    Rule {
        invariant: "B1",
        says: "a sold unit has exactly one sold line of a paid order of its owner's hold",
        query: "SELECT s.event || ' ' || s.unit FROM unit_state s
                WHERE s.state = 'sold'
                  AND 1 <> (SELECT COUNT(*) FROM order_line l JOIN orders o ON o.id = l.order_id
                            WHERE l.event = s.event AND l.unit = s.unit AND l.state = 'sold' AND o.state = 'paid'
                              AND o.owner = s.owner AND o.hold = s.hold)",
    },
    Rule {
        invariant: "B1",
        says: "a sold order line belongs to a paid order and has its sold unit",
        query: "SELECT l.order_id || ' ' || l.unit FROM order_line l JOIN orders o ON o.id = l.order_id
                WHERE l.state = 'sold'
                  AND (o.state <> 'paid'
                       OR NOT EXISTS (SELECT 1 FROM unit_state s WHERE s.event = l.event AND s.unit = l.unit
                                      AND s.state = 'sold' AND s.owner = o.owner AND s.hold = o.hold))",
    },
    Rule {
        invariant: "B1",
        says: "all lines of a paid order are sold, and no line of another order is",
        query: "SELECT o.id FROM orders o
                WHERE (o.state = 'paid') <> EXISTS (SELECT 1 FROM order_line l
                                                    WHERE l.order_id = o.id AND l.state = 'sold')
                   OR (o.state = 'paid' AND EXISTS (SELECT 1 FROM order_line l
                                                    WHERE l.order_id = o.id AND l.state <> 'sold'))",
    },
    Rule {
        invariant: "B1",
        says: "a customer has no more live units of an event than its limit",
        query: "SELECT s.event || ' ' || s.owner FROM unit_state s JOIN event e ON e.id = s.event
                WHERE s.state = 'sold' OR (s.state = 'held' AND s.expires_at > $1)
                GROUP BY s.event, s.owner, e.max_units_per_customer HAVING COUNT(*) > e.max_units_per_customer",
    },
    Rule {
        invariant: "B3",
        says: "no order was paid at or after its deadline, which is its hold's end",
        query: "SELECT o.id FROM orders o JOIN hold h ON h.id = o.hold
                WHERE o.paid_at >= o.deadline OR o.deadline <> h.expires_at",
    },
    Rule {
        invariant: "B3",
        says: "a held unit ends with its hold, and no hold passes its ceiling",
        query: "SELECT h.id FROM hold h WHERE h.expires_at > h.max_expires_at
                UNION ALL
                SELECT s.event || ' ' || s.unit FROM unit_state s JOIN hold h ON h.id = s.hold
                WHERE s.state = 'held' AND s.expires_at <> h.expires_at",
    },
    Rule {
        invariant: "B4",
        says: "a live hold, or one whose order waits for its payment, has all its units",
        query: "SELECT h.id || ' ' || l.unit FROM hold h JOIN hold_line l ON l.hold = h.id
                LEFT JOIN orders o ON o.hold = h.id
                WHERE h.expires_at > $1 AND (h.state = 'active' OR (h.state = 'consumed' AND o.state = 'pending'))
                  AND NOT EXISTS (SELECT 1 FROM unit_state s WHERE s.event = h.event AND s.unit = l.unit
                                  AND s.hold = h.id AND s.owner = h.owner AND s.state = 'held')",
    },
    Rule {
        invariant: "B4",
        says: "a hold has lines; one that was released has no unit",
        query: "SELECT h.id FROM hold h WHERE NOT EXISTS (SELECT 1 FROM hold_line l WHERE l.hold = h.id)
                UNION ALL
                SELECT s.event || ' ' || s.unit FROM unit_state s JOIN hold h ON h.id = s.hold
                WHERE h.state = 'released'",
    },
    Rule {
        invariant: "B5",
        says: "a hold is consumed by exactly one order of the same owner and event",
        query: "SELECT h.id FROM hold h
                WHERE (SELECT COUNT(*) FROM orders o WHERE o.hold = h.id)
                      <> CASE WHEN h.state = 'consumed' THEN 1 ELSE 0 END
                   OR EXISTS (SELECT 1 FROM orders o WHERE o.hold = h.id AND (o.owner <> h.owner OR o.event <> h.event))",
    },
    Rule {
        invariant: "B5",
        says: "an order has its hold's lines at its hold's prices, and their sum is its total",
        query: "SELECT o.id FROM orders o
                WHERE o.total <> (SELECT COALESCE(SUM(l.amount), -1) FROM order_line l WHERE l.order_id = o.id)
                   OR EXISTS (SELECT 1 FROM hold_line h WHERE h.hold = o.hold
                              AND NOT EXISTS (SELECT 1 FROM order_line l WHERE l.order_id = o.id AND l.unit = h.unit
                                              AND l.amount = h.amount))
                   OR (SELECT COUNT(*) FROM hold_line h WHERE h.hold = o.hold)
                      <> (SELECT COUNT(*) FROM order_line l WHERE l.order_id = o.id)",
    },
    Rule {
        invariant: "B5",
        says: "a paid order is paid in full by one payment, and an order never paid has none",
        query: "SELECT o.id FROM orders o
                WHERE (SELECT COUNT(*) FROM payment p WHERE p.order_id = o.id AND p.state = 'succeeded')
                      <> CASE WHEN o.paid_at IS NULL THEN 0 ELSE 1 END
                   OR EXISTS (SELECT 1 FROM payment p WHERE p.order_id = o.id AND p.state = 'succeeded'
                              AND p.amount <> o.total)
                   OR (o.state = 'paid' AND o.paid_at IS NULL)",
    },
    Rule {
        invariant: "B5",
        says: "a paid order that was cancelled is refunded in full, and no other is refunded",
        query: "SELECT o.id FROM orders o
                WHERE (SELECT COALESCE(SUM(r.amount), 0) FROM refund r WHERE r.order_id = o.id AND r.state = 'succeeded')
                      <> CASE WHEN o.state = 'cancelled' AND o.paid_at IS NOT NULL THEN o.total ELSE 0 END",
    },
    Rule {
        invariant: "B8",
        says: "cached sums of an account are the sums of its transfers",
        query: "SELECT a.id FROM account a
                WHERE a.debits <> (SELECT COALESCE(SUM(t.amount), 0) FROM transfer t WHERE t.debit = a.id)
                   OR a.credits <> (SELECT COALESCE(SUM(t.amount), 0) FROM transfer t WHERE t.credit = a.id)",
    },
    Rule {
        invariant: "B8",
        says: "no customer's balance is below zero",
        query: "SELECT a.id FROM account a
                WHERE a.kind = 'customer'
                  AND (SELECT COALESCE(SUM(t.amount), 0) FROM transfer t WHERE t.credit = a.id)
                      < (SELECT COALESCE(SUM(t.amount), 0) FROM transfer t WHERE t.debit = a.id)",
    },
    Rule {
        invariant: "B8",
        says: "all debits are all credits",
        query: "SELECT 'all accounts' FROM (SELECT SUM(debits) AS debits, SUM(credits) AS credits FROM account) total
                WHERE debits <> credits",
    },
    Rule {
        invariant: "B8",
        says: "a payment and a refund have their transfer, from and to whom it concerns",
        query: "SELECT m.id FROM (
                  SELECT p.id, p.amount, 'payment' AS kind, o.owner AS debtor, e.seller AS creditor
                  FROM payment p JOIN orders o ON o.id = p.order_id JOIN event e ON e.id = o.event
                  WHERE p.state = 'succeeded'
                  UNION ALL
                  SELECT r.id, r.amount, 'refund', e.seller, o.owner
                  FROM refund r JOIN orders o ON o.id = r.order_id JOIN event e ON e.id = o.event
                  WHERE r.state = 'succeeded'
                ) m
                WHERE m.amount > 0
                  AND NOT EXISTS (SELECT 1 FROM transfer t JOIN account d ON d.id = t.debit
                                  JOIN account c ON c.id = t.credit
                                  WHERE t.ref = m.id AND t.kind = m.kind AND t.amount = m.amount
                                    AND d.owner = m.debtor AND c.owner = m.creditor)",
    },
    Rule {
        invariant: "B8",
        says: "a transfer for a payment or a refund has it",
        query: "SELECT t.id FROM transfer t
                WHERE (t.kind = 'payment' AND NOT EXISTS (SELECT 1 FROM payment p WHERE p.id = t.ref
                                                          AND p.state = 'succeeded'))
                   OR (t.kind = 'refund' AND NOT EXISTS (SELECT 1 FROM refund r WHERE r.id = t.ref
                                                         AND r.state = 'succeeded'))",
    },
    Rule {
        invariant: "B11",
        says: "an idempotency key has its answer",
        query: "SELECT caller || ' ' || route || ' ' || key FROM idempotency WHERE status IS NULL OR answer IS NULL",
    },
];
