// The visitor's side: leave messages, follow and pick up one by its id, copy the invitation.

import { copies, element, facts, knows, moment, say, size } from "./speech.js";

const $ = (id) => document.getElementById(id);

// Leave a message. What cannot be sent now waits in this page and is tried again: the kiosk knows
// a message that it has, so sending twice is one.

const SOONEST = 2_000;
const LATEST = 30_000;
const waiting = new Set();

function leave(files) {
  for (const file of files) {
    const item = element("li", { className: "outcome" });
    $("outcomes").prepend(item);
    show(item, file, say("sending"));
    send({ file, item, pause: SOONEST });
  }
}

function show(item, file, said, { bad = false, id, deeds = [] } = {}) {
  item.classList.toggle("bad", bad);
  const parts = [element("p", { className: "said", text: said }), element("p", { className: "file", text: file.name })];
  if (id) {
    parts.push(element("p", { className: "hint", text: say("keep-id") }), element("p", { className: "id code", text: id, translate: "no" }));
  }
  if (deeds.length) parts.push(element("div", { className: "deeds" }, ...deeds));
  item.replaceChildren(...parts);
}

async function send(letter) {
  const { file, item } = letter;
  waiting.delete(letter);
  const most = Number($("drop").dataset.most);
  if (file.size > most) return show(item, file, say("no-too-large", { most: size(most) }), { bad: true });
  let response;
  try {
    response = await fetch("drop", { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file });
  } catch {
    return later(letter, say("unreached-letter"), letter.pause);
  }
  reached(true);
  // The server may refuse by itself, in its own words.
  const answer = await response.json().catch(() => ({ reason: response.status === 413 ? "too-large" : "fault" }));
  if (answer.outcome === "taken") {
    const name = `out-${answer.state}`;
    const deeds = [
      copies(element("button", { className: "plain small", type: "button", text: say("copy-id") }), () => answer.id),
      button("look", () => seek(answer.id)),
    ];
    if (answer.answer) deeds.push(save(say("save-answer"), answer.answer, `${answer.id.slice(0, 26)}-answer.dcem`));
    return show(item, file, say(knows(name) ? name : "out-taken"), { id: answer.id, deeds });
  }
  const name = `no-${answer.reason}`;
  const said = say(knows(name) ? name : "no-fault", { most: size(most) });
  if (answer.reason === "too-many") return later(letter, said, Math.max(1, answer["retry-after"] ?? 1) * 1000);
  const again = ["full", "fault"].includes(answer.reason) ? [button("again", () => (show(item, file, say("sending")), send(letter)))] : [];
  show(item, file, said, { bad: true, deeds: again });
}

function later(letter, said, pause) {
  show(letter.item, letter.file, said, { bad: true });
  letter.pause = Math.min(LATEST, letter.pause * 2);
  waiting.add(letter);
  setTimeout(() => waiting.has(letter) && send(letter), pause);
}

function button(name, deed) {
  const made = element("button", { className: "plain small", type: "button", text: say(name) });
  made.addEventListener("click", deed);
  return made;
}

function save(label, text, name) {
  const href = URL.createObjectURL(new Blob([text], { type: "application/didcomm-encrypted+json" }));
  return element("a", { className: "button", text: label, href, download: name });
}

$("file").addEventListener("change", (event) => {
  leave(event.target.files);
  // The same file may be chosen again.
  event.target.value = "";
});

for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
  $("drop").addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragenter" || kind === "dragover");
    if (kind === "drop") leave(event.dataTransfer.files);
  });
  // Beside the field, a dropped file must not take the place of the page.
  document.addEventListener(kind, (event) => event.preventDefault());
}

addEventListener("beforeunload", (event) => {
  if (waiting.size) event.preventDefault();
});

// Find or pick up a message.

// As people write ids: with spaces, in capitals.
const tidy = (text) => text.replace(/\s/g, "").toLowerCase();

function judge(whole) {
  $("id-hint").classList.toggle("bad", !whole);
  $("id-hint").textContent = say(whole ? "message-id-hint" : "not-an-id");
  $("id").setAttribute("aria-invalid", String(!whole));
  if (whole) return;
  $("fate").replaceChildren();
  $("id").focus();
}

async function seek(id) {
  $("id").value = id;
  const fate = $("fate");
  const whole = /^[a-z2-7]{52}$/.test(id);
  judge(whole);
  fate.classList.remove("bad");
  if (!whole) return;
  location.hash = `m=${id}`;
  fate.replaceChildren(element("p", { text: say("looking") }));
  let told;
  try {
    const response = await fetch(`messages/${id}`);
    told = await response.json();
  } catch {
    reached(false);
    fate.classList.add("bad");
    fate.replaceChildren(element("p", { className: "said", text: say("unreached") }), element("div", { className: "deeds" }, button("again", () => seek(id))));
    return;
  }
  reached(true);
  // Of the last letter only one bit counts.
  if (told.reason === "not-an-id") return judge(false);
  const name = told.state ? `state-${told.state}` : told.reason === "too-many" ? "wait" : "no-fault";
  fate.classList.toggle("bad", ["expired", "account-closed"].includes(told.state) || !told.state);
  const time = (seconds) => (seconds ? moment(seconds) : undefined);
  fate.replaceChildren(
    element("p", { className: "said", text: say(name) }),
    facts([
      [say("came"), time(told.received)],
      [say("kept-until"), time(told.expires)],
      [say("ended"), time(told.ended)],
      [say("size"), told.bytes === undefined ? undefined : size(told.bytes)],
    ]),
  );
  if (told.copy) {
    fate.append(
      element("p", { className: "hint", text: say("pick-up-how") }),
      element("div", { className: "deeds" }, element("a", { className: "button", text: say("pick-up"), href: `messages/${id}.dcem`, download: "" })),
    );
  }
}

$("seek").addEventListener("submit", (event) => {
  event.preventDefault();
  seek(tidy($("id").value));
});

// A link to a message: the id stays out of what is asked of the server and of its proxies.
function follow() {
  const id = /^#m=([^&]*)$/.exec(location.hash);
  if (id && tidy(id[1]) !== $("id").value) seek(tidy(id[1]));
}
addEventListener("hashchange", follow);
follow();

// The rest.

function reached(is) {
  const note = $("unreached");
  note.hidden = is;
  note.textContent = is ? "" : say("unreached");
}
addEventListener("offline", () => reached(false));
addEventListener("online", () => {
  reached(true);
  for (const letter of [...waiting]) send(letter);
});

for (const one of document.querySelectorAll("[data-copy]")) copies(one, () => $(one.dataset.copy).value);
for (const link of document.querySelectorAll(".languages a")) {
  link.addEventListener("click", () => (link.hash = location.hash));
}
