/* Scans outlive a dead network: each is written into the phone first, and leaves it once the server has answered for it.
 *
 * [data-waiting]         on every staff page: shown while scans wait; within it [data-count] is their number
 * [data-leave-refused]   shown when somebody logs out while scans wait; within it [data-count]
 * form[data-keeps="7"]   the desk of session 7: its scans are kept; what has no answer in time is shown by
 *                        <template data-kept>, never as done; data-roster, data-shell, data-worker, data-register are addresses
 * [data-sent]            shown after a batch was taken in; within it [data-count], and [data-review] while staff must look
 */

const TRY_MS = 1500;
const TRIES = 2;
const EVERY_MS = 2000;
const BATCH = 100;
const ROSTER_MS = 10 * 60 * 1000;
const PURPOSE = "db1|roster|";
const text = new TextEncoder();
const hex = (octets) => [...new Uint8Array(octets)].map((octet) => octet.toString(16).padStart(2, "0")).join("");
const octets = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
const base64url = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const sha256 = (...parts) => new Blob(parts).arrayBuffer().then((whole) => crypto.subtle.digest("SHA-256", whole));

/* The phone's own memory */
const opened = new Promise((done, fail) => {
  const request = indexedDB.open("moralbank-desk", 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore("scans", { keyPath: "nonce" });
    request.result.createObjectStore("rosters", { keyPath: "session_id" });
    request.result.createObjectStore("kept");
  };
  request.onsuccess = () => done(request.result);
  request.onerror = () => fail(request.error);
});

/** Do something with stores in one transaction, and return what it gives once that is durable. */
async function memory(stores, mode, act) {
  const transaction = (await opened).transaction(stores, mode, { durability: "strict" });
  const given = act(...stores.map((name) => transaction.objectStore(name)));
  await new Promise((done, fail) => {
    transaction.oncomplete = done;
    transaction.onerror = transaction.onabort = () => fail(transaction.error);
  });
  return given?.result;
}

const remember = (store, value, ...key) => memory([store], "readwrite", (kept) => kept.put(value, ...key));
const recall = (store, key) => memory([store], "readonly", (kept) => kept.get(key));
const waiting = () => memory(["scans"], "readonly", (scans) => scans.getAll());
const inTurn = (act) => (navigator.locks ? navigator.locks.request("moralbank-desk", act) : act());

/* What the server is asked. Whoever is signed out keeps everything until they are in again. */
async function ask(address, options = {}) {
  const answer = await fetch(address, { credentials: "same-origin", signal: AbortSignal.timeout(10000), ...options });
  if (!answer.ok || answer.redirected) throw new Error(`${address}: ${answer.status}`);
  return answer.json();
}

async function freshToken() {
  const { csrf_token: token } = await ask("/staff/scans/ready");
  for (const field of document.querySelectorAll("input[name=csrf_token]")) field.value = token;
  return token;
}

const post = async (address, body, headers = {}) =>
  ask(address, { method: "POST", body, headers: { "Content-Type": "application/json", "X-CSRFToken": await freshToken(), ...headers } });

/** Return this phone's key, which its scripts can use and nobody can read, and its number at the bank. */
async function device(form) {
  let kept = await recall("kept", "device");
  if (!kept) {
    const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
    kept = { pair, id: null };
    await remember("kept", kept, "device");
  }
  if (kept.id === null && form) {
    const key = base64url(await crypto.subtle.exportKey("raw", kept.pair.publicKey));
    const { device_id: id } = await post(form.dataset.register, JSON.stringify({ key, session_id: Number(form.dataset.keeps) }));
    kept = { ...kept, id };
    await remember("kept", kept, "device");
  }
  return kept;
}

/* Keeping a scan */
/** Write a scan down, chained to the one before it, before anything is sent. */
function keep(sessionId, code, direction) {
  return inTurn(async () => {
    const last = (await recall("kept", "chain")) ?? { seq: 0, hash: "0".repeat(64) };
    const scan = {
      nonce: crypto.randomUUID(), session_id: sessionId, code, direction, device_time: new Date().toISOString(),
      seq: last.seq + 1, prev_hash: last.hash,
    };
    const parts = ["nonce", "session_id", "code", "direction", "device_time", "seq", "prev_hash"].map((name) => scan[name]);
    const chain = { seq: scan.seq, hash: hex(await sha256(parts.join("|"))) };
    await memory(["scans", "kept"], "readwrite", (scans, kept) => { scans.add(scan); kept.put(chain, "chain"); });
    return scan;
  });
}

const forget = (nonces) => memory(["scans"], "readwrite", (scans) => { for (const nonce of nonces) scans.delete(nonce); });

/* Sending what waits */
const trying = new Set(); // Scans that are being sent by themselves at this moment.
let sending = false;

async function send() {
  if (sending) return;
  sending = true;
  try {
    const scans = (await waiting()).filter((scan) => !trying.has(scan.nonce)).sort((a, b) => a.seq - b.seq).slice(0, BATCH);
    if (scans.length) await sendBatch(scans);
  } catch { /* No network, or nobody signed in: it is tried again in two seconds. */ } finally {
    sending = false;
    await count();
  }
}

async function sendBatch(scans) {
  const { pair, id } = await device(document.querySelector("form[data-keeps]"));
  if (id === null) return;
  const body = JSON.stringify({ device_id: id, sent_at: new Date().toISOString(), scans });
  const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, pair.privateKey, text.encode(body));
  const { items } = await post("/staff/scans", body, { "X-Device-Signature": base64url(signature) });
  const answered = items.filter((item) => item.state !== "kept");
  await forget(answered.map((item) => item.nonce));
  for (const told of document.querySelectorAll("[data-sent]")) {
    told.hidden = answered.length === 0;
    told.querySelector("[data-count]").textContent = answered.length;
    told.querySelector("[data-review]").hidden = !answered.some((item) => item.state === "review");
  }
}

