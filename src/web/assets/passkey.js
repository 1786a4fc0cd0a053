// Passkeys: the browser's own window asks; the recorder checks.
import { post } from '/assets/console.js';

const words = document.getElementById('passkey-words');
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');

async function show() {
  const { challenge, asked } = await post('/api/v1/passkey/begin');
  const key = asked.publicKey;
  key.challenge = bytes(key.challenge);
  (key.allowCredentials ?? []).forEach((c) => { c.id = bytes(c.id); });
  const c = await navigator.credentials.get({ publicKey: key });
  const r = c.response;
  const answer = { id: c.id, rawId: text(c.rawId), type: c.type, extensions: {}, response: { authenticatorData: text(r.authenticatorData), clientDataJSON: text(r.clientDataJSON), signature: text(r.signature), userHandle: r.userHandle ? text(r.userHandle) : null } };
  return { challenge, answer };
}

const acts = {
  async login() { await post('/api/v1/passkey/login', await show()); location.href = '/'; },
  async prove(button) { await post('/api/v1/me/prove-by-passkey', await show()); location.href = button.dataset.then; },
  async add() {
    const { challenge, asked } = await post('/api/v1/me/passkeys/begin');
    const key = asked.publicKey;
    key.challenge = bytes(key.challenge);
    key.user.id = bytes(key.user.id);
    (key.excludeCredentials ?? []).forEach((c) => { c.id = bytes(c.id); });
    const c = await navigator.credentials.create({ publicKey: key });
    const answer = { id: c.id, rawId: text(c.rawId), type: c.type, extensions: {}, response: { attestationObject: text(c.response.attestationObject), clientDataJSON: text(c.response.clientDataJSON), transports: c.response.getTransports?.() ?? [] } };
    await post('/api/v1/me/passkeys', { challenge, name: document.getElementById('passkey-name').value, answer });
    location.reload();
  },
};

if (window.PublicKeyCredential) {
  document.querySelectorAll('[data-passkey]').forEach((button) => {
    button.hidden = false;
    button.addEventListener('click', async () => {
      words.hidden = true;
      try { await acts[button.dataset.passkey](button); } catch (no) { words.hidden = false; words.textContent = no.message; }
    });
  });
}
