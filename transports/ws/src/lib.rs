//! WebSocket: DIDComm rules towards strangers, sessions towards our own kind.
