// Writes a mount once, as one of the real writers. Kills itself after a number of system calls.
import { WRITERS } from './atomic-writer.mjs';

const [name, root, content, calls] = process.argv.slice(2);
let done = 0;
for (const _ of WRITERS[name](root, JSON.parse(content))) {
  done += 1;
  if (done === Number(calls)) process.kill(process.pid, 'SIGKILL');
}
