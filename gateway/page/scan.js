// Codes before a camera into the kiosk, and messages as codes out of it; both at once where two
// such pages, or this one and `packmule qr swap`, look at each other.
//
// What is read goes in by the same door as a file that is dropped, and is judged there.

import { drops } from "./drops.js";
import { compiled, instance } from "./qr.js";
import { element, number, say, size } from "./speech.js";

const $ = (id) => document.getElementById(id);

// Threads that look; more find little more to do.
const EYES = Math.min(4, Math.max(2, navigator.hardwareConcurrency || 2));
// The sizes a show may have (QR versions), and where it begins: what most cameras read.
const SIZES = [6, 10, 15, 20, 25, 30, 35, 40];
const USUAL = 25;
// Pixels of the screen that a module wants, for a camera to tell it from its neighbours.
const PIXELS = 3;
const QUIET = 8;

const letters = drops({
  list: $("outcomes"),
  most: Number($("drop").dataset.most),
  seek: (id) => location.assign(`./?lang=${document.documentElement.lang}#m=${id}`),
  reached,
});

function reached(is) {
  $("unreached").hidden = is;
  $("unreached").textContent = is ? "" : say("unreached");
}
addEventListener("offline", () => reached(false));
addEventListener("online", () => (reached(true), letters.again()));

function unable(name) {
  $("unable").textContent = say(name);
  $("unable").hidden = false;
}

// The script of a thread is the one address that becomes a script here.
const EYE = "page/eyes.js";
const trusted = self.trustedTypes?.createPolicy("eyes", { createScriptURL: (url) => (url === EYE ? url : "") });

let qr;
const idle = [];
const ready = begin();

async function begin() {
  try {
    const module = await compiled();
    qr = await instance(module);
    await Promise.all(Array.from({ length: EYES }, () => opened(module)));
  } catch (fault) {
    unable("no-webassembly");
    throw fault;
  }
}

function opened(module) {
  return new Promise((done, failed) => {
    const eye = new Worker(trusted ? trusted.createScriptURL(EYE) : EYE, { type: "module" });
    eye.onerror = failed;
    eye.onmessage = ({ data }) => {
      if (data.codes) seen(data.codes);
      idle.push(eye);
      if (data.ready) done();
    };
    eye.postMessage({ module });
  });
}

// Scan.

let stream;
let pictures = 0;
const paces = new Map();

function seen(codes) {
  pictures += 1;
  for (const code of codes) {
    const told = qr.take(code);
    if (told.found === "frame") pace(told);
    if (told.found === "whole") take(told);
    if (told.found === "invitation") invited(told.url);
    if (told.found === "done") finished(told.transfer);
  }
  // For tests, and for whoever looks: what the camera makes of it.
  $("seen").dataset.pictures = String(pictures);
}

function take(told) {
  for (let packed = qr.message(); packed; packed = qr.message()) {
    const file = new Blob([packed], { type: "application/octet-stream" });
    file.name = say("scanned", { size: size(packed.length) });
    letters.leave([file]);
  }
  $("seen").dataset.whole = told.id;
}

function invited(url) {
  if ($("outcomes").dataset.invitation === url) return;
  $("outcomes").dataset.invitation = url;
  $("outcomes").prepend(element("li", { className: "outcome" }, element("p", { className: "said", text: say("scanned-invitation") }), element("p", { className: "id code", text: url })));
}

// Received of needed is honest, and so is the time left: K frames suffice.
function pace({ transfer, received, needed }) {
  const now = performance.now();
  const marks = paces.get(transfer) ?? [];
  marks.push([now, received]);
  while (marks.length > 2 && marks[1][0] < now - 5_000) marks.shift();
  paces.set(transfer, marks);
  if (paces.size > 16) paces.delete(paces.keys().next().value);
  const [first, before] = marks[0];
  const rate = (received - before) / (now - first);
  return rate > 0 && now - first > 300 ? (needed - received) / rate / 1000 : undefined;
}

