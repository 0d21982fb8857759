// Owns one mount. After each swap it opens connections to a server until the server presents the new certificate. Plain
// JavaScript, so that it starts without a loader.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { connect, createSecureContext } from 'node:tls';

let renamedAt;
let tellAtRename = false;
const { renameSync } = fs;
fs.renameSync = (from, to) => {
  renamedAt = process.hrtime.bigint();
  renameSync(from, to);
  // Sent immediately, so that the cleanup after the rename is not measured.
  if (tellAtRename) process.send({ renamed: true });
};
syncBuiltinESMExports();

const { createTestMount } = await import('../../dist/testing.js');
let mount;
let secureContext;

function shown(port) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', secureContext });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      const at = process.hrtime.bigint();
      const { serialNumber } = socket.getPeerX509Certificate();
      socket.once('close', () => resolve({ at, serialNumber }));
      socket.end();
      socket.resume();
    });
  });
}

async function swap({ content, serial, port, boundMs, tell }) {
  tellAtRename = tell;
  await mount.replace(content);
  let knocks = 0;
  for (;;) {
    knocks += 1;
    const { at, serialNumber } = await shown(port);
    const ms = Number(at - renamedAt) / 1e6;
    if (serialNumber === serial) return { ms, knocks, renamedAt };
    if (ms > boundMs) return {};
  }
}

process.on('message', async (message) => {
  if ('path' in message) {
    secureContext = createSecureContext({ ca: message.ca });
    mount = await createTestMount(message.content, { path: message.path });
    process.send({});
  } else {
    process.send(await swap(message));
  }
});
process.on('disconnect', async () => {
  await mount?.cleanup();
  process.exit(0);
});
process.on('SIGINT', () => {});
