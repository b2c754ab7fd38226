// Checks a proof in the reader's own browser, against the bytes that it downloads itself. Where it can't (WebCrypto needs
// https, older browsers have no Ed25519), the page goes on saying that the service checked. Forms: docs/STATEMENT_FILE.md,
// C2SP tlog-proof, signed-note, tlog-cosignature; RFC 9162, 2.1.3.2.

/** What a proof fails by: a word that the page has a sentence for, and where. */
class Wrong extends Error {
  constructor(why, place = "") {
    super(`${why} ${place}`);
    this.why = why;
    this.place = place;
  }
}

const utf8 = (text) => new TextEncoder().encode(text);
const unbase64 = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
const hex = (bytes) => Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");
const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));

async function hashOf(...parts) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", await new Blob(parts).arrayBuffer()));
}
const leafHash = (leaf) => hashOf(Uint8Array.of(0), utf8(leaf));
const nodeHash = (left, right) => hashOf(Uint8Array.of(1), left, right);

/** Return the root to which a leaf's hash leads by its proof, or null when the proof has another length than the tree. */
async function rootFrom(hash, index, size, proof) {
  let [place, last, root] = [index, size - 1, hash];
  if (!(index >= 0 && index < size)) return null;
  for (const step of proof.map(unbase64)) {
    if (last === 0) return null;
    if (place % 2 || place === last) {
      root = await nodeHash(step, root);
      while (place && place % 2 === 0) [place, last] = [place / 2, Math.floor(last / 2)];
    } else root = await nodeHash(root, step);
    [place, last] = [Math.floor(place / 2), Math.floor(last / 2)];
  }
  return last === 0 ? hex(root) : null;
}

function readNote(note) {
  const cut = note.lastIndexOf("\n\n");
  const text = note.slice(0, cut + 1);
  const [origin, size, root] = text.split("\n");
  const signatures = note.slice(cut + 2).split("\n").filter(Boolean).map((line) => {
    const [, name, payload] = line.match(/^— (\S+) (\S+)$/) ?? [];
    if (!name) throw new Wrong("signature");
    const bytes = unbase64(payload);
    return { name, id: hex(bytes.slice(0, 4)), payload: bytes.slice(4) };
  });
  return { text, origin, size: Number(size), root: hex(unbase64(root)), signatures };
}

function readKey(text) {
  const [, name, id, key] = text.match(/^([^+]+)\+([0-9a-f]{8})\+(.+)$/) ?? [];
  if (!name) throw new Wrong("signature");
  return { name, id, key: unbase64(key).slice(1) };
}

/** Tell whether a signature holds; null where the browser has no Ed25519. */
async function isSigned(key, message, signature) {
  let known;
  try {
    known = await crypto.subtle.importKey("raw", key.key, "Ed25519", false, ["verify"]);
  } catch {
    return null;
  }
  return crypto.subtle.verify("Ed25519", known, signature, message);
}

/** Check the checkpoint's signatures; return the checkpoint, with how many witnesses signed. */
async function openCheckpoint(noteText, origin, keys, witnesses) {
  const note = readNote(noteText);
  if (note.origin !== origin) throw new Wrong("signature");
  const by = (key) => note.signatures.filter((one) => one.name === key.name && one.id === key.id);
  let [isByLog, isUnknown, offices] = [false, false, 0];
  const holds = async (key, message, signature) => {
    const known = await isSigned(key, utf8(message), signature);
    if (known === false) throw new Wrong("signature", key.name);
    isUnknown ||= known === null;
  };
  for (const key of keys.map(readKey))
    for (const { payload } of by(key)) {
      await holds(key, note.text, payload);
      isByLog = true;
    }
  if (!isByLog) throw new Wrong("signature");
  for (const key of witnesses.map(readKey))
    for (const { payload } of by(key).slice(-1)) {
      const time = new DataView(payload.buffer, payload.byteOffset).getBigUint64(0);
      await holds(key, `cosignature/v1\ntime ${time}\n${note.text}`, payload.slice(8));
      offices += 1;
    }
  return { ...note, offices, isUnknown };
}

