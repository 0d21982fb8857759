import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { isPlaceholder, referenceIn } from '../../../src/doctor/checks/references';
import { checkText } from '../../../src/doctor/checks/text';

const ordinary = [
  'correct horse battery staple',
  'hunter22',
  'password',
  'Passw0rd',
  'changemenow-7',
  'todo-list-key',
  'P@$$w0rd!{}',
  'a$b{c}d',
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

const found = (value: string) =>
  checkText({ kind: 'text', bytes: Buffer.from(value), decoded: value }, {}).map(({ code }) => code);

describe('ordinary values', () => {
  it.each(ordinary)('causes no finding: %s', (value) => {
    expect(referenceIn(value)).toBeUndefined();
    expect(isPlaceholder(value)).toBe(false);
    expect(found(value)).toEqual([]);
  });

  it('mistakes hardly any random value for something else', () => {
    const encodings = ['base64', 'base64url', 'hex'] as const;
    let wrong = 0;
    for (let round = 0; round < 10_000; round += 1) {
      const value = randomBytes(9 + (round % 40)).toString(encodings[round % 3] as 'hex');
      if (found(value).length > 0) wrong += 1;
    }
    // 9 random bytes are printable once in 8 000 times.
    expect(wrong).toBeLessThanOrEqual(5);
  });
});

it.each([
  'changeme',
  'CHANGE_ME',
  'todo',
  'xxxx',
  '***',
  '<db-password>',
  'your-api-key',
  'null',
  '[object Object]',
])('finds the placeholder %s', (value) => {
  expect(isPlaceholder(`${value}\n`)).toBe(true);
});
