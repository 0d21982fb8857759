// npx tsx examples/sighup/main.ts: a service that refreshes its secrets when a sidecar sends a signal.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { mountedFiles, reloadOnSignal, SecretStore } from 'hot-secrets';
import { createTestMount } from 'hot-secrets/testing';
import { waitFor } from '../../test/support/wait-for';

// In a pod, both containers mount this volume and share their processes (shareProcessNamespace).
await using volume = await createTestMount({ 'api-key': 'first-value' }, { layout: 'plain' });
const file = join(volume.path, 'api-key');

// Only the signal triggers refreshes here, as on a network share that reports no changes. A real service also keeps the
// watch and the poll, which find changes without a signal.
const { watch: _leftOut, ...files } = mountedFiles(volume.path);
let reads = 0;
await using secrets = await SecretStore.open({
  secrets: { apiKey: 'api-key' },
  sources: [
    {
      ...files,
      read(request) {
        reads += 1;
        return files.read(request);
      },
    },
  ],
});
secrets.on('change', ({ generation, trigger }) =>
  console.log(`generation ${generation}, found by ${trigger}`),
);
secrets.on('error', ({ code, message }) => console.log(`${code}: ${message}`));
reloadOnSignal(secrets, 'SIGHUP');

const server = createServer((_request, response) => {
  const { version } = secrets.get('apiKey');
  response.end(`version ${version.slice(0, 6)} of generation ${secrets.generation}`);
});
await once(server.listen(0, '127.0.0.1'), 'listening');
await report();

for (const _rotation of [1, 2, 3]) {
  await sidecar(1);
  await report();
}

// Refreshes start at least a second apart (minIntervalMs), however many signals arrive. No signal is lost.
reads = 0;
await sidecar(100);
console.log(`100 signals, reads: ${reads}`);
await report();

server.close();

/** Runs the sidecar process, and waits until the service has the last value that it wrote. */
async function sidecar(times: number): Promise<void> {
  const args = [join(import.meta.dirname, 'sidecar.mjs'), String(process.pid), file, String(times)];
  await once(spawn(process.execPath, args, { stdio: 'inherit' }), 'exit');
  await waitFor(() => secrets.reveal('apiKey') === readFileSync(file, 'utf8'), { timeoutMs: 20_000 });
}

async function report(): Promise<void> {
  const { port } = server.address() as AddressInfo;
  console.log(`the service has ${await (await fetch(`http://127.0.0.1:${port}`)).text()}`);
}
