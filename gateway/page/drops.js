// Messages on their way into the kiosk: sent, told what became of them, tried again.
//
// What cannot be sent now waits in this page and is tried again: the kiosk knows a message that it
// has, so sending twice is one.

import { copies, element, knows, say, size } from "./speech.js";

const SOONEST = 2_000;
const LATEST = 30_000;

export function button(name, deed) {
  const made = element("button", { className: "plain small", type: "button", text: say(name) });
  made.addEventListener("click", deed);
  return made;
}

function save(label, text, name) {
  const href = URL.createObjectURL(new Blob([text], { type: "application/didcomm-encrypted+json" }));
  return element("a", { className: "button", text: label, href, download: name });
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

// `list` gets an item a message, `most` is the longest that is taken, `seek` looks one up by its
// id, `reached` is told whether the kiosk answered.
export function drops({ list, most, seek, reached }) {
  const waiting = new Set();

  // Files, or what is like them: a Blob with a name.
  function leave(files) {
    for (const file of files) {
      const item = element("li", { className: "outcome" });
      list.prepend(item);
      show(item, file, say("sending"));
      send({ file, item, pause: SOONEST });
    }
  }

  async function send(letter) {
    const { file, item } = letter;
    waiting.delete(letter);
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

  addEventListener("beforeunload", (event) => {
    if (waiting.size) event.preventDefault();
  });

  return { leave, again: () => [...waiting].forEach(send) };
}
