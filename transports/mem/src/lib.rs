//! Links and mailboxes in memory: the shortest adapter, for learning and for tests.
