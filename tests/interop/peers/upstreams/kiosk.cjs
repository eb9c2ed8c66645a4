// A kiosk as a process, and what its operator types.
const { spawn, execFileSync } = require("child_process");
const { existsSync, readFileSync, openSync } = require("fs");
const { join } = require("path");

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks until the answer is yes; what it waited for, if it never is. */
async function until(what, asked, seconds = 60) {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await pause(100)) if (await asked()) return;
  throw new Error(`not in ${seconds} s: ${what}`);
}

/** One verb of packmule in one home; its JSON. */
function packmule(home, words) {
  const out = execFileSync(process.env.PACKMULE_BIN, ["--home", home, "--json", ...words], { encoding: "utf8" });
  return out.trim().split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

class Kiosk {
  constructor(place, upstream, settings = {}) {
    this.home = join(place, "kiosk-of-" + upstream.name);
    this.env = { ...process.env, PACKMULE_GATEWAY_UPSTREAM: `[{ ${upstream.toml} }]`, ...settings };
    this.lives = 0;
  }

  async start() {
    const said = `${this.home}.${(this.lives += 1)}`;
    const words = ["--home", this.home, "gateway", "--listen", this.address ?? "127.0.0.1:0", "--json"];
    const out = openSync(said, "w"), log = openSync(`${this.home}.log`, "a");
    this.process = spawn(process.env.PACKMULE_BIN, words, { env: this.env, stdio: ["ignore", out, log] });
    await until("the kiosk is ready", () => existsSync(said) && readFileSync(said, "utf8").includes("\n"));
    Object.assign(this, JSON.parse(readFileSync(said, "utf8").split("\n")[0]));
    this.address = new URL(this.http).host;
  }

  async end(signal) {
    const over = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.kill(signal);
    await over;
  }

  /** A number of its /metrics. */
  async number(name) {
    const text = await (await fetch(new URL("/metrics", this.http))).text();
    const line = text.split("\n").find((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
    return line ? Number(line.split(" ").at(-1)) : 0;
  }

  log() {
    return readFileSync(`${this.home}.log`, "utf8");
  }
}

module.exports = { Kiosk, packmule, pause, until };
