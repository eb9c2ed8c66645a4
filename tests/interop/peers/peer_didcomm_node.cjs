// npm `didcomm-node` 0.4.1 (the sicpa Rust core as WebAssembly) behind the peers' contract (README.md).
const { Message } = require("didcomm-node");

const ENC = {
  "A256CBC-HS512": "A256cbcHs512EcdhEsA256kw",
  A256GCM: "A256gcmEcdhEsA256kw",
  XC20P: "Xc20pEcdhEsA256kw",
};

async function run(docs, secrets, job) {
  if (job.op === "pack") {
    const message = new Message(job.message);
    if (!job.to) return { packed: (await message.pack_signed(job.sign, docs, secrets))[0] };
    const how = { forward: false, protect_sender: job.hide_sender, enc_alg_anon: ENC[job.enc] };
    return { packed: (await message.pack_encrypted(job.to, job.from, job.sign, docs, secrets, how))[0] };
  }
  const [message, meta] = await Message.unpack(job.packed, docs, secrets, {});
  return {
    message: message.as_value(),
    sender_kid: meta.encrypted_from_kid ?? null,
    signer_kid: meta.sign_from ?? null,
  };
}

async function main() {
  const task = JSON.parse(require("fs").readFileSync(0, "utf8"));
  const docs = { resolve: async (did) => task.docs.find((doc) => doc.id === did) ?? null };
  const secrets = {
    get_secret: async (kid) =>
      task.secrets[kid] ? { id: kid, type: "JsonWebKey2020", privateKeyJwk: task.secrets[kid] } : null,
    find_secrets: async (kids) => kids.filter((kid) => task.secrets[kid]),
  };
  const results = [];
  for (const job of task.jobs) {
    try {
      results.push({ name: job.name, ok: true, ...(await run(docs, secrets, job)) });
    } catch (error) {
      results.push({ name: job.name, ok: false, error: `${error.name}: ${error.message ?? error}` });
    }
  }
  process.stdout.write(JSON.stringify(results));
}

main();
