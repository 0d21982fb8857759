// Runs in its own process. Two loops open one new connection after another, each with a full handshake.
import { Agent, get } from 'node:https';
import { createSecureContext, type TLSSocket } from 'node:tls';
import type { FromClient, ToClient } from './client';

const LOOPS = 2;
const TIMEOUT_MS = 5_000;
const TOTALS_EVERY_MS = 250;
// A loop that fails fast must not make more attempts than a loop that is served.
const PAUSE_AFTER_FAILURE_MS = 5;

const seen = new Set<string>();
const failures: Record<string, number> = {};
let handshakes = 0;
let running = true;

process.on('disconnect', () => process.exit(0));
// Ctrl-C in a terminal reaches this process too. The parent ends it.
process.on('SIGINT', () => {});
process.once('message', async ({ port, ca }: ToClient) => {
  process.once('message', () => {
    running = false;
  });
  const totals = setInterval(tellTotals, TOTALS_EVERY_MS);
  // Created once: creating a context for each connection would cost as much as the handshake.
  const secureContext = createSecureContext({ ca });
  // Uses each connection once and resumes no session.
  const agent = new Agent({ keepAlive: false, maxCachedSessions: 0, secureContext });
  await Promise.all(Array.from({ length: LOOPS }, () => loop(port, agent)));
  clearInterval(totals);
  tellTotals();
  process.disconnect();
});

async function loop(port: number, agent: Agent): Promise<void> {
  while (running) {
    try {
      await request(port, agent);
      handshakes += 1;
    } catch (error) {
      const { code = 'UNKNOWN' } = error as NodeJS.ErrnoException;
      failures[code] = (failures[code] ?? 0) + 1;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_AFTER_FAILURE_MS));
    }
  }
}

/** Sends one request over a new connection whose certificate is verified against the authority. */
function request(port: number, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = get({ host: '127.0.0.1', port, servername: 'localhost', agent, timeout: TIMEOUT_MS });
    const fail = (code: string) => sent.destroy(Object.assign(new Error(code), { code }));
    sent.on('socket', (socket) => {
      socket.once('secureConnect', () => {
        note(socket as TLSSocket);
        if ((socket as TLSSocket).isSessionReused()) fail('SESSION_REUSED');
      });
    });
    sent.on('response', (response) => {
      response.resume();
      response.on('end', resolve);
      response.on('error', reject);
    });
    sent.on('timeout', () => fail('TIMEOUT'));
    sent.on('error', reject);
  });
}

/** Reports each certificate once, with the time at which its first handshake completed. */
function note(socket: TLSSocket): void {
  const at = process.hrtime.bigint();
  const serial = socket.getPeerX509Certificate()?.serialNumber;
  if (serial === undefined || seen.has(serial)) return;
  seen.add(serial);
  tell({ serial, at });
}

function tellTotals(): void {
  tell({ handshakes, failures });
}

function tell(message: FromClient): void {
  if (process.connected) process.send?.(message);
}
