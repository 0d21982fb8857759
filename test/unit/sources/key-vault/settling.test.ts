import { describe, expect, it } from 'vitest';
import { groupOf } from '../../../../src/sources/key-vault/settling';

describe('groupOf', () => {
  it.each([
    ['db-user', 'db'],
    ['orders-db-password', 'orders-db'],
    ['Orders--Db--Password', 'orders-db'],
    ['OrdersDbPassword', 'orders-db'],
    ['tls-crt/4387e9f3d6e14c459867679a90fd0f79', 'tls'],
    ['api-key-2', 'api-key'],
    ['password', undefined],
    ['s0', undefined],
    ['-password-', undefined],
    ['', undefined],
  ])('puts %j into the group %j', (name, group) => {
    expect(groupOf(name)).toBe(group);
  });
});
