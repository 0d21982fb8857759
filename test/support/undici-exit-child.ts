import { text } from 'node:stream/consumers';
import { memory, SecretStore } from 'hot-secrets';
import { createDispatcher } from 'hot-secrets/undici';
import { request } from 'undici';

// Never closes the store or the dispatcher.
const { url, chain, key, ca } = JSON.parse(await text(process.stdin));
const source = memory({ chain, key });
const secrets = await SecretStore.open({ secrets: { cert: 'chain', key: 'key' }, sources: [source] });
const dispatcher = createDispatcher(secrets, (s) => ({
  connect: { cert: s.reveal('cert'), key: s.reveal('key'), ca },
}));
await (await request(url, { dispatcher })).body.text();
console.log('done');
