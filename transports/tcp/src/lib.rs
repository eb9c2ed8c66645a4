//! Links over TCP, and neighbours on the LAN found by mDNS.
