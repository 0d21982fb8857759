import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { memory, mountedFiles, SecretStore } from 'hot-secrets';
import { createTestMount, nextEvent, sourceContract } from 'hot-secrets/testing';

for (const layout of ['kubernetes', 'plain']) {
  for (const timers of ['real', 'fake']) {
    it(`reads and watches a ${layout} mount, with ${timers} timers`, async (t) => {
      if (timers === 'fake')
        mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'setImmediate', 'Date'] });
      t.after(() => mock.timers.reset());
      const mount = await createTestMount({ 'api-key': 'first' }, { layout });
      t.after(() => mount.cleanup());
      const secrets = await SecretStore.open({
        secrets: { apiKey: 'api-key' },
        sources: [mountedFiles(mount.path, { pollIntervalMs: 600_000 })],
      });
      t.after(() => secrets.close());
      for (const value of ['second', 'third', 'fourth']) {
        const changed = nextEvent(secrets, 'change');
        await mount.rotate({ 'api-key': value });
        assert.equal((await changed).trigger, 'watch');
        assert.equal(secrets.reveal('apiKey'), value);
      }
      await mount.rotate({ 'api-key': 'fifth' });
      await secrets.refresh();
      assert.equal(secrets.reveal('apiKey'), 'fifth');
    });
  }
}

describe('memory keeps the contract of sources', () => {
  const harness = {
    create(values) {
      const source = memory(values);
      const remove = (...names) => source.set(Object.fromEntries(names.map((name) => [name, undefined])));
      return { source, set: (more) => source.set(more), remove };
    },
  };
  for (const one of sourceContract(harness)) it(one.name, () => one.run());
});
