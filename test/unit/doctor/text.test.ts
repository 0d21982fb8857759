import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { checkUndeclared } from '../../../src/doctor/checks/text';

const ordinary = [
  'correct horse battery staple',
  'hunter22',
  'password',
  'Passw0rd',
  'changemenow-7',
  'todo-list-key',
  'P@$$w0rd!{}',
  'a$b{c}d',
  '$(B)c',
  `${'$'}{x}${'$'}{y}!`,
  'x{y}z',
  '$2b$10$abcdefghijklmnopqrstuu',
  '50%OFF%2',
  'postgres://app:s3cr3t@db/app?x=1',
  'https://hooks.slack.example/services/T0/B0/xyz',
  'DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=bWFya2Vk==;EndpointSuffix=core.windows.net',
  'Endpoint=sb://shop.servicebus.windows.net/;SharedAccessKeyName=a;SharedAccessKey=abc=',
  'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl',
  'sk_live_51Hxyz',
  'ghp_16C7e42F292c6912E7710c838347Ae178B4a',
  'AKIAIOSFODNN7EXAMPLE',
  'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  '550e8400-e29b-41d4-a716-446655440000',
  'deadbeefdeadbeefdeadbeefdeadbeef',
  '12345678',
  '{"client_id":"a","uri":"https://shop.example"}',
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMarked user@host',
  'äöü-ß-Ключ',
];

const found = async (value: string) =>
  (await checkUndeclared('one', Buffer.from(value), {})).map(({ code }) => code);

it.each(ordinary)('finds nothing to fix in the ordinary value %s', async (value) => {
  expect(await found(value)).toEqual([]);
});

it('mistakes hardly any random value for something else', async () => {
  const encodings = ['base64', 'base64url', 'hex'] as const;
  let wrong = 0;
  for (let round = 0; round < 10_000; round += 1) {
    const value = randomBytes(9 + (round % 40)).toString(encodings[round % 3] as 'hex');
    if ((await found(value)).length > 0) wrong += 1;
  }
  // 9 random bytes are printable once in 8 000 times.
  expect(wrong).toBeLessThanOrEqual(5);
});

it.each([
  ['changeme', 'VALUE_PLACEHOLDER'],
  ['CHANGE_ME', 'VALUE_PLACEHOLDER'],
  ['todo', 'VALUE_PLACEHOLDER'],
  ['xxxx', 'VALUE_PLACEHOLDER'],
  ['[db password]', 'VALUE_PLACEHOLDER'],
  ['your-api-key', 'VALUE_PLACEHOLDER'],
  // The package knows these, and says so once.
  ['***', 'VALUE_SUSPECT'],
  ['<db-password>', 'VALUE_SUSPECT'],
  ['$DB_PASSWORD', 'VALUE_SUSPECT'],
  ['null', 'VALUE_UNRESOLVED'],
  ['[object Object]', 'VALUE_UNRESOLVED'],
])('finds once that %s stands for a value', async (value, code) => {
  expect(await found(value)).toEqual([code]);
});
