// What a client of npm `didcomm-node` does at a gateway, step by step: flow.cjs '{"did","http","ws"}'
const assert = require("assert/strict");
const WebSocket = require("ws");
const { Client, letters } = require("./client.cjs");

const gateway = JSON.parse(process.argv[2]);
const NAMES = {
  "2.0": { update: "keylist-update", query: "keylist-query", list: "keys", grant: gateway.did },
  "3.0": { update: "recipient-update", query: "recipient-query", list: "dids", grant: [gateway.did] },
};
let passed = 0, failed = 0;

async function step(name, work) {
  const began = performance.now();
  try {
    await work();
    passed += 1;
    console.log(`ok   didcomm-node: ${name} (${(performance.now() - began).toFixed(1)} ms)`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL didcomm-node: ${name}: ${error.message ?? error}`);
  }
}

const type = (message) => message.type.replace("https://didcomm.org/", "");

async function mediate(version) {
  const names = NAMES[version];
  const protocol = `coordinate-mediation/${version}`;
  const [alice, alias, stranger] = [1, 2, 3].map(() => new Client(gateway));
  await step(`${protocol}: an ask before the request`, async () => {
    const answer = await alice.ask(`${protocol}/${names.query}`);
    assert.match(type(answer), /problem-report$/);
  });
  await step(`${protocol}: mediate-request`, async () => {
    const answer = await alice.ask(`${protocol}/mediate-request`);
    assert.equal(type(answer), `${protocol}/mediate-grant`);
    assert.deepEqual(answer.body.routing_did, names.grant);
  });
  await step(`${protocol}: ${names.update}`, async () => {
    const change = (recipient_did, action) => ({ recipient_did, action });
    const updates = [change(alias.did, "add"), change(alias.did, "add"), change("nonsense", "add"), change(stranger.did, "remove")];
    const answer = await alice.ask(`${protocol}/${names.update}`, { updates });
    assert.equal(type(answer), `${protocol}/${names.update}-response`);
    const results = answer.body.updated.map((one) => one.result);
    assert.deepEqual(results, ["success", "no_change", "client_error", "no_change"]);
  });
  await step(`${protocol}: another's DID`, async () => {
    const mallory = new Client(gateway);
    await mallory.ask(`${protocol}/mediate-request`);
    const updates = [{ recipient_did: alias.did, action: "add" }];
    const answer = await mallory.ask(`${protocol}/${names.update}`, { updates });
    assert.equal(answer.body.updated[0].result, "client_error");
  });
  await step(`${protocol}: ${names.query}`, async () => {
    const answer = await alice.ask(`${protocol}/${names.query}`);
    const dids = answer.body[names.list].map((one) => one.recipient_did);
    assert.ok(dids.includes(alias.did));
  });
  return { alice, alias, stranger };
}

async function pickUp({ alice, alias, stranger }) {
  const pickup = "messagepickup/3.0";
  for (const form of ["json", "base64"])
    for (const [who, to] of [["the account", alice], ["a bound DID", alias]])
      await step(`forward as ${form} to ${who}`, async () => {
        const answer = await stranger.forward(to.did, `${form} ${who}`, form);
        assert.deepEqual([answer.status, answer.text], [202, ""]);
      });
  await step("status", async () => {
    const { body } = await alice.ask(`${pickup}/status-request`);
    assert.equal(body.message_count, 4);
    assert.ok(body.total_bytes > 0 && Number.isInteger(body.oldest_received_time));
    const { body: one } = await alice.ask(`${pickup}/status-request`, { recipient_did: alias.did });
    assert.deepEqual([one.message_count, one.recipient_did], [2, alias.did]);
  });
  let ids = [];
  await step("delivery, twice the same", async () => {
    for (const _ of [1, 2]) {
      const page = letters(await alice.ask(`${pickup}/delivery-request`, { limit: 10 }));
      ids = page.map((one) => one.id);
      const texts = [];
      for (const { packed } of page)
        texts.push((await alice.open(packed).catch(() => alias.open(packed))).body.content);
      assert.deepEqual(texts.sort(), ["base64 a bound DID", "base64 the account", "json a bound DID", "json the account"]);
    }
    const few = await alice.ask(`${pickup}/delivery-request`, { limit: 1 });
    assert.equal(few.attachments.length, 1);
  });
  await step("messages-received, then nothing is left", async () => {
    const answer = await alice.ask(`${pickup}/messages-received`, { message_id_list: ids });
    assert.deepEqual([type(answer), answer.body.message_count], [`${pickup}/status`, 0]);
    const empty = await alice.ask(`${pickup}/delivery-request`, { limit: 10 });
    assert.deepEqual([type(empty), empty.body.message_count], [`${pickup}/status`, 0]);
  });
  await step("pickup 4.0: an empty delivery", async () => {
    const empty = await alice.ask("message-pickup/4.0/delivery-request", { message_count_limit: 10 });
    assert.equal(type(empty), "message-pickup/4.0/delivery");
    assert.equal((empty.attachments ?? []).length, 0);
  });
  await step("live delivery over HTTP", async () => {
    const answer = await alice.ask(`${pickup}/live-delivery-change`, { live_delivery: true });
    assert.equal(answer.body.code, "e.m.live-mode-not-supported");
  });
}

