import { Agent } from 'node:https';
import { describe, expect, it } from 'vitest';
import { type Connections, clientOptions } from '../../../../src/sources/key-vault/connections';

const optionsOf = (given: Partial<Connections> = {}) =>
  clientOptions({
    timeoutMs: 1_000,
    closing: new AbortController().signal,
    given: undefined,
    own: new Agent(),
    ...given,
  });

describe('a request of the Azure clients', () => {
  const send = async (options: Partial<Connections>, request: object, next: Next) =>
    optionsOf(options).additionalPolicies[0]?.policy.sendRequest(request, next);
  type Next = (request: { agent?: unknown; abortSignal?: AbortSignal }) => Promise<unknown>;

  it('prefers the given agent to that of a proxy, and that to the default agent', async () => {
    const [given, own, proxy] = [new Agent(), new Agent(), new Agent()];
    const agentOf = (request: object) => send({ own }, request, async ({ agent }) => agent);
    expect(optionsOf({ given, own }).agent).toBe(given);
    expect(optionsOf({ own })).not.toHaveProperty('agent');
    expect(await agentOf({ agent: proxy })).toBe(proxy);
    expect(await agentOf({})).toBe(own);
    expect(await agentOf({ tlsSettings: {} })).toBeUndefined();
  });

  it('ends a request at its deadline, when its signal aborts, and when the source closes', async () => {
    const [closing, caller] = [new AbortController(), new AbortController()];
    const hang: Next = ({ abortSignal }) =>
      new Promise((resolve) => abortSignal?.addEventListener('abort', () => resolve('ended')));
    const options = { closing: closing.signal, timeoutMs: 60_000 };
    expect(await send({ ...options, timeoutMs: 10 }, {}, hang)).toBe('ended');
    const called = send(options, { abortSignal: caller.signal }, hang);
    caller.abort();
    expect(await called).toBe('ended');
    const closed = send(options, {}, hang);
    closing.abort();
    expect(await closed).toBe('ended');
  });
});
