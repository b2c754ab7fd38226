/* The one module of every page. Every page works without it; each behaviour hangs on a data- attribute:
 *
 * form[data-once]            the first submission counts, further presses do nothing until the page is shown again
 * input[data-idempotency]    hidden; filled with a fresh key before the first send, renewed only after a definite answer
 * form[data-retry]           sent in the background: 1.5 s a try, three tries with one key, then the words of the form's
 *                            <template data-unknown> in data-target="#id"; data-status="/url" is asked every 3 s (?key=…)
 *                            until it knows; told 404, it posts the same to data-close="/url", after which a late
 *                            arrival can do nothing. An answer is a page or a fragment: its element of the same id is taken
 * form[data-filter-submit]   sends itself when a field of it changes
 * [data-poll="/url"]         fetched anew every data-every seconds (5), not while hidden; 204 changes nothing, [data-stay] in
 *                            an answer ends it; after three misses the element in data-stale="#id" is shown
 * form[data-resend="45"]     sends itself after so many seconds, if the page is in sight. Until it is answered well, what
 *                            its target shows stays, and it asks again
 * [data-vanish="60"]         emptied after so many seconds and whenever the page is hidden, then data-to="/url" is opened;
 *                            not once it holds [data-stay]
 * [data-countdown="120"]     its text counts down in seconds; within the same [data-clock] a circle[data-ring] empties
 *                            with it and [data-until] is hidden at 0; fires "moralbank:elapsed"
 * details[data-reveal="60"]  closes itself after so many seconds and whenever the page is hidden
 * input[data-wedge="18 24"]  takes a scanner: digits only (full width too), 100 ms of silence on a number of one of these
 *                            lengths with good check digits counts as Enter; a burst into another field of the form is
 *                            put back where it belongs; a sibling input[name=typed] gets "scan" or "hand". Emptied after
 *                            every answer without [data-keep]. data-wedge-pin="#id": the longest number waits for that field.
 *                            One digit and a pause, or Enter, presses the [data-pick] of that digit in the form
 * fieldset[data-either="id"] choosing in it empties the field of that id; filling that chooses the option without a value
 * [data-key="F8"]            a button pressed by that key
 * [data-refocus="#id"]       overlay button, shown when the window loses the keyboard; gives it back to the field
 * [data-sound-start]         a button that allows sound and plays a trial; [data-sound="good|kept|bad"] plays when it appears,
 *                            [data-say] is spoken where there is a Chinese voice
 * [data-wake]                keeps the screen on · [data-focus] takes the keyboard when it appears
 */

const all = (selector, root = document) => [...(root.matches?.(selector) ? [root] : []), ...root.querySelectorAll(selector)];
const find = (selector) => (selector ? document.querySelector(selector) : null);

/* Sending once, and with one key */
function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function giveKeys(form) {
  for (const input of all("input[data-idempotency]", form)) input.value ||= newKey();
}

function forgetKeys(form) {
  for (const input of all("input[data-idempotency]", form)) input.value = newKey();
}

function setBusy(form, busy) {
  form.toggleAttribute("data-busy", busy);
  for (const button of all("button:not([type=button])", form)) button.setAttribute("aria-busy", String(busy));
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  giveKeys(form);
  if (!form.matches("[data-once], [data-retry]")) return;
  if (form.hasAttribute("data-busy")) { event.preventDefault(); return; }
  setBusy(form, true);
  if (form.matches("[data-retry]")) { event.preventDefault(); sendWithRetry(form, event.submitter); }
});

addEventListener("pageshow", () => { for (const form of all("form[data-busy]")) setBusy(form, false); });

/* Sending in the background */
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function ask(url, options = {}, patience = 1500) {
  const answer = await fetch(url, { credentials: "same-origin", signal: AbortSignal.timeout(patience), ...options });
  if (answer.status === 502 || answer.status === 504) throw new Error("no definite answer");
  return answer;
}

