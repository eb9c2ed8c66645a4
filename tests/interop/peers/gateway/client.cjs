// Somebody with a did:peer:2, whose messages npm `didcomm-node` packs and opens.
const { generateKeyPairSync, randomUUID } = require("crypto");
const { Message } = require("didcomm-node");

const ENCRYPTED = "application/didcomm-encrypted+json";
const PLAIN = "application/didcomm-plain+json";
const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const CODES = { X25519: [0xec, 0x01], Ed25519: [0xed, 0x01] };

function base58(bytes) {
  let number = BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
  let text = "";
  for (; number > 0n; number /= 58n) text = ALPHABET[Number(number % 58n)] + text;
  return text;
}

function unbase58(text) {
  let number = 0n;
  for (const letter of text) number = number * 58n + BigInt(ALPHABET.indexOf(letter));
  return Buffer.from(number.toString(16).padStart(68, "0"), "hex");
}

/** The document of a did:peer:2 with Curve25519 keys; services are of no use to us. */
function document(did) {
  const doc = { id: did, keyAgreement: [], authentication: [], verificationMethod: [], service: [] };
  const keys = did.slice("did:peer:2.".length).split(".").filter((part) => part[0] !== "S");
  keys.forEach((part, index) => {
    const raw = unbase58(part.slice(2));
    const crv = Object.keys(CODES).find((name) => CODES[name][0] === raw[0]);
    const id = `${did}#key-${index + 1}`;
    const publicKeyJwk = { kty: "OKP", crv, x: raw.subarray(2).toString("base64url") };
    doc.verificationMethod.push({ id, type: "JsonWebKey2020", controller: did, publicKeyJwk });
    (part[0] === "E" ? doc.keyAgreement : doc.authentication).push(id);
  });
  return doc;
}

const documents = { resolve: async (did) => document(did) };

class Client {
  constructor(gateway) {
    const pair = (name) => generateKeyPairSync(name).privateKey.export({ format: "jwk" });
    const keys = [pair("x25519"), pair("ed25519")];
    const multikey = (jwk) => `z${base58([...CODES[jwk.crv], ...Buffer.from(jwk.x, "base64url")])}`;
    this.gateway = gateway;
    this.did = `did:peer:2.E${multikey(keys[0])}.V${multikey(keys[1])}`;
    const secrets = keys.map(({ kty, crv, x, d }, index) => ({
      id: `${this.did}#key-${index + 1}`,
      type: "JsonWebKey2020",
      privateKeyJwk: { kty, crv, x, d },
    }));
    this.secrets = {
      get_secret: async (id) => secrets.find((one) => one.id === id) ?? null,
      find_secrets: async (ids) => ids.filter((id) => secrets.some((one) => one.id === id)),
    };
  }

  /** Packs a message from us, or from nobody. */
  async pack(to, fields, anonymous = false) {
    const now = Math.floor(Date.now() / 1000);
    const from = anonymous ? {} : { from: this.did };
    const message = new Message({ id: randomUUID(), typ: PLAIN, created_time: now, body: {}, ...from, to: [to], ...fields });
    const how = { forward: false, enc_alg_anon: "A256cbcHs512EcdhEsA256kw" };
    return (await message.pack_encrypted(to, anonymous ? null : this.did, null, documents, this.secrets, how))[0];
  }

  async open(packed) {
    return (await Message.unpack(packed, documents, this.secrets, {}))[0].as_value();
  }

  /** Posts: status, media type, body. */
  async post(packed, kind = ENCRYPTED) {
    const answer = await fetch(this.gateway.http, { method: "POST", headers: { "content-type": kind }, body: packed });
    return { status: answer.status, kind: answer.headers.get("content-type"), text: await answer.text() };
  }

  request(type, body = {}) {
    return this.pack(this.gateway.did, { type: `https://didcomm.org/${type}`, body, return_route: "all" });
  }

  /** Asks and opens what comes back. */
  async ask(type, body) {
    const answer = await this.post(await this.request(type, body));
    if (answer.status !== 200 || answer.kind !== ENCRYPTED) throw new Error(`${type}: HTTP ${answer.status} ${answer.kind}`);
    return this.open(answer.text);
  }

  /** A text for somebody, as a forward from nobody. */
  async forward(to, text, form = "json") {
    const type = "https://didcomm.org/basicmessage/2.0/message";
    const inner = await this.pack(to, { type, body: { content: text } });
    const data = form === "json" ? { json: JSON.parse(inner) } : { base64: Buffer.from(inner).toString("base64url") };
    const attachments = [{ id: randomUUID(), media_type: ENCRYPTED, data }];
    const forward = { type: "https://didcomm.org/routing/2.0/forward", body: { next: to }, attachments };
    return this.post(await this.pack(this.gateway.did, forward, true));
  }
}

/** The packed messages of a delivery. */
function letters(delivery) {
  return (delivery.attachments ?? []).map(({ id, data }) => ({
    id,
    packed: data.json ? JSON.stringify(data.json) : Buffer.from(data.base64, "base64url").toString(),
  }));
}

module.exports = { Client, letters, ENCRYPTED };
