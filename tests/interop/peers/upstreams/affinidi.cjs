// A kiosk whose cloud is Affinidi's mediator: affinidi.cjs PLACE '{"did","http","ws"}'
//
// Bob logs in there and writes to alice, an account of the kiosk, through [cloud, kiosk]. Half of it
// comes while the kiosk is up, half while it is dead; each letter must be in her mailbox once.
const assert = require("assert/strict");
const { randomUUID } = require("crypto");
const { Client, letters, ENCRYPTED } = require("../gateway/client.cjs");
const { Kiosk, pause, until } = require("./kiosk.cjs");

const [place, said] = process.argv.slice(2);
const cloud = JSON.parse(said);
const LETTERS = 40;
const JSON_KIND = "application/json";
const api = (path) => `${cloud.http.replace(/\/$/, "")}${path}`;

async function post(path, body, headers = {}) {
  const answer = await fetch(api(path), { method: "POST", headers: { "content-type": JSON_KIND, ...headers }, body });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${path}: HTTP ${answer.status} ${text.slice(0, 300)}`);
  return text ? JSON.parse(text) : null;
}

/** Somebody of the cloud, logged in as its documentation tells. */
async function login() {
  const bob = new Client({ did: cloud.did, http: api("/inbound") });
  const asked = await post("/authenticate/challenge", JSON.stringify({ did: bob.did }));
  const body = { challenge: asked.data.challenge, session_id: asked.sessionId ?? asked.session_id };
  const type = "https://affinidi.com/atm/1.0/authenticate";
  const expires_time = Math.floor(Date.now() / 1000) + 60;
  const answer = await post("/authenticate", await bob.pack(cloud.did, { type, body, expires_time }));
  bob.token = answer.data.access_token;
  return bob;
}

const forward = (next, packed) => ({
  type: "https://didcomm.org/routing/2.0/forward",
  body: { next },
  expires_time: Math.floor(Date.now() / 1000) + 86_400,
  attachments: [{ id: randomUUID(), media_type: ENCRYPTED, data: { json: JSON.parse(packed) } }],
});

async function write(bob, kiosk, alice, content) {
  const letter = await bob.pack(alice.did, { type: "https://didcomm.org/basicmessage/2.0/message", body: { content } });
  const inner = await bob.pack(kiosk.did, forward(alice.did, letter), true);
  const outer = await bob.pack(cloud.did, forward(kiosk.did, inner));
  await post("/inbound", outer, { authorization: `Bearer ${bob.token}` });
}

/** What waits for her, taken and acknowledged. */
async function collect(alice, got) {
  const page = letters(await alice.ask("messagepickup/3.0/delivery-request", { limit: 10 }));
  for (const { packed } of page) {
    const words = (await alice.open(packed)).body.content;
    got.set(words, (got.get(words) ?? 0) + 1);
  }
  if (page.length) await alice.ask("messagepickup/3.0/messages-received", { message_id_list: page.map(({ id }) => id) });
}

(async () => {
  const kiosk = new Kiosk(place, { name: "affinidi", toml: `did = "${cloud.did}", retry = "1s"` });
  await kiosk.start();
  const alice = new Client(kiosk);
  const grant = await alice.ask("coordinate-mediation/3.0/mediate-request");
  assert.match(grant.type, /mediate-grant$/);
  const bob = await login();
  await until("the kiosk has logged in", () => /upstream-(live|up)/.test(kiosk.log()));
  const got = new Map();
  for (let number = 0; number < LETTERS / 2; number += 1) await write(bob, kiosk, alice, `up ${number}`);
  await until("some have come", async () => (await collect(alice, got), got.size >= 5));
  // Killed in the middle of it; meanwhile the others wait in the cloud.
  await kiosk.end("SIGKILL");
  for (let number = 0; number < LETTERS / 2; number += 1) await write(bob, kiosk, alice, `down ${number}`);
  await kiosk.start();
  await until("all have come", async () => (await collect(alice, got), got.size >= LETTERS), 90);
  await pause(2_000);
  await collect(alice, got);
  for (const [words, count] of got) assert.equal(count, 1, words);
  // At once, too, on the socket that it keeps open.
  const began = performance.now();
  await until("it is live again", () => kiosk.log().split("upstream-live").length > 2);
  await write(bob, kiosk, alice, "at once");
  await until("it comes at once", async () => (await collect(alice, got), got.has("at once")), 5);
  await kiosk.end("SIGTERM");
  console.log(`affinidi: ${got.size} letters, each once, kiosk killed once; live in ${Math.round(performance.now() - began)} ms`);
})().catch((error) => {
  console.error(`FAIL affinidi: ${error.stack ?? error}`);
  process.exit(1);
});
