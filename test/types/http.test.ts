import { memory, SecretStore, secret } from 'hot-secrets';
import {
  type Authorizer,
  basicAuth,
  eventGridHandler,
  type HttpHandler,
  healthCheck,
  healthHandler,
  healthIndicator,
  querySecret,
  reloadHandler,
  statusHandler,
} from 'hot-secrets/http';
import { describe, expectTypeOf, it } from 'vitest';
import * as z from 'zod';

const values = { user: 'u', key: 'k', text: '"t"', json: '1', shape: '{"a":1}', ops: 'o' };

const open = () =>
  SecretStore.open({
    secrets: {
      ops: 'ops',
      key: secret.bytes('key'),
      text: secret.json('text', z.string()),
      json: secret.json('json'),
      shape: secret.json('shape', z.object({ a: z.number() })),
      web: secret.tls('web').optional(),
      beta: secret.text('beta').optional(),
      raw: secret.bytes('raw').optional(),
    },
    sources: [memory(values)],
  });

describe('the types of authorizers', () => {
  it('accepts text and bytes as the secret of an authorizer', async () => {
    await using store = await open();
    expectTypeOf(basicAuth(store, 'ops')).toEqualTypeOf<Authorizer>();
    expectTypeOf(querySecret(store, 'ops', { header: 'x-code' })).toEqualTypeOf<Authorizer>();
    basicAuth(store, 'key');
    querySecret(store, 'text');
  });

  it('refuses optional, JSON and TLS secrets and unknown names for an authorizer', async () => {
    await using store = await open();
    void (() => {
      // @ts-expect-error A JSON secret without a schema has an unknown value.
      basicAuth(store, 'json');
      // @ts-expect-error The value is an object.
      basicAuth(store, 'shape');
      // @ts-expect-error The value is TLS material.
      basicAuth(store, 'web');
      // @ts-expect-error The value may be missing.
      basicAuth(store, 'beta');
      // @ts-expect-error The value may be missing.
      querySecret(store, 'raw');
      // @ts-expect-error The value is unknown.
      querySecret(store, 'json');
      // @ts-expect-error No such name is declared.
      querySecret(store, 'opps');
    });
  });

  it('accepts any name for an authorizer in discovery', async () => {
    await using store = await SecretStore.open({ sources: [memory(values)] });
    expectTypeOf(basicAuth(store, 'ops')).toEqualTypeOf<Authorizer>();
  });
});

describe('the types of endpoints', () => {
  it('accepts any store for an endpoint, and requires an authorizer', async () => {
    await using store = await open();
    const authorize = querySecret(store, 'ops');
    expectTypeOf(eventGridHandler(store, { authorize })).toEqualTypeOf<HttpHandler>();
    expectTypeOf(reloadHandler(store, { authorize: async () => true })).toEqualTypeOf<HttpHandler>();
    expectTypeOf(statusHandler([store], { authorize })).toEqualTypeOf<HttpHandler>();
    expectTypeOf(healthHandler(store)).toEqualTypeOf<HttpHandler>();
    expectTypeOf((await healthCheck(store)()).healthy).toEqualTypeOf<boolean>();
    expectTypeOf((await healthIndicator(store, 'shop')()).shop.status).toEqualTypeOf<'up' | 'down'>();
    void (() => {
      // @ts-expect-error Without an authorizer, anybody could call it.
      reloadHandler(store, {});
      // @ts-expect-error Without an authorizer, anybody could call it.
      statusHandler(store);
      // @ts-expect-error An authorizer returns a boolean.
      eventGridHandler(store, { authorize: () => 'yes' });
      // @ts-expect-error A recipe is not a store.
      reloadHandler(() => ({}), { authorize });
    });
  });
});
