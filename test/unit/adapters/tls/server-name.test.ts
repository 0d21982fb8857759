import { describe, expect, it } from 'vitest';
import { namesFor, serverName } from '../../../../src/adapters/tls/server-name';

const label = 'a'.repeat(63);

describe('a server name', () => {
  it.each([
    ['localhost', 'localhost'],
    ['API.Example.com', 'api.example.com'],
    ['*.Example.com', '*.example.com'],
    ['*.internal', '*.internal'],
    ['xn--mnchen-3ya.de', 'xn--mnchen-3ya.de'],
    ['_srv.my-host.example', '_srv.my-host.example'],
    [`${label}.${label}.${label}.${label.slice(2)}`, `${label}.${label}.${label}.${label.slice(2)}`],
  ])('accepts the server name %s as %s', (name, kept) => {
    expect(serverName(name)).toBe(kept);
  });

  it.each([
    '',
    '*',
    '*.',
    '.example.com',
    'example.com.',
    'a..b',
    '-a.example',
    'a-.example',
    'a.*.example',
    'x*.example',
    '*.*.example',
    'a b.example',
    'münchen.de',
    '10.0.0.1',
    '::1',
    `${label}a.example`,
    `${label}.${label}.${label}.${label}`,
  ])('refuses the server name "%s"', (name) => {
    expect(() => serverName(name)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
  });

  it('looks up a server name exactly, then by the wildcard of one label', () => {
    expect(namesFor('A.Example.com')).toEqual(['a.example.com', '*.example.com']);
    expect(namesFor('localhost')).toEqual(['localhost']);
  });
});
