// A service worker, registered by the first click on Run: what ran once runs again without a network.
// Python's files never change below their version, so the cache is asked first; for all else the network.

const PYODIDE = "pyodide-0.27.7";
const SITE = registration.scope; // an origin may hold other sites, whose caches are not ours
const PYTHON = `${SITE} ${PYODIDE}`;
const PAGES = `${SITE} pages`;

addEventListener("install", () => skipWaiting());

addEventListener("activate", event => event.waitUntil(takeOver()));

addEventListener("message", event => event.waitUntil(keep(event.data.keep)));

addEventListener("fetch", event => {
    const { request } = event;
    const ours = request.method === "GET" && request.url.startsWith(SITE);
    if (!ours || request.headers.has("range") || request.destination === "video") {
        return; // as if no service worker were there
    }
    const versioned = request.url.startsWith(`${SITE}live/${PYODIDE}/`);
    event.respondWith(versioned ? cacheFirst(event) : networkFirst(event));
});

async function takeOver() {
    for (const name of await caches.keys()) {
        if (name.startsWith(`${SITE} `) && name !== PYTHON && name !== PAGES) {
            await caches.delete(name);
        }
    }
    await clients.claim();
}

// Keep what a page had loaded before this service worker was there.
async function keep(addresses) {
    const cache = await caches.open(PAGES);
    const wanted = addresses.filter(address => address.startsWith(SITE));
    await Promise.all(wanted.map(async address => {
        if (!(await cache.match(address))) {
            await cache.add(address).catch(() => {});
        }
    }));
}

async function cacheFirst(event) {
    return (await (await caches.open(PYTHON)).match(event.request)) ?? store(event, PYTHON);
}

async function networkFirst(event) {
    try {
        return await store(event, PAGES);
    } catch (error) {
        const kept = await (await caches.open(PAGES)).match(event.request);
        if (kept) {
            return kept;
        }
        throw error;
    }
}

async function store(event, name) {
    const answer = await fetch(event.request);
    if (answer.status === 200) {
        const copy = answer.clone();
        event.waitUntil(caches.open(name).then(cache => cache.put(event.request, copy)).catch(() => {}));
    }
    return answer;
}
