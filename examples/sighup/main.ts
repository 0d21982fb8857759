// npx tsx examples/sighup/main.ts: a service that looks for new secrets when a sidecar sends it a signal.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { mountedFiles, reloadOnSignal, SecretStore } from 'hot-secrets';
import { createTestMount } from 'hot-secrets/testing';
import { waitFor } from '../../test/support/wait-for';

// In a pod: a volume of both containers, which share their processes, too (shareProcessNamespace).
await using volume = await createTestMount({ 'api-key': 'first-value' }, { layout: 'plain' });
const file = join(volume.path, 'api-key');

// Here the signal alone says when to look, as on a share over the network that tells nobody of changes. A service keeps
// the watch, with the poll beside it: what nobody signals is found all the same.
const { watch: _leftOut, ...files } = mountedFiles(volume.path);
let looks = 0;
await using secrets = await SecretStore.open({
  secrets: { apiKey: 'api-key' },
  sources: [
    {
      ...files,
      read(request) {
        looks += 1;
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
await tell();

for (const _rotation of [1, 2, 3]) {
  await sidecar(1);
  await tell();
}

// However many signals come, looks begin at least a second apart (minIntervalMs), and the last signal is not lost.
looks = 0;
await sidecar(100);
console.log(`100 signals, looks: ${looks}`);
await tell();

server.close();

/** Another process, to its end, and then until the service has what it wrote last. */
async function sidecar(times: number): Promise<void> {
  const args = [join(import.meta.dirname, 'sidecar.mjs'), String(process.pid), file, String(times)];
  await once(spawn(process.execPath, args, { stdio: 'inherit' }), 'exit');
  await waitFor(() => secrets.reveal('apiKey') === readFileSync(file, 'utf8'), { timeoutMs: 20_000 });
}

async function tell(): Promise<void> {
  const { port } = server.address() as AddressInfo;
  console.log(`the service has ${await (await fetch(`http://127.0.0.1:${port}`)).text()}`);
}
