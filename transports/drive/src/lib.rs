//! Sneakernet: the DIDComm filesystem transport extension with durable writes.
