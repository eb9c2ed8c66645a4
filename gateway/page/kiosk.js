// The visitor's side: leave messages, follow and pick up one by its id, copy the invitation.

import { button, drops } from "./drops.js";
import { copies, element, facts, moment, say, size } from "./speech.js";

const $ = (id) => document.getElementById(id);

// Leave a message.

const letters = drops({ list: $("outcomes"), most: Number($("drop").dataset.most), seek: (id) => seek(id), reached });
const { leave } = letters;

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
  letters.again();
});

for (const one of document.querySelectorAll("[data-copy]")) copies(one, () => $(one.dataset.copy).value);
for (const link of document.querySelectorAll(".languages a")) {
  link.addEventListener("click", () => (link.hash = location.hash));
}
