// node sidecar.mjs <pid> <file> <times>: gives the secret a new value and signals the service, `times` times.
import { randomBytes } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import process from 'node:process';

const [pid, file, times] = process.argv.slice(2);

for (let time = 0; time < Number(times); time += 1) {
  // A rename, so that no reader sees half a value.
  writeFileSync(`${file}.next`, randomBytes(16).toString('hex'));
  renameSync(`${file}.next`, file);
  process.kill(Number(pid), 'SIGHUP');
}
