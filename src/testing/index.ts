export { createKeyVaultEmulator } from './key-vault-emulator/create-key-vault-emulator';
export type {
  KeyVaultEmulator,
  KeyVaultEmulatorOptions,
  KeyVaultFault,
  KeyVaultFaultKind,
  KeyVaultRequest,
  KeyVaultSecretAttributes,
  ProjectedToken,
  WorkloadIdentityFiles,
} from './key-vault-emulator/types';
export {
  type ContractCase,
  type ContractValues,
  type SourceHarness,
  type SourceUnderTest,
  sourceContract,
} from './source-contract';
export {
  createTestMount,
  type TestMount,
  type TestMountContent,
  type TestMountLayout,
  type TestMountOptions,
  type TestMountRotateOptions,
} from './test-mount';