function tell() {
  if (!qr) return;
  const state = qr.state();
  const bars = state.coming.map((one) => {
    const left = pace(one);
    const said = left === undefined ? say("coming", one) : say("coming-left", { ...one, seconds: number(Math.ceil(left)) });
    return element("label", { className: "meter" }, element("span", { text: one.bytes ? size(one.bytes) : "" }), element("span", { className: "hint", text: said }),
      element("meter", { min: "0", max: String(one.needed), value: String(one.received), optimum: String(one.needed) }, said));
  });
  $("coming").replaceChildren(...bars);
  if (stream) $("seen").textContent = state.codes ? "" : say("nothing-yet");
  if (!$("stage").hidden) {
    const [first] = state.going;
    const most = state.going.length > 1 ? ` ${say("more-wait", { count: number(state.going.length - 1) })}` : "";
    $("shown").textContent = (first ? say(first.received ? "showing-heard" : "showing", first) : say("showing-none")) + most;
    $("shown").dataset.speed = String(state.speed);
    $("shown").dataset.largest = String(state.largest);
  }
}
setInterval(tell, 250);

// One picture to a thread that has nothing to do; else it is let go, the next one comes at once.
async function look(source) {
  const eye = idle.pop();
  if (!eye) return false;
  try {
    const picture = await createImageBitmap(source);
    eye.postMessage({ picture }, [picture]);
    return true;
  } catch {
    idle.push(eye);
    return false;
  }
}

function watch(video) {
  const next = () => (video.requestVideoFrameCallback ? video.requestVideoFrameCallback(on) : requestAnimationFrame(on));
  const on = () => {
    if (!video.srcObject && (!video.src || video.ended)) return;
    if (video.readyState >= 2 && !video.paused) look(video);
    next();
  };
  next();
}

$("start").addEventListener("click", async () => {
  if (!navigator.mediaDevices?.getUserMedia) return unable("no-camera-here");
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      audio: false,
      video: { facingMode: "environment", width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } },
    });
  } catch {
    return unable("no-camera");
  }
  $("unable").hidden = true;
  const video = $("camera");
  video.srcObject = stream;
  video.hidden = false;
  $("start").hidden = true;
  $("stop").hidden = false;
  await ready;
  await video.play();
  watch(video);
});

$("stop").addEventListener("click", () => {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = undefined;
  $("camera").srcObject = null;
  $("camera").hidden = true;
  $("stop").hidden = true;
  $("start").hidden = false;
  $("seen").textContent = "";
});

// Photographs and films, for browsers that give a page no camera.
$("pictures").addEventListener("change", async (event) => {
  const files = [...event.target.files];
  event.target.value = "";
  await ready;
  for (const file of files) {
    if (file.type.startsWith("video/")) await film(file);
    else await photograph(file);
  }
});

async function photograph(file) {
  let picture;
  try {
    picture = await createImageBitmap(file);
  } catch {
    return unable("no-picture");
  }
  while (!(await look(picture))) await new Promise((go) => setTimeout(go, 20));
}

function film(file) {
  return new Promise((done) => {
    const video = element("video", { muted: "", playsinline: "" });
    const end = () => (URL.revokeObjectURL(video.src), done());
    video.muted = true;
    video.onended = end;
    video.onerror = () => (unable("no-picture"), end());
    video.src = URL.createObjectURL(file);
    video.play().then(() => watch(video), video.onerror);
  });
}

// Show.

const board = $("codes").getContext("2d");
let timer;

// The largest size whose modules have enough pixels here; no larger than most cameras read.
function fitting() {
  const room = Math.min($("stage").clientWidth, innerHeight * 0.9) * devicePixelRatio;
  const fit = SIZES.filter((version) => (17 + 4 * version + QUIET) * PIXELS <= room && version <= USUAL);
  return fit.at(-1) ?? SIZES[0];
}

