// browser.mjs approve|deny|leave URL   A person with a browser: follows redirects, keeps cookies, and
// fills in the provider's forms (login, consent, the code of a device). Where it is sent to a loopback
// address that is not the provider's, it goes there once, as a browser does, and prints what it is
// shown. NODE_EXTRA_CA_CERTS names the authority of a provider behind TLS.
const [what, start] = process.argv.slice(2);
const provider = new URL(start).origin;
const cookies = new Map();

async function visit(url, form) {
  for (let hops = 0; hops < 20; hops += 1) {
    const isProvider = new URL(url).origin === provider;
    const headers = isProvider
      ? { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') }
      : {};
    const response = await fetch(url, {
      method: form ? 'POST' : 'GET',
      body: form,
      headers,
      redirect: 'manual',
    });
    form = undefined;
    for (const cookie of response.headers.getSetCookie()) {
      const [name, value] = cookie.split(';')[0].split(/=(.*)/s);
      if (value) cookies.set(name, value);
      else cookies.delete(name);
    }
    const next = response.headers.get('location');
    if (!next) return { url, status: response.status, text: await response.text() };
    url = new URL(next, url).href;
  }
  throw new Error('too many redirects');
}

function attribute(tag, name) {
  const value = tag.match(new RegExp(`${name}="([^"]*)"`))?.[1];
  return value?.replaceAll('&amp;', '&');
}

let page = await visit(start);
for (let step = 0; step < 9; step += 1) {
  const form = page.text.match(/<form[^>]*>[\s\S]*?<\/form>/)?.[0];
  const action = form && attribute(form, 'action');
  if (!action || new URL(page.url).origin !== provider) break;
  if (what === 'leave') break;
  if (what === 'deny') {
    const abort = page.text.match(/href="([^"]*\/abort)"/)?.[1];
    if (abort) {
      page = await visit(new URL(abort, page.url).href);
      break;
    }
  }
  const fields = new URLSearchParams();
  for (const input of form.match(/<input[^>]*>/g) ?? []) {
    const name = attribute(input, 'name');
    if (name) fields.set(name, attribute(input, 'value') ?? '');
  }
  if (what === 'deny' && fields.has('xsrf')) fields.set('abort', 'yes');
  if (fields.has('login')) fields.set('login', 'ana');
  if (fields.has('password')) fields.set('password', 'x');
  page = await visit(new URL(action, page.url).href, fields);
}
console.log(page.status, page.text.replace(/<style[\s\S]*?<\/style>|<[^>]*>|\s+/g, ' ').trim());
