// npm `@veramo/did-comm` 7.0.1 behind the peers' contract (README.md), with a hand-made agent: documents and keys of the task only.
//
// The library opens one layer; this driver calls it again for what is inside. It packs one layer only.
import { createPrivateKey, createPublicKey, diffieHellman } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const installed = createRequire(join(process.env.NODE_PATH, "peer.cjs"));
const path = installed.resolve("@veramo/did-comm");
const { DIDComm } = await import(pathToFileURL(path));
// The did-jwt that Veramo itself signs with.
const { EdDSASigner, ES256KSigner } = await import(pathToFileURL(createRequire(path).resolve("did-jwt")));

const TYPE = { Ed25519: "Ed25519", X25519: "X25519", secp256k1: "Secp256k1", "P-256": "Secp256r1" };

const bytes = (text) => Buffer.from(text, "base64url");
const header = (text) => JSON.parse(bytes(text));

/** SPKI of an X25519 key is this prefix and the key. */
const x25519 = (hex) =>
  createPublicKey({ key: Buffer.from(`302a300506032b656e032100${hex}`, "hex"), format: "der", type: "spki" });

/** The calls that the library makes on a Veramo agent. */
function agent(docs, secrets) {
  return {
    async resolveDid({ didUrl }) {
      const didDocument = docs.find((doc) => doc.id === didUrl.split(/[#?]/)[0]) ?? null;
      return { didDocument, didResolutionMetadata: didDocument ? {} : { error: "notFound" } };
    },
    async getDIDComponentById({ didDocument, didUrl, section }) {
      const method = didDocument.verificationMethod.find((method) => method.id === didUrl);
      if (!method || !didDocument[section].includes(didUrl)) throw new Error(`not_found: ${didUrl} in ${section}`);
      return method;
    },
    async didManagerGet({ did }) {
      const own = Object.entries(secrets).filter(([kid, jwk]) => kid.split("#")[0] === did && TYPE[jwk.crv]);
      if (!own.length) throw new Error(`not_found: ${did}`);
      // The library takes an Ed25519 key for the X25519 one that follows from it, if that does not come first.
      own.sort(([, one], [, other]) => (one.crv < other.crv) - (one.crv > other.crv));
      const keys = own.map(([kid, jwk]) => ({
        kid,
        kms: "task",
        type: TYPE[jwk.crv],
        publicKeyHex: Buffer.concat(jwk.y ? [Buffer.of(4), bytes(jwk.x), bytes(jwk.y)] : [bytes(jwk.x)]).toString("hex"),
      }));
      return { did, provider: "task", keys, services: [] };
    },
    async keyManagerSharedSecret({ secretKeyRef, publicKey }) {
      const privateKey = createPrivateKey({ key: secrets[secretKeyRef], format: "jwk" });
      return diffieHellman({ privateKey, publicKey: x25519(publicKey.publicKeyHex) }).toString("hex");
    },
    async keyManagerSign({ keyRef, algorithm, data }) {
      const secret = bytes(secrets[keyRef].d);
      const signer = { EdDSA: EdDSASigner, ES256K: ES256KSigner }[algorithm](secret);
      return signer(data);
    },
  };
}

async function pack(library, context, job) {
  const { message, to, from, sign } = job;
  if (job.hide_sender || (sign && to)) throw new Error("unsupported by the library: nesting");
  // The library takes the first key when it cannot use the one that is asked for.
  const keyRef = sign ?? from ?? undefined;
  if (sign) {
    const packed = await library.packDIDCommMessage({ packing: "jws", message, keyRef }, context);
    const { kid } = header(JSON.parse(packed.message).protected);
    if (kid !== sign) throw new Error(`unsupported by the library: signing as ${sign}`);
    return packed.message;
  }
  const options = { enc: job.enc, ...(to.includes("#") ? { recipientKids: [to] } : {}) };
  const packing = from ? "authcrypt" : "anoncrypt";
  const packed = await library.packDIDCommMessage({ packing, message, keyRef, options }, context);
  const { skid } = header(JSON.parse(packed.message).protected);
  if (skid !== (from ?? undefined)) throw new Error(`unsupported by the library: authcrypt as ${from}`);
  return packed.message;
}

async function unpack(library, context, packed) {
  const read = { sender_kid: null, signer_kid: null };
  for (let text = packed; ; text = JSON.stringify(read.message)) {
    const outer = JSON.parse(text);
    const { message, metaData } = await library.unpackDIDCommMessage({ message: text }, context);
    // It names no keys; these are the ones that it looks up.
    if (metaData.packing === "authcrypt") read.sender_kid = header(outer.protected).skid;
    if (metaData.packing === "jws") read.signer_kid = header(outer.protected ?? outer.signatures[0].protected).kid;
    read.message = message;
    if (!message.ciphertext && !message.payload) return read;
  }
}

const task = JSON.parse(readFileSync(0, "utf8"));
const library = new DIDComm({ transports: [] });
const context = { agent: agent(task.docs, task.secrets) };
const results = [];
for (const job of task.jobs) {
  try {
    const done =
      job.op === "pack" ? { packed: await pack(library, context, job) } : await unpack(library, context, job.packed);
    results.push({ name: job.name, ok: true, ...done });
  } catch (error) {
    results.push({ name: job.name, ok: false, error: `${error.name}: ${error.message}` });
  }
}
process.stdout.write(JSON.stringify(results));
