export { createKeyVaultEmulator } from './key-vault-emulator/create-key-vault-emulator';
export type { KeyVaultFault, KeyVaultFaultKind } from './key-vault-emulator/faults';
export type { KeyVaultEmulatorOptions } from './key-vault-emulator/options';
export type { KeyVaultRequest } from './key-vault-emulator/server';
export type { ProjectedToken } from './key-vault-emulator/tokens';
export type { KeyVaultEmulator, WorkloadIdentityFiles } from './key-vault-emulator/types';
export type { KeyVaultSecretAttributes } from './key-vault-emulator/vault-content';
export { type NextEventOptions, nextEvent } from './next-event';
export type {
  PoolAbility,
  PoolHarness,
  PoolLogin,
  PoolRequest,
  PoolSecrets,
  PoolServer,
  PoolUnderTest,
} from './pool-contract/harness';
export { type PoolCase, poolContract } from './pool-contract/pool-contract';
export { type ContractCase, sourceContract } from './source-contract';
export type { ContractValues, SourceHarness, SourceUnderTest } from './source-harness';
export {
  createTestMount,
  type TestMount,
  type TestMountContent,
  type TestMountLayout,
  type TestMountOptions,
  type TestMountRotateOptions,
} from './test-mount';
