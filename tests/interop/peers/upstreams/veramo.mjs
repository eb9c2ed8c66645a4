// A kiosk that hands letters to Veramo's mediator: veramo.mjs PLACE '{"did","http"}'
//
// Bob is a Veramo agent with an account there; alice writes to him without a network, her stick goes
// to the kiosk. Veramo cannot open what others authenticate, so the kiosk never asks there: it only
// hands over forwards. Bob gets each letter once, by Veramo's own client.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { agent, newDid } from "./agent.mjs";
import kiosks from "./kiosk.cjs";

const { Kiosk, packmule, until, pause } = kiosks;
const [place, said] = process.argv.slice(2);
const cloud = JSON.parse(said);
const LETTERS = 5;
const own = agent();
const bob = await newDid(own, "bob", cloud.did);

async function ask(type, body = {}) {
  const message = { id: randomUUID(), type: `https://didcomm.org/${type}`, from: bob, to: [cloud.did], body, return_route: "all" };
  const { message: packed } = await own.packDIDCommMessage({ packing: "authcrypt", message });
  const headers = { "content-type": "application/didcomm-encrypted+json" };
  const answer = await fetch(cloud.http, { method: "POST", headers, body: packed });
  const text = await answer.text();
  if (!answer.ok || !text) throw new Error(`${type}: HTTP ${answer.status} ${text.slice(0, 200)}`);
  // It answers with the packed message as one JSON string.
  return (await own.unpackDIDCommMessage({ message: text.startsWith('"') ? JSON.parse(text) : text })).message;
}

async function main() {
  assert.match((await ask("coordinate-mediation/3.0/mediate-request")).type, /mediate-grant$/);
  await ask("coordinate-mediation/3.0/recipient-update", { updates: [{ recipient_did: bob, action: "add" }] });

  const toml = `did = "${cloud.did}", kind = "push-only"`;
  const kiosk = new Kiosk(place, { name: "veramo", toml }, { PACKMULE_GATEWAY_STRANGERS__FORWARD: "true" });
  await kiosk.start();
  const [alice, stick] = [join(place, "alice"), join(place, "stick")];
  mkdirSync(stick);
  process.env.PACKMULE_PASSPHRASE = "correct-horse";
  packmule(alice, ["init", "--kdf-memory", "8"]);
  packmule(alice, ["accept", bob, "--name", "bob", "--no-hello"]);
  for (let number = 0; number < LETTERS; number += 1) packmule(alice, ["send", "bob", `letter ${number}`, "--anon"]);
  packmule(alice, ["export", stick]);
  delete process.env.PACKMULE_PASSPHRASE;
  packmule(kiosk.home, ["import", "--carry", stick]);

  const got = new Map();
  await until("bob has them all", async () => {
    const delivery = await ask("messagepickup/3.0/delivery-request", { limit: 10 });
    const ids = [];
    for (const { id, data } of delivery.attachments ?? []) {
      const { message } = await own.unpackDIDCommMessage({ message: JSON.stringify(data.json) });
      got.set(message.body.content, (got.get(message.body.content) ?? 0) + 1);
      ids.push(id);
    }
    if (ids.length) await ask("messagepickup/3.0/messages-received", { message_id_list: ids });
    return got.size >= LETTERS;
  });
  await pause(1_000);
  for (const [words, count] of got) assert.equal(count, 1, words);
  await kiosk.end("SIGTERM");
  assert.doesNotMatch(kiosk.log(), /upstream-waits/, "it asked a mediator that holds nothing for it");
  console.log(`veramo: ${got.size} letters by push, each once`);
}

try {
  await main();
  process.exit(0);
} catch (error) {
  console.error(`FAIL veramo: ${error.stack ?? error}`);
  process.exit(1);
}
