//! DIDComm v2.1: DIDs, keys, packing and unpacking, message model, protocols.
