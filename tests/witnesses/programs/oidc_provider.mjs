// Runs with the packages of .witnesses/node: oidc-provider, on loopback. Knows nothing of mtd.
//
// Out: {"issuer"} once, then {"ready": true} for each line of its input.
// In: {"redirect_uri", "client_secret", "groups": {account: [group]}}: begins anew with it, and with other keys.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

console.info = console.log = console.error; // its output is ours

// Modules aren't looked for in NODE_PATH.
const main = path.join(process.env.NODE_PATH, 'oidc-provider', 'lib', 'index.js');
const { Provider } = await import(pathToFileURL(main));

let answer = (request, response) => response.writeHead(503).end();
const server = createServer((request, response) => answer(request, response));
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;
const say = (told) => process.stdout.write(`${JSON.stringify(told)}\n`);

function key() {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), alg: 'RS256', use: 'sig' };
}

function begin({ redirect_uri, client_secret, groups }) {
    const provider = new Provider(issuer, {
        clients: [
            {
                client_id: 'mtd',
                client_secret,
                redirect_uris: [redirect_uri],
                grant_types: ['authorization_code'],
                response_types: ['code'],
            },
        ],
        jwks: { keys: [key()] },
        cookies: { keys: ['a', 'b'] },
        pkce: { required: () => true },
        claims: { openid: ['sub'], profile: ['preferred_username'], groups: ['groups'] },
        scopes: ['openid', 'profile', 'groups'],
        conformIdTokenClaims: false, // what the scopes bring is in the id token
        features: { devInteractions: { enabled: true } },
        findAccount: (context, id) => ({
            accountId: id,
            claims: () => ({ sub: id, preferred_username: id, groups: groups[id] ?? [] }),
        }),
    });
    answer = provider.callback();
    say({ ready: true });
}

say({ issuer });
for await (const line of createInterface({ input: process.stdin })) begin(JSON.parse(line));
server.closeAllConnections();
server.close();
