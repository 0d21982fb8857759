// Writes mounts as the real writers do. It can stop or kill itself between two of their system calls.
import { setTimeout } from 'node:timers/promises';
import { WRITERS } from '../support/atomic-writer.mjs';

process.on('message', async ({ id, writer, root, contents, gapMs, signal, calls }) => {
  let done = 0;
  let longestGapMs = 0;
  try {
    for (const content of contents) {
      let last = performance.now();
      for (const _ of WRITERS[writer](root, content)) {
        longestGapMs = Math.max(longestGapMs, performance.now() - last);
        last = performance.now();
        done += 1;
        if (done === calls) process.kill(process.pid, signal);
      }
      if (gapMs > 0) await setTimeout(gapMs);
    }
    process.send({ id, result: longestGapMs });
  } catch (error) {
    process.send({ id, error: error.code ?? error.message });
  }
});
process.on('disconnect', () => process.exit());
