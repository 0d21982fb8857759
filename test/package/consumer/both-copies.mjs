// One process loads the ESM and the CJS copy of the package: each has to recognize what the other makes.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import * as esm from 'hot-secrets';

const cjs = createRequire(import.meta.url)('hot-secrets');
assert.notEqual(esm.SecretsError, cjs.SecretsError);

for (const [here, there] of [
  [esm, cjs],
  [cjs, esm],
]) {
  const source = here.memory({ 'api-key': 'first' });
  const store = await there.SecretStore.open({
    secrets: { apiKey: here.secret.text('api-key'), absent: here.secret.text('absent').optional() },
    sources: [source],
  });
  assert.equal(store.reveal('apiKey'), 'first');
  assert.equal(store.reveal('absent'), undefined);
  assert.ok(here.isSecret(store.get('apiKey')));
  assert.ok(store instanceof here.SecretStore);
  const client = here.rotating(store, { build: (s) => s.reveal('apiKey') });
  assert.equal(await client.ready, 'first');
  await client.close();
  await store.close();
  const error = await there.SecretStore.open({ secrets: { apiKey: 'no name' } }).catch((reason) => reason);
  assert.ok(error instanceof here.SecretsError);
  assert.ok(here.isSecretsError(error, 'NAME_INVALID'));
  assert.ok(!here.isSecretsError(error, 'NAME_UNKNOWN'));
}
console.log('ok');
