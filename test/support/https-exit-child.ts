import { text } from 'node:stream/consumers';
import { memory, SecretStore } from 'hot-secrets';
import { createAgent } from 'hot-secrets/https';
import { get } from './https-client';

// Never closes the store or the agent.
const { url, chain, key, ca } = JSON.parse(await text(process.stdin));
const source = memory({ chain, key });
const secrets = await SecretStore.open({ secrets: { cert: 'chain', key: 'key' }, sources: [source] });
const agent = createAgent(secrets, (s) => ({
  cert: s.reveal('cert'),
  key: s.reveal('key'),
  ca,
  keepAlive: true,
}));
await Promise.all([get(agent, url), get(agent, url), get(agent, url)]);
console.log('done');
