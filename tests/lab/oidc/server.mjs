// server.mjs   A certified OpenID provider (npm's oidc-provider) for the tests, and what it saw.
//
// GOCRED_OIDC: {"issuer"?, "listen"?: [host, port], "tls"?: {cert, key}, "lifetime"?: seconds of a token,
// "renewedLifetime"?: of one that was renewed, "deviceLifetime"?, "announce"?: how often a device is told
// to ask, "interval"?: how often it may, in seconds}. Prints one JSON object a line: {"up": issuer,
// "port"}, then {"path", "grant", "status", "error"} for each request to an endpoint that takes
// a token or a code. No line has a secret.
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(process.env.GOCRED_OIDC_MODULES + '/');
const { Provider } = await import(pathToFileURL(require.resolve('oidc-provider')));
const options = JSON.parse(process.env.GOCRED_OIDC ?? '{}');
const say = (line) => process.stdout.write(JSON.stringify(line) + '\n');
// Its notices are no lines of ours.
console.info = console.warn = () => {};

const handler = { current: null };
const answer = (request, response) => handler.current(request, response);
const server = options.tls
  ? createTlsServer(
      { cert: readFileSync(options.tls.cert), key: readFileSync(options.tls.key) },
      answer,
    )
  : createServer(answer);
const [host, port] = options.listen ?? ['127.0.0.1', 0];
await new Promise((ready) => server.listen(port, host, ready));
const issuer = options.issuer ?? `http://127.0.0.1:${server.address().port}`;

const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';
const client = (id, more) => ({
  client_id: id,
  token_endpoint_auth_method: 'none',
  application_type: 'native',
  redirect_uris: ['http://127.0.0.1/callback'],
  grant_types: ['authorization_code', 'refresh_token', DEVICE],
  response_types: ['code'],
  ...more,
});
const provider = new Provider(issuer, {
  clients: [
    client('gocred'),
    // One that wants a secret, in the form of RFC 6749 §2.3.1: the characters are on purpose.
    client('gocred:secret', {
      client_secret: 'keep: this & that%',
      token_endpoint_auth_method: 'client_secret_basic',
    }),
    {
      client_id: 'resource',
      client_secret: 'introspects',
      grant_types: [],
      redirect_uris: [],
      response_types: [],
    },
  ],
  scopes: ['openid', 'offline_access', 'profile', 'read_repository', 'write_repository'],
  features: {
    deviceFlow: { enabled: true },
    devInteractions: { enabled: true },
    revocation: { enabled: true },
    introspection: { enabled: true },
  },
  pkce: { required: () => true },
  ttl: {
    AccessToken: (context) =>
      (context.oidc.params?.grant_type === 'refresh_token' && options.renewedLifetime) ||
      (options.lifetime ?? 3600),
    DeviceCode: options.deviceLifetime ?? 600,
    RefreshToken: 3600,
    Session: 3600,
    Interaction: 600,
    Grant: 3600,
  },
  rotateRefreshToken: true,
  claims: { openid: ['sub'], profile: ['name', 'preferred_username'] },
  findAccount: async (context, id) => ({
    accountId: id,
    claims: async () => ({ sub: id, preferred_username: id, name: 'Ana Lima' }),
  }),
});
provider.proxy = Boolean(options.tls);

// The provider does not know `slow_down`; this says it as RFC 8628 §3.5 has it.
const polls = new Map();
const isTooEarly = (code) => {
  const { at = 0, wait = 0 } = polls.get(code) ?? {};
  const now = Date.now();
  const early = at + wait * 1000 > now;
  polls.set(code, { at: now, wait: options.interval });
  return early;
};
const WATCHED = ['/token', '/token/revocation', '/device/auth', '/me', '/token/introspection'];
provider.use(async (context, next) => {
  if (context.path === '/device/auth' && options.announce) {
    await next();
    context.body = { ...context.body, interval: options.announce };
  } else {
    await next();
  }
  if (WATCHED.includes(context.path)) {
    say({
      path: context.path,
      grant: context.oidc?.params?.grant_type ?? null,
      status: context.status,
      error: context.body?.error ?? null,
    });
  }
});
handler.current = (request, response) => {
  if (request.method !== 'POST' || request.url !== '/token' || !options.interval) {
    return provider.callback()(request, response);
  }
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const text = Buffer.concat(chunks).toString();
    const code = new URLSearchParams(text).get('device_code');
    if (code && isTooEarly(code)) {
      say({ path: '/token', grant: DEVICE, status: 400, error: 'slow_down' });
      response.writeHead(400, { 'content-type': 'application/json' });
      return response.end(JSON.stringify({ error: 'slow_down' }));
    }
    request.body = text;
    return provider.callback()(request, response);
  });
};
for (const event of ['refresh_token.saved', 'refresh_token.consumed', 'grant.revoked']) {
  provider.on(event, () => say({ event }));
}
provider.on('server_error', (context, error) => say({ event: 'server_error', what: String(error) }));
say({ up: issuer, port: server.address().port });
