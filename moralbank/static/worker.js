/* Staff's service worker: the desk opens without a network. Pages come from the network whenever it answers; what is kept
 * is the shell of a desk, on which nobody's name stands, and the files it is made of. Logging out forgets all of it. */

const KEPT = "moralbank-desk";
const DESK = /^\/staff\/desk\/\d+$/;
const PATIENCE_MS = 4000;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("message", (event) => {
  if (event.data.keep) event.waitUntil(keep(event.data.keep));
  if (event.data.forget) event.waitUntil(caches.delete(KEPT));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (request.mode === "navigate" && DESK.test(url.pathname)) event.respondWith(page(request, url));
  else if (url.pathname.startsWith("/static/")) event.respondWith(file(request));
});

async function keep(addresses) {
  const cache = await caches.open(KEPT);
  await Promise.all(addresses.map(async (address) => {
    try {
      const answer = await fetch(address, { credentials: "same-origin" });
      // Whoever was signed out meanwhile is shown the login instead: that is no desk.
      if (answer.ok && !answer.redirected) await cache.put(address, answer);
    } catch { /* The network went; the next page tries again. */ }
  }));
}

async function page(request, url) {
  try {
    const answer = await fetch(request, { signal: AbortSignal.timeout(PATIENCE_MS) });
    if (answer.status < 500) return answer;
    return (await shell(url)) ?? answer;
  } catch (error) {
    const kept = await shell(url);
    if (kept) return kept;
    throw error;
  }
}

async function shell(url) {
  const cache = await caches.open(KEPT);
  return cache.match(`${url.pathname}/offline`, { ignoreVary: true });
}

async function file(request) {
  const cache = await caches.open(KEPT);
  return (await cache.match(request, { ignoreVary: true })) ?? fetch(request);
}
