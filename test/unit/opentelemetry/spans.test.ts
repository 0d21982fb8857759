import { createServer } from 'node:http';
import { context, type SpanContext, SpanStatusCode, trace } from '@opentelemetry/api';
import { memory, rotating, SecretStore, SecretsError, secret } from 'hot-secrets';
import { querySecret, reloadHandler } from 'hot-secrets/http';
import { instrumentSecrets } from 'hot-secrets/opentelemetry';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listen } from '../../support/http-server';
import { asyncContexts, telemetry } from '../../support/telemetry';
import { waitFor } from '../../support/wait-for';
import { stage } from './stage';

async function traced() {
  asyncContexts();
  const one = await stage();
  const { tracerProvider, spans } = telemetry();
  const stop = instrumentSecrets(one.secrets, { tracerProvider });
  const tracer = tracerProvider.getTracer('test');
  return {
    ...one,
    stop,
    spans,
    named: (name: string) => spans().filter((span) => span.name === name),
    /** Runs within a span, as an instrumented server does with a request. */
    async within(name: string, run: () => unknown) {
      const span = tracer.startSpan(name);
      await context.with(trace.setSpan(context.active(), span), run);
      span.end();
      return span.spanContext();
    },
  };
}

describe('the span of a refresh', () => {
  it('makes the HTTP request that triggers a refresh the parent of its span and of the rotation', async () => {
    const { secrets, write, within, named } = await traced();
    const client = rotating(secrets, { build: (s) => s.reveal('password').length }, { name: 'client' });
    onTestFinished(() => client.close());
    await client.ready;
    const handler = reloadHandler(secrets, {
      authorize: querySecret(secrets, 'user', { header: 'authorization' }),
      minIntervalMs: 0,
    });
    const requests: Promise<SpanContext>[] = [];
    const port = await listen(
      createServer((request, response) => {
        requests.push(within(`POST ${request.url}`, () => handler.node(request, response)));
      }),
    );
    for (let round = 1; round <= 3; round += 1) {
      write({ password: `leak-marker-${round}` });
      const headers = { authorization: 'Bearer user-first' };
      const { status } = await fetch(`http://127.0.0.1:${port}/reload`, { method: 'POST', headers });
      expect(status).toBe(200);
      const asked = await requests.at(-1);
      const refresh = named('refresh shop').at(-1);
      expect(refresh?.parentSpanContext).toMatchObject({ traceId: asked?.traceId, spanId: asked?.spanId });
      expect(refresh?.attributes).toEqual({
        'hot_secrets.store.name': 'shop',
        'hot_secrets.trigger': 'reload',
        'hot_secrets.source.names': ['memory'],
        'hot_secrets.generation': round + 1,
        'hot_secrets.outcome': 'changed',
      });
      // The first span is the first build, which no request triggered.
      await waitFor(() => named('rotate client').length === round + 1);
      expect(named('rotate client').at(-1)?.parentSpanContext?.spanId).toBe(asked?.spanId);
    }
    expect(new Set((await Promise.all(requests)).map(({ traceId }) => traceId)).size).toBe(3);
    expect(named('rotate client')[0]?.parentSpanContext).toBeUndefined();
  });

  it('sets the code of a failure on the span of a refresh, and none after recovery', async () => {
    const { secrets, refresh, named } = await traced();
    secrets.on('error', () => {});
    await refresh('broken');
    await refresh('working');
    const [failed, recovered] = named('refresh shop');
    expect(failed?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'SOURCE_FAILED' });
    expect(failed?.attributes).toMatchObject({
      'error.type': 'SOURCE_FAILED',
      'hot_secrets.outcome': 'failed',
    });
    expect(recovered?.status.code).toBe(SpanStatusCode.UNSET);
  });

  it('gives the span of a refresh no parent when a watch triggers it within a request', async () => {
    asyncContexts();
    const { tracerProvider, spans } = telemetry();
    const tracer = tracerProvider.getTracer('test');
    const first = tracer.startSpan('the first request, which opens the store');
    const source = memory({ token: 'leak-marker-0' });
    const secrets = await context.with(trace.setSpan(context.active(), first), () =>
      SecretStore.open({ secrets: { token: 'token' }, sources: [source] }),
    );
    onTestFinished(() => secrets.close());
    instrumentSecrets(secrets, { tracerProvider });
    const later = tracer.startSpan('a later request');
    context.with(trace.setSpan(context.active(), later), () => source.set({ token: 'leak-marker-1' }));
    await waitFor(() => spans().length > 0);
    const [refresh] = spans();
    expect(refresh).toMatchObject({ name: 'refresh secrets', parentSpanContext: undefined });
  });
});

