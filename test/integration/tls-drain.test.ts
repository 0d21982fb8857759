import { once } from 'node:events';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import {
  type ClientHttp2Session,
  connect as connectHttp2,
  createSecureServer,
  type ServerHttp2Stream,
} from 'node:http2';
import { Agent, createServer as createHttpsServer, request as httpsRequest } from 'node:https';
import { createServer as createTlsServer, type Server, type TLSSocket } from 'node:tls';
import { type AttachOptions, attachSecureContext, createServerNames } from 'hot-secrets/tls';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { startLoad } from '../support/load';
import { connectWithoutHandshake, handshake, listen, tlsHarness } from '../support/tls-harness';
import { waitFor } from '../support/wait-for';

const LONG_MS = 60_000;
const SHORT_MS = 100;
// No other timer has this duration.
const UNUSUAL_MS = 54_321;

/** An attached server, with the events of its context. */
async function harness(server: Server, options: AttachOptions) {
  const base = await tlsHarness();
  const context = attachSecureContext(server, base.secrets, (s) => s.reveal('web'), options);
  const events: [string, unknown][] = [];
  for (const event of ['swapped', 'drained', 'rejected', 'error'] as const) {
    context.on(event, (payload) => events.push([event, payload]));
  }
  const of = (event: string) => events.filter(([name]) => name === event).map(([, payload]) => payload);
  const port = await listen(server);
  let round = 1;
  return {
    ...base,
    context,
    port,
    ca: base.authority.cert,
    of,
    /** Rotates to the next pair, and waits for the swap. Resolves with its common name. */
    async next() {
      round += 1;
      await base.rotate('web', `web-${round}`);
      await waitFor(() => of('swapped').length === round - 1);
      return `web-${round}`;
    },
  };
}

interface Answer {
  readonly commonName: string;
  readonly connection: string | undefined;
  readonly body: string;
}

/** Sends an HTTP/1 request with an agent. */
async function ask(port: number, agent: Agent): Promise<Answer> {
  const request = httpsRequest({ port, agent, path: '/' }).end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const { subject } = (response.socket as TLSSocket).getPeerCertificate();
  let body = '';
  for await (const chunk of response.setEncoding('utf8')) body += chunk;
  return { commonName: String(subject?.CN), connection: response.headers.connection, body };
}

function agentOf(ca: string, maxSockets = 1): Agent {
  // Without sessions, because a resumed one has no certificate.
  const agent = new Agent({ keepAlive: true, maxSockets, ca, maxCachedSessions: 0 });
  onTestFinished(() => agent.destroy());
  return agent;
}

/** An HTTP/2 client. It opens a new session when the old one accepts no more requests. */
function client(port: number, ca: string) {
  let session: ClientHttp2Session | undefined;
  const names = new Set<string>();
  onTestFinished(() => session?.destroy());
  return {
    names,
    close: () => session?.close(),
    async ask(path = '/'): Promise<string> {
      if (session === undefined || session.closed || session.destroyed) {
        session = connectHttp2(`https://localhost:${port}`, { ca });
        session.on('error', () => {});
      }
      const stream = session.request({ ':path': path });
      const [headers] = await once(stream, 'response');
      names.add(String((session.socket as TLSSocket).getPeerCertificate()?.subject?.CN));
      let body = '';
      for await (const chunk of stream.setEncoding('utf8')) body += chunk;
      if (headers[':status'] !== 200) throw new Error(`status ${headers[':status']}`);
      // Node reports a reset stream this way.
      if (stream.rstCode !== 0) throw new Error(`reset with ${stream.rstCode}`);
      return body;
    },
  };
}

const hello: RequestListener = (_request, response) => response.end('hello');

