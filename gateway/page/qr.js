// Our Rust in WebAssembly: bytes in, bytes out (transports/qr/page/src/lib.rs).

// The module, compiled once; other threads may be given it.
export const compiled = () => WebAssembly.compileStreaming(fetch("page/qr.wasm"));

const text = new TextDecoder();

// An instance with a memory and a state of its own.
export async function instance(module) {
  const { exports } = await WebAssembly.instantiate(module);

  function put(bytes) {
    const at = exports.qr_input(bytes.length);
    if (!at) throw new RangeError("more than is taken");
    new Uint8Array(exports.memory.buffer, at, bytes.length).set(bytes);
  }

  // A copy: the next call writes over it, and may move the memory.
  const outcome = () => new Uint8Array(exports.memory.buffer, exports.qr_output(), exports.qr_output_length()).slice();
  const told = () => JSON.parse(text.decode(outcome()));

  return {
    // What the codes in a picture (of four bytes a pixel) say.
    scan(pixels, width, height) {
      put(pixels);
      const count = exports.qr_scan(width, height);
      const all = outcome();
      const sizes = new DataView(all.buffer);
      const codes = [];
      for (let at = 0; codes.length < count; ) {
        const length = sizes.getUint32(at, true);
        codes.push(all.slice(at + 4, at + 4 + length));
        at += 4 + length;
      }
      return codes;
    },
    // Takes in what a code says.
    take: (code) => (put(code), exports.qr_take(), told()),
    // A message that came whole, or nothing.
    message: () => (exports.qr_message() ? outcome() : null),
    // Adds a message to what is shown.
    offer: (bytes) => (put(bytes), exports.qr_offer(), told()),
    // The code to show now, a byte a module: { side, modules }; side 0 for none.
    next: () => ({ side: exports.qr_next(), modules: outcome() }),
    resize: (largest) => exports.qr_resize(largest) === 1,
    speed: (codes) => exports.qr_speed(codes),
    state: () => (exports.qr_state(), told()),
    stop: () => exports.qr_stop(),
  };
}
