// The operators' side: asks the gateway again and again, and shows what it says.
//
// The token stays in this tab until it is closed, and goes out in a header alone.

import { element, facts, knows, moment, number, say, size, span } from "./speech.js";

const $ = (id) => document.getElementById(id);
const KEPT = "packmule-token";
const OFTEN = 2_000;
const SELDOM = 10_000;
const LINES = 500;

let token = sessionStorage.getItem(KEPT) ?? "";
let seen = 0;
let paused = false;
let timer;
let last = 0;
let rows = [];
let next = null;

class NoToken extends Error {}

async function ask(what) {
  const response = await fetch(`operator/${what}`, { headers: { Authorization: `Bearer ${token}` } });
  if (response.status === 401 || response.status === 429) throw new NoToken(String(response.status));
  return response.json();
}

async function round() {
  clearTimeout(timer);
  try {
    if (!document.hidden) await look();
    reached(true);
  } catch (fault) {
    if (fault instanceof NoToken) return entry(say(fault.message === "429" ? "wait" : "op-wrong-token"));
    reached(false);
  }
  timer = setTimeout(round, OFTEN);
}

async function look() {
  const [state, log] = await Promise.all([ask("state.json"), ask(`log.json?after=${seen}`)]);
  if (state.reason) throw new Error(state.why);
  show(state);
  lines(log);
  $("entry").hidden = true;
  $("view").hidden = false;
  if (Date.now() - last < SELDOM) return;
  const [queues, dead] = await Promise.all([ask("queues.json"), ask("dead-letters.json")]);
  last = Date.now();
  // Later pages, once asked for, stay as they were.
  rows = [queues.queues, ...rows.slice(1)];
  if (rows.length === 1) next = queues.next;
  showQueues();
  showDead(dead);
}

function reached(is) {
  $("unreached").hidden = is;
  $("unreached").textContent = is ? "" : say("unreached");
}

function entry(said) {
  token = "";
  sessionStorage.removeItem(KEPT);
  $("view").hidden = true;
  $("entry").hidden = false;
  $("token").value = "";
  $("token-hint").textContent = said ?? say("op-token-hint");
  $("token-hint").classList.toggle("bad", Boolean(said));
  $("token").setAttribute("aria-invalid", String(Boolean(said)));
  $("token").focus();
}

// Long names are cut in their middle; all of it is in the title, and is what is copied.
function name(text, most = 28) {
  const made = element("span", { className: "code", translate: "no" });
  if (text.length <= most) {
    made.textContent = text;
    return made;
  }
  const ends = Math.floor((most - 1) / 2);
  made.textContent = `${text.slice(0, ends)}…${text.slice(-ends)}`;
  made.title = text;
  return made;
}

// Replaced only when it changed, so that nobody loses a place in it or hears it again.
function put(id, ...parts) {
  const box = document.createElement("div");
  box.append(...parts);
  const is = $(id);
  if (is.dataset.was === box.textContent) return;
  is.dataset.was = box.textContent;
  is.replaceChildren(...box.childNodes);
}

function table(id, heads, all) {
  const head = element("tr", {}, ...heads.map(([text, kind]) => element("th", { text, scope: "col", ...(kind ? { className: kind } : {}) })));
  const lines = all.map((cells) =>
    element("tr", {}, ...cells.map((cell, n) => element("td", heads[n][1] ? { className: heads[n][1] } : {}, cell ?? "–"))));
  const none = element("tr", {}, element("td", { colspan: String(heads.length), className: "none", text: say("op-none") }));
  put(id, element("thead", {}, head), element("tbody", {}, ...(lines.length ? lines : [none])));
}

function tile(what, value, more) {
  return element("div", { className: "tile" }, element("dt", { text: what }), element("dd", {}, element("strong", { text: value }), element("span", { text: more ?? "" })));
}

const sum = (counts) => Object.values(counts ?? {}).reduce((all, one) => all + one, 0);