async function count() {
  const number = (await waiting()).filter((scan) => !trying.has(scan.nonce)).length;
  for (const badge of document.querySelectorAll("[data-waiting], [data-leave-refused]")) {
    for (const place of badge.querySelectorAll("[data-count]")) place.textContent = number;
    if (badge.matches("[data-waiting]")) badge.hidden = number === 0;
    else if (number === 0) badge.hidden = true;
  }
  return number;
}

/* Nobody leaves while scans wait; who leaves takes the roster and the kept pages away. */
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.getAttribute("action") !== "/logout") return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (await send().then(count)) {
    const refused = document.querySelector("[data-leave-refused]");
    refused.hidden = false;
    refused.focus();
    return;
  }
  await memory(["rosters"], "readwrite", (rosters) => rosters.clear());
  await caches.delete("moralbank-desk");
  form.submit();
}, { capture: true });

/* The desk */
async function openDesk(form) {
  const sessionId = Number(form.dataset.keeps);
  form.addEventListener("submit", (event) => {
    const code = form.elements.code.value.trim();
    // What staff vouch for is judged by a person anyway: it waits for the network as a form.
    if (!code || form.elements.override.checked) return;
    event.preventDefault();
    event.stopPropagation();
    if (!form.hasAttribute("data-busy")) scanOne(form, sessionId, code);
  });
  document.documentElement.toggleAttribute("data-keeping", true);
  const registration = await navigator.serviceWorker?.register(form.dataset.worker, { scope: "/staff/" });
  if (registration) {
    const worker = (await navigator.serviceWorker.ready).active;
    const files = [...document.querySelectorAll("link[rel=stylesheet], link[rel=icon], script[src], .brand img")];
    worker.postMessage({ keep: [form.dataset.shell, ...files.map((file) => file.href ?? file.src)] });
  }
  await device(form);
  await fetchRoster(form, sessionId);
}

/** Keep a scan, ask about it at once, and show what is so: the server's answer, or that it waits in the phone. */
async function scanOne(form, sessionId, code) {
  form.toggleAttribute("data-busy", true);
  try {
    const scan = await keep(sessionId, code, form.elements.direction.value);
    trying.add(scan.nonce);
    const answer = await answerOf(form, scan);
    if (answer) await forget([scan.nonce]);
    trying.delete(scan.nonce);
    const waits = await count();
    const detail = answer ?? { ok: true, html: await shownAsKept(form, scan, waits) };
    form.dispatchEvent(new CustomEvent("moralbank:answered", { bubbles: true, detail }));
  } finally {
    form.toggleAttribute("data-busy", false);
  }
}

/** Return the page that answers a scan, or null: then whatever became of it, the batch carries the same nonce. */
async function answerOf(form, scan) {
  const body = new URLSearchParams(new FormData(form));
  body.set("nonce", scan.nonce);
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    try {
      const answer = await fetch(form.action, { method: "POST", body, credentials: "same-origin", signal: AbortSignal.timeout(TRY_MS) });
      const isTold = (answer.status === 200 || answer.status === 422) && !answer.redirected;
      return isTold ? { ok: answer.ok, html: await answer.text() } : null;
    } catch { if (!navigator.onLine) return null; }
  }
  return null;
}

async function shownAsKept(form, scan, waits) {
  const told = form.querySelector("template[data-kept]").content.cloneNode(true);
  const holder = await holderOf(scan).catch(() => null);
  told.querySelector("[data-name]").textContent = holder?.name ?? "";
  told.querySelector("[data-nobody]").hidden = Boolean(holder) || scan.code.length < 24;
  told.querySelector("[data-count]").textContent = waits;
  const box = document.createElement("div");
  box.id = form.dataset.target.slice(1);
  box.append(told);
  return box.outerHTML;
}

/* The roster, which opens card by card */
async function fetchRoster(form, sessionId) {
  const kept = await memory(["rosters"], "readonly", (rosters) => rosters.getAll());
  for (const roster of kept) {
    if (new Date(roster.expires_at) <= new Date()) await memory(["rosters"], "readwrite", (rosters) => rosters.delete(roster.session_id));
    else if (roster.session_id === sessionId && Date.now() - roster.fetched_at < ROSTER_MS) return;
  }
  try {
    await remember("rosters", { ...(await ask(form.dataset.roster)), fetched_at: Date.now() });
  } catch { /* Without a roster scans are kept all the same, only without a name. */ }
}

async function holderOf(scan) {
  const roster = await recall("rosters", scan.session_id);
  if (!roster || new Date(roster.expires_at) <= new Date()) return null;
  const salt = octets(roster.salt);
  const sealed = roster.entries[hex(await sha256(PURPOSE, salt, scan.code))];
  if (!sealed) return null;
  const card = await crypto.subtle.importKey("raw", text.encode(scan.code), "HKDF", false, ["deriveKey"]);
  const derivation = { name: "HKDF", hash: "SHA-256", salt, info: text.encode(PURPOSE) };
  const key = await crypto.subtle.deriveKey(derivation, card, { name: "AES-GCM", length: 256 }, false, ["decrypt"]);
  const whole = octets(sealed);
  const plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv: whole.slice(0, 12) }, key, whole.slice(12));
  return JSON.parse(new TextDecoder().decode(plain));
}

/* Without a safe address there is no key and no worker: then the desk is a form, as it is without this module. */
if (globalThis.crypto?.subtle && globalThis.indexedDB) {
  const form = document.querySelector("form[data-keeps]");
  if (form) openDesk(form).catch(() => {});
  send();
  addEventListener("online", send);
  setInterval(() => { if (!document.hidden) send(); }, EVERY_MS);
}
