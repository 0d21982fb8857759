import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { DataPointType, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import express from 'express';
import { Hono } from 'hono';
import { memory, rotating, secret } from 'hot-secrets';
import { attachSecrets } from 'hot-secrets/express';
import {
  basicAuth,
  bearerToken,
  eventGridHandler,
  type HttpHandler,
  healthCheck,
  healthHandler,
  healthIndicator,
  querySecret,
  reloadHandler,
  statusHandler,
} from 'hot-secrets/http';
import { keyVault } from 'hot-secrets/key-vault';
import { instrumentSecrets } from 'hot-secrets/opentelemetry';
import { createKeyVaultEmulator, type KeyVaultFaultKind } from 'hot-secrets/testing';
import { childFile } from '../../support/child-file';
import type { Outputs } from './outputs';
import { withStore } from './stage';
import { connectionString, jsonText, marks, pairs } from './values';

const text = marks.text.value;
const nextText = marks.nextText.value;
const secrets = {
  one: secret.text('one', { keepPreviousMs: 60_000 }),
  two: secret.json('two'),
  connection: secret.text('connection'),
  pair: secret.tls({ cert: 'cert', key: 'key' }),
};
const values = (value: string, two = jsonText) => ({
  one: value,
  two,
  connection: connectionString,
  ...pairs.first,
});
const refuse = (value: string) => Promise.reject(new Error(`refused: ${value}`));

class Reader extends MetricReader {
  protected async onForceFlush(): Promise<void> {}
  protected async onShutdown(): Promise<void> {}
}

/** Answers of every endpoint, metrics and spans, while values are good, refused and gone. */
async function endpoints(outputs: Outputs): Promise<void> {
  outputs.scene('endpoints');
  const source = memory(values(text));
  const reader = new Reader();
  const exporter = new InMemorySpanExporter();
  const meterProvider = new MeterProvider({ readers: [reader] });
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  await withStore(outputs, { secrets, sources: [source] }, async (store) => {
    const stop = instrumentSecrets(store, { meterProvider, tracerProvider, access: true });
    const resource = rotating(
      store,
      {
        build: (s) => ({ length: s.reveal('one').length, value: () => s.reveal('one') }),
        verify: ({ value }) => (value() === text ? undefined : refuse(value())),
      },
      { retryBaseMs: 5, retryMaxMs: 20 },
    );
    resource.on('rejected', () => {});
    await resource.ready;
    const code = querySecret(store, 'one', { header: 'authorization' });
    const failing = () => {
      throw new Error(`refused: ${store.reveal('one')}`);
    };
    const handlers: Readonly<Record<string, HttpHandler>> = {
      status: statusHandler(store, { authorize: code }),
      'status with Basic': statusHandler(store, { authorize: basicAuth(store, 'one') }),
      'status with a failing authorizer': statusHandler(store, { authorize: failing }),
      'status with tokens': statusHandler(store, {
        authorize: bearerToken({
          tenantId: '00000000-0000-4000-8000-000000000001',
          audience: 'a',
          jwksUrl: 'https://127.0.0.1:1/keys',
        }),
      }),
      reload: reloadHandler(store, { authorize: code, minIntervalMs: 0 }),
      'event grid': eventGridHandler(store, {
        authorize: code,
        onEvents: () => {
          throw new Error(text);
        },
      }),
      ready: healthHandler(store, { stale: 'fail', maxStalenessMs: 1 }),
      live: healthHandler(store, { probe: 'liveness' }),
    };
    const ask = async () => {
      for (const [name, handler] of Object.entries(handlers)) {
        outputs.show(`handler ${name}`, handler);
        for (const value of [text, nextText, marks.badText.value]) {
          for (const method of ['GET', 'POST', 'PUT']) {
            const authorization = name.includes('Basic')
              ? `Basic ${Buffer.from(`user:${value}`).toString('base64')}`
              : `Bearer ${encodeURIComponent(value)}`;
            for (const accept of ['text/html', 'application/json']) {
              const url = `https://shop.example/?code=${encodeURIComponent(value)}`;
              const body = method === 'GET' ? null : `{"${value}`;
              const headers = { accept, authorization, 'content-type': 'application/json' };
              const response = await handler(new Request(url, { method, headers, body }));
              const answer = `${response.status} ${JSON.stringify([...response.headers])} ${await response.text()}`;
              outputs.text(`answer of ${name} to ${method}`, answer);
            }
          }
        }
      }
      for (const [name, check] of Object.entries({
        healthCheck: healthCheck(store),
        healthIndicator: healthIndicator(store),
      }))
        outputs.show(name, await check());
      const { resourceMetrics, errors } = await reader.collect();
      outputs.show('metrics', resourceMetrics.scopeMetrics);
      outputs.show('errors of metrics', errors);
      for (const span of exporter.getFinishedSpans())
        outputs.show('span', {
          name: span.name,
          attributes: span.attributes,
          events: span.events,
          status: span.status,
        });
    };
    await ask();
    for (const [value, two] of [
      [nextText, jsonText],
      [text, `{"${marks.badJson.value}`],
      [nextText, jsonText],
    ] as const) {
      source.set(values(value, two));
      await store.refresh();
      await new Promise((resolve) => setTimeout(resolve, 20));
      await ask();
    }
    outputs.text('kinds of metrics', String(DataPointType.SUM));
    stop();
    await resource.close();
    await store.close().then(ask);
  }).catch((error) => {
    if ((error as { code?: string }).code !== 'STORE_CLOSED') throw error;
    outputs.error('error after close()', error);
  });
  await meterProvider.shutdown();
  await tracerProvider.shutdown();
}

/** A request of a framework, which has a snapshot. */
async function frameworks(outputs: Outputs): Promise<void> {
  outputs.scene('a request of Express');
  await withStore(outputs, { secrets, sources: [memory(values(text))] }, async (store) => {
    const app = express();
    attachSecrets(app as never, store);
    app.get('/', (request, response) => {
      outputs.showClient('application', app);
      outputs.showClient('request', request);
      outputs.show('snapshot of a request', (request as unknown as { secrets: object }).secrets);
      throw new Error((response.headersSent as never) || 'thrown');
    });
    const server = app.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    outputs.text('answer of an error', await (await fetch(`http://127.0.0.1:${port}/`)).text());
    server.close();
  });
  outputs.scene('a request of Hono');
  await withStore(outputs, { secrets, sources: [memory(values(text))] }, async (store) => {
    const { secretsMiddleware } = await import('hot-secrets/hono');
    const app = new Hono();
    app.use(secretsMiddleware(store) as never);
    app.get('/', (context) => {
      outputs.show(
        'snapshot of a request',
        (context as unknown as { get(name: string): object }).get('secrets'),
      );
      return context.json((context as unknown as { get(name: string): object }).get('secrets') as never);
    });
    outputs.text('answer with a snapshot', await (await app.request('/')).text());
  });
}

const FAULTS: readonly KeyVaultFaultKind[] = [
  'unauthorized',
  'rbac',
  'firewall',
  'policy',
  'disabled',
  'throttled',
  'unavailable',
  'empty-body',
  'html',
  'other-service',
  'bad-json',
  'reset',
];

async function vaults(outputs: Outputs): Promise<void> {
  const value = marks.inVault.value;
  const emulator = await createKeyVaultEmulator({ secrets: { one: value, two: jsonText } });
  const source = () =>
    keyVault({ ...emulator.options, requestTimeoutMs: 300, startTimeoutMs: 300, refreshTimeoutMs: 300 });
  const wanted = { one: secret.text('one'), two: secret.json('two') };
  try {
    outputs.scene('a vault');
    outputs.show('keyVault()', source());
    await withStore(outputs, { secrets: wanted, sources: [source()] }, async (store) => {
      await emulator.set('two', `{"${marks.badJson.value}`);
      await store.refresh();
    });
    await emulator.set('two', jsonText);
    for (const kind of FAULTS) {
      outputs.scene(`a vault with the fault ${kind}`);
      await withStore(outputs, { secrets: wanted, sources: [source()] }, async (store) => {
        const lift = emulator.fail({ kind });
        await store.refresh();
        lift();
      });
      const lift = emulator.fail({ kind });
      await withStore(outputs, { secrets: wanted, sources: [source()] });
      lift();
    }
  } finally {
    await emulator.close();
  }
}

const WAYS_TO_CRASH = [
  'open',
  'unknown name',
  'rejection',
  'thrown box',
  'thrown snapshot',
  'resource',
  'closed',
];

/** What a process writes that crashes. */
async function crashes(outputs: Outputs): Promise<void> {
  outputs.scene('a process that crashes');
  await Promise.all(
    WAYS_TO_CRASH.map(async (way) => {
      const child = spawn(process.execPath, [childFile(join(import.meta.dirname, 'crash-child.ts')), way], {
        env: { ...process.env, LEAKS_ONE: marks.variable.value },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let written = '';
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding('utf8').on('data', (chunk) => {
          written += chunk;
        });
      const [status] = await once(child, 'close');
      if (status === 0 || !written.includes('secret one')) throw new Error(`No crash by ${way}: ${written}`);
      outputs.text(`stdout and stderr of a crash by ${way}`, written);
    }),
  );
}

/** Endpoints, telemetry, frameworks, vaults and processes. */
export async function endpointScenes(outputs: Outputs): Promise<void> {
  const crashed = crashes(outputs);
  await endpoints(outputs);
  await frameworks(outputs);
  await vaults(outputs);
  await crashed;
}