describe('the span of a rotation', () => {
  it('records a span from the first attempt to the swap, with an event for each step and rejection', async () => {
    const { secrets, rotate, named } = await traced();
    let refused = 0;
    const client = rotating(
      secrets,
      {
        build: (s) => s.reveal('password').length,
        verify() {
          if (secrets.generation < 2 || refused >= 2) return;
          refused += 1;
          throw new SecretsError('VERIFY_FAILED', 'not yet');
        },
      },
      { name: 'client', retryBaseMs: 2, retryMaxMs: 2 },
    );
    onTestFinished(() => client.close());
    client.on('rejected', () => {});
    await client.ready;
    await rotate({ password: 'leak-marker-1' });
    await waitFor(() => named('rotate client').length === 2);
    const [first, second] = named('rotate client');
    expect(first?.events.map(({ name }) => name)).toEqual(['build', 'verify']);
    expect(second?.events.map(({ name, attributes = {} }) => [name, attributes['error.type']])).toEqual([
      ['build', undefined],
      ['verify', 'VERIFY_FAILED'],
      ['rejected', 'VERIFY_FAILED'],
      ['build', undefined],
      ['verify', 'VERIFY_FAILED'],
      ['build', undefined],
      ['verify', undefined],
    ]);
    expect(second?.attributes).toEqual({
      'hot_secrets.store.name': 'shop',
      'hot_secrets.resource.name': 'client',
      'hot_secrets.resource.kind': 'resource',
      'hot_secrets.generation': 2,
      'hot_secrets.attempts': 3,
      'hot_secrets.outcome': 'swapped',
    });
    expect(second?.status.code).toBe(SpanStatusCode.UNSET);
  });

  it('ends the span of a superseded rotation as an error with its last code', async () => {
    const { secrets, rotate, named } = await traced();
    const client = rotating(
      secrets,
      {
        build(s) {
          if (s.reveal('password').endsWith('bad')) throw new SecretsError('BUILD_FAILED', 'no such user');
        },
      },
      { name: 'client' },
    );
    onTestFinished(() => client.close());
    const rejected = new Promise((resolve) => client.on('rejected', resolve));
    await client.ready;
    await rotate({ password: 'leak-marker-bad' });
    await rejected;
    await rotate({ password: 'leak-marker-good' });
    await waitFor(() => named('rotate client').length === 3);
    const [, overtaken, last] = named('rotate client');
    expect(overtaken?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'BUILD_FAILED' });
    expect(overtaken?.attributes).toMatchObject({
      'hot_secrets.outcome': 'superseded',
      'error.type': 'BUILD_FAILED',
    });
    expect(last?.status.code).toBe(SpanStatusCode.UNSET);
  });

  it('gives the span of a rotation no parent when the end of a grace period triggers it', async () => {
    asyncContexts();
    const { tracerProvider, spans } = telemetry();
    const source = memory({ key: 'leak-marker-0' });
    const secrets = await SecretStore.open({
      secrets: { key: secret.text('key', { keepPreviousMs: 50 }) },
      // Only the request below triggers a refresh.
      sources: [{ ...source, watch: () => () => {} }],
    });
    onTestFinished(() => secrets.close());
    instrumentSecrets(secrets, { tracerProvider });
    const signer = rotating(
      secrets,
      { build: (s) => s.revealWithPrevious('key').length },
      { name: 'signer' },
    );
    onTestFinished(() => signer.close());
    await signer.ready;
    const request = tracerProvider.getTracer('test').startSpan('request');
    source.set({ key: 'leak-marker-1' });
    await context.with(trace.setSpan(context.active(), request), () => secrets.refresh());
    await waitFor(() => signer.current === 1 && signer.generation === 2);
    const rotations = spans().filter(({ name }) => name === 'rotate signer');
    expect(rotations).toHaveLength(3);
    expect(rotations[2]?.parentSpanContext).toBeUndefined();
  });

  it('ends the span of a running rotation when the instrumentation stops', async () => {
    const { secrets, rotate, named, stop } = await traced();
    const client = rotating(
      secrets,
      { build: (s) => (s.has('password') && s.generation === 1 ? undefined : new Promise(() => {})) },
      { name: 'client', buildTimeoutMs: 60_000 },
    );
    await client.ready;
    await rotate({ password: 'leak-marker-1' });
    await rotate({ user: 'user-second' });
    stop();
    await secrets.close();
    // The span of the first build, and that of the rotation that never ended.
    expect(named('rotate client')).toHaveLength(2);
  });
});
