#!/usr/bin/env node
import { main } from './main';

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());

main(process.argv.slice(2), {
  write: (text) => void process.stdout.write(text),
  writeError: (text) => void process.stderr.write(text),
  colors: hasColors(),
  signal: stop.signal,
}).then((status) => {
  process.exitCode = status;
});

/** https://no-color.org; a colour in a file or pipe is noise, unless somebody asks for it. */
function hasColors(): boolean {
  const { NO_COLOR, FORCE_COLOR } = process.env;
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== '') return FORCE_COLOR !== '0';
  return !NO_COLOR && process.stdout.isTTY === true && process.stdout.hasColors();
}