function show(state) {
  const box = state.mailboxes;
  const node = state.node;
  const refused = sum(state.counts.refused);
  put("tiles",
    tile(say("op-waiting"), number(box.messages), box.oldest ? say("op-oldest", { span: span(state.now - box.oldest) }) : size(box.bytes)),
    tile(say("op-accounts"), number(box.accounts), say("op-live", { live: number(state.live) })),
    tile(say("op-links"), number(node?.links.length ?? 0), node ? say("op-carried", { count: number(node.count) }) : ""),
    tile(say("op-received"), number(sum(state.counts.received)), ""),
    tile(say("op-refused"), number(refused), ""),
    tile(say("op-dead"), number(box.dead + (node?.dead ?? 0)), ""),
  );
  put("network-facts", facts([
    [say("its-address"), state.http],
    [say("op-listening"), node?.listening.join(", ") || undefined],
    [say("op-since"), node ? moment(node.since) : undefined],
    [say("op-version"), state.version],
    [say("its-did"), state.did],
  ]));
  const troubles = node ? [...node.troubles, ...(node.disk ? [node.disk] : [])] : [say("op-node-ended")];
  $("troubles").hidden = !troubles.length;
  put("troubles", ...troubles.map((text) => element("li", { text })));
  $("uplinks").hidden = !state.uplinks.length;
  table("uplink-rows",
    [[say("its-did")], [say("op-state")], [say("op-last-seen")], [say("op-collected"), "number"], [say("op-failures"), "number"]],
    state.uplinks.map((up) => [name(up.did), say(`op-up-${up.state}`, { until: moment(up.until ?? 0), why: up.why ?? "" }), up.last_seen ? moment(up.last_seen) : null, number(up.collected), number(up.failures)]));
  table("link-rows",
    [[say("op-transport")], [say("op-node")], [say("op-proved")], [say("op-outgoing"), "number"], [say("op-incoming"), "number"]],
    (node?.links ?? []).map((link) => [link.way ?? link.transport, link.node ? name(link.node, 20) : null, link.proven.join(", ") || null, number(link.outgoing), number(link.incoming)]));
  table("contact-rows",
    [[say("op-met")], [say("op-parted")], [say("op-node")], [say("op-proved")], [say("op-why")]],
    state.contacts.map((one) => [moment(one.met), one.parted ? moment(one.parted) : null, name(one.node, 20), one.proved.join(", ") || null, one.why]));
  put("storage-facts",
    meter(say("op-quota"), box.bytes, box.quota_bytes, size),
    meter(say("op-quota-messages"), box.messages, box.quota_messages, number),
    ...(node ? [meter(say("op-quota-node"), node.bytes, node.quota_bytes, size), meter(say("op-quota-strangers"), node.strangers_bytes, node.quota_strangers, size)] : []),
    facts([[say("op-disk-used"), size(box.disk_used)], [say("op-disk-free"), box.disk_free === null ? undefined : size(box.disk_free)]]));
  table("refusal-rows", [[say("op-why")], [say("op-count"), "number"]],
    Object.entries(state.counts.refused).filter(([, count]) => count).map(([why, count]) => [say(knows(`op-no-${why}`) ? `op-no-${why}` : why), number(count)]));
}

function meter(what, value, most, unit) {
  const said = say("op-of", { value: unit(value), most: unit(most) });
  return element("label", { className: "meter" }, element("span", { text: what }), element("span", { className: "hint", text: said }),
    element("meter", { min: "0", max: String(Math.max(most, 1)), value: String(value), high: String(most * 0.85), optimum: "0" }, said));
}

function showQueues() {
  table("queue-rows",
    [[say("op-account")], [say("op-messages"), "number"], [say("size"), "number"], [say("op-bindings"), "number"], [say("op-opened")]],
    rows.flat().map((one) => [name(one.did), number(one.messages), size(one.bytes), number(one.bindings), moment(one.opened)]));
  $("more").hidden = !next;
}

function showDead({ mailboxes, carried }) {
  const ends = { expired: say("state-expired"), "account-closed": say("state-account-closed") };
  table("dead-rows", [[say("op-id")], [say("op-why")], [say("op-recipient")], [say("size"), "number"], [say("came")], [say("ended")]], [
    ...mailboxes.map((one) => [name(one.id, 20), ends[one.why] ?? one.why, name(one.recipient), size(one.bytes), moment(one.received), moment(one.ended)]),
    ...carried.map((one) => [name(one.id, 20), one.why, null, size(one.bytes), moment(one.since), null]),
  ]);
}

function lines(log) {
  // After a restart of the gateway its lines are counted anew.
  if (log.last < seen) {
    seen = 0;
    return;
  }
  // What came meanwhile is shown when it goes on.
  if (paused) return;
  seen = log.last;
  if (!log.lines.length) return;
  const list = $("lines");
  const box = list.parentElement;
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
  for (const line of log.lines) {
    const time = element("time", { text: new Date(line.time * 1000).toLocaleTimeString(document.documentElement.lang), datetime: new Date(line.time * 1000).toISOString() });
    const parts = Object.entries(line.facts).map(([key, value]) => `${key}=${value}`);
    list.append(element("li", { className: `level-${line.level === "warn" || line.level === "error" ? "bad" : "usual"}` },
      time, element("span", { className: "level", text: line.level }), element("span", { className: "event", text: [line.event, ...parts].join("  ") })));
  }
  while (list.children.length > LINES) list.firstChild.remove();
  if (atEnd) box.scrollTop = box.scrollHeight;
}

$("entry").addEventListener("submit", (event) => {
  event.preventDefault();
  token = $("token").value.trim();
  // What no header can say is no token.
  if (!/^[\x21-\x7e]+$/.test(token)) return entry(say("op-wrong-token"));
  sessionStorage.setItem(KEPT, token);
  last = 0;
  round();
});
$("leave").addEventListener("click", () => {
  clearTimeout(timer);
  for (const id of ["lines", "queue-rows", "dead-rows", "contact-rows", "link-rows"]) {
    $(id).replaceChildren();
    delete $(id).dataset.was;
  }
  seen = 0;
  rows = [];
  entry();
});
$("pause").addEventListener("click", () => {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", String(paused));
  $("pause").textContent = say(paused ? "op-go-on" : "op-pause");
});
$("more").addEventListener("click", async () => {
  const told = await ask(`queues.json?after=${next}`).catch(() => null);
  if (!told) return reached(false);
  rows.push(told.queues);
  next = told.next;
  showQueues();
});
document.addEventListener("visibilitychange", () => !document.hidden && token && round());

if (token) round();
