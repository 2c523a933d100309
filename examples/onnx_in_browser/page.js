// What the page shows, and what it takes pictures from: files, the clipboard, the camera.
const at = (id) => document.getElementById(id);
const [direction, side, camera, drop, file] =
  ["direction", "side", "camera", "drop", "file"].map(at);
const [message, given, made, video, download] =
  ["message", "given", "made", "video", "download"].map(at);

// --- the model, in a worker ---------------------------------------------------------------------

const worker = new Worker("worker.js", { type: "module" });
const waiting = new Map();
let questions = 0;

worker.onmessage = ({ data }) => {
  const { resolve, reject } = waiting.get(data.id);
  waiting.delete(data.id);
  data.error ? reject(new Error(data.error)) : resolve(data.pixels);
};
worker.onerror = () => fail(new Error("The browser can't run the model's worker."));

function ask(question) {
  const id = questions++;
  worker.postMessage({ id, ...question });
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}

const facts = await fetch("models.json").then((answer) => answer.json()).catch((error) => {
  fail(new Error("models.json can't be read: build.py writes it beside this page."));
  throw error;
});
at("name").textContent = facts.name;
for (const name of Object.keys(facts.models)) {
  direction.append(new Option(name.replace("a_to_b", "A → B").replace("b_to_a", "B → A"), name));
}
const model = () => new URL(facts.models[direction.value], location.href).href;

// --- pictures -----------------------------------------------------------------------------------

// Draws what a canvas can draw, no longer than the longest side, and gives its pixels as RGB.
function pixelsOf(source, width, height) {
  const scale = Math.min(1, Number(side.value) / Math.max(width, height));
  given.width = Math.max(1, Math.round(width * scale));
  given.height = Math.max(1, Math.round(height * scale));
  const context = given.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white"; // behind what is transparent, as in training
  context.fillRect(0, 0, given.width, given.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, given.width, given.height);
  const { data } = context.getImageData(0, 0, given.width, given.height);
  const pixels = new Uint8Array(given.width * given.height * 3);
  for (let from = 0, to = 0; from < data.length; from += 4) {
    pixels[to++] = data[from];
    pixels[to++] = data[from + 1];
    pixels[to++] = data[from + 2];
  }
  return pixels;
}

function show(pixels, width, height) {
  const image = new ImageData(width, height);
  for (let from = 0, to = 0; from < pixels.length; from += 3, to += 4) {
    image.data[to] = pixels[from];
    image.data[to + 1] = pixels[from + 1];
    image.data[to + 2] = pixels[from + 2];
    image.data[to + 3] = 255;
  }
  made.width = width;
  made.height = height;
  made.getContext("2d").putImageData(image, 0, 0);
}

let turn = 0; // a picture that was taken later takes the place of one that is being translated

async function translate(source, width, height) {
  const [start, own] = [performance.now(), ++turn];
  const pixels = pixelsOf(source, width, height);
  const size = { width: given.width, height: given.height };
  const translated = await ask({ model: model(), pixels, ...size });
  if (own !== turn) return;
  show(translated, size.width, size.height);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  say(`${size.width}×${size.height} pixels in ${seconds} s`);
}

let last = null; // the picture that was given, to translate it again in another way

async function take(picture) {
  stopCamera();
  say("Translating …");
  download.hidden = true;
  try {
    last = await createImageBitmap(picture).catch(() => {
      throw new Error("The browser can't read this file as a picture.");
    });
    await translate(last, last.width, last.height);
    made.toBlob((blob) => {
      URL.revokeObjectURL(download.href);
      download.href = URL.createObjectURL(blob);
      download.hidden = false;
    });
  } catch (error) {
    fail(error);
  }
}

function say(text) {
  message.textContent = text;
  message.className = "";
}

function fail(error) {
  message.textContent = error.message;
  message.className = "error";
}

// --- where pictures come from -------------------------------------------------------------------

file.onchange = () => file.files.length && take(file.files[0]).finally(() => (file.value = ""));
addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
addEventListener("dragleave", () => drop.classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
});
addEventListener("paste", ({ clipboardData }) => {
  if (clipboardData.files.length) take(clipboardData.files[0]);
});
direction.onchange = side.onchange = () => last && !video.srcObject && take(last);

camera.onclick = async () => {
  if (video.srcObject) return stopCamera();
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: true });
    camera.setAttribute("aria-pressed", "true");
    await video.play();
    while (video.srcObject) {
      // One frame after the other, as fast as this machine translates them.
      await translate(video, video.videoWidth, video.videoHeight);
      await new Promise(requestAnimationFrame);
    }
  } catch (error) {
    stopCamera();
    fail(new Error(`The camera can't be used: ${error.message}`));
  }
};

function stopCamera() {
  video.srcObject?.getTracks().forEach((track) => track.stop());
  video.srcObject = null;
  camera.setAttribute("aria-pressed", "false");
}

// ------------------------------------------------------------------------------------------------

try {
  await ask({ model: model() });
  say("Ready.");
} catch (error) {
  fail(new Error(`The model can't be loaded: ${error.message}`));
}
