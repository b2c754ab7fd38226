/* The camera at the door. The page works without it: a scanner that types, a photo, or digits.
 *
 * [data-camera="/url"]   shows the live camera, sends the address at most four small frames a second, and hands the code that
 *                        it is told to the form of data-form, as a scanner would; nothing is sent while the form is busy
 *   [data-camera-start]  begins; afterwards the phone begins by itself, until [data-camera-stop] is pressed
 *   [data-camera-torch]  shown where the camera has a light
 *   [data-camera-says]   one word each: shown when that is so (busy, denied, missing, insecure, refused, away)
 */

const EVERY_MS = 250; // Four frames a second are what the server takes.
const WIDTH = 640;
const FRAME_BYTES = 12 * 1024;
const AGAIN_MS = 3000; // A code that stays in sight is one scan, until it was away for so long.
const KEPT = "moralbank:camera";
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

class Camera {
  constructor(box) {
    this.box = box;
    this.form = document.querySelector(box.dataset.form);
    this.input = this.form.querySelector("input[data-wedge]");
    this.video = box.querySelector("video");
    this.canvas = document.createElement("canvas");
    this.quality = 0.5;
    this.stream = null;
    this.last = { code: "", at: 0 };
    this.buttons = Object.fromEntries(["start", "stop", "torch"].map((name) => [name, box.querySelector(`[data-camera-${name}]`)]));
    box.hidden = false;
    this.buttons.start.addEventListener("click", () => { remember(true); this.start(); });
    this.buttons.stop.addEventListener("click", () => { remember(false); this.stop(); });
    this.buttons.torch.addEventListener("click", () => this.light(this.buttons.torch.getAttribute("aria-pressed") !== "true"));
    // A phone in a pocket films nothing, and finds its camera again when it is taken out.
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.stop();
      else if (remembered()) this.start();
    });
    // Whoever taps the field wants to type; as long as nobody does, no keyboard covers the picture.
    this.input.addEventListener("pointerdown", () => { this.input.inputMode = "numeric"; });
    document.addEventListener("moralbank:settled", (event) => this.settled(event.detail.ok));
    if (remembered() && !document.hidden) this.start();
  }

  async start() {
    if (this.stream) return;
    if (!navigator.mediaDevices?.getUserMedia) { this.say("insecure"); return; }
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1280 } }, audio: false });
      this.video.srcObject = this.stream;
      this.show(true);
      await this.video.play(); // WeChat's window doesn't begin by itself.
    } catch (error) {
      this.stop();
      const words = { NotAllowedError: "denied", SecurityError: "denied", NotReadableError: "busy" };
      this.say(words[error.name] ?? "missing");
      return;
    }
    this.say("");
    this.input.inputMode = "none";
    this.input.blur();
    const [track] = this.stream.getVideoTracks();
    this.buttons.torch.hidden = !track.getCapabilities?.().torch;
    track.addEventListener("ended", () => this.stop());
    this.film(this.stream);
  }

  /** Let whoever holds the phone see and feel the answer; the field would draw the page and a keyboard over it. */
  settled(ok) {
    if (this.stream) {
      this.input.blur();
      navigator.vibrate?.(ok ? 80 : [160, 80, 160]);
    }
    document.querySelector(`${this.form.dataset.target} .result`)?.scrollIntoView({ block: "nearest" });
  }

  stop() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.video.srcObject = null;
    this.input.inputMode = "numeric";
    this.buttons.torch.setAttribute("aria-pressed", "false");
    this.show(false);
  }

  show(on) {
    this.box.querySelector("[data-camera-view]").hidden = !on;
    this.buttons.start.hidden = on;
    this.buttons.stop.hidden = !on;
    if (!on) this.buttons.torch.hidden = true;
    document.documentElement.toggleAttribute("data-filming", on);
  }

  say(what) {
    for (const words of this.box.querySelectorAll("[data-camera-says]")) words.hidden = words.dataset.cameraSays !== what;
    const photo = document.querySelector(this.box.dataset.photo);
    if (["denied", "missing", "insecure", "refused"].includes(what) && photo) photo.open = true; // The next of the means.
  }

  async light(on) {
    try {
      await this.stream.getVideoTracks()[0].applyConstraints({ advanced: [{ torch: on }] });
      this.buttons.torch.setAttribute("aria-pressed", String(on));
    } catch { this.buttons.torch.hidden = true; }
  }

  /** Look at a frame again and again, as long as this is the stream. */
  async film(stream) {
    while (this.stream === stream) {
      const began = performance.now();
      let pause = EVERY_MS;
      if (!this.form.hasAttribute("data-busy") && this.video.readyState >= 2) pause = await this.look();
      await wait(Math.max(20, pause - (performance.now() - began)));
    }
  }

  /** Send one frame and hand on what the server saw in it; return how long to wait from its beginning. */
  async look() {
    try {
      const headers = { "X-CSRFToken": this.form.elements.csrf_token.value, "Content-Type": "image/jpeg" };
      const answer = await fetch(this.box.dataset.camera, { method: "POST", body: await this.frame(), headers, signal: AbortSignal.timeout(3000) });
      if (answer.status === 200) this.see((await answer.json()).code);
      else if (answer.status === 429) return 1000;
      else if (answer.status >= 500) throw new Error("the server is away");
      else if (answer.status !== 204) { this.stop(); this.say("refused"); return 0; }
      if (this.stream) this.say("");
    } catch {
      const code = await this.readHere();
      if (code === null) { this.say("away"); return 2000; }
      this.say("");
      if (code) this.see(code);
    }
    return EVERY_MS;
  }

  /** Return what the phone reads by itself, "" where it sees nothing, null where it can't: most phones can't. */
  async readHere() {
    try {
      const { BarcodeDetector } = globalThis;
      const formats = (await BarcodeDetector.getSupportedFormats()).filter((format) => ["qr_code", "code_128"].includes(format));
      if (!formats.includes("qr_code")) return null;
      this.detector ??= new BarcodeDetector({ formats });
      return (await this.detector.detect(this.video))[0]?.rawValue ?? "";
    } catch { return null; }
  }

  /** Return the picture as a JPEG small enough for a weak network; how small is remembered for the next one. */
  async frame() {
    const width = Math.min(WIDTH, this.video.videoWidth);
    this.canvas.width = width;
    this.canvas.height = Math.round((width * this.video.videoHeight) / this.video.videoWidth);
    this.canvas.getContext("2d").drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
    const encode = () => new Promise((done) => this.canvas.toBlob(done, "image/jpeg", this.quality));
    let jpeg = await encode();
    while (jpeg.size > FRAME_BYTES && this.quality > 0.15) {
      this.quality -= 0.1;
      jpeg = await encode();
    }
    if (jpeg.size < FRAME_BYTES / 2 && this.quality < 0.5) this.quality += 0.05;
    return jpeg;
  }

  see(code) {
    const now = performance.now();
    const isNew = code !== this.last.code || now - this.last.at > AGAIN_MS;
    this.last = { code, at: now };
    if (!isNew || this.form.hasAttribute("data-busy")) return;
    this.input.value = code;
    this.form.elements.typed.value = "camera";
    this.form.requestSubmit();
  }
}

function remember(on) {
  try { localStorage.setItem(KEPT, on ? "on" : ""); } catch { /* A window that keeps nothing asks each time. */ }
}

function remembered() {
  try { return localStorage.getItem(KEPT) === "on"; } catch { return false; }
}

for (const box of document.querySelectorAll("[data-camera]")) new Camera(box);
