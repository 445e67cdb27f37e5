-- Events with numbered seats, holds, orders, points.
-- Instants are microseconds since 1970 (UTC), ids are UUIDs as text, points are whole. Both databases have the same
-- tables and columns; only types and storage options differ.

-- What is on sale -----------------------------------------------------------------------------------------------

CREATE TABLE layout (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL
) STRICT;

CREATE TABLE section (
    layout TEXT NOT NULL REFERENCES layout (id),
    name TEXT NOT NULL,
    rank INTEGER NOT NULL,
    PRIMARY KEY (layout, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE unit (
    layout TEXT NOT NULL,
    id TEXT NOT NULL,
    -- Order on the map: the front first.
    rank INTEGER NOT NULL,
    section TEXT NOT NULL,
    row_number INTEGER NOT NULL,
    seat_number INTEGER NOT NULL,
    x INTEGER NOT NULL,
    y INTEGER NOT NULL,
    PRIMARY KEY (layout, id),
    FOREIGN KEY (layout, section) REFERENCES section (layout, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE seller (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL
) STRICT;

CREATE TABLE event (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    title_en TEXT NOT NULL,
    title_ko TEXT NOT NULL,
    venue_en TEXT NOT NULL,
    venue_ko TEXT NOT NULL,
    seller TEXT NOT NULL REFERENCES seller (id),
    layout TEXT NOT NULL REFERENCES layout (id),
    profile TEXT NOT NULL CHECK (profile IN ('seat')),
    opens_at INTEGER NOT NULL,
    closes_at INTEGER NOT NULL CHECK (closes_at > opens_at),
    starts_at INTEGER NOT NULL,
    hold_seconds INTEGER NOT NULL CHECK (hold_seconds > 0),
    hold_ceiling_seconds INTEGER NOT NULL CHECK (hold_ceiling_seconds >= hold_seconds),
    max_units_per_hold INTEGER NOT NULL CHECK (max_units_per_hold > 0),
    max_units_per_customer INTEGER NOT NULL CHECK (max_units_per_customer > 0)
) STRICT;

CREATE TABLE offer (
    event TEXT NOT NULL REFERENCES event (id),
    name TEXT NOT NULL,
    rank INTEGER NOT NULL,
    amount INTEGER NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (event, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE offer_section (
    event TEXT NOT NULL,
    section TEXT NOT NULL,
    offer TEXT NOT NULL,
    PRIMARY KEY (event, section),
    FOREIGN KEY (event, offer) REFERENCES offer (event, name)
) STRICT, WITHOUT ROWID;

-- Who buys ------------------------------------------------------------------------------------------------------

CREATE TABLE customer (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- One row per customer and event, written by each hold before the customer's units are counted: two holds of one
-- customer queue here, so the limit per customer holds under read committed too.
CREATE TABLE customer_event (
    event TEXT NOT NULL,
    customer TEXT NOT NULL,
    holds INTEGER NOT NULL,
    PRIMARY KEY (event, customer)
) STRICT, WITHOUT ROWID;

-- Who has what --------------------------------------------------------------------------------------------------

CREATE TABLE hold (
    id TEXT PRIMARY KEY,
    event TEXT NOT NULL REFERENCES event (id),
    owner TEXT NOT NULL,
    -- 'active' with expires_at in the past is expired: nobody has to write that down.
    state TEXT NOT NULL CHECK (state IN ('active', 'consumed', 'released')),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    max_expires_at INTEGER NOT NULL,
    CHECK (expires_at <= max_expires_at)
) STRICT;

CREATE TABLE hold_line (
    hold TEXT NOT NULL REFERENCES hold (id),
    unit TEXT NOT NULL,
    offer TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (hold, unit)
) STRICT, WITHOUT ROWID;

-- Sparse: a unit without a row is available. The primary key is the reason that no seat has two owners.
CREATE TABLE unit_state (
    event TEXT NOT NULL,
    unit TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('held', 'sold', 'blocked')),
    owner TEXT,
    hold TEXT,
    expires_at INTEGER,
    PRIMARY KEY (event, unit),
    CHECK ((state = 'held') = (expires_at IS NOT NULL)),
    CHECK ((state = 'blocked') = (owner IS NULL)),
    CHECK ((state = 'blocked') = (hold IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX unit_state_owner ON unit_state (owner, event);

CREATE TABLE orders (
    id TEXT PRIMARY KEY,
    hold TEXT NOT NULL UNIQUE REFERENCES hold (id),
    event TEXT NOT NULL REFERENCES event (id),
    owner TEXT NOT NULL,
    buyer TEXT,
    total INTEGER NOT NULL CHECK (total >= 0),
    -- 'pending' with a deadline in the past is expired.
    state TEXT NOT NULL CHECK (state IN ('pending', 'paid', 'cancelled')),
    created_at INTEGER NOT NULL,
    deadline INTEGER NOT NULL,
    paid_at INTEGER,
    cancelled_at INTEGER,
    CHECK (paid_at IS NULL OR paid_at < deadline)
) STRICT;

CREATE INDEX orders_owner ON orders (owner, id);

CREATE TABLE order_line (
    order_id TEXT NOT NULL REFERENCES orders (id),
    event TEXT NOT NULL,
    unit TEXT NOT NULL,
    offer TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount >= 0),
    state TEXT NOT NULL CHECK (state IN ('pending', 'sold', 'cancelled')),
    PRIMARY KEY (order_id, unit)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX order_line_sold ON order_line (event, unit) WHERE state = 'sold';

-- Points --------------------------------------------------------------------------------------------------------

CREATE TABLE account (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('customer', 'seller', 'issuer')),
    -- Cached sums of transfers.
    debits INTEGER NOT NULL DEFAULT 0 CHECK (debits >= 0),
    credits INTEGER NOT NULL DEFAULT 0 CHECK (credits >= 0),
    CHECK (kind <> 'customer' OR credits >= debits)
) STRICT;

CREATE TABLE transfer (
    id TEXT PRIMARY KEY,
    debit TEXT NOT NULL REFERENCES account (id),
    credit TEXT NOT NULL REFERENCES account (id),
    amount INTEGER NOT NULL CHECK (amount > 0),
    kind TEXT NOT NULL CHECK (kind IN ('grant', 'payment', 'refund')),
    -- The payment or refund it belongs to; unique, so that neither moves points twice.
    ref TEXT UNIQUE,
    created_at INTEGER NOT NULL,
    CHECK (debit <> credit)
) STRICT;

CREATE INDEX transfer_debit ON transfer (debit, created_at);
CREATE INDEX transfer_credit ON transfer (credit, created_at);

CREATE TABLE payment (
    id TEXT PRIMARY KEY,
    order_id TEXT NOT NULL REFERENCES orders (id),
    method TEXT NOT NULL CHECK (method IN ('points')),
    amount INTEGER NOT NULL CHECK (amount >= 0),
    state TEXT NOT NULL CHECK (state IN ('created', 'sent', 'unknown', 'succeeded', 'declined', 'void')),
    created_at INTEGER NOT NULL
) STRICT;

-- One open or succeeded payment per order.
CREATE UNIQUE INDEX payment_live ON payment (order_id) WHERE state IN ('created', 'sent', 'unknown', 'succeeded');
-- The one above serves no query that does not name these states.
CREATE INDEX payment_order ON payment (order_id);

CREATE TABLE refund (
    id TEXT PRIMARY KEY,
    order_id TEXT NOT NULL REFERENCES orders (id),
    payment TEXT NOT NULL REFERENCES payment (id),
    amount INTEGER NOT NULL CHECK (amount >= 0),
    state TEXT NOT NULL CHECK (state IN ('requested', 'sent', 'succeeded', 'failed', 'dead')),
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX refund_order ON refund (order_id);

-- Journal -------------------------------------------------------------------------------------------------------

-- Written in the transaction that has the effect: no effect, no key.
CREATE TABLE idempotency (
    caller TEXT NOT NULL,
    route TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    -- The stored answer; null only inside the transaction that makes it.
    status INTEGER,
    answer TEXT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (caller, route, key)
) STRICT, WITHOUT ROWID;

-- What customers' tokens are signed with.
CREATE TABLE signing_key (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    secret TEXT NOT NULL
) STRICT;
