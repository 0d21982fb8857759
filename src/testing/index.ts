export {
  createTestMount,
  type TestMount,
  type TestMountContent,
  type TestMountLayout,
  type TestMountOptions,
  type TestMountRotateOptions,
} from './test-mount';