async function isOpened(commitment, { salt, content }) {
  const key = await crypto.subtle.importKey("raw", unbase64(salt), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return hex(new Uint8Array(await crypto.subtle.sign("HMAC", key, utf8(content)))) === commitment;
}

/** Check one unit's lines by their numbers and balances; return the entries of the month. */
function checkLines(file, unit, leaves) {
  const { opening, closing } = file[unit];
  const lines = new Map();
  for (const leaf of leaves)
    for (const leg of leaf.legs)
      if (leg.a === file.account && leg.u === unit) {
        if (lines.has(leg.n)) throw new Wrong("missing", leg.n);
        lines.set(leg.n, { ...leg, at: leaf.at, id: leaf.id });
      }
  const before = lines.get(opening.n);
  if (opening.n ? before?.b !== opening.balance : opening.balance) throw new Wrong("missing", opening.n);
  for (const [n, { at }] of lines)
    if ((at >= file.since && at < file.until) !== (n > opening.n && n <= closing.n)) throw new Wrong("missing", n);
  if (Math.max(...lines.keys()) > closing.n && !lines.has(closing.n + 1)) throw new Wrong("missing", closing.n + 1);
  let balance = opening.balance;
  const entries = [];
  for (let n = opening.n + 1; n <= closing.n; n += 1) {
    const line = lines.get(n);
    if (!line) throw new Wrong("missing", n);
    balance += line.d;
    if (line.b !== balance) throw new Wrong("figures", n);
    entries.push(line.id);
  }
  if (balance !== closing.balance) throw new Wrong("figures", closing.n);
  return entries;
}

async function checkStatement(file, said) {
  if (file.format !== "moralbank-statement/1") throw new Wrong("file");
  const sealed = file.leaves.length
    ? await openCheckpoint(file.checkpoint, said.origin, said.keys, said.witnesses)
    : null;
  for (const one of file.leaves) {
    const leaf = JSON.parse(one.leaf);
    const n = leaf.legs.find((leg) => leg.a === file.account)?.n;
    if ((await rootFrom(await leafHash(one.leaf), one.index, sealed.size, one.proof)) !== sealed.root)
      throw new Wrong("leaf", n);
    if (one.private && !(await isOpened(leaf.m, one.private))) throw new Wrong("private", n);
  }
  const leaves = [...file.leaves.map((one) => one.leaf), ...file.waiting].map((leaf) => JSON.parse(leaf));
  const entries = new Set([...checkLines(file, "points", leaves), ...checkLines(file, "minutes", leaves)]);
  const late = file.waiting.filter((leaf) => entries.has(JSON.parse(leaf).id)).length;
  const found = [file.account, file.month, entries.size, file.points.closing.balance, late];
  if (String(found) !== String([said.account, said.month, said.count, said.balance, said.waiting]))
    throw new Wrong("figures");
  return sealed;
}

async function checkEntry(proof, said) {
  const cut = proof.indexOf("\n\n");
  const [head, ...lines] = proof.slice(0, cut).split("\n");
  const [index, ...path] = lines.filter((line) => !line.startsWith("extra "));
  if (head !== "c2sp.org/tlog-proof@v1" || !index?.startsWith("index ")) throw new Wrong("file");
  // What the slip says goes before what the page says: it was printed when the line was posted.
  if (location.hash.length === 65 && location.hash.slice(1) !== said.leaf) throw new Wrong("other");
  const sealed = await openCheckpoint(proof.slice(cut + 2), said.origin, said.keys, said.witnesses);
  const root = await rootFrom(unhex(said.leaf), Number(index.slice(6)), sealed.size, path);
  if (root !== sealed.root) throw new Wrong("leaf");
  return sealed;
}

function show(section, which, why = "", place = "") {
  for (const one of section.querySelectorAll("[data-verdict]")) one.hidden = one.dataset.verdict !== which;
  for (const one of section.querySelectorAll("[data-why]")) one.hidden = one.dataset.why !== why;
  for (const one of section.querySelectorAll("[data-place]")) one.textContent = place;
  for (const one of section.querySelectorAll("[data-at]")) one.hidden = !place;
  section.dataset.checked = which;
}

/** Return what was downloaded, or null: a network that is away proves nothing. */
async function download(url) {
  try {
    const answer = await fetch(url, { cache: "no-store" });
    return answer.ok ? await answer.text() : null;
  } catch {
    return null;
  }
}

async function check(section) {
  const said = JSON.parse(section.dataset.said);
  const text = globalThis.crypto?.subtle ? await download(section.dataset.proof) : null;
  if (text === null) return;
  try {
    const sealed = said.month ? await checkStatement(JSON.parse(text), said) : await checkEntry(text, said);
    if (sealed && sealed.offices < said.offices) throw new Wrong("signature");
    show(section, sealed?.isUnknown ? "hashes" : "browser");
  } catch (error) {
    show(section, "wrong", error.why ?? "file", error.place);
  }
}

for (const section of document.querySelectorAll("[data-proof]")) check(section);