async function sendWithRetry(form, submitter) {
  const target = find(form.dataset.target);
  const body = new FormData(form, submitter);
  const options = { method: "POST", body: new URLSearchParams(body), headers: { "X-Requested-With": "fetch" } };
  target.setAttribute("aria-busy", "true");
  const url = submitter?.getAttribute("formaction") ?? form.getAttribute("action") ?? location.href;
  const answer = await firstAnswer(url, options);
  if (form.hasAttribute("data-resend")) renew(form, target, answer);
  else if (answer) settle(form, target, answer);
  else await waitForTruth(form, target, options);
  target.removeAttribute("aria-busy");
  setBusy(form, false);
}

/* Another module may have sent a form its own way; it hands the answer over here. */
document.addEventListener("moralbank:answered", ({ target, detail }) => settle(target, find(target.dataset.target), detail));

/** Put the new in the place of what stands, unless it did not come, or what stands has become the last word. */
function renew(form, target, answer) {
  if (!form.isConnected || target.querySelector("[data-stay]")) return;
  if (answer?.ok) settle(form, target, answer);
  else resend(form, 3);
}

async function firstAnswer(url, options) {
  for (let attempt = 0; attempt < 3; attempt += 1) {
    try {
      const answer = await ask(url, options);
      return { ok: answer.ok, html: await answer.text() };
    } catch { if (attempt < 2) await pause(200); }
  }
  return null;
}

function settle(form, target, answer) {
  forgetKeys(form);
  show(target, answer.html);
  if (answer.ok) form.reset();
  const place = form.isConnected ? form : target; // A form inside the answer is gone once it is answered.
  place.dispatchEvent(new CustomEvent("moralbank:settled", { bubbles: true, detail: { ok: answer.ok } }));
}

async function waitForTruth(form, target, options) {
  const { status, close } = form.dataset;
  const words = form.querySelector("template[data-unknown]");
  const key = form.querySelector("input[data-idempotency]")?.name;
  target.replaceChildren(words.content.cloneNode(true));
  enliven(target);
  if (!status) return;
  const url = new URL(status, location.href);
  url.searchParams.set("key", options.body.get(key));
  while (target.isConnected) {
    await pause(3000);
    try {
      let answer = await ask(url);
      if (answer.status === 404 && close) answer = await ask(close, options);
      if (answer.ok) { settle(form, target, { ok: true, html: await answer.text() }); return; }
    } catch { /* Still no network: ask again. */ }
  }
}

/** Put the answer's element of the same id in the target's place of it, or the whole answer inside it. */
function show(target, html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const same = target.id ? page.getElementById(target.id) : null;
  target.replaceChildren(...(same ?? page.body).childNodes);
  enliven(target);
}

/* Polling */
function poll(element) {
  let misses = 0;
  const stale = find(element.dataset.stale);
  const turn = async () => {
    if (!element.isConnected || element.querySelector("[data-stay]")) return;
    if (!document.hidden) {
      try {
        const answer = await ask(element.dataset.poll, {}, 5000);
        if (!answer.ok) throw new Error(answer.status);
        if (answer.status !== 204) show(element, await answer.text());
        misses = 0;
      } catch { misses += 1; }
      if (stale) stale.hidden = misses < 3;
      element.toggleAttribute("data-is-stale", misses >= 3);
    }
    setTimeout(turn, 1000 * (element.dataset.every || 5));
  };
  setTimeout(turn, 1000 * (element.dataset.every || 5));
}

/* Seconds running */
function countDown(element) {
  const whole = Number(element.dataset.countdown);
  const end = performance.now() + 1000 * whole;
  const clock = element.closest("[data-clock]");
  const turn = () => {
    const left = Math.max(0, (end - performance.now()) / 1000);
    element.textContent = String(Math.ceil(left));
    clock?.querySelector("[data-ring]")?.setAttribute("stroke-dasharray", `${(100 * left) / whole} 100`);
    if (left > 0 && element.isConnected) { setTimeout(turn, 200); return; }
    for (const over of all("[data-until]", clock ?? element.parentElement)) over.hidden = true;
    element.dispatchEvent(new CustomEvent("moralbank:elapsed", { bubbles: true }));
  };
  turn();
}

