import Module from 'node:module';
import { memory, SecretStore } from 'hot-secrets';
import { instrumentSecrets } from 'hot-secrets/opentelemetry';
import { expect, it, onTestFinished, vi } from 'vitest';

// In its own file: a module that another test loaded stays loaded.
it('names the command that installs a missing @opentelemetry/api', async () => {
  const loader = Module as unknown as { _resolveFilename(request: string, ...more: unknown[]): string };
  const resolve = loader._resolveFilename;
  const missing = vi.spyOn(loader, '_resolveFilename').mockImplementation((request, ...more) => {
    if (request !== '@opentelemetry/api') return resolve.call(loader, request, ...more);
    throw Object.assign(new Error(`Cannot find module '${request}'`), { code: 'MODULE_NOT_FOUND' });
  });
  onTestFinished(() => missing.mockRestore());
  await using store = await SecretStore.open({ sources: [memory({ token: 'first-value' })] });
  expect(() => instrumentSecrets(store)).toThrow(
    expect.objectContaining({
      code: 'PEER_MISSING',
      next: 'Run: npm install "@opentelemetry/api@>=1.9". If you have it elsewhere, pass it as the option `api`.',
    }),
  );
});

it('leaves the store unaffected without an SDK', async () => {
  await using store = await SecretStore.open({ sources: [memory({ token: 'first-value' })] });
  const stop = instrumentSecrets(store, { access: true });
  await store.refresh();
  expect(store.reveal('token')).toBe('first-value');
  stop();
});
