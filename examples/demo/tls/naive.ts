import { watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Server } from 'node:https';
import { join } from 'node:path';
import type { ServeCertificate } from './service';

export const REREAD_EVERY_MS = 500;

/** The usual approach: watch the file, and reload the pair when it changes. */
export const serveWithWatch: ServeCertificate = async (server, mountPath, log) => {
  await load(server, mountPath);
  const watcher = watch(join(mountPath, 'tls.crt'), () => {
    load(server, mountPath).catch(log.uncaught);
  });
  return { close: async () => watcher.close() };
};

/** Another common approach: reload the pair at an interval. */
export const serveWithInterval: ServeCertificate = async (server, mountPath, log) => {
  await load(server, mountPath);
  const timer = setInterval(() => {
    load(server, mountPath).catch(log.uncaught);
  }, REREAD_EVERY_MS);
  return { close: async () => clearInterval(timer) };
};

/** Reads one file after the other. A swap may happen in between. */
async function load(server: Server, mountPath: string): Promise<void> {
  const cert = await readFile(join(mountPath, 'tls.crt'));
  const key = await readFile(join(mountPath, 'tls.key'));
  server.setSecureContext({ cert, key });
}