function listen(socket) {
  const waiting = [], come = [];
  socket.on("message", (data, binary) => {
    const frame = { text: data.toString(), binary };
    waiting.length ? waiting.shift()(frame) : come.push(frame);
  });
  return () =>
    new Promise((resolve, reject) => {
      if (come.length) return resolve(come.shift());
      const late = setTimeout(() => reject(new Error("nothing came in 20 s")), 20_000);
      waiting.push((frame) => (clearTimeout(late), resolve(frame)));
    });
}

async function live({ alice, stranger }) {
  const pickup = "messagepickup/3.0";
  const socket = new WebSocket(gateway.ws);
  const next = listen(socket);
  const heard = async () => {
    const frame = await next();
    assert.equal(frame.binary, false);
    return alice.open(frame.text);
  };
  await step("live delivery on a WebSocket", async () => {
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    socket.send(await alice.request(`${pickup}/live-delivery-change`, { live_delivery: true }));
    assert.equal((await heard()).body.live_delivery, true);
    for (const text of ["at once", "and again"]) {
      assert.equal((await stranger.forward(alice.did, text)).status, 202);
      const pushed = await heard();
      assert.equal(type(pushed), `${pickup}/delivery`);
      const [letter] = letters(pushed);
      assert.equal((await alice.open(letter.packed)).body.content, text);
      socket.send(await alice.request(`${pickup}/messages-received`, { message_id_list: [letter.id] }));
      assert.equal((await heard()).body.message_count, 0);
    }
  });
  await step("live delivery off again", async () => {
    socket.send(await alice.request(`${pickup}/live-delivery-change`, { live_delivery: false }));
    assert.equal((await heard()).body.live_delivery, false);
    assert.equal((await stranger.forward(alice.did, "later")).status, 202);
    socket.send(await alice.request(`${pickup}/status-request`));
    assert.equal((await heard()).body.message_count, 1);
  });
  socket.close();
}

async function errors({ alice }) {
  await step("a ping", async () => {
    const pong = await alice.ask("trust-ping/2.0/ping", { response_requested: true });
    assert.equal(type(pong), "trust-ping/2.0/ping-response");
  });
  await step("discover-features", async () => {
    const queries = [{ "feature-type": "protocol", match: "*" }];
    const { body } = await alice.ask("discover-features/2.0/queries", { queries });
    const ids = body.disclosures.map((one) => one.id);
    for (const id of ["coordinate-mediation/2.0", "coordinate-mediation/3.0", "messagepickup/3.0", "message-pickup/4.0", "routing/2.0"])
      assert.ok(ids.includes(`https://didcomm.org/${id}`), id);
  });
  await step("an unknown type", async () => {
    assert.equal((await alice.ask("nonsense/1.0/x")).body.code, "e.p.msg.unsupported");
  });
  await step("no return_route: nothing comes back", async () => {
    const packed = await alice.pack(gateway.did, { type: "https://didcomm.org/messagepickup/3.0/status-request" });
    assert.deepEqual(await alice.post(packed).then(({ status, text }) => [status, text]), [202, ""]);
  });
  await step("a status-request from nobody: nothing comes back", async () => {
    const type = "https://didcomm.org/messagepickup/3.0/status-request";
    const packed = await alice.pack(gateway.did, { type, from: alice.did, return_route: "all" }, true);
    const { text } = await alice.post(packed);
    assert.equal(text, "");
  });
  await step("garbage, another media type, a parameter, GET", async () => {
    assert.equal((await alice.post("not an envelope")).status, 400);
    assert.equal((await alice.post("{}", "text/html")).status, 415);
    const packed = await alice.request("trust-ping/2.0/ping");
    assert.equal((await alice.post(packed, "application/didcomm-encrypted+json; charset=utf-8")).status, 200);
    assert.equal((await (await fetch(gateway.http)).json()).did, gateway.did);
  });
  await step("a forward to nobody here is silent", async () => {
    const nobody = new Client(gateway);
    assert.equal((await alice.forward(nobody.did, "x")).status, 202);
  });
}

(async () => {
  const two = await mediate("2.0");
  await pickUp(two);
  const three = await mediate("3.0");
  await live(three);
  await errors(three);
  console.log(`didcomm-node: ${passed} passed, ${failed} failed`);
  process.exit(failed === 0 && passed > 0 ? 0 : 1);
})();
