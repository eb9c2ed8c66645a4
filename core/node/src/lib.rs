//! A home on disk: the durable store of one party's messages, peers and keys.
