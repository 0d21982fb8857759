// Owns one mount and reports when each swap became visible. Plain JavaScript, so that it starts without a loader.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

// Taken before the rename, because a process that watches the mount may run before this one continues.
let renamedAt;
const { renameSync } = fs;
fs.renameSync = (from, to) => {
  renamedAt = process.hrtime.bigint();
  renameSync(from, to);
};
syncBuiltinESMExports();

const { createTestMount } = await import('../../dist/testing.js');
const mount = await createTestMount({ first: 'value' }, { path: process.argv[2] });

process.on('message', async (content) => {
  await mount.replace(content);
  process.send({ renamedAt });
});
process.on('disconnect', async () => {
  await mount.cleanup();
  process.exit(0);
});
process.on('SIGINT', () => {});
