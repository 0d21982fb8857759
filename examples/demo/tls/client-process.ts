// A process of its own: two loops that open one new connection after the other, each with a full handshake.
import { Agent, get } from 'node:https';
import { createSecureContext, type TLSSocket } from 'node:tls';
import type { FromClient, ToClient } from './client';

const LOOPS = 2;
const TIMEOUT_MS = 5_000;
const TOTALS_EVERY_MS = 250;
// A failure that comes at once must not outrun what is served.
const PAUSE_AFTER_FAILURE_MS = 5;

const seen = new Set<string>();
const failures: Record<string, number> = {};
let handshakes = 0;
let running = true;

process.on('disconnect', () => process.exit(0));
// An interrupt typed at a terminal reaches this process too; the parent ends it.
process.on('SIGINT', () => {});
process.once('message', async ({ port, ca }: ToClient) => {
  process.once('message', () => {
    running = false;
  });
  const totals = setInterval(tellTotals, TOTALS_EVERY_MS);
  // Parsed once: for each connection it would cost as much as the handshake.
  const secureContext = createSecureContext({ ca });
  // No connection is used twice, no session is resumed.
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

/** Resolves when the server has answered over a connection that was verified against the authority. */
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

/** Tells of each certificate once, with the time at which the first handshake with it was complete. */
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
