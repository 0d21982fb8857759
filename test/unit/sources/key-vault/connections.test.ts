import { Agent } from 'node:https';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { Connections } from '../../../../src/sources/key-vault/connections';
import { proxyOf, TunnelAgent } from '../../../../src/sources/key-vault/tunnel';

type Next = (request: { agent?: unknown; abortSignal?: AbortSignal }) => Promise<unknown>;

const accept = () => {};
const url = 'https://shop.vault.azure.net/secrets/key';

function connect(options: { agent?: Agent; timeoutMs?: number } = {}) {
  const connections = new Connections({ timeoutMs: 60_000, agent: undefined, ...options });
  onTestFinished(() => connections.close());
  const send = (request: object, next: Next) =>
    connections.forVault(accept).additionalPolicies[0]?.policy.sendRequest({ url, ...request }, next);
  const agentOf = (request: object) => send(request, async ({ agent }) => agent);
  return { connections, send, agentOf };
}

describe('a request of the Azure clients', () => {
  it('prefers the given agent to a proxy, and a proxy to the default agent', async () => {
    const given = new Agent();
    const proxied = { agent: { proxy: new URL('http://proxy:3128') } };
    expect(await connect({ agent: given }).agentOf(proxied)).toBe(given);
    const { agentOf } = connect();
    expect(await agentOf(proxied)).toBeInstanceOf(TunnelAgent);
    expect(await agentOf(proxied)).toBe(await agentOf(proxied));
    expect(await agentOf({})).toBeInstanceOf(Agent);
    expect(await agentOf({})).not.toBeInstanceOf(TunnelAgent);
    expect(await agentOf({ tlsSettings: {} })).toBeUndefined();
  });

  it('ends a request at its deadline, when its signal aborts, and when the source closes', async () => {
    const caller = new AbortController();
    const hang: Next = ({ abortSignal }) =>
      new Promise((resolve) => abortSignal?.addEventListener('abort', () => resolve('ended')));
    expect(await connect({ timeoutMs: 10 }).send({}, hang)).toBe('ended');
    const { connections, send } = connect();
    const called = send({ abortSignal: caller.signal }, hang);
    caller.abort();
    expect(await called).toBe('ended');
    const closed = send({}, hang);
    connections.close();
    expect(await closed).toBe('ended');
  });

  it.each([
    ['http://169.254.169.254/metadata', 'http:'],
    ['https://login.microsoftonline.com/token', 'https:'],
  ])('sends a request for a token to %s with an agent for %s', async (address, protocol) => {
    const { connections } = connect({ agent: new Agent() });
    const { agent, additionalPolicies } = connections.forIdentity(accept, accept);
    // The managed identity leaves the policy out, and sends to http only.
    expect((agent as unknown as { protocol: string }).protocol).toBe('http:');
    const [used] = await Promise.all([
      additionalPolicies[0]?.policy.sendRequest<unknown>({ url: address }, async (sent) => sent.agent),
    ]);
    expect((used as { protocol: string }).protocol).toBe(protocol);
  });
});

describe('the proxy of the environment', () => {
  const URLS = ['https://shop.vault.azure.net', 'https://login.microsoftonline.com'];
  it.each([
    [{}, [undefined, undefined]],
    [{ HTTPS_PROXY: 'http://a:1' }, ['a:1', 'a:1']],
    [{ https_proxy: 'http://a:1' }, ['a:1', 'a:1']],
    [{ ALL_PROXY: 'http://a:1', HTTP_PROXY: 'http://b:1' }, ['a:1', 'a:1']],
    [{ HTTPS_PROXY: 'http://a:1', NO_PROXY: '.vault.azure.net, localhost' }, [undefined, 'a:1']],
    [{ HTTPS_PROXY: 'http://a:1', no_proxy: 'login.microsoftonline.com' }, ['a:1', undefined]],
    [{ HTTPS_PROXY: 'not an address' }, [undefined, undefined]],
  ])('reads %o', (variables, expected) => {
    for (const name of ['HTTPS_PROXY', 'ALL_PROXY', 'HTTP_PROXY', 'NO_PROXY']) {
      for (const one of [name, name.toLowerCase()]) {
        vi.stubEnv(one, (variables as Record<string, string>)[one] ?? '');
      }
    }
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
    expect(URLS.map((one) => proxyOf(new URL(one))?.host)).toEqual(expected);
  });
});
