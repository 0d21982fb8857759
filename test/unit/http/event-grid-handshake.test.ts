import { eventGridHandler } from 'hot-secrets/http';
import { describe, expect, it } from 'vitest';
import { delivery, gridSample, validationSample } from '../../support/event-grid';
import { countingStore } from '../../support/http-stage';

const code = validationSample.data.validationCode;
const announced = { headers: { 'aeg-event-type': 'SubscriptionValidation' } };

function ask(headers: Record<string, string>): Request {
  return new Request('https://shop.example/hooks', { method: 'OPTIONS', headers });
}

describe('the handshake of the Event Grid schema', () => {
  const handler = eventGridHandler(countingStore(), { authorize: () => true, topics: ['/elsewhere'] });

  it.each([
    ['announced by its header', () => delivery([validationSample], announced)],
    ['without the header, which a proxy may drop', () => delivery([validationSample])],
    ['as one event', () => delivery(validationSample, announced)],
  ])('responds to a validation event with its code (%s)', async (_title, request) => {
    const response = await handler(request());
    expect([response.status, await response.json()]).toEqual([200, { validationResponse: code }]);
    expect(response.headers.get('content-type')).toBe('application/json');
  });

  it.each([
    ['an event of another type', [gridSample]],
    ['no code', [{ ...validationSample, data: {} }]],
    ['a code that is not text', [{ ...validationSample, data: { validationCode: { a: 1 } } }]],
    ['a code that is markup', [{ ...validationSample, data: { validationCode: '<script>' } }]],
  ])('refuses a validation request with %s', async (_title, body) => {
    const response = await handler(delivery(body, announced));
    expect(response.status).toBe(400);
    expect(await response.text()).not.toMatch(/script|newsecret/);
  });

  it('does not refresh the store at a validation event', async () => {
    const store = countingStore();
    await eventGridHandler(store, { authorize: () => true })(delivery([validationSample], announced));
    expect(store.triggers).toEqual([]);
  });
});

describe('the handshake of CloudEvents', () => {
  const handler = eventGridHandler(countingStore(), { authorize: () => true });

  it('allows the origin that asks in a CloudEvents handshake, at any rate', async () => {
    const response = await handler(
      ask({ 'WebHook-Request-Origin': 'eventgrid.azure.net', 'WebHook-Request-Rate': '120' }),
    );
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      allow: 'POST, OPTIONS',
      'webhook-allowed-origin': 'eventgrid.azure.net',
      'webhook-allowed-rate': '*',
    });
  });

  it('allows no origin that is not a host name, and none in an ordinary OPTIONS request', async () => {
    const odd = await handler(ask({ 'WebHook-Request-Origin': 'a b; c' }));
    expect([odd.status, odd.headers.has('webhook-allowed-origin')]).toEqual([400, false]);
    const plain = await handler(ask({}));
    expect([plain.status, plain.headers.has('webhook-allowed-origin')]).toEqual([204, false]);
    expect(plain.headers.get('allow')).toBe('POST, OPTIONS');
  });
});

it('asks the authorizer before both handshakes', async () => {
  const asked: string[] = [];
  const handler = eventGridHandler(countingStore(), {
    authorize: ({ method, url, headers }) => {
      asked.push(`${method} ${url.pathname} ${headers.get('aeg-event-type')}`);
      return false;
    },
  });
  for (const request of [
    delivery([validationSample], announced),
    ask({ 'WebHook-Request-Origin': 'eventgrid.azure.net' }),
  ]) {
    const response = await handler(request);
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
    expect(response.headers.has('webhook-allowed-origin')).toBe(false);
    expect(await response.text()).not.toContain(code);
  }
  expect(asked).toEqual(['POST /hooks SubscriptionValidation', 'OPTIONS /hooks null']);
});
