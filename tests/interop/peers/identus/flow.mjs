// What the Identus wallet does at a gateway: flow.mjs '{"did","http","ws"}'
//
// Two of its agents ask for mediation, alice makes a DID behind the gateway, bob writes to it through
// the forward that his own library makes; she collects by asking, and in live mode.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const installed = createRequire(join(process.env.NODE_PATH, "peer.cjs"));
const SDK = (await import(pathToFileURL(installed.resolve("@hyperledger/identus-sdk")))).default;
// Node.js before 22 has none of its own.
globalThis.WebSocket ??= installed("ws");

const gateway = JSON.parse(process.argv[2]);
let passed = 0, failed = 0;

async function step(name, work) {
  try {
    await work();
    passed += 1;
    console.log(`ok   identus: ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL identus: ${name}: ${error?.stack ?? error}`);
  }
}

/** The store that its Pluto asks for, in memory: a selector of equalities, `$or`, `$and`, `$in`. */
class Memory {
  tables = new Map();
  rows = (table) => this.tables.get(table) ?? this.tables.set(table, new Map()).get(table);

  fits(row, selector = {}) {
    return Object.entries(selector).every(([name, wanted]) => {
      if (name === "$or") return wanted.some((one) => this.fits(row, one));
      if (name === "$and") return wanted.every((one) => this.fits(row, one));
      if (wanted?.$in) return wanted.$in.includes(row[name]);
      return row[name] === (wanted?.$eq ?? wanted);
    });
  }

  query = async (table, query) => [...this.rows(table).values()].filter((row) => this.fits(row, query?.selector)).map((row) => ({ ...row }));
  insert = async (table, row) => void this.rows(table).set(row.uuid, { ...row });
  update = async (table, row) => void this.rows(table).set(row.uuid, { ...row });
  delete = async (table, uuid) => void this.rows(table).delete(uuid);
}

/** An agent with an account at the gateway, which keeps what it hears. */
async function wallet(liveMode) {
  const apollo = new SDK.Apollo();
  const pluto = new SDK.Pluto(new Memory(), apollo);
  const seed = apollo.createRandomSeed().seed;
  const agent = SDK.Agent.initialize({ mediatorDID: gateway.did, pluto, apollo, seed, options: { experiments: { liveMode } } });
  const heard = [];
  agent.addListener(SDK.ListenerKey.MESSAGE, (messages) => heard.push(...messages));
  await agent.start();
  return { agent, heard };
}

const texts = ({ heard }) => heard.filter((one) => one.piuri.includes("basicmessage")).map((one) => one.body.content);

async function comes(who, wanted) {
  for (let tries = 0; tries < 150 && texts(who).length < wanted.length; tries += 1) await new Promise((resolve) => setTimeout(resolve, 200));
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.deepEqual(texts(who).sort(), [...wanted].sort());
}

async function talk(live) {
  const how = live ? "live mode" : "by asking";
  let alice, bob, did;
  await step(`${how}: mediation is granted`, async () => {
    alice = await wallet(live);
    bob = await wallet(false);
    assert.equal(alice.agent.currentMediatorDID?.toString(), gateway.did);
  });
  await step(`${how}: a new DID behind the gateway`, async () => {
    did = await alice.agent.createNewPeerDID([], true);
  });
  await step(`${how}: bob writes, alice collects`, async () => {
    const from = await bob.agent.createNewPeerDID([], true);
    const wanted = ["The well is dry.", "Kilometre 41 has water.", "Come at noon."];
    if (live) await new Promise((resolve) => setTimeout(resolve, 1_000));
    for (const content of wanted) await bob.agent.sendMessage(new SDK.BasicMessage({ content }, from, did).makeMessage());
    if (!live) await alice.agent.startFetchingMessages(1);
    await comes(alice, wanted);
  });
  await step(`${how}: nothing is left`, async () => {
    alice.agent.stopFetchingMessages();
    await alice.agent.stop();
    await bob.agent.stop();
  });
}

await talk(false);
await talk(true);
console.log(`identus: ${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