async function show(bytes) {
  await ready;
  const first = $("stage").hidden;
  $("stage").hidden = false;
  if (first) qr.resize(fitting());
  const told = qr.offer(bytes);
  if (!told.offered) {
    if (first) $("stage").hidden = true;
    return hint(`no-${told.reason}`, true);
  }
  hint("show-hint", false);
  $("stage").dataset.id = told.id;
  if (first) turn();
  $("stage").scrollIntoView({ block: "nearest" });
}

function hint(name, bad) {
  $("id-hint").textContent = say(name, { most: size(4 << 20) });
  $("id-hint").classList.toggle("bad", bad);
  $("id").setAttribute("aria-invalid", String(bad));
}

// Each code stays for whole pictures of the screen.
function turn() {
  const wait = () => (timer = setTimeout(() => requestAnimationFrame(turn), 1000 / qr.speed(0) - 8));
  if ($("stage").hidden) return;
  draw();
  wait();
}

function draw() {
  const { side, modules } = qr.next();
  if (!side) return board.clearRect(0, 0, $("codes").width, $("codes").height);
  // As many pixels a module as there is room for, all of one size: no smoothing.
  const room = Math.min($("stage").clientWidth, innerHeight * 0.9) * devicePixelRatio;
  const largest = 17 + 4 * qr.state().largest + QUIET;
  const px = Math.max(1, Math.floor(room / Math.max(side, largest)));
  const canvas = $("codes");
  const whole = Math.max(side, largest) * px;
  if (canvas.width !== whole) {
    canvas.width = canvas.height = whole;
    canvas.style.width = canvas.style.height = `${whole / devicePixelRatio}px`;
  }
  const image = new ImageData(side, side);
  const pixels = new Uint32Array(image.data.buffer);
  for (let n = 0; n < pixels.length; n += 1) pixels[n] = modules[n] ? 0xff000000 : 0xffffffff;
  scratch.width = scratch.height = side;
  scratch.getContext("2d").putImageData(image, 0, 0);
  board.fillStyle = "#fff";
  board.fillRect(0, 0, whole, whole);
  board.imageSmoothingEnabled = false;
  const edge = Math.floor((whole - side * px) / 2);
  board.drawImage(scratch, edge, edge, side * px, side * px);
}
const scratch = document.createElement("canvas");

function finished() {
  if (qr.state().going.length) return;
  $("shown").textContent = say("showing-none");
}

$("pick").addEventListener("submit", async (event) => {
  event.preventDefault();
  const id = $("id").value.replace(/\s/g, "").toLowerCase();
  if (!/^[a-z2-7]{52}$/.test(id)) return hint("not-an-id", true);
  let response;
  try {
    response = await fetch(`messages/${id}.dcem`);
  } catch {
    return reached(false);
  }
  reached(true);
  if (response.status === 429) return hint("wait", true);
  if (!response.ok) return hint("no-copy", true);
  show(new Uint8Array(await response.arrayBuffer()));
});

$("file").addEventListener("change", async (event) => {
  for (const file of event.target.files) {
    if (file.size > Number($("drop").dataset.most)) hint("no-too-large", true);
    else await show(new Uint8Array(await file.arrayBuffer()));
  }
  event.target.value = "";
});

const resized = (step) => () => {
  const now = SIZES.findLastIndex((version) => version <= qr.state().largest);
  qr.resize(SIZES[Math.min(SIZES.length - 1, Math.max(0, now + step))]);
  draw();
};
// Larger modules, so fewer of them.
$("larger").addEventListener("click", resized(-1));
$("smaller").addEventListener("click", resized(1));
$("slower").addEventListener("click", () => qr.speed(Math.max(2, Math.floor(qr.speed(0) * 0.75))));
$("faster").addEventListener("click", () => qr.speed(Math.ceil(qr.speed(0) * 1.25)));
$("hide").addEventListener("click", () => {
  clearTimeout(timer);
  qr.stop();
  $("stage").hidden = true;
});

for (const kind of ["dragover", "drop"]) {
  document.addEventListener(kind, (event) => event.preventDefault());
}