function hideAgain(details) {
  let timer = 0;
  details.addEventListener("toggle", () => {
    clearTimeout(timer);
    if (details.open) timer = setTimeout(() => { details.open = false; }, 1000 * details.dataset.reveal);
  });
  document.addEventListener("visibilitychange", () => { if (document.hidden) details.open = false; });
}

function resend(form, seconds = form.dataset.resend) {
  setTimeout(() => { if (form.isConnected && !document.hidden) form.requestSubmit(); }, 1000 * seconds);
}

function vanish(element) {
  const go = () => {
    if (!element.isConnected || element.querySelector("[data-stay]")) return;
    element.replaceChildren();
    location.replace(element.dataset.to);
  };
  setTimeout(go, 1000 * element.dataset.vanish);
  document.addEventListener("visibilitychange", () => { if (document.hidden) go(); });
}

/* Scanners that type */
const HUMAN_MS = 60; // Scanners send a key every 8 to 16 ms, people take more than 80.
const SILENCE_MS = 100; // After so much nothing more of a scan comes, so a number ends there, and a lone digit is a choice.
const digitsOf = (text) => text.normalize("NFKC").replace(/\D/g, "");
const hasGoodCheck = (digits) => BigInt(digits) % 97n === 1n; // ISO 7064 mod 97-10

function wedge(input) {
  const lengths = input.dataset.wedge.split(" ").map(Number);
  const form = input.form;
  const complete = (digits) => lengths.includes(digits.length) && hasGoodCheck(digits);
  const pin = find(input.dataset.wedgePin);
  const waitsForPin = (digits) => pin && !pin.value && digits.length === Math.max(...lengths);
  let silence = 0;
  let sent = ""; // What the last submission took,
  let begun = ""; // and what a quick scanner has typed behind it before the answer came: that is the next number's.
  const go = () => { clearTimeout(silence); if (waitsForPin(input.value)) pin.focus(); else form.requestSubmit(); };
  const typed = (how) => { if (form.elements.typed) form.elements.typed.value = how; };
  const clean = (event) => {
    if (event.isComposing) return;
    const digits = digitsOf(input.value);
    if (digits !== input.value) input.value = digits;
    begun = digits.startsWith(sent) ? digits.slice(sent.length) : digits;
    clearTimeout(silence);
    if (complete(digits)) silence = setTimeout(() => { if (complete(input.value)) go(); }, SILENCE_MS);
    // Numbers typed by hand begin with 7, so the seventh choice waits for Enter.
    else if (digits.length === 1 && digits !== "7") silence = setTimeout(() => { if (input.value === digits) pick(); }, SILENCE_MS);
  };
  const pick = () => {
    const choice = form.querySelector(`[data-pick="${input.value}"]`);
    if (choice) { choice.click(); input.value = begun = ""; }
    return Boolean(choice);
  };
  document.addEventListener("moralbank:settled", (event) => {
    const keeps = find("[data-keep]");
    if (event.detail.ok) form.reset();
    if (!keeps) input.value = begun;
    sent = "";
    if (pin) pin.value = "";
    (keeps && pin ? pin : input).focus();
  });
  input.addEventListener("input", clean);
  input.addEventListener("compositionend", () => setTimeout(() => clean({ isComposing: false })));
  form.addEventListener("submit", () => { clearTimeout(silence); sent = input.value; begun = ""; });

  let burst = { field: null, before: "", keys: "", last: 0, fast: true };
  form.addEventListener("keydown", (event) => {
    const field = event.target;
    const now = event.timeStamp; // When the key came, not when a busy page got round to it.
    const isDigit = /^[0-9]$/.test(event.key);
    const goesOn = field === burst.field && now - burst.last < HUMAN_MS;
    if (!goesOn) burst = { field, before: field.value, keys: "", last: now };
    burst.last = event.key === "Enter" ? -HUMAN_MS : now; // Enter ends a burst: what follows is the next one.
    if (isDigit) burst.keys += event.key;
    if (field === input) {
      typed(burst.keys.length > 5 ? "scan" : "hand");
      if (event.key !== "Enter" || event.isComposing) return;
      // An Enter that comes after the silence has sent the number finds the field empty.
      if (!input.value) event.preventDefault();
      else if (waitsForPin(input.value)) { event.preventDefault(); go(); }
      else if (input.value.length === 1 && pick()) event.preventDefault();
      return;
    }
    if (event.key === "Enter" && burst.keys.length > 7) event.preventDefault();
    else if (event.key === "Enter" && field.matches("input") && field !== pin && !input.value) { event.preventDefault(); input.focus(); }
    if (lengths.includes(burst.keys.length)) setTimeout(() => moveBurst(field, burst.keys, burst.before), HUMAN_MS);
  });
  function moveBurst(field, keys, before) {
    if (burst.keys !== keys || !complete(keys)) return;
    field.value = before;
    input.focus();
    input.value = keys;
    typed("scan");
    input.dispatchEvent(new InputEvent("input", { bubbles: true }));
  }
}