describe('the drain of HTTP/1 connections', () => {
  it('fails no HTTP/1 request in five rotations, and moves all clients to each certificate', async () => {
    const { port, ca, next, context, of } = await harness(createHttpsServer(hello), {
      drainTimeoutMs: LONG_MS,
    });
    const agents = [agentOf(ca, 2), agentOf(ca, 2), agentOf(ca, 4)];
    let index = 0;
    const seen = new Set<string>();
    const load = startLoad(8, async () => {
      index += 1;
      const { commonName, body } = await ask(port, agents[index % agents.length] as Agent);
      if (body !== 'hello') throw new Error(`got "${body}"`);
      seen.add(commonName);
    });
    for (let round = 1; round <= 5; round += 1) {
      const reached = load.done + 50;
      await waitFor(() => load.done > reached);
      await next();
      await waitFor(() => context.staleCount === 0 && of('drained').length === round);
    }
    const { failures, done } = await load.stop();
    expect(failures).toEqual([]);
    expect(done).toBeGreaterThan(250);
    expect([...seen].sort()).toEqual([1, 2, 3, 4, 5, 6].map((round) => `web-${round}`));
    expect(of('error')).toEqual([]);
    expect(of('drained')).toEqual(Array(5).fill(expect.objectContaining({ forced: false })));
  });

  it('keeps idle HTTP/1 connections open until the response to their next request', async () => {
    const { port, ca, next, context } = await harness(createHttpsServer(hello), { drainTimeoutMs: LONG_MS });
    const agent = agentOf(ca);
    let current = 'web-1';
    for (const _round of [1, 2, 3]) {
      expect(await ask(port, agent)).toMatchObject({ commonName: current, connection: 'keep-alive' });
      const old = current;
      current = await next();
      expect(context.staleCount).toBe(1);
      expect(await ask(port, agent)).toMatchObject({ commonName: old, connection: 'close' });
      await waitFor(() => context.staleCount === 0);
    }
    expect((await ask(port, agent)).commonName).toBe(current);
  });

  it('completes pending HTTP/1 responses before it closes their connections', async () => {
    const answers: ServerResponse[] = [];
    const server = createHttpsServer((_request, response) => void answers.push(response));
    const { port, ca, next, context } = await harness(server, { drainTimeoutMs: LONG_MS });
    for (const _round of [1, 2, 3]) {
      const [waiting, reading] = [agentOf(ca), agentOf(ca)];
      const first = ask(port, waiting);
      await waitFor(() => answers.length === 1);
      const second = ask(port, reading);
      await waitFor(() => answers.length === 2);
      answers[1]?.write('begun, ');
      await next();
      answers[0]?.end('whole');
      answers[1]?.end('ended');
      expect(await first).toMatchObject({ body: 'whole', connection: 'close' });
      expect(await second).toMatchObject({ body: 'begun, ended', connection: 'keep-alive' });
      answers.length = 0;
      await waitFor(() => context.staleCount === 1);
      const third = ask(port, reading);
      await waitFor(() => answers.length === 1);
      answers.pop()?.end();
      expect((await third).connection).toBe('close');
      await waitFor(() => context.staleCount === 0);
    }
  });

  it('drains HTTP/1 connections whose handshake runs during the swap', async () => {
    const { port, ca, next, context } = await harness(createHttpsServer(hello), { drainTimeoutMs: LONG_MS });
    for (const round of [1, 2, 3]) {
      const early = await connectWithoutHandshake(port);
      const second = await connectWithoutHandshake(port);
      await next();
      const late = await handshake(port, { ca });
      const { socket, commonName } = await early.secure({ ca });
      expect([commonName, late.commonName]).toEqual([`web-${round}`, `web-${round + 1}`]);
      await waitFor(() => context.staleCount === 1);
      socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
      let answer = '';
      for await (const chunk of socket.setEncoding('utf8')) answer += chunk;
      expect(answer).toMatch(/^HTTP\/1.1 200.*Connection: close.*hello/is);
      await waitFor(() => context.staleCount === 0);
      second.destroy();
      late.socket.destroy();
    }
  });
});

