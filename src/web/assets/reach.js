// A worker in the browser with one duty: where the recorder does not answer, a page of the console says so instead of the browser's own.
// It keeps nothing else, and everything else goes past it.
const KEPT = ['/assets/unreachable.html', '/assets/unreachable.js', '/assets/console.css', '/assets/icon.svg'];

addEventListener('install', (event) => {
  skipWaiting();
  event.waitUntil(caches.open('unreachable').then((kept) => kept.addAll(KEPT.map((path) => new Request(path, { cache: 'reload' })))));
});
addEventListener('activate', (event) => event.waitUntil(clients.claim()));
addEventListener('fetch', (event) => {
  const { request } = event;
  const { pathname } = new URL(request.url);
  if (request.mode === 'navigate' && !pathname.startsWith('/api/')) {
    const typed = request.method === 'POST' ? request.clone().formData().catch(() => []) : null;
    event.respondWith(fetch(request).catch(async () => told(request, await typed)));
  } else if (KEPT.includes(pathname)) event.respondWith(fetch(request).catch(() => caches.match(pathname)));
});

const safe = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

// What was typed is not lost: it lies in the page, to be sent again.
async function told(request, typed) {
  const page = await (await caches.match(KEPT[0])).text();
  const fields = [...typed ?? []].filter(([, value]) => typeof value === 'string');
  // A refusal then finds the form on the page that it stood on.
  if (typed && request.referrer && !fields.some(([name]) => name === 'form_page')) {
    const { pathname, search } = new URL(request.referrer);
    fields.push(['form_page', pathname + search]);
  }
  const inputs = fields.map(([name, value]) => `<input type="hidden" name="${safe(name)}" value="${safe(value)}">`).join('');
  const headers = { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': "default-src 'self'; form-action 'self'; frame-ancestors 'none'" };
  return new Response(page.replace('data-method="GET"', `data-method="${request.method}"`).replace('<!-- typed -->', () => inputs), { status: 503, headers });
}
