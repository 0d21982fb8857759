// Opens new connections continuously, each with a full handshake and one request. Plain JavaScript, so that it starts
// without a loader.
import { Agent, get } from 'node:https';
import { createSecureContext } from 'node:tls';

const LOOPS_PER_AGENT = 4;
const TIMEOUT_MS = 5000;
const PAUSE_AFTER_FAILURE_MS = 5;

const seen = new Set();
const failures = {};
let handshakes = 0;
let running = true;

/** One agent for each version of TLS, both with the given authority. */
function plainAgents(ca) {
  return ['TLSv1.2', 'TLSv1.3'].map((version) => {
    const secureContext = createSecureContext({ ca, minVersion: version, maxVersion: version });
    return new Agent({ keepAlive: false, maxCachedSessions: 0, secureContext });
  });
}

/** An agent whose client certificate comes from a mount and rotates. */
async function rotatingAgent(path) {
  const { SecretStore, mountedFiles, secret } = await import('../../dist/index.js');
  const { createAgent } = await import('../../dist/https.js');
  const secrets = await SecretStore.open({
    secrets: {
      client: secret.tls({ cert: 'tls.crt', key: 'tls.key' }),
      ca: secret.tls({ ca: 'ca.crt' }),
    },
    sources: [mountedFiles(path)],
  });
  return createAgent(secrets, (s) => ({
    ...s.reveal('client'),
    ...s.reveal('ca'),
    keepAlive: false,
    maxCachedSessions: 0,
  }));
}

function request(port, agent) {
  return new Promise((resolve, reject) => {
    const sent = get({ host: '127.0.0.1', port, servername: 'localhost', agent, timeout: TIMEOUT_MS });
    const fail = (code) => sent.destroy(Object.assign(new Error(code), { code }));
    sent.on('socket', (socket) => {
      socket.once('secureConnect', () => {
        if (socket.isSessionReused()) return fail('SESSION_REUSED');
        const { serialNumber } = socket.getPeerX509Certificate();
        if (seen.has(serialNumber)) return;
        seen.add(serialNumber);
        process.send({ serial: serialNumber });
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

async function loop(port, agent) {
  while (running) {
    try {
      await request(port, agent);
      handshakes += 1;
    } catch ({ code = 'UNKNOWN' }) {
      failures[code] = (failures[code] ?? 0) + 1;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_AFTER_FAILURE_MS));
    }
  }
}

process.once('message', async ({ port, ca, clientMount }) => {
  process.once('message', () => {
    running = false;
  });
  const agents = clientMount === undefined ? plainAgents(ca) : [await rotatingAgent(clientMount)];
  const loops = agents.flatMap((agent) => Array.from({ length: LOOPS_PER_AGENT }, () => loop(port, agent)));
  await Promise.all(loops);
  process.send({ handshakes, failures });
  process.disconnect();
  process.exit(0);
});
process.on('disconnect', () => process.exit(0));
process.on('SIGINT', () => {});