describe('the drain of HTTP/2 sessions', () => {
  it('fails no HTTP/2 request in five rotations, and completes open streams', async () => {
    const streams: ServerHttp2Stream[] = [];
    const server = createSecureServer({}, (request, response) => {
      if (request.url !== '/slow') return response.end('hello');
      response.write('begun, ');
      streams.push(response.stream);
    });
    const { port, ca, next, context, of } = await harness(server, { drainTimeoutMs: LONG_MS });
    const clients = Array.from({ length: 6 }, () => client(port, ca));
    let index = 0;
    const load = startLoad(clients.length, async () => {
      const own = clients[index % clients.length] as (typeof clients)[number];
      index += 1;
      clients.splice(clients.indexOf(own), 1);
      try {
        if ((await own.ask()) !== 'hello') throw new Error('no hello');
      } finally {
        clients.push(own);
      }
    });
    for (let round = 1; round <= 5; round += 1) {
      const slow = client(port, ca);
      const body = slow.ask('/slow');
      await waitFor(() => streams.length === 1);
      const reached = load.done + 50;
      await waitFor(() => load.done > reached);
      await next();
      await waitFor(() => context.staleCount === 1);
      streams.pop()?.end('ended');
      expect(await body).toBe('begun, ended');
      expect(await slow.ask()).toBe('hello');
      expect([...slow.names]).toEqual([`web-${round}`, `web-${round + 1}`]);
      slow.close();
      await waitFor(() => context.staleCount === 0 && of('drained').length === round);
    }
    const { failures } = await load.stop();
    expect(failures).toEqual([]);
    expect(new Set(clients.flatMap(({ names }) => [...names]))).toEqual(
      new Set([1, 2, 3, 4, 5, 6].map((round) => `web-${round}`)),
    );
    expect(of('error')).toEqual([]);
  });

  it('ends idle HTTP/2 sessions before the deadline without force', async () => {
    const server = createSecureServer({}, (_request, response) => response.end('hello'));
    const { port, ca, next, of, context } = await harness(server, { drainTimeoutMs: 2000 });
    const own = client(port, ca);
    for (const round of [1, 2, 3]) {
      expect(await own.ask()).toBe('hello');
      await next();
      expect(context.staleCount).toBe(1);
      await waitFor(() => of('drained').length === round);
      expect(of('drained').at(-1)).toMatchObject({ forced: false });
    }
    expect(of('error')).toEqual([]);
    expect([...own.names]).toEqual(['web-1', 'web-2', 'web-3']);
  });

  it('drains HTTP/2 sessions and HTTP/1 connections of one server', async () => {
    const server = createSecureServer({ allowHTTP1: true });
    const { port, ca, next, context } = await harness(server, { drainTimeoutMs: LONG_MS });
    // After the attachment, as an application often adds its handler late.
    server.on('request', (_request, response) => response.end('hello'));
    const [young, agent] = [client(port, ca), agentOf(ca)];
    for (const _round of [1, 2, 3]) {
      await Promise.all([young.ask(), ask(port, agent)]);
      await next();
      expect(context.staleCount).toBe(2);
      expect(await young.ask()).toBe('hello');
      expect((await ask(port, agent)).connection).toBe('close');
      await waitFor(() => context.staleCount === 0);
    }
    expect([...young.names]).toEqual(['web-1', 'web-2', 'web-3']);
  });

  it('drains HTTP/2 sessions of a server with a stream listener alone', async () => {
    const server = createSecureServer();
    server.on('stream', (stream) => {
      stream.respond({ ':status': 200 });
      stream.end('stream');
    });
    const listeners = server.listenerCount('stream');
    const { port, ca, next, context } = await harness(server, { drainTimeoutMs: LONG_MS });
    expect(server.listenerCount('stream')).toBe(listeners);
    const own = client(port, ca);
    for (const _round of [1, 2, 3]) {
      expect(await own.ask()).toBe('stream');
      await next();
      expect(await own.ask()).toBe('stream');
      await waitFor(() => context.staleCount === 0);
    }
    expect([...own.names]).toEqual(['web-1', 'web-2', 'web-3']);
  });
});

