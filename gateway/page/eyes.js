// A thread that looks for codes in pictures, so that the page stays quick.
//
// Told { module } once, then pictures one by one; answers { codes } to each. A decoder that fails
// takes its instance with it, not the thread.

import { instance } from "./qr.js";

let module;
let qr;
let canvas;

onmessage = async ({ data }) => {
  if (data.module) {
    module = data.module;
    qr = await instance(module);
    return postMessage({ ready: true });
  }
  const { picture } = data;
  const { width, height } = picture;
  if (canvas?.width !== width || canvas?.height !== height) canvas = new OffscreenCanvas(width, height);
  const board = canvas.getContext("2d", { willReadFrequently: true });
  board.drawImage(picture, 0, 0);
  picture.close();
  let codes = [];
  try {
    codes = qr.scan(board.getImageData(0, 0, width, height).data, width, height);
  } catch {
    qr = await instance(module);
  }
  postMessage({ codes });
};
