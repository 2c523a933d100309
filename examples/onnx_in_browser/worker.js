// Runs the model beside the page, so that the page stays awake while it computes.
import * as ort from "./runtime/ort.wasm.min.mjs";

ort.env.wasm.wasmPaths = new URL("runtime/", import.meta.url).href;
const sessions = new Map(); // by address of the model: each is loaded once

async function translate({ model, pixels, height, width }) {
  if (!sessions.has(model)) sessions.set(model, ort.InferenceSession.create(model));
  const session = await sessions.get(model);
  const images = new ort.Tensor("uint8", pixels, [1, height, width, 3]);
  const { output_0 } = await session.run({ images });
  return output_0.data;
}

onmessage = async ({ data }) => {
  try {
    // Without pixels, the model is only made ready.
    const pixels = data.pixels ?? new Uint8Array(32 * 32 * 3);
    const made = await translate({ height: 32, width: 32, ...data, pixels });
    postMessage({ id: data.id, pixels: made }, [made.buffer]);
  } catch (error) {
    sessions.delete(data.model);
    postMessage({ id: data.id, error: error.message });
  }
};