function either(group) {
  const field = document.getElementById(group.dataset.either);
  const without = group.querySelector("input[value='']");
  if (!without) return;
  group.addEventListener("change", (event) => {
    if (event.target === without) field.focus();
    else if (event.target !== field) field.value = "";
  });
  field.addEventListener("change", () => { if (field.value) without.checked = true; });
}

/* Keys, focus, sound, light */
document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return;
  const button = all("[data-key]").find((each) => each.dataset.key === event.key && each.offsetParent && !each.disabled);
  if (button) { event.preventDefault(); button.click(); }
});

function refocus(overlay) {
  const field = () => find(overlay.dataset.refocus);
  addEventListener("blur", () => { overlay.hidden = false; });
  addEventListener("focus", () => { overlay.hidden = true; field()?.focus(); });
  overlay.addEventListener("click", () => { overlay.hidden = true; field()?.focus(); });
}

let audio = null;
function tone(frequency, start, seconds) {
  const oscillator = audio.createOscillator();
  const volume = audio.createGain();
  oscillator.frequency.value = frequency;
  volume.gain.setValueAtTime(0.25, audio.currentTime + start);
  volume.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + start + seconds);
  oscillator.connect(volume).connect(audio.destination);
  oscillator.start(audio.currentTime + start);
  oscillator.stop(audio.currentTime + start + seconds);
}

function play(kind) {
  const notes = { good: [[880, 0], [1320, 0.12]], kept: [[660, 0]] }[kind] ?? [[220, 0], [220, 0.25]];
  if (audio?.state === "running") for (const [frequency, start] of notes) tone(frequency, start, 0.2);
}

function say(words) {
  const voice = globalThis.speechSynthesis?.getVoices().find((each) => each.lang.startsWith("zh"));
  if (voice) speechSynthesis.speak(Object.assign(new SpeechSynthesisUtterance(words), { voice, lang: voice.lang }));
}

function startSound(button) {
  button.addEventListener("click", async () => {
    audio ??= new AudioContext();
    await audio.resume();
    play("good");
  });
}

function keepAwake() {
  const hold = () => { if (!document.hidden) navigator.wakeLock?.request("screen").catch(() => {}); };
  document.addEventListener("visibilitychange", hold);
  hold();
}

/* Each behaviour is attached once to every element that asks for it, also to those an answer brings later. */
const behaviours = {
  "[data-poll]": poll,
  "[data-countdown]": countDown,
  "details[data-reveal]": hideAgain,
  "form[data-resend]": resend,
  "[data-vanish]": vanish,
  "input[data-wedge]": wedge,
  "fieldset[data-either]": either,
  "[data-refocus]": refocus,
  "[data-sound-start]": startSound,
  "[data-sound]": (element) => { play(element.dataset.sound); if (element.dataset.say) say(element.dataset.say); },
  "[data-wake]": keepAwake,
  "[data-focus]": (element) => element.focus(),
  "form[data-filter-submit]": (form) => form.addEventListener("change", () => form.requestSubmit()),
};
const attached = new WeakMap();

function enliven(root) {
  for (const [selector, attach] of Object.entries(behaviours)) {
    for (const element of all(selector, root)) {
      const done = attached.get(element) ?? attached.set(element, new Set()).get(element);
      if (done.has(selector)) continue;
      done.add(selector);
      attach(element);
    }
  }
}

enliven(document);
