// A Veramo 7 agent in memory, with a did:peer:2 of its own.
import { createAgent } from "@veramo/core";
import { DIDComm, DIDCommHttpTransport } from "@veramo/did-comm";
import { DIDManager, MemoryDIDStore } from "@veramo/did-manager";
import { getDidKeyResolver } from "@veramo/did-provider-key";
import { PeerDIDProvider, getResolver } from "@veramo/did-provider-peer";
import { DIDResolverPlugin } from "@veramo/did-resolver";
import { KeyManager, MemoryKeyStore, MemoryPrivateKeyStore } from "@veramo/key-manager";
import { KeyManagementSystem } from "@veramo/kms-local";
import { Resolver } from "did-resolver";

/** An agent with these plugins besides those for keys, DIDs and packing. */
export function agent(...more) {
  const kms = { local: new KeyManagementSystem(new MemoryPrivateKeyStore()) };
  const providers = { "did:peer": new PeerDIDProvider({ defaultKms: "local" }) };
  return createAgent({
    plugins: [
      new KeyManager({ store: new MemoryKeyStore(), kms }),
      new DIDManager({ store: new MemoryDIDStore(), defaultProvider: "did:peer", providers }),
      new DIDResolverPlugin({ resolver: new Resolver({ ...getResolver(), ...getDidKeyResolver() }) }),
      new DIDComm({ transports: [new DIDCommHttpTransport()] }),
      ...more,
    ],
  });
}

/** A new DID that is reached at this address: a URL, or the DID of a mediator. */
export async function newDid(agent, alias, uri) {
  const service = { id: "#service", type: "DIDCommMessaging", serviceEndpoint: { uri, accept: ["didcomm/v2"], routingKeys: [] } };
  return (await agent.didManagerCreate({ provider: "did:peer", alias, options: { num_algo: 2, service } })).did;
}
