// Frames shown until a message is whole, with @ngraveio/bc-ur at both ends: the same seeds, places to
// join and losses as src/main.rs. usage: node frames.cjs SEEDS [MAX_K]; prints one JSON line a cell.
const { UR, UREncoder, URDecoder } = require('@ngraveio/bc-ur');

const seeds = Number(process.argv[2] || 100), most = Number(process.argv[3] || 100);
const FRAGMENT = 200, WORD = (1n << 64n) - 1n;

function dice(seed) {
  let state = BigInt(seed);
  return () => {
    state = (state + 0x9e3779b97f4a7c15n) & WORD;
    let z = state;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & WORD;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & WORD;
    return z ^ (z >> 31n);
  };
}

const losses = [['0 %', 0], ['10 %', 10], ['30 %', 30], ['50 %', 50], ['1 in 2', -2], ['1 in 3', -3]];
for (const k of [5, 10, 50, 100, 500].filter((k) => k <= most)) {
  const message = Buffer.from({ length: k * FRAGMENT - 5 }, (_, n) => (n * n) % 251);
  const ur = UR.fromBuffer(message);
  const encoder = new UREncoder(ur, FRAGMENT);
  const count = encoder.fragmentsLength;
  if (count !== k) throw new Error(`${count} fragments, not ${k}`);
  const parts = [];
  const part = (n) => {
    while (parts.length <= n) parts.push(encoder.nextPart());
    return parts[n];
  };
  for (const late of [false, true]) {
    for (const [name, loss] of losses) {
      const all = [];
      let never = 0;
      for (let seed = 0; seed < seeds; seed += 1) {
        const next = dice(seed), join = Number(next() % BigInt(3 * k)), phase = next();
        const decoder = new URDecoder();
        let shown = 1;
        for (; shown <= 40 * k; shown += 1) {
          const lost = loss >= 0 ? next() % 100n < BigInt(loss) : (BigInt(shown) + phase) % BigInt(-loss) === 0n;
          if (lost) continue;
          decoder.receivePart(part((late ? join : 0) + shown - 1));
          if (decoder.isComplete()) break;
        }
        if (shown > 40 * k) never += 1;
        else all.push(shown);
      }
      all.sort((a, b) => a - b);
      const mean = (all.reduce((a, b) => a + b, 0) + never * 40 * k) / seeds;
      const at = (p) => all[Math.min(all.length - 1, Math.round((all.length - 1) * p))];
      console.log(JSON.stringify({ code: '@ngraveio/bc-ur', k, late, loss: name, seeds, median: at(0.5), p99: at(0.99), mean, never }));
    }
  }
}
