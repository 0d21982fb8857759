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
