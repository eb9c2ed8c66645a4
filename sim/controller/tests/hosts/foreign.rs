//! bumble as the peer.