describe('drainTimeoutMs of an attached context', () => {
  const echo = (socket: TLSSocket) => socket.pipe(socket);

  it('closes and reports all old connections at drainTimeoutMs, and keeps new ones open', async () => {
    const { port, ca, next, of, context } = await harness(createTlsServer(echo), {
      drainTimeoutMs: SHORT_MS,
    });
    for (const round of [1, 2, 3]) {
      const old = await Promise.all([handshake(port, { ca }), handshake(port, { ca })]);
      const closed = old.map(({ socket }) => once(socket.resume(), 'close'));
      const early = await connectWithoutHandshake(port);
      await next();
      const late = await early.secure({ ca });
      closed.push(once(late.socket.resume(), 'close'));
      const young = await handshake(port, { ca });
      await Promise.all(closed);
      await waitFor(() => of('drained').length === round);
      expect(of('drained').at(-1)).toMatchObject({ name: 'TLS server', forced: true });
      expect(of('error')).toEqual(Array(round).fill(expect.objectContaining({ code: 'DRAIN_TIMEOUT' })));
      young.socket.end('still here');
      expect(String(await once(young.socket, 'data'))).toBe('still here');
      await waitFor(() => context.staleCount === 0);
    }
  });

  it('keeps upgraded connections open until drainTimeoutMs', async () => {
    const server = createHttpsServer();
    server.on('upgrade', (_request, socket) => {
      socket.on('error', () => {});
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
      socket.pipe(socket);
    });
    const { port, ca, next, of } = await harness(server, { drainTimeoutMs: 500 });
    for (const _round of [1, 2, 3]) {
      const request = httpsRequest({
        port,
        ca,
        agent: false,
        headers: { Connection: 'Upgrade', Upgrade: 'echo' },
      }).end();
      const [, socket] = (await once(request, 'upgrade')) as [IncomingMessage, TLSSocket];
      const closed = once(socket, 'close');
      await next();
      const count = of('drained').length;
      socket.write('after the swap');
      expect(String(await once(socket, 'data'))).toBe('after the swap');
      socket.resume();
      await closed;
      await waitFor(() => of('drained').length === count + 1);
    }
    expect(of('error')).toEqual(Array(3).fill(expect.objectContaining({ code: 'DRAIN_TIMEOUT' })));
  });

  it('ends HTTP/1 and HTTP/2 requests at drainTimeoutMs that still run', async () => {
    const begun: unknown[] = [];
    const server = createSecureServer({ allowHTTP1: true }, (_request, response) => {
      begun.push(response.write('begun'));
    });
    const { port, ca, next, of, context } = await harness(server, { drainTimeoutMs: SHORT_MS });
    for (const round of [1, 2, 3]) {
      const cut = [ask(port, agentOf(ca)), client(port, ca).ask()].map((answer) =>
        answer.then(
          () => 'whole',
          () => 'cut',
        ),
      );
      await waitFor(() => begun.length === 2 * round);
      await next();
      expect(await Promise.all(cut)).toEqual(['cut', 'cut']);
      await waitFor(() => of('drained').length === round && context.staleCount === 0);
    }
  });

  it('closes connections at drainTimeoutMs whose peers do not close, even after a late write', async () => {
    const uncaught: unknown[] = [];
    const note = (error: unknown) => uncaught.push(error);
    process.on('uncaughtExceptionMonitor', note);
    onTestFinished(() => void process.off('uncaughtExceptionMonitor', note));
    const sockets: TLSSocket[] = [];
    const server = createTlsServer((socket) => void sockets.push(socket));
    const { port, ca, next, of, context } = await harness(server, { drainTimeoutMs: 0 });
    for (const round of [1, 2, 3]) {
      const deaf = await Promise.all([1, 2].map(() => handshake(port, { ca, ...{ allowHalfOpen: true } })));
      const ended = deaf.map(({ socket }) => once(socket.resume(), 'end'));
      await waitFor(() => sockets.length === 2 * round);
      await next();
      await Promise.all(ended);
      sockets.at(-1)?.write('too late');
      await waitFor(() => of('drained').length === round);
      expect(sockets.every(({ destroyed }) => destroyed)).toBe(true);
      expect(context.staleCount).toBe(0);
    }
    expect(uncaught).toEqual([]);
  });
});

