// Words, dates and sizes in the page's language, and what every page does.
//
// Whatever strangers wrote is set as text, never as markup.

export const lang = document.documentElement.lang;
const words = JSON.parse(document.getElementById("words").textContent);

// The words under a name, with {names} filled in.
export function say(name, values = {}) {
  const text = words[name] ?? name;
  return text.replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
}

export const knows = (name) => name in words;

const moments = new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeStyle: "short" });
const numbers = new Intl.NumberFormat(lang, { maximumFractionDigits: 1 });

// Posix seconds.
export const moment = (seconds) => moments.format(new Date(seconds * 1000));
export const number = (value) => numbers.format(value);

export function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (bytes >= 1000 && unit < units.length - 1) {
    bytes /= 1000;
    unit += 1;
  }
  return `${numbers.format(bytes)} ${units[unit]}`;
}

export function span(seconds) {
  if (seconds < 120) return `${number(Math.round(seconds))} s`;
  if (seconds < 7200) return `${number(Math.round(seconds / 60))} min`;
  if (seconds < 172800) return `${number(Math.round(seconds / 3600))} h`;
  return `${number(Math.round(seconds / 86400))} d`;
}

// An element: its class, its text, its children.
export function element(tag, { className, text, ...rest } = {}, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(rest)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// A list of facts, [what, value]; what has no value is left out.
export function facts(rows) {
  const list = element("dl", { className: "facts" });
  for (const [what, value] of rows) {
    if (value === undefined || value === null) continue;
    list.append(element("dt", { text: what }), element("dd", { text: value }));
  }
  return list;
}

// To the clipboard. Over plain HTTP browsers give no clipboard: then by selecting.
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = element("textarea", { readonly: "", "aria-hidden": "true" });
    area.value = text;
    area.className = "aside";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

// A button that copies, and says that it did.
export function copies(button, what) {
  const before = button.textContent;
  button.addEventListener("click", async () => {
    const done = await copy(what());
    button.textContent = say(done ? "copied" : "copy-failed");
    setTimeout(() => (button.textContent = before), 2000);
  });
  return button;
}
