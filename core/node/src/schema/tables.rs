//! The tables, as SQL: of a new store, and what makes a store of version 1 one of version 2.
//!
//! Called by [`super`]. What can go wrong: the two drift apart; a test compares them.
//!
//! Times are posix seconds, ids are 32-byte envelope ids, tags 16 bytes, messages packed: no
//! plaintext is stored anywhere, so that the passphrase guards it all.

/// The tables of a new store; [`NEW_IN_2`] comes after them. `AUTOINCREMENT`, so that a row number
/// is never used for another message later.
pub(super) const TABLES: &str = "
CREATE TABLE peers (
    peer  INTEGER PRIMARY KEY AUTOINCREMENT,
    name  TEXT NOT NULL UNIQUE COLLATE NOCASE,
    did   TEXT NOT NULL UNIQUE,
    doc   TEXT NOT NULL,
    added INTEGER NOT NULL
) STRICT;
CREATE TABLE aliases (
    did   TEXT PRIMARY KEY,
    peer  INTEGER NOT NULL REFERENCES peers(peer) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE TABLE docs (
    did     TEXT PRIMARY KEY,
    doc     TEXT NOT NULL,
    fetched INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- state: 0 queued, 1 sent, 2 acknowledged, 3 expired, 4 refused. bytes: of the packed message.
-- submitted: a bus of this home holds it.
CREATE TABLE outbox (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    envelope  BLOB NOT NULL UNIQUE,
    message   TEXT NOT NULL,
    peer      TEXT NOT NULL,
    state     INTEGER NOT NULL DEFAULT 0,
    sent_by   TEXT,
    created   INTEGER NOT NULL,
    expires   INTEGER,
    changed   INTEGER NOT NULL,
    bytes     INTEGER NOT NULL DEFAULT 0,
    submitted INTEGER NOT NULL DEFAULT 0,
    only_by   TEXT NOT NULL DEFAULT '',
    priority  INTEGER NOT NULL DEFAULT 1,
    reason    INTEGER
) STRICT;
CREATE INDEX outbox_state ON outbox (state, seq);
CREATE INDEX outbox_message ON outbox (message);
-- carried: 1 while only a bus has seen it, which may forget it again; what the inbox took stays.
CREATE TABLE seen (
    envelope BLOB PRIMARY KEY,
    first    INTEGER NOT NULL,
    until    INTEGER,
    carried  INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE inbox (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    envelope BLOB NOT NULL UNIQUE,
    bytes    INTEGER NOT NULL,
    channel  TEXT NOT NULL,
    received INTEGER NOT NULL,
    state    INTEGER NOT NULL DEFAULT 0,
    problem  TEXT,
    detail   TEXT,
    opened   INTEGER NOT NULL DEFAULT 0,
    message  TEXT,
    sender   TEXT
) STRICT;
CREATE INDEX inbox_state ON inbox (state, seq);
CREATE INDEX inbox_message ON inbox (message) WHERE message IS NOT NULL;
CREATE INDEX inbox_opened ON inbox (seq) WHERE opened = 0 AND state = 0;
CREATE TABLE notes (
    topic TEXT NOT NULL,
    key   TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (topic, key)
) STRICT, WITHOUT ROWID;
";

/// What version 2 brought: bodies once each, ways to peers, the records of the bus.
pub(super) const NEW_IN_2: &str = "
CREATE TABLE bodies (
    body     INTEGER PRIMARY KEY,
    envelope BLOB NOT NULL UNIQUE,
    wire     INTEGER NOT NULL,
    form     BLOB,
    file     TEXT
) STRICT;
CREATE INDEX bodies_file ON bodies (file) WHERE file IS NOT NULL;
CREATE INDEX outbox_new ON outbox (seq) WHERE submitted = 0 AND state < 2;
CREATE TABLE ways (
    peer INTEGER NOT NULL REFERENCES peers(peer) ON DELETE CASCADE,
    rank INTEGER NOT NULL,
    way  TEXT NOT NULL,
    PRIMARY KEY (peer, rank)
) STRICT, WITHOUT ROWID;
-- origin: 0 our own, 1 from a node, 2 from a mailbox, 3 from a peer's node. state: 0 waiting, 1 delivered, 2 dead.
CREATE TABLE held (
    envelope  BLOB PRIMARY KEY,
    wire      BLOB NOT NULL,
    bytes     INTEGER NOT NULL,
    recipient BLOB NOT NULL,
    expires   INTEGER,
    priority  INTEGER NOT NULL,
    hops      INTEGER NOT NULL,
    copies    INTEGER NOT NULL,
    origin    INTEGER NOT NULL,
    node      BLOB,
    since     INTEGER NOT NULL,
    only_by   TEXT NOT NULL,
    takers    TEXT NOT NULL,
    state     INTEGER NOT NULL,
    reason    INTEGER
) STRICT, WITHOUT ROWID;
-- verdict: none yet, 0 kept, else the reason of the refusal.
CREATE TABLE arrived (
    envelope  BLOB PRIMARY KEY,
    recipient BLOB NOT NULL,
    transport TEXT NOT NULL,
    at        INTEGER NOT NULL,
    expires   INTEGER,
    verdict   INTEGER,
    bytes     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE receipts (
    signature BLOB PRIMARY KEY,
    ids       BLOB NOT NULL,
    refused   INTEGER,
    at        INTEGER NOT NULL,
    did       TEXT NOT NULL,
    kid       TEXT NOT NULL
) STRICT;
CREATE TABLE partials (
    wire      BLOB PRIMARY KEY,
    envelope  BLOB NOT NULL,
    bytes     INTEGER NOT NULL,
    recipient BLOB NOT NULL,
    expires   INTEGER,
    priority  INTEGER NOT NULL,
    hops      INTEGER NOT NULL,
    copies    INTEGER NOT NULL,
    at        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE pieces (
    piece INTEGER PRIMARY KEY,
    wire  BLOB NOT NULL REFERENCES partials(wire) ON DELETE CASCADE,
    start INTEGER NOT NULL,
    bytes BLOB NOT NULL
) STRICT;
CREATE INDEX pieces_wire ON pieces (wire, start);
";

/// Widens the tables of version 1; comes before [`NEW_IN_2`].
pub(super) const WIDEN_1: &str = "
ALTER TABLE outbox ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN submitted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN only_by TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN priority INTEGER NOT NULL DEFAULT 1;
ALTER TABLE outbox ADD COLUMN reason INTEGER;
ALTER TABLE seen ADD COLUMN until INTEGER;
ALTER TABLE seen ADD COLUMN carried INTEGER NOT NULL DEFAULT 0;
";

/// Moves the bytes of inbox and outbox of version 1 to `bodies`; comes after [`NEW_IN_2`].
pub(super) const MOVE_1: &str = "
INSERT INTO bodies (envelope, wire, form) SELECT envelope, 0, identity FROM inbox;
INSERT OR IGNORE INTO bodies (envelope, wire, form)
    SELECT envelope, 0, packed FROM outbox WHERE state < 2;
UPDATE outbox SET bytes = length(packed);
ALTER TABLE inbox DROP COLUMN identity;
ALTER TABLE outbox DROP COLUMN packed;
";