describe('an attached context without drainTimeoutMs', () => {
  it('keeps old connections open without drainTimeoutMs, and emits "drained" after the last one', async () => {
    const { port, ca, next, of, context } = await harness(createHttpsServer(hello), {});
    const agents = [agentOf(ca), agentOf(ca)];
    await Promise.all(agents.map((agent) => ask(port, agent)));
    await next();
    await next();
    for (const agent of agents) {
      expect(await ask(port, agent)).toMatchObject({ commonName: 'web-1', connection: 'keep-alive' });
    }
    expect(context.staleCount).toBe(2);
    // The second pair has served no connection.
    await waitFor(() => of('drained').length === 1);
    expect(of('drained')).toEqual([expect.objectContaining({ generation: 2, forced: false })]);
    agents[0]?.destroy();
    await waitFor(() => context.staleCount === 1);
    expect(of('drained')).toHaveLength(1);
    agents[1]?.destroy();
    await waitFor(() => of('drained').length === 2);
    expect(of('drained').at(-1)).toMatchObject({ generation: 1, forced: false });
  });
});

describe('drainTimeoutMs of server names', () => {
  it('closes old connections of a server name at drainTimeoutMs of the names', async () => {
    const { secrets, authority, rotate } = await tlsHarness();
    const names = createServerNames(
      secrets,
      { 'api.test': (s) => s.reveal('api') },
      { drainTimeoutMs: SHORT_MS },
    );
    const connections: TLSSocket[] = [];
    const server = createTlsServer({ SNICallback: names.SNICallback }, (socket) => {
      connections.push(socket.pipe(socket));
    });
    attachSecureContext(server, secrets, (s) => s.reveal('web'), { names });
    const events: string[] = [];
    names.on('drained', ({ name, forced }) => events.push(`${name} ${forced}`));
    names.on('error', ({ code }) => events.push(code));
    const port = await listen(server);
    const ca = authority.cert;
    const other = await handshake(port, { ca });
    for (const round of [2, 3, 4]) {
      const { socket } = await handshake(port, { ca, servername: 'api.test' });
      const closed = once(socket.resume(), 'close');
      await waitFor(() => connections.length === round);
      await rotate('api', `api-${round}`);
      await closed;
    }
    // A connection whose handshake runs while its name is deleted has a separate deadline.
    const early = await connectWithoutHandshake(port);
    const last = await handshake(port, { ca, servername: 'api.test' });
    const closed = [once(last.socket.resume(), 'close')];
    await waitFor(() => connections.length === 5);
    names.delete('api.test');
    const { socket } = await early.secure({ ca });
    closed.push(once(socket.resume(), 'close'));
    await Promise.all(closed);
    await waitFor(() => events.length === 8);
    expect(events).toEqual(Array(4).fill(['DRAIN_TIMEOUT', 'api.test true']).flat());
    other.socket.end('still here');
    expect(String(await once(other.socket, 'data'))).toBe('still here');
  });
});

describe('close() of an attached context during a drain', () => {
  it('closes at once during a drain, keeps connections open and clears all timers', async () => {
    const started = vi.spyOn(globalThis, 'setTimeout');
    const cleared = vi.spyOn(globalThis, 'clearTimeout');
    onTestFinished(() => void vi.restoreAllMocks());
    const { port, ca, next, context } = await harness(
      createTlsServer((socket) => socket.pipe(socket)),
      { drainTimeoutMs: UNUSUAL_MS },
    );
    const old = await handshake(port, { ca });
    const early = await connectWithoutHandshake(port);
    await next();
    const late = await early.secure({ ca });
    await waitFor(() => context.staleCount === 2);
    await context.close();
    expect(context.staleCount).toBe(0);

    const ended = cleared.mock.calls.map(([timer]) => timer);
    const ours = started.mock.calls.flatMap(([, ms], index) =>
      ms === UNUSUAL_MS || ms === UNUSUAL_MS / 2 ? [started.mock.results[index]?.value] : [],
    );
    // At least the deadline of the drain, its half, and the deadline of the late connection.
    expect(ours.length).toBeGreaterThanOrEqual(3);
    expect(ours.filter((timer) => !ended.includes(timer))).toEqual([]);
    for (const { socket } of [old, late]) {
      socket.write('still here');
      expect(String(await once(socket, 'data'))).toBe('still here');
    }
  });
});
